"""Which number do English words write: twenty-one, one hundred and five, one half, two thirds?"""

from __future__ import annotations

import re
from fractions import Fraction

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_PARTS = "half third fourth fifth sixth seventh eighth ninth tenth"
SMALL = {word: value for value, word in enumerate(_ONES.split())} | {word: 20 + 10 * place for place, word in enumerate(_TENS.split())}
"""Words for numbers below a hundred."""
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12} | {
    "万": 10**4,
    "百万": 10**6,
    "亿": 10**8,
    "万亿": 10**12,
}
"""Words that multiply the number before them."""
_UNDER = {word: 2 + place for place, word in enumerate(_PARTS.split())} | {"quarter": 4, "halve": 2}


def spelled_number(text: str) -> Fraction | None:
    """The number that a text of nothing but number words writes; None for any other text.

    >>> spelled_number("One hundred and five"), spelled_number("twenty-one"), spelled_number("two thirds"), spelled_number("a dozen")
    (Fraction(105, 1), Fraction(21, 1), Fraction(2, 3), None)
    """
    if not re.fullmatch(r"[A-Za-z]{3,9}(?:[ -]+[A-Za-z]{2,9}){0,11}", text):
        return None
    words = [word for word in re.split(r"[ -]+", text.lower()) if word != "and"]
    sign = -1 if words[:1] in (["minus"], ["negative"]) else 1
    words = words[1:] if sign < 0 else words
    under = _UNDER.get(words[-1].removesuffix("s")) if len(words) > 1 else None
    value = _whole(words[:-1] if under else words)
    return None if value is None else Fraction(sign * value, under or 1)


def _whole(words: list[str]) -> int | None:
    total = group = 0
    last = 0
    for word in words:
        if word in SMALL:
            if last and not (last >= 20 and last % 10 == 0 and SMALL[word] < 10) and last != 100:
                return None  # "one two"
            group += SMALL[word]
            last = SMALL[word]
        elif word == "hundred" and 0 < group < 10:
            group, last = group * 100, 100
        elif word in SCALES and group:
            total, group, last = total + group * SCALES[word], 0, 0
        else:
            return None
    return total + group if words else None
