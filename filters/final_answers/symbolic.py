"""Are two formulas equal? math-verify decides, in processes that can be killed, with its known holes closed.

Closed: an inequality or an interval is no finite set (gold `1<x<2`, prediction `{1,2}`); a decimal stands for an irrational number
only with enough right digits; a reference that is not equal to itself judges nobody; a comparison that ran out of time or memory is
no verdict. `compare` runs inside the workers; everybody else calls `formulas_equal`.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from dataengine.workers import Lost, Workers
from filters.final_answers.notation import latex
from filters.final_answers.numbers import Number, number, stands_for

EQUAL, DIFFERENT, BAD_GOLD, UNPARSABLE = "equal", "different", "bad reference", "unparsable"

MEMORY = 1 << 30
"""Address space of a worker in bytes; `(x+y+1)^{1000000}` alone takes 1.2 GB (measured)."""


@functools.cache
def _workers() -> Workers:
    alone = multiprocessing.parent_process() is None
    return Workers("filters.final_answers.symbolic:compare", count=max(1, min(4, os.cpu_count() or 1)) if alone else 1, memory=MEMORY)


def formulas_equal(pairs: Sequence[tuple[str, str]], *, deadline: float, remember: bool = True) -> list[str]:
    """EQUAL, DIFFERENT, BAD_GOLD, UNPARSABLE for each (gold, prediction), or why it could not be judged ("timeout after 5 s").

    `deadline` is CPU seconds for a pair. Without `remember` the workers read every text anew (for measurements).
    """
    if not pairs:
        return []
    answers = _workers().ask([(*pair, remember) for pair in pairs], deadline=deadline)
    return [answer.reason if isinstance(answer, Lost) else answer for answer in answers]


def compare(question: tuple[str, str, bool]) -> str:
    """The verdict on (gold, prediction, remember); runs in a worker."""
    pair = question[:2]
    if not question[2]:
        _reference.cache_clear()
        _parsed.cache_clear()
    gold, prediction = _reference(pair[0]), _parsed(pair[1])
    if gold is None or prediction is None:
        return BAD_GOLD if gold is None else UNPARSABLE
    try:
        return EQUAL if _equal(gold, prediction, pair) else DIFFERENT
    except MemoryError:
        raise  # the worker ends: what is left of it is not to be trusted
    except Exception as error:  # the worker boundary: sympy raises anything
        return f"algebra failed: {type(error).__name__}"


def _equal(gold: Any, prediction: Any, pair: tuple[str, str]) -> bool:
    probed = None if "%" in pair[0] + pair[1] else _probed(gold, prediction)
    if probed or (probed is None and not _different_kinds(gold, prediction, *pair) and _verified(gold=gold, prediction=prediction)):
        return True
    return _approximates(gold, prediction, *pair)


@functools.lru_cache(maxsize=512)
def _reference(text: str) -> Any:
    """The parsed gold, None where it cannot be read or is not equal to itself."""
    gold = _parsed(text)
    try:
        return gold if gold is not None and _verified(gold=gold, prediction=gold) else None
    except RecursionError:
        return None


@functools.lru_cache(maxsize=512)
def _parsed(text: str) -> Any:
    """A sympy object, or None; plain expressions (`2*x**3`) are read as LaTeX too."""
    import logging

    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    formula = re.sub(r"\s+", " ", latex(text)).replace("**", "^").replace("$", "")
    units = bool(re.search(r"[A-Za-z]{2,}", re.sub(r"\\(?!text|mathrm|mbox)[A-Za-z]+", "", formula)))  # a lone letter is a variable
    latex_config = LatexExtractionConfig()
    latex_config = replace(latex_config, normalization_config=replace(latex_config.normalization_config, units=units))
    configs = [latex_config, ExprExtractionConfig()]
    for written in (f"${formula}$", formula):
        try:
            found = parse(written, extraction_config=configs, fallback_mode="no_fallback", parsing_timeout=None)  # type: ignore[arg-type]
        except RecursionError:
            return None
        if found:
            return _imaginary(found[0]) if re.search(r"(?<![A-Za-z\\_])i(?![A-Za-z])", formula) else found[0]
    return None


def _imaginary(found: Any) -> Any:
    """The imaginary unit for the symbol i, which math-verify reads as any other letter; an index of a sum stays what it is."""
    from sympy import I

    letters = [symbol for symbol in getattr(found, "free_symbols", ()) if symbol.name == "i"]
    return found.subs([(letter, I) for letter in letters]) if letters else found


def _verified(*, gold: Any, prediction: Any) -> bool:
    from math_verify import verify

    return verify(gold, prediction, timeout_seconds=None)


def _different_kinds(gold: Any, prediction: Any, gold_text: str, prediction_text: str) -> bool:
    """Pairs that math-verify calls equal though one is a range and the other a handful of numbers, or that are about different things."""
    from sympy import FiniteSet, Interval, Tuple, Union
    from sympy.core.relational import Relational

    def inequality(found: Any) -> bool:
        members = getattr(found, "_unsorted_args", ()) or (found,)
        return all(isinstance(member, Relational) and getattr(member, "rel_op", "==") not in ("==", "!=") for member in members)

    def relation(found: Any) -> bool:
        members = getattr(found, "_unsorted_args", ()) or (found,)
        return all(isinstance(member, Relational) for member in members)

    def listed(found: Any) -> bool:
        return isinstance(found, FiniteSet | Tuple) and not isinstance(found, Interval)

    if relation(gold) and relation(prediction):
        ours, theirs = ({symbol.name for symbol in side.free_symbols} for side in (gold, prediction))
        return ours != theirs or (not ours and gold != prediction)
    if listed(prediction):
        return inequality(gold) or (isinstance(gold, Interval | Union) and "\\{" in prediction_text)
    return listed(gold) and (inequality(prediction) or (isinstance(prediction, Interval | Union) and "\\{" in gold_text))


_POSITIVE = (Fraction(7, 5), Fraction(11, 13), Fraction(23, 9))
_NEGATIVE = (Fraction(-8, 7),)


def _probed(gold: Any, prediction: Any) -> bool | None:
    """Equal where two plain expressions agree to 40 digits at four points, different where they are far apart at a positive one.

    It takes a hundredth of the time of `simplify` to tell different ones apart and sees what that misses (sinh and exponentials).
    None where it does not apply: sets, relations, words, sums; where the values leave it open, simplify decides.
    """
    from sympy import Derivative, Eq, Expr, Integral, Product, Sum, Symbol
    from sympy.core.function import AppliedUndef

    sides: list[Any] = [side.rhs if isinstance(side, Eq) and side.lhs.is_Symbol else side for side in (gold, prediction)]
    if any(
        not isinstance(side, Expr) or isinstance(side, Symbol) or side.has(Integral, Sum, Product, Derivative, AppliedUndef)
        for side in sides
    ):
        return None
    names = sorted({symbol.name for side in sides for symbol in side.free_symbols})
    for point in (*_POSITIVE, *_NEGATIVE) if names else _POSITIVE[:1]:
        left, right = (_value(side, {name: point + Fraction(place, 7) for place, name in enumerate(names)}) for side in sides)
        if left is None or right is None:
            return None
        size = max(abs(left), abs(right), 1e-6)
        if abs(left - right) > 1e-3 * size and point > 0:
            return False
        if abs(left - right) > 1e-40 * size:
            return None
    return True


def _value(expression: Any, values: dict[str, Fraction]) -> Any:
    """The expression at a point to 50 digits as a complex number; None where it has none."""
    import mpmath
    from sympy import Rational

    chosen = [(symbol, Rational(values[symbol.name])) for symbol in expression.free_symbols]
    number = expression.subs(chosen).evalf(50, maxn=120)
    if not number.is_number or number.has(*_undefined()):
        return None
    with mpmath.workdps(50):
        real, imaginary = number.as_real_imag()
        return mpmath.mpc(real._to_mpmath(170), imaginary._to_mpmath(170)) if real.is_Number and imaginary.is_Number else None


@functools.cache
def _undefined() -> tuple[Any, ...]:
    from sympy import nan, oo, zoo

    return nan, oo, zoo


def _approximates(gold: Any, prediction: Any, gold_text: str, prediction_text: str) -> bool:
    """One side is a decimal and the other a real number that rounds to it (`125.664` and `40\\pi`)."""
    for text, other in ((gold_text, prediction), (prediction_text, gold)):
        short = number(text)
        value = _real(other) if short and short.places else None
        if short and value is not None:
            return stands_for(short, Number(value))
    return False


def _real(expression: Any) -> Fraction | None:
    """The value of a closed real expression to 30 digits."""
    from sympy import Basic, Eq

    if isinstance(expression, Eq):
        expression = expression.rhs
    if not isinstance(expression, Basic) or expression.free_symbols or not getattr(expression, "is_real", None):
        return None
    value = getattr(expression, "evalf")(30)  # noqa: B009 - Basic declares no evalf, every real one has it
    return Fraction(str(value)) if getattr(value, "is_Float", False) else None
