"""How often a prompt is answered right, with an interval that is honest when the asking stopped because of what was seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol


class Judged(Protocol):
    """One sample as the estimate sees it (`spending.Outcome` is one)."""

    @property
    def accepted(self) -> bool | None: ...

    @property
    def truncated(self) -> bool: ...


@dataclass(frozen=True)
class PassRate:
    """A prompt's pass rate: `PassRate(rate=0.75, low=0.36, high=0.96, judged=5)`"""

    rate: float | None
    """Estimate among the judged samples; None where none was judged."""
    low: float
    high: float
    """The 95 % credible interval's two ends (Jeffreys prior, all judged samples)."""
    judged: int
    """Samples that were found right or wrong: truncated ones and those that could not be judged are not among them."""


def pass_rate_of(record: Sequence[Judged], *, want: int | None = None) -> PassRate:
    """The pass rate behind a prompt's samples, given in sample order; `want` is where adaptive asking stops, None for a fixed number.

    The interval is the posterior's under Jeffreys' prior: stopping early leaves the likelihood, and so the posterior, as it is. The
    estimate is (want - 1) / (samples up to the want-th right one - 1) where that one was reached (Haldane 1945: unbiased when asking
    stops there; right / judged is not), and right / judged where it was not.
    """
    verdicts = [bool(one.accepted) for one in record if one.accepted is not None and (one.accepted or not one.truncated)]
    right, judged = sum(verdicts), len(verdicts)
    low, high = credible(right, judged - right)
    if not judged:
        return PassRate(None, low, high, 0)
    if want is None or want < 2 or right < want:
        return PassRate(right / judged, low, high, judged)
    seen = needed = 0
    for needed, verdict in enumerate(verdicts, start=1):  # noqa: B007 (needed is read behind the loop)
        seen += verdict
        if seen == want:
            break
    return PassRate((want - 1) / (needed - 1), low, high, judged)


@lru_cache(maxsize=100_000)
def credible(right: int, wrong: int, *, mass: float = 0.95) -> tuple[float, float]:
    """The equal-tailed interval of Beta(right + 1/2, wrong + 1/2), closed at 0 (at 1) when nothing was right (wrong)."""
    a, b, tail = right + 0.5, wrong + 0.5, (1 - mass) / 2
    low = 0.0 if right == 0 else _quantile(a, b, tail)
    high = 1.0 if wrong == 0 else _quantile(a, b, 1 - tail)
    return low, high


def _quantile(a: float, b: float, share: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if beta_share_below(middle, a, b) < share else (low, middle)
    return (low + high) / 2


def beta_share_below(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by Lentz' continued fraction (Numerical Recipes 6.4)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_share_below(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / (1.0 + term * d)
            c = 1.0 + term / c
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-12:
            break
    return front * fraction
