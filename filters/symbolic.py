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
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from filters.notation import latex
from filters.numbers import Number, number, stands_for
from filters.workers import Lost, Workers

EQUAL, DIFFERENT, BAD_GOLD, UNPARSABLE = "equal", "different", "bad reference", "unparsable"

MEMORY = 2 << 30
"""Address space of a worker in bytes; `(x+y+1)^{1000000}` alone takes 1.2 GB (measured)."""

_KNOWN: dict[tuple[str, str, float], str] = {}
_KNOWN_AT_MOST = 200_000


@functools.cache
def _workers() -> Workers:
    alone = multiprocessing.parent_process() is None
    return Workers("filters.symbolic:compare", count=max(1, min(4, os.cpu_count() or 1)) if alone else 1, memory=MEMORY)


def formulas_equal(pairs: Iterable[tuple[str, str]], *, deadline: float) -> dict[tuple[str, str], str]:
    """(gold, prediction) -> EQUAL, DIFFERENT, BAD_GOLD, UNPARSABLE, or why it could not be judged ("timeout after 5 s").

    Each different pair is asked once in the life of this process; `deadline` is CPU seconds for a pair.
    """
    unique = list(dict.fromkeys(pairs))
    asked = [pair for pair in unique if (*pair, deadline) not in _KNOWN]
    if asked:
        if len(_KNOWN) > _KNOWN_AT_MOST:
            _KNOWN.clear()
        answers = _workers().ask(asked, deadline=deadline)
        _KNOWN.update({(*pair, deadline): a.reason if isinstance(a, Lost) else a for pair, a in zip(asked, answers, strict=True)})
    return {pair: _KNOWN[(*pair, deadline)] for pair in unique}


def compare(pair: tuple[str, str]) -> str:
    """The verdict on (gold, prediction); runs in a worker."""
    gold_text, prediction_text = pair
    gold = _reference(gold_text)
    if gold is None:
        return BAD_GOLD
    prediction = _parsed(prediction_text)
    if prediction is None:
        return UNPARSABLE
    if _verified(gold=gold, prediction=prediction) and not _different_kinds(gold, prediction, gold_text, prediction_text):
        return EQUAL
    if _same_values(gold, prediction):
        return EQUAL
    return EQUAL if _approximates(gold, prediction, gold_text, prediction_text) else DIFFERENT


@functools.lru_cache(maxsize=512)
def _reference(text: str) -> Any:
    """The parsed gold, None where it cannot be read or is not equal to itself."""
    gold = _parsed(text)
    return gold if gold is not None and _verified(gold=gold, prediction=gold) else None


@functools.lru_cache(maxsize=512)
def _parsed(text: str) -> Any:
    """A sympy object, or None; plain expressions (`2*x**3`) are read as LaTeX too."""
    import logging

    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    formula = re.sub(r"\s+", " ", latex(text)).replace("**", "^").replace("$", "")
    configs = [LatexExtractionConfig(), ExprExtractionConfig()]
    for written in (f"${formula}$", formula):
        found = parse(written, extraction_config=configs, fallback_mode="no_fallback", parsing_timeout=None)  # type: ignore[arg-type]
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
    """Pairs that math-verify calls equal though one is a range and the other a handful of numbers."""
    from sympy import FiniteSet, Interval, Tuple, Union
    from sympy.core.relational import Relational

    def inequality(found: Any) -> bool:
        members = getattr(found, "_unsorted_args", ()) or (found,)
        return all(isinstance(member, Relational) and getattr(member, "rel_op", "==") not in ("==", "!=") for member in members)

    def listed(found: Any) -> bool:
        return isinstance(found, FiniteSet | Tuple) and not isinstance(found, Interval)

    if listed(prediction):
        return inequality(gold) or (isinstance(gold, Interval | Union) and "\\{" in prediction_text)
    return listed(gold) and (inequality(prediction) or (isinstance(prediction, Interval | Union) and "\\{" in gold_text))


def _same_values(gold: Any, prediction: Any) -> bool:
    """Two expressions in the same variables that agree to 20 digits at three points: what `simplify` misses (`sinh` and exponentials)."""
    from sympy import Eq, Expr, Rational

    gold, prediction = (side.rhs if isinstance(side, Eq) and side.lhs.is_Symbol else side for side in (gold, prediction))
    if not (isinstance(gold, Expr) and isinstance(prediction, Expr)) or gold.free_symbols != prediction.free_symbols:
        return False
    symbols: list[Any] = sorted(gold.free_symbols, key=str)
    if not symbols or len(symbols) > 6:
        return False
    for point in (Rational(7, 5), Rational(11, 13), Rational(23, 9)):
        values = [(symbol, point + Rational(place, 7)) for place, symbol in enumerate(symbols)]
        try:
            difference = complex((gold.subs(values) - prediction.subs(values)).evalf(25, maxn=60))
            size = abs(complex(gold.subs(values).evalf(25, maxn=60)))
        except (TypeError, ValueError, OverflowError):
            return False
        if not abs(difference) <= 1e-20 * max(size, 1e-6):  # written so that nan is unequal
            return False
    return True


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
