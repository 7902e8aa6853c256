"""Is what a program printed what was expected? All of it is compared, never a beginning."""

from __future__ import annotations

import math
import re
from typing import Literal

Checker = Literal["lines", "tokens", "exact", "caseless", "any order"]
CHECKERS: tuple[Checker, ...] = ("lines", "tokens", "exact", "caseless", "any order")
_DECIMAL = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d{1,4})?|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
LONGEST_NUMBER = 400


def output_matches(got: str, expected: str, *, checker: Checker = "lines", tolerance: float = 1e-6) -> bool:
    """True where the outputs agree.

    "lines": line by line and word by word; white space within a line, empty lines and the kind of line ends do not count.
    "tokens": line breaks do not count either. "exact": only white space at the ends of lines and of the text does not count.
    "caseless": as "lines", and `YES` equals `yes`. "any order": as "lines", in any order of the lines.
    A word that the expected output writes as a decimal (`0.5`, `1e3`) is equal to every number within `tolerance`, relative or absolute;
    whole numbers and words are equal only to themselves.

    >>> output_matches("1 2 \\n3\\n", "1 2\\n3"), output_matches("1", "1\\n2"), output_matches("0.3333333", "0.33333333333")
    (True, False, True)
    """
    if checker == "exact":
        return _stripped(got) == _stripped(expected)
    if checker == "tokens":
        return _words_match(got.split(), expected.split(), tolerance)
    if checker == "caseless":
        got, expected = got.casefold(), expected.casefold()
    theirs, ours = _lines(got), _lines(expected)
    if checker == "any order":
        theirs, ours = sorted(theirs), sorted(ours)
    return len(theirs) == len(ours) and all(_words_match(a, b, tolerance) for a, b in zip(theirs, ours, strict=True))


def first_difference(got: str, expected: str, *, tolerance: float = 1e-6) -> tuple[str, str]:
    """The first line that differs, as (got, expected), for a reason a person reads."""
    theirs, ours = _lines(got), _lines(expected)
    for a, b in zip(theirs, ours, strict=False):
        if not _words_match(a, b, tolerance):
            return " ".join(a), " ".join(b)
    if len(theirs) < len(ours):
        return "nothing more" if theirs else "nothing", " ".join(ours[len(theirs)])
    return (" ".join(theirs[len(ours)]), "nothing more") if len(theirs) > len(ours) else (got.strip(), expected.strip())


def _stripped(text: str) -> list[str]:
    return "\n".join(line.rstrip() for line in text.strip().splitlines()).split("\n")


def _lines(text: str) -> list[list[str]]:
    return [words for line in text.splitlines() if (words := line.split())]


def _words_match(got: list[str], expected: list[str], tolerance: float) -> bool:
    return got == expected or (
        len(got) == len(expected) and all(_word_matches(a, b, tolerance) for a, b in zip(got, expected, strict=True))
    )


def _word_matches(got: str, expected: str, tolerance: float) -> bool:
    if got == expected:
        return True
    if len(got) > LONGEST_NUMBER or len(expected) > LONGEST_NUMBER or not _DECIMAL.fullmatch(expected) or not _NUMBER.fullmatch(got):
        return False
    one, other = float(got), float(expected)
    return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance) or (math.isnan(one) and math.isnan(other))
