"""Which prompt gets how many samples more: rejection sampling as a decision machine without I/O, driven by outcomes alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

FIRST_WAVE = 4


@dataclass(frozen=True)
class Prompt:
    """`Prompt(key="9f2c", stratum=("math", "level 5", "olympiad"), bucket="math")`"""

    key: str
    stratum: tuple[str, ...] = ()
    """What tells prompts apart beforehand, coarse to fine: prompts that share it are expected to have alike pass rates."""
    bucket: str = ""
    """The quota that its kept samples count for."""


@dataclass(frozen=True)
class Outcome:
    """What became of one sample: `Outcome(accepted=True, tokens=5_355)`"""

    accepted: bool | None
    """None: could not be judged (infrastructure, no reference), which says nothing about the prompt; its tokens are spent."""
    tokens: int
    truncated: bool = False
    """Cut at its cap: never wrong, counted apart."""


@dataclass(frozen=True)
class Ask:
    """Samples to generate now: `Ask(prompt=17, samples=range(4, 7), max_tokens=None)`"""

    prompt: int
    samples: range
    max_tokens: int | None
    """A cap below the sampling's own, or None."""


@dataclass(frozen=True)
class Decision:
    """A prompt that is done: `Decision(prompt=17, samples=7, why="enough")`"""

    prompt: int
    samples: int
    why: str
    """enough | given up: ... | at most | budget spent | quota met"""


@dataclass(frozen=True, kw_only=True)
class Adaptive:
    """Stop at `want`, give up what does not pay, spend the budget where it keeps the most: docs/sampling.md."""

    want: int = 4
    """Accepted samples of a prompt that are enough."""
    at_most: int = 64
    """Samples that one prompt is asked for at most."""
    budget: int | None = None
    """Generated tokens of the whole run; None: as many as it takes."""
    quotas: Mapping[str, int] = field(default_factory=dict)
    """Kept samples that are enough of each bucket; a bucket that is not named has no end."""

    def __post_init__(self) -> None:
        if self.want < 1 or self.at_most < self.want:
            raise ValueError(f"adaptive sampling wants 1 <= want <= at_most, got want={self.want}, at_most={self.at_most}")
        if self.budget is not None and self.budget < 1:
            raise ValueError(f"a budget is a positive number of tokens, or None, got {self.budget}")
        for bucket, kept in self.quotas.items():
            if kept < 0:
                raise ValueError(f"a quota is a number of kept samples, got {kept} for {bucket!r}")


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """The same number of samples for every prompt: for comparison, and for pass rates without bias."""

    samples: int
    """Samples of every prompt."""

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"a fixed number of samples is at least 1, got {self.samples}")


Policy = Adaptive | Fixed


@dataclass(slots=True)
class _Open:
    prompt: Prompt
    asked: int = 0
    told: int = 0
    accepted: int = 0
    wrong: int = 0
    truncated: int = 0


class Spending:
    """Prompts in canonical order, outcomes in any order; what is asked and decided is a function of the outcomes alone."""

    def __init__(self, prompts: Iterable[Prompt], policy: Policy) -> None:
        self.policy = policy
        self._coming: Iterator[tuple[int, Prompt]] = enumerate(prompts)
        self._ended = False
        self._open: dict[int, _Open] = {}
        self._ready: list[int] = []
        self._decisions: deque[Decision] = deque()
        self._counts = {"asked": 0, "tokens": 0, "kept": 0, "truncated": 0, "unjudged": 0}

    def asks(self) -> list[Ask]:
        """Drain what may be asked now, few prompts at a time; [] means that outcomes are awaited (or that all is done)."""
        made: list[Ask] = []
        while self._ready:
            made.extend(self._next_wave(heappop(self._ready)))
        while not made and not self._ended:
            coming = next(self._coming, None)
            if coming is None:
                self._ended = True
                break
            index, prompt = coming
            self._open[index] = _Open(prompt)
            made.extend(self._next_wave(index))
        return made

    def tell(self, prompt: int, sample: int, outcome: Outcome) -> None:
        """What became of one asked sample."""
        at = self._open[prompt]
        at.told += 1
        at.accepted += outcome.accepted is True
        at.truncated += outcome.truncated and not outcome.accepted
        at.wrong += outcome.accepted is False and not outcome.truncated
        self._counts["tokens"] += outcome.tokens
        self._counts["truncated"] += outcome.truncated
        self._counts["unjudged"] += outcome.accepted is None
        if at.told == at.asked:
            heappush(self._ready, prompt)

    def decisions(self) -> list[Decision]:
        """Drain the decisions newly taken."""
        made = list(self._decisions)
        self._decisions.clear()
        return made

    @property
    def finished(self) -> bool:
        """Whether every prompt is decided."""
        return self._ended and not self._open

    def figures(self) -> dict[str, Any]:
        """Counts for reports."""
        return dict(self._counts)

    def _next_wave(self, index: int) -> Iterator[Ask]:
        at = self._open[index]
        more, why = self._how_many(at)
        if not more:
            del self._open[index]
            self._counts["kept"] += min(at.accepted, self.policy.want) if isinstance(self.policy, Adaptive) else at.accepted
            self._decisions.append(Decision(index, at.asked, why))
            return
        samples = range(at.asked, at.asked + more)
        at.asked += more
        self._counts["asked"] += more
        yield Ask(index, samples, None)

    def _how_many(self, at: _Open) -> tuple[int, str]:
        if isinstance(self.policy, Fixed):
            return self.policy.samples - at.asked, "enough"
        want, at_most = self.policy.want, self.policy.at_most
        if at.accepted >= want:
            return 0, "enough"
        if at.asked >= at_most:
            return 0, "at most"
        if at.asked == 0:
            return min(FIRST_WAVE, at_most), ""
        rate = (at.accepted + 0.3) / (at.asked + 0.9)
        if rate < 0.03:
            return 0, f"given up: {at.accepted} of {at.asked} accepted, pass rate about {rate:.3f}"
        return min(max(1, round((want - at.accepted) * min(1.0, rate * 2))), at_most - at.asked), ""
