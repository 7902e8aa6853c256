"""Are two plain formulas equal? Values at fixed points tell different ones apart in microseconds and equal ones to forty digits.

Two formulas that are far apart at a point where both have a value are different: that is a proof. Two that agree to forty digits at four
points chosen before they were written are called equal (the test of Schwartz and Zippel). What lies between is left to algebra. Nothing
whose exact value would have more than a million digits is evaluated at all.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from filters.final_answers.formula import AMBIGUOUS_LOG, AMBIGUOUS_SLASH, Reading, Tree, parsed
from filters.final_answers.formula_tokens import Unreadable
from filters.final_answers.tree_values import DIGITS, NoValue, digits_before_point, exact_value, fast_value

AGREE = 10.0**-40
"""Relative distance below which two values are one."""
APART = 1e-3
"""Relative distance above which fast arithmetic has told two formulas apart."""

LONGEST_COMPARED = 20_000
"""Digits up to which large numbers are compared to the last one (ours)."""

_POSITIVE = (Fraction(1_400_009, 1_000_003), Fraction(846_161, 1_000_033), Fraction(2_555_563, 1_000_037))
_WHOLE = (*range(2, 14), 97, 1_000, 12_345)
"""Where formulas with floors and ceilings are compared: they are about integers."""
_NEGATIVE = (Fraction(-1_142_861, 1_000_039),)


def formulas_probed(*, gold: str, prediction: str) -> bool | None:
    """True, False, or None where one side is no plain formula or the values leave it open; TooLarge for towers and the like.

    An ambiguous spelling (`1/2x`, `\\log x`) is equal when it is in one of its readings.
    """
    found: list[bool | None] = [_probed(gold, prediction, reading) for reading in _readings(gold + " " + prediction)]
    return True if True in found else None if None in found else False


def _readings(text: str) -> list[Reading]:
    slashes = (False, True) if AMBIGUOUS_SLASH.search(text) else (False,)
    logs = (False, True) if AMBIGUOUS_LOG.search(text) else (False,)
    return [Reading(tight_slash=slash, decimal_log=log) for slash in slashes for log in logs]


def refuse_if_too_large(text: str) -> None:
    """TooLarge for a tower of powers and the like; any other text passes."""
    for side in (_sides(text, Reading()) or ())[-1:]:
        try:
            fast_value(side, _Points(_POSITIVE[0]))
        except NoValue:
            with contextlib.suppress(NoValue):
                exact_value(side, _Points(_POSITIVE[0]))


def is_plain(text: str) -> bool:
    """Whether the text is one formula, or one equation, of the kind that is read here."""
    return _sides(text, Reading()) is not None


def value_of(text: str) -> Fraction | None:
    """The value of a closed real formula to DIGITS digits, None for any other text; TooLarge as above."""
    tree = _tree(text, Reading())
    if tree is None or _symbols(tree):
        return None
    try:
        value = exact_value(tree, {})
    except NoValue:
        return None
    real, imaginary = value.real, getattr(value, "imag", 0)
    return _fraction(real) if abs(imaginary) <= AGREE * max(1, abs(real)) else None


def _fraction(real: Any) -> Fraction:
    sign, mantissa, exponent, _ = real._mpf_
    return Fraction((-1) ** sign * int(mantissa)) * Fraction(2) ** int(exponent)


@functools.lru_cache(maxsize=20_000)
def _tree(text: str, reading: Reading) -> Tree | None:
    try:
        return parsed(text, reading)
    except Unreadable:
        return None


_RELATION = re.compile(r"<|>|\\(?:le|ge|ne|approx|in)(?![a-zA-Z])")


@functools.lru_cache(maxsize=20_000)
def _sides(text: str, reading: Reading) -> tuple[Tree, ...] | None:
    """(formula,) or (left, right) of an equation; None where either cannot be read."""
    sides = text.split("=")
    if len(sides) > 2 or _RELATION.search(text):
        return None
    found = [_tree(side, reading) for side in sides]
    return None if None in found else tuple(tree for tree in found if tree is not None)


def _probed(gold: str, prediction: str, reading: Reading) -> bool | None:
    ours, theirs = _sides(gold, reading), _sides(prediction, reading)
    if ours and theirs:
        theirs = tuple(_recased(side, ours) for side in theirs)
    if ours is None or theirs is None:
        return None
    if len(ours) != len(theirs):
        return False  # an equation and a formula: the names of formulas were set aside before
    try:
        return _same_values(ours[0], theirs[0]) if len(ours) == 1 else _same_equation(ours, theirs)
    except NoValue:
        return None


class _Points(dict[str, Fraction]):
    """A value for every symbol, the same for the same name: near `base`, or an integer up to `spread` above it."""

    def __init__(self, base: Fraction, *, spread: int = 0) -> None:
        self.base, self.spread = base, spread

    def __missing__(self, name: str) -> Fraction:
        place = sum(ord(letter) * 31**at for at, letter in enumerate(name[:12])) % 997
        self[name] = self.base + place % self.spread if self.spread else self.base * (1 + Fraction(place, 1009))
        return self[name]


def _same_values(gold: Tree, prediction: Tree) -> bool | None:
    closed = not (_symbols(gold) or _symbols(prediction))
    rounded = _has_decimal(gold) or _has_decimal(prediction)
    if (_has_steps(gold) or _has_steps(prediction)) and not closed:
        return all(_agree(gold, prediction, _Points(Fraction(n), spread=n), rounded=False) for n in _WHOLE)
    for base in _POSITIVE[:1] if closed else _POSITIVE:
        near = _near(gold, prediction, _Points(base))
        if not near:
            return False
    for base in _POSITIVE[:1] if closed else (*_POSITIVE, *_NEGATIVE):
        agree = _agree(gold, prediction, _Points(base), rounded=rounded)
        if not agree:
            return agree if base > 0 else None
    return True


def _near(gold: Tree, prediction: Tree, values: Mapping[str, Fraction]) -> bool:
    """Whether fast arithmetic leaves it open that they are equal."""
    try:
        left, right = fast_value(gold, values), fast_value(prediction, values)
    except NoValue:
        return True
    return abs(left - right) <= APART * max(abs(left), abs(right), 1e-6)


def _agree(gold: Tree, prediction: Tree, values: Mapping[str, Fraction], *, rounded: bool) -> bool | None:
    """Equal to forty digits, different, or None where a decimal may have been rounded."""
    left, right = exact_value(gold, values), exact_value(prediction, values)
    distance, size = abs(left - right), max(abs(left), abs(right), 1e-20)
    if distance <= AGREE * size:
        whole = digits_before_point(size)
        if not 20 < whole <= LONGEST_COMPARED:
            return True
        left, right = (exact_value(side, values, digits=DIGITS + whole) for side in (gold, prediction))
        return abs(left - right) <= AGREE  # the last digit of 2^{2021} - 1 counts
    return None if rounded and distance < APART * size else False


def _same_equation(gold: tuple[Tree, ...], prediction: tuple[Tree, ...]) -> bool | None:
    """Equations with the same solutions: both are solved for each variable in which they are linear, at three points.

    A solution of the one that does not solve the other is a proof of difference. They are equal where the solutions for every variable
    are shared, or the quotient of the two does not depend on it.
    """
    left, right = (("add", side[0], ("multiply", ("number", Fraction(-1)), side[1])) for side in (gold, prediction))
    if _has_steps(left) or _has_steps(right):
        return None
    names = sorted(_symbols(left) | _symbols(right))
    found = [_same_roots(left, right, name, base) for name in names for base in _POSITIVE]
    if False in found:
        return None if _has_decimal(left) or _has_decimal(right) else False  # it may have been rounded
    return True if found and "open" not in found and "shared" in found else None


def _same_roots(left: Tree, right: Tree, name: str, base: Fraction) -> str | bool:
    """False, or "shared" where both have one root for `name` and it is the same, "half" where only one can be solved for it."""
    ours, theirs = _along(left, name, base), _along(right, name, base)
    roots = _root(ours, base), _root(theirs, base)
    for root, other in zip(roots, (right, left), strict=True):
        if root is not None and not _solves(other, name, base, root):
            return False
    if roots != (None, None):
        return "half" if None in roots else "shared"
    quotients = [a / b if b else None for a, b in zip(ours, theirs, strict=True)]
    first = quotients[0]
    same = first is not None and all(q is not None and abs(q - first) <= AGREE * abs(first) for q in quotients)
    return "half" if same else "open"


_STEPS = (0, 1, 3)


def _along(tree: Tree, name: str, base: Fraction) -> list[Any]:
    """Values where `name` takes the steps and the other symbols stay."""
    values = _Points(base)
    found = []
    for step in _STEPS:
        values[name] = base + step
        found.append(exact_value(tree, values))
    return found


def _root(at: list[Any], base: Fraction) -> Any:
    """Where a line through the three values is zero; None where they lie on no line, or on a level one."""
    slope, size = at[1] - at[0], max(abs(value) for value in at)
    if abs(slope) <= AGREE * size or abs(at[2] - at[0] - 3 * slope) > AGREE * size:
        return None
    return exact_value(("number", base), {}) - at[0] / slope


def _solves(tree: Tree, name: str, base: Fraction, root: Any) -> bool:
    values: dict[str, Any] = _Points(base)
    values[name] = root
    value = exact_value(tree, values)
    values[name] = root + 1
    size = max(abs(exact_value(tree, values)), abs(root), 1e-6)
    return abs(value) <= 10.0**-25 * size


# What a tree is made of


def _recased(tree: Tree, gold: tuple[Tree, ...]) -> Tree:
    """The tree with symbols that differ from the gold's in case only written as there: constants are `C` or `c` at will."""
    wanted = frozenset().union(*(_symbols(side) for side in gold))
    used = _symbols(tree)
    names = {name.casefold(): name for name in wanted - used}
    renamed = {name: names[name.casefold()] for name in used - wanted if name.casefold() in names}
    return _renamed(tree, renamed) if len(set(renamed.values())) == len(renamed) > 0 else tree


def _renamed(tree: Tree, names: Mapping[str, str]) -> Tree:
    if tree[0] == "symbol":
        return ("symbol", names.get(tree[1], tree[1]))
    return tuple(_renamed(part, names) if isinstance(part, tuple) else part for part in tree)


def _walk(tree: Tree) -> Any:
    yield tree
    for part in tree[1:]:
        if isinstance(part, tuple):
            yield from _walk(part)


@functools.lru_cache(maxsize=20_000)
def _symbols(tree: Tree) -> frozenset[str]:
    return frozenset(node[1] for node in _walk(tree) if node[0] == "symbol") | (
        {"\\infty"} if any(node == ("constant", "infinity") for node in _walk(tree)) else frozenset()
    )


MEMOS = (_tree, _sides, _symbols)
"""What is remembered of texts and trees, for measurements that must forget it."""


def _has_steps(tree: Tree) -> bool:
    return any(node[0] == "call" and node[1] in ("floor", "ceil", "sgn") for node in _walk(tree))


def _has_decimal(tree: Tree) -> bool:
    return any(node[0] == "number" and node[1].denominator != 1 for node in _walk(tree))
