"""Which numbers does a text state, and which of them does another text hold, in whatever notation? 1,000 is a thousand, 50% is a half.

Looked for are numbers in digits, longer English number words and longer Chinese numerals. No numbers are: numbers of list items, headings,
steps and equations, indices of names (x_1, H2O), lengths of LaTeX's layout, and what stands in code blocks. Signs do not count.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from filters.final_answers.chinese_numbers import arabic
from filters.final_answers.number_words import SCALES, SMALL, spelled_number

LONGEST = 40
"""Digits beyond which a number is compared by its digits alone."""

Reading = tuple[Fraction | str, ...]
"""One way to read a number: all of these values are stated. `1,234` is one number or two."""


@dataclass(frozen=True, slots=True)
class Said:
    """A number as it stands in a text."""

    text: str
    readings: tuple[Reading, ...]
    tolerance: float | None = None
    """By how much a longer number may differ that this one rounds or cuts; None for exact numbers."""


def missing_numbers(text: str, within: Sequence[str], *, distinct: bool = False) -> tuple[int, list[str]]:
    """(how many numbers the text states, those that none of the texts `within` holds, as they are written).

    >>> missing_numbers("1,000 of 4/5 kg: 3.14", ["a thousand, 0.8", "3.14159"]), missing_numbers("Step 2: add 7.", ["6"])
    ((3, []), (1, ['7']))
    """
    said = numbers_said(text)
    if distinct:
        said = list({one.readings: one for one in said}.values())
    if not said:
        return 0, []
    known = Known(within)
    return len(said), [one.text for one in said if not known.holds(one)]


def numbers_said(text: str) -> list[Said]:
    """The numbers that a text states, in their order; twice where it states one twice."""
    plain = _plain(_FENCED.sub("\n", text))
    plain = _LAYOUT.sub(" ", _LABELS.sub(" ", plain))
    found = [(match.start(), _said(match, plain)) for match in _NUMBER.finditer(plain)]
    found += [(match.start(), one) for match in _WORDS.finditer(plain) if (one := _in_words(match.group(), least=13))]
    found += [(match.start(), one) for match in _CHINESE.finditer(plain) if len(match.group()) > 1 and (one := _in_chinese(match.group()))]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


class Known:
    """The numbers that some texts hold, read as generously as possible."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.values: set[Fraction | str] = set()
        for text in texts:
            plain = _plain(text)
            self.values.update(_generously(plain))
            if "%" in plain or re.search(r"(?i)percent|百分", plain):
                self.values.add(Fraction(100))

    @cached_property
    def floats(self) -> list[float]:
        """The values in ascending order, for what is rounded."""
        return sorted(float(value) for value in self.values if isinstance(value, Fraction) and abs(value) < 10**300)

    def holds(self, said: Said) -> bool:
        """Whether all values of one of its readings are there."""
        if any(all(value in self.values for value in reading) for reading in said.readings):
            return True
        return any(self._close(reading[0], said) for reading in said.readings if len(reading) == 1)

    def _close(self, value: Fraction | str, said: Said) -> bool:
        """Whether it is a known one rounded or cut; or exact, and known to three digits at least."""
        if isinstance(value, str) or not 0 < abs(value) < 10**300:
            return False
        exact, written = float(value), said.readings[0][0]
        if said.tolerance is not None and not isinstance(written, str):
            allowed = said.tolerance * exact / float(written)  # a percentage is hundredths of what is written
        else:
            allowed = abs(exact) * 5e-4 if value.denominator > 1 else 0.0
        place = bisect_left(self.floats, exact - allowed)
        return place < len(self.floats) and self.floats[place] <= exact + allowed


_FENCED = re.compile(r"(?ms)^[ \t]*```.*?(?:^[ \t]*```[ \t]*$|\Z)")
_LAYOUT = re.compile(
    r"\\(?:tag|label|(?:eq|page)?ref|cite|[hv]space|[hv]skip|rule|color|fontsize)\*?\s*\{[^{}\n]*\}|\\\\\s*\[[^\]\n]*\]"
    r"|(?<![\d.])\[?\d{1,4}(?:\.\d{1,4})?(?:em|ex|pt)\b\]?|_\s*(?:\{\s*\d+\s*\}|\d)|(?<![\d.,])\[\d{1,3}\]"
)
"""What LaTeX lays out by, indices, and references in square brackets."""
_NAMED = (
    "steps?|cases?|parts?|methods?|approach|equations?|eqs?\\.?|formula|scenarios?|options?|question|problem|example|figure|table|section"
    "|phase|stage|round|way|solution|point|item|rule|test"
)
_LABELS = re.compile(
    rf"(?im)^[ \t>*#-]*(?:\*\*|__)?[(（]?\d{{1,2}}[.)）、:：](?:\*\*|__)?(?=\s|[^\d\s])|^[ \t]*#+[ \t]*\d{{1,2}}\b"
    rf"|(?<![A-Za-z])(?:{_NAMED})\s*[(（]?\s*#?\d{{1,2}}(?![\d%/]|[.,]\d)(?:\s*(?:and|to|-|–|&)\s*\(?\d{{1,2}}(?![\d%]))?"
    r"|(?:步骤|方法|情况|情形|式|方程|公式|问题|小题|例|图|表|方案|阶段|选项)\s*[(（]?\s*\d{1,2}(?![\d%.])|第\s*\d{1,2}\s*(?:步|种|类|部分|个步骤|阶段|问|小题|条)"
    r"|(?<![\d.])[(（]\d{1,2}[)）](?=\s*(?:and|和|、|,|得|:|：|\.|。|$))|\b\d{0,3}(?:1st|2nd|3rd|[04-9]th|1[1-3]th)\b"
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_CIRCLED = re.compile(r"[\u2460-\u24ff\u2776-\u2793]")
_DIGITS = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+"
_DECIMAL = rf"(?:(?:{_DIGITS})(?:\.\d+)?|(?<!\d)\.\d+)"
_SCALE = "|".join(sorted(map(re.escape, (*SCALES, "千", "百", "十", "hundred")), key=len, reverse=True))
_NUMBER = re.compile(
    rf"(?<![A-Za-z\d.])(?<!\d,)(?:(?P<whole>\d+)\s+)?(?P<over>{_DECIMAL})\s*/\s*(?P<under>{_DECIMAL})(?!\s*/|[\d])"
    rf"|(?<![A-Za-z\d])(?<!\d\.)(?P<plain>{_DECIMAL})\s*(?:(?P<percent>%|percent\b|per cent\b)|(?P<scale>{_SCALE})(?![A-Za-z]))?"
)
_IN = re.compile(rf"(?<![\d.,])({_DECIMAL})\s*(?:in|out\s+of|of|to|:)\s*({_DECIMAL})")
"""3 in 4, 2 out of 3."""
_FRAC = re.compile(rf"\\[dtc]?frac\s*(?:\{{\s*({_DECIMAL})\s*\}}|(\d))\s*(?:\{{\s*({_DECIMAL})\s*\}}|(\d))")
_WORDS = re.compile(
    r"(?i)\b(?:(?:{0})(?:[ -]+(?:and[ -]+)?(?:{0}|hundred|thousand|million|billion)){{0,8}})\b".format(
        "|".join(sorted(SMALL, key=len, reverse=True))
    )
)
_CHINESE = re.compile(
    r"(?:百分之)?[零〇一二两三四五六七八九十百千万亿]{1,20}(?:点[零〇一二三四五六七八九]{1,12})?(?:(?:又[零〇一二两三四五六七八九十百千]{1,9})?分之[零〇一二两三四五六七八九十百千]{1,9})?"
)
_NO_NUMERALS = frozenset({"万一", "千万", "一一", "百万千万", "千千万万", "万万", "十万八千", "一十", "百千"})
_SHARES = "half third fourth fifth sixth seventh eighth ninth tenth"
_PARTS = {word: Fraction(1, 2 + place) for place, word in enumerate(_SHARES.split())} | {
    word: Fraction(value)
    for value, words in {
        "0": "none no nothing",
        "1": "first single once",
        "2": "second both pair twice double doubled square squared",
        "3": "triple tripled thrice cube cubed",
        "7": "week",
        "12": "dozen year",
        "24": "day",
        "60": "hour minute",
        "100": "hundred",
        "1000": "thousand",
        "1000000": "million",
        "1/2": "halve halved",
        "1/4": "quarter",
    }.items()
    for word in words.split()
}
"""What words say beside number words."""
_PARTS_ZH = {"半": Fraction(1, 2), "平方": Fraction(2), "立方": Fraction(3), "倍": Fraction(2), "双": Fraction(2), "没有": Fraction(0)}


def _plain(text: str) -> str:
    """The text with LaTeX fractions and separators, superscripts, full-width digits and the like as plain characters."""
    text = _CIRCLED.sub(" ", text)
    text = re.sub(r"[⁰¹²³⁴-⁹⁻]+", lambda match: "^" + match.group().translate(_SUPERSCRIPTS), text)
    text = re.sub(r"[\u2080-\u2089]+", " ", text)
    text = re.sub(r"(?=[¼½¾⅐-⅞])", " ", text)
    text = unicodedata.normalize("NFKC", text).replace("\u2044", "/").replace("\u2212", "-").replace("{,}", ",").replace("\\%", "%")
    text = text.replace("\\!", "")
    text = re.sub(r"(?<=\d)(?:\\[,!;: ]|\u2009|\u202f|\\thinspace)(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<![\d.])(\d{1,3})((?: \d{3})+)(?![\d])", lambda match: match[1] + match[2].replace(" ", ","), text)
    text = text.replace("\\approx", "≈").replace("\\sim", "≈").replace("\\$", " ")
    text = _FRAC.sub(lambda match: f" {match[1] or match[2]}/{match[3] or match[4]} ", text)
    return re.sub(r"\\(?!(?:tag|label|(?:eq|page)?ref|cite|[hv]space|[hv]skip|rule|color|fontsize)\b)[A-Za-z]+\*?", " ", text)


def _value(digits: str) -> Fraction | str:
    digits = digits.replace(",", "")
    return Fraction(digits) if len(digits) <= LONGEST else digits


def _said(match: re.Match[str], text: str) -> Said:
    whole, over, under, plain = match["whole"], match["over"], match["under"], match["plain"]
    if over:
        parts = tuple(_value(part) for part in (whole, over, under) if part)
        quotient = _quotient(whole, over, under)
        return Said(match.group().strip(), (parts,) if quotient is None else ((quotient,), parts))
    value = _value(plain)
    if isinstance(value, str):
        return Said(plain, ((value,),))
    readings: list[Reading] = [(value,)]
    if "," in plain:
        readings.append(tuple(Fraction(part) for part in plain.split(",")))
    if match["percent"]:
        readings.append((value / 100,))
    if match["scale"]:
        readings.append((value * _scale(match["scale"]),))
    places = len(plain.partition(".")[2])
    roughly = places > 0 or re.search(
        r"(?:≈|\babout|approximately|roughly|\baround|nearly|约|大约|近)\W{0,4}$", text[max(0, match.start() - 20) : match.start()]
    )
    return Said(match.group().strip(), tuple(readings), 10.0**-places if roughly else None)


def _quotient(whole: str | None, over: str, under: str) -> Fraction | None:
    top, bottom, more = _value(over), _value(under), _value(whole or "0")
    if isinstance(top, str) or isinstance(bottom, str) or isinstance(more, str) or not bottom:
        return None
    return more + top / bottom


def _scale(word: str) -> int:
    return {"千": 1_000, "百": 100, "十": 10, "hundred": 100}.get(word) or SCALES[word]


def _in_words(words: str, *, least: int = 0) -> Said | None:
    value = spelled_number(words)
    return Said(words, ((value,),)) if value is not None and value >= least else None


def _in_chinese(numeral: str) -> Said | None:
    if numeral in _NO_NUMERALS:
        return None
    try:
        written = arabic(numeral)
        whole, _, share = written.rpartition(" ")
        value = Fraction(share.rstrip("%")) + Fraction(whole or 0)
    except (ValueError, ZeroDivisionError):
        return None
    return Said(numeral, ((value,), (value / 100,)) if written.endswith("%") else ((value,),))


def _generously(plain: str) -> Iterator[Fraction | str]:
    """Every value that can be read anywhere in the text: parts of numbers, indices, words and numerals too."""
    for match in _NUMBER.finditer(plain):
        for reading in _said(match, plain).readings:
            yield from reading
    for digits in re.findall(rf"{_DECIMAL}|\d+", plain):
        yield _value(digits)
    for over, under in _IN.findall(plain):
        if (share := _quotient("", over, under)) is not None:
            yield share
    for said in {match.group() for match in _WORDS.finditer(plain)}:
        for words in (said, *re.split(r"[ -]+", said)):
            if one := _in_words(words):
                yield from one.readings[0]
    for word in set(re.findall(r"[a-z]+", plain.lower())):
        yield from (_PARTS[known] for known in (word, word.removesuffix("s")) if known in _PARTS)
    for said in {match.group() for match in _CHINESE.finditer(plain)}:
        for numeral in (said, *said):
            if one := _in_chinese(numeral):
                for reading in one.readings:
                    yield from reading
    yield from (part for word, part in _PARTS_ZH.items() if word in plain)
