"""Which number does a Chinese numeral write: 三十五, 两百零四, 百分之二十, 三分之二, 负一点五?"""

from __future__ import annotations

import re

_DIGITS = dict(zip("零〇一二两三四五六七八九壹贰叁肆伍陆柒捌玖", [0, 0, 1, 2, 2, *range(3, 10), *range(1, 10)], strict=True))
_TENS = {"十": 10, "百": 100, "千": 1_000, "拾": 10, "佰": 100, "仟": 1_000}
_NUMERAL = r"[零〇一二两三四五六七八九壹贰叁肆伍陆柒捌玖十百千拾佰仟万亿]{1,20}"
_DECIMAL = rf"{_NUMERAL}(?:点[零〇一二三四五六七八九]{{1,12}})?"
_WRITTEN = re.compile(rf"(负)?(?:(百分之)({_DECIMAL})|(?:({_NUMERAL})又)?({_NUMERAL})分之({_NUMERAL})|({_DECIMAL}))(.{{0,4}})", re.DOTALL)

_UNIT = re.compile(r"[个只本人次元角分米克天年月日号岁倍种条张块名辆棵支小时度]{1,2}|厘米|千米|公里|千克|平方米|立方米")


def arabic(text: str) -> str:
    """The text in Arabic digits where it is one Chinese numeral, with up to four characters of unit behind it; otherwise as it was.

    >>> arabic("三十五"), arabic("百分之二十"), arabic("三分之二"), arabic("负一点五"), arabic("两个"), arabic("一般")
    ('35', '20%', '2/3', '-1.5', '2个', '一般')
    """
    match = _WRITTEN.fullmatch(text)
    if not match:
        return text
    minus, percent, share, whole, under, over, plain, unit = match.groups()
    if unit and not re.fullmatch(
        r"[个只本人次元角分米克天年月日号岁倍种条张块名辆棵支小时度]{1,2}|厘米|千米|公里|千克|平方米|立方米", unit
    ):
        return text
    sign = "-" if minus else ""
    if percent:
        return f"{sign}{_decimal(share)}%{unit}"
    if over:
        return f"{sign}{_whole(whole)} {_whole(over)}/{_whole(under)}{unit}" if whole else f"{sign}{_whole(over)}/{_whole(under)}{unit}"
    return f"{sign}{_decimal(plain)}{unit}"


def _decimal(numeral: str) -> str:
    whole, _, places = numeral.partition("点")
    return f"{_whole(whole)}" + (f".{''.join(str(_DIGITS[sign]) for sign in places)}" if places else "")


def _whole(numeral: str) -> int:
    """By place value (一千二百), or digit by digit where no unit is written (二〇二四)."""
    if all(sign in _DIGITS for sign in numeral):
        return int("".join(str(_DIGITS[sign]) for sign in numeral))
    total = section = digit = 0
    for sign in numeral:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _TENS:
            section += (digit or 1) * _TENS[sign]
            digit = 0
        else:  # 亿 counts all that stands before it, 万 only what follows the last 亿
            total = (total + section + digit) * 10**8 if sign == "亿" else total + (section + digit) * 10**4
            section = digit = 0
    return total + section + digit
