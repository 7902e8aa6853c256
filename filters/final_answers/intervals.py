"""Which real numbers lie in a union of intervals, however it is cut into parts: `(0, 1] \\cup (1, 2)` is `(0, 2)`."""

from __future__ import annotations

from fractions import Fraction

from filters.final_answers.lists import split
from filters.final_answers.notation import latex
from filters.final_answers.probing import value_of

_ROUNDED = 10**40
"""Ends that agree to forty digits are one."""
_FAR = 10**400
"""Stands for infinity among the ends."""

Ends = tuple[Fraction, int, Fraction, int]
"""(low, 0 where it belongs to the interval else 1, high, 0 where it belongs else -1): in the order of the numbers they enclose."""


def unions_equal(*, gold: str, prediction: str) -> bool | None:
    """The verdict where at least one side is a union and every end is a number; None for any other pair."""
    if "\\cup" not in gold + prediction:
        return None
    ours, theirs = _union(gold), _union(prediction)
    return None if ours is None or theirs is None else _merged(ours) == _merged(theirs)


def _union(text: str) -> list[Ends] | None:
    found: list[Ends] = []
    for part in text.split("\\cup"):
        listed = split(part)
        if listed is None:
            return None
        opening, ends = listed
        values = [_end(end) for end in ends]
        if None in values or (opening != "\\{" and len(values) != 2):
            return None
        numbers = [value for value in values if value is not None]
        if opening == "\\{":
            found += [(value, 0, value, 0) for value in numbers]
        elif opening in ("(", "(]", "[", "[)"):
            open_right = opening in ("(", "[)")
            found.append((numbers[0], int(opening[0] == "("), numbers[1], -1 if open_right else 0))
        else:
            return None
    return found


def _end(text: str) -> Fraction | None:
    plain = text.replace(" ", "").replace("+", "")
    if plain in ("\\infty", "-\\infty"):
        return Fraction(_FAR if plain[0] == "\\" else -_FAR)
    value = value_of(latex(text))
    return None if value is None else Fraction(round(value * _ROUNDED), _ROUNDED)


def _merged(parts: list[Ends]) -> list[Ends]:
    found: list[Ends] = []
    for low, low_open, high, high_open in sorted(parts):
        if found and (low, low_open) <= (found[-1][2], found[-1][3] + 1):
            if (high, high_open) > (found[-1][2], found[-1][3]):
                found[-1] = (*found[-1][:2], high, high_open)
        else:
            found.append((low, low_open, high, high_open))
    return found
