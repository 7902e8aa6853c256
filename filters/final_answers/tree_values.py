"""What is the value of a formula's tree at a point, in double precision or to sixty digits?

Nothing whose exact value would have more than a million digits is evaluated: towers of powers and factorials of millions.
"""

from __future__ import annotations

import cmath
import math
import threading
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from filters.final_answers.formula import Tree

DIGITS = 60
"""Decimal digits of the slow arithmetic."""
LARGEST = 1_000_000
"""Digits of the largest number that is worked with (ours)."""
_WHOLE = 1e-40
"""Distance from an integer below which a floor takes a value for it."""


class TooLarge(Exception):
    """The formula's value has more than LARGEST digits."""


class NoValue(Exception):
    """No value here, or double precision has lost its digits."""


def fast_value(tree: Tree, values: Mapping[str, Any]) -> complex:
    """The value in double precision; NoValue where it has none or has lost its digits."""
    try:
        return _evaluated(tree, values, cmath, _complex)
    except (OverflowError, ZeroDivisionError, ValueError) as error:
        raise NoValue from error


def _complex(value: Fraction) -> complex:
    return complex(value)


def exact_value(tree: Tree, values: Mapping[str, Any], *, digits: int = DIGITS) -> Any:
    """The value to so many digits; NoValue where it has none."""
    numbers = _numbers()
    try:
        with numbers.workdps(digits):
            value = _evaluated(tree, values, numbers, lambda x: numbers.mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else x)
    except (OverflowError, ZeroDivisionError, ValueError, TypeError) as error:
        raise NoValue from error
    if not numbers.isfinite(value):
        raise NoValue
    return value


def digits_before_point(value: Any) -> int:
    """How many digits the whole part of a positive number has, one more or less."""
    return max(0, int(_numbers().log10(value))) if value else 0


_thread = threading.local()


def _numbers() -> Any:
    """Arbitrary precision arithmetic of this thread alone: mpmath's own context is shared and not safe."""
    if not hasattr(_thread, "numbers"):
        import mpmath

        _thread.numbers = mpmath.mp.clone()
        _thread.numbers.dps = DIGITS
    return _thread.numbers


_ONE = ("number", Fraction(1))


def _evaluated(tree: Tree, values: Mapping[str, Any], m: Any, exact: Callable[[Any], Any]) -> Any:
    kind = tree[0]
    if kind == "number":
        return exact(tree[1])
    if kind == "symbol":
        return exact(values[tree[1]])
    if kind == "constant":
        return _constant(tree[1], values, m, exact)
    if kind == "power" and tree[1] == _ONE:
        return exact(_ONE[1])  # whatever tower stands above it
    parts = [_evaluated(part, values, m, exact) for part in tree[1:] if isinstance(part, tuple)]
    if kind == "add":
        return _sum(parts, m)
    if kind == "multiply":
        return math.prod(parts[1:], start=parts[0])
    if kind == "power":
        return _power(parts[0], parts[1], m)
    if kind == "root":
        return _root_of(parts[0], parts[1], m)
    if kind == "log":
        return m.log(parts[0]) / m.log(parts[1]) if len(parts) == 2 else m.log(parts[0])
    if kind == "degrees":
        return parts[0]
    if kind == "binomial":
        return _binomial(parts[0], parts[1], m)
    return _call(tree[1], parts[0], m)


def _constant(name: str, values: Mapping[str, Any], m: Any, exact: Callable[[Any], Any]) -> Any:
    if name == "infinity":
        return exact(values["\\infty"])  # equal to itself only
    return {"pi": m.pi, "e": m.e, "i": 1j if m is cmath else m.j}[name] * 1


def _sum(parts: list[Any], m: Any) -> Any:
    total = sum(parts[1:], start=parts[0])
    if m is cmath and abs(total) < 1e-9 * max(abs(part) for part in parts):
        raise NoValue  # cancelled: doubles have lost their digits
    return total


def _power(base: Any, exponent: Any, m: Any) -> Any:
    size = abs(base)
    if size and abs(exponent.real) * abs(math.log10(size) if 1e-300 < size < 1e300 else 300) > LARGEST:
        raise TooLarge
    if abs(exponent) > 1e15:
        raise TooLarge
    if not size and exponent.real <= 0:
        raise NoValue
    return base**exponent


def _root_of(base: Any, index: Any, m: Any) -> Any:
    """The real root of a negative number where the index is odd, else the principal one."""
    if m is cmath and abs(base.imag) > 0 and abs(base.imag) < 1e-12 * abs(base):
        raise NoValue
    if index == 2:
        return m.sqrt(base)
    if base.imag == 0 and base.real < 0 and index.imag == 0 and index.real % 2 == 1:
        return -_power(-base.real * (1 + 0j if m is cmath else 1), 1 / index, m)
    return _power(base, 1 / index, m)


def _whole(value: Any) -> int | None:
    return int(value.real) if value.imag == 0 and value.real == int(value.real) else None


def _binomial(n: Any, k: Any, m: Any) -> Any:
    if max(abs(n), abs(k)) > 3 * LARGEST:
        raise TooLarge
    if m is cmath:
        whole_n, whole_k = _whole(n), _whole(k)
        if whole_n is None or whole_k is None or not 0 <= whole_k <= whole_n <= 1000:
            raise NoValue
        return complex(math.comb(whole_n, whole_k))
    return m.binomial(n, k)


_FACTORIAL = 205_022
"""Beyond it a factorial has more than LARGEST digits."""


def _call(name: str, x: Any, m: Any) -> Any:
    if name == "factorial":
        if abs(x) > _FACTORIAL:
            raise TooLarge
        if m is cmath:
            whole = _whole(x)
            if whole is None or not 0 <= whole <= 170:
                raise NoValue
            return complex(math.factorial(whole))
        return m.factorial(x)
    if abs(x) > (1e6 if m is cmath else 1e12) and name not in ("abs", "sqrt", "ln", "floor", "ceil", "Re", "Im", "sgn"):
        if name in ("exp", "sinh", "cosh"):
            raise TooLarge
        raise NoValue
    if name in ("floor", "ceil", "sgn", "Re", "Im", "arg", "abs"):
        return _of_reals(name, x, m)
    if name in _PLAIN:
        return getattr(m, _PLAIN[name])(x)
    return 1 / getattr(m, _INVERTED[name])(x) if name in _INVERTED else m.pi / 2 - m.atan(x)


_PLAIN = {name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "sqrt")} | {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "ln": "log",
}
_INVERTED = {"cot": "tan", "sec": "cos", "csc": "sin", "coth": "tanh"}


def _of_reals(name: str, x: Any, m: Any) -> Any:
    if m is cmath and name in ("floor", "ceil", "sgn"):
        raise NoValue
    if name in ("floor", "ceil"):
        nearest = m.nint(x.real)
        x = nearest if abs(x.real - nearest) < _WHOLE * max(1, abs(nearest)) else x.real
        return m.floor(x) if name == "floor" else m.ceil(x)
    if name == "sgn":
        return m.sign(x)
    value = {"Re": lambda: x.real, "Im": lambda: x.imag, "abs": lambda: abs(x), "arg": lambda: m.phase(x) if m is cmath else m.arg(x)}[
        name
    ]()
    return complex(value) if m is cmath else value
