"""How samples may be spent: the settings of adaptive and of fixed sampling (docs/sampling.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from dataengine.sampling.stopping import Goal


@dataclass(frozen=True, kw_only=True)
class Adaptive:
    """Stop at `want`, give up what does not pay, spend the budget where it keeps the most."""

    want: int = 4
    """Accepted samples of a prompt that are enough."""
    at_most: int = 64
    """Samples that one prompt is asked for at most."""
    budget: int | None = None
    """Generated tokens of the whole run; None: as many as it takes."""
    quotas: Mapping[str, int] = field(default_factory=dict)
    """Kept samples that are enough of each bucket; a bucket that is not named has no end."""
    as_many_as: int | None = None
    """The run keeps as many samples as this fixed number for every prompt would; None: four times `want`."""
    covered: float = 0.99
    """Share of the prompts that the fixed number would get at least one accepted sample for, that this run gets one for as well."""
    patience: float | None = 4.0
    """A running response is cut where going on pays this many times less per token than a fresh one; None: never."""

    def __post_init__(self) -> None:
        for name in ("want", "at_most", "budget", "as_many_as", "covered", "patience"):
            _check_finite(name, getattr(self, name))
        for bucket, kept in self.quotas.items():
            _check_finite(f"quotas[{bucket!r}]", kept)
        if self.want < 1 or self.at_most < self.want:
            raise ValueError(f"adaptive sampling wants 1 <= want <= at_most, got want={self.want}, at_most={self.at_most}")
        if self.budget is not None and self.budget < 1:
            raise ValueError(f"a budget is a positive number of tokens, or None, got {self.budget}")
        if self.as_many_as is not None and self.as_many_as < 1:
            raise ValueError(f"as_many_as is the number of samples to compare with, 1 or more, got {self.as_many_as}")
        if not 0 <= self.covered <= 1:
            raise ValueError(f"covered is a share of the prompts, from 0 to 1, got {self.covered}")
        if self.patience is not None and not self.patience >= 1:
            raise ValueError(f"patience says how many times more a fresh response has to pay, 1 or more, or None, got {self.patience}")
        for bucket, kept in self.quotas.items():
            if kept < 0:
                raise ValueError(f"a quota is a number of kept samples, got {kept} for {bucket!r}")

    @property
    def goal(self) -> Goal:
        """What the plans have to reach."""
        fixed = min(self.at_most, 4 * self.want if self.as_many_as is None else self.as_many_as)
        return Goal(want=self.want, at_most=self.at_most, as_many_as=fixed, covered=self.covered)


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """The same number of samples for every prompt: for comparison, and for pass rates without bias."""

    samples: int
    """Samples of every prompt."""

    def __post_init__(self) -> None:
        _check_finite("samples", self.samples)
        if self.samples < 1:
            raise ValueError(f"a fixed number of samples is at least 1, got {self.samples}")


def _check_finite(name: str, number: float | None) -> None:
    if number is not None and not math.isfinite(number):
        raise ValueError(f"{name} is a finite number (where None is allowed, it stands for no end), got {number}")


Policy = Adaptive | Fixed
