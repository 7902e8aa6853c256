"""What goes into and comes out of `Spending`, and what it holds of a prompt and of a block while they are open."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from dataengine.sampling.known import Known, Tally
from dataengine.sampling.learned_rates import Stratum
from dataengine.sampling.response_lengths import Ending
from dataengine.sampling.spending_shares import Share


@dataclass(frozen=True, slots=True)
class Prompt:
    """`Prompt(key="9f2c", stratum=("math", "level 5", "olympiad"), bucket="math")`"""

    key: str
    stratum: tuple[str, ...] = ()
    """What tells prompts apart beforehand, coarse to fine: prompts that share it are expected to have alike pass rates."""
    bucket: str = ""
    """The quota that its kept samples count for."""

    def drawn(self) -> tuple[float, float]:
        """Two numbers in [0, 1) that are the prompt's own."""
        digest = hashlib.blake2b(self.key.encode(), digest_size=16).digest()
        return int.from_bytes(digest[:8], "little") / 2**64, int.from_bytes(digest[8:], "little") / 2**64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one sample: `Outcome(accepted=True, tokens=5_355)`"""

    accepted: bool | None
    """None: could not be judged (infrastructure, no reference), which says nothing about the prompt; its tokens are spent."""
    tokens: int
    truncated: bool = False
    """Cut at its cap: never wrong, counted apart."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Samples to generate now: `Ask(prompt=17, samples=range(4, 7), max_tokens=None)`"""

    prompt: int
    samples: range
    max_tokens: int | None
    """A cap below the sampling's own, or None."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A prompt that is done: `Decision(prompt=17, samples=7, why="enough")`"""

    prompt: int
    samples: int
    why: str
    """enough | given up: ... | at most | budget spent | quota met"""


@dataclass(slots=True)
class Record:
    """A prompt between its first ask and its decision."""

    prompt: Prompt
    stratum: Stratum
    """The prompt's, within its bucket where there are quotas."""
    coin: float
    capped: bool
    block: Block
    cap: int | None = None
    asked: int = 0
    told: int = 0
    accepted: int = 0
    wrong: int = 0
    truncated: int = 0
    unjudged: int = 0
    passed: int = 0
    """How many of the block's tallies hold it already."""
    wave: int = 0
    responses: list[tuple[Ending, int]] = field(default_factory=list)

    def __str__(self) -> str:
        apart = [f"{number} {what}" for number, what in ((self.truncated, "cut"), (self.unjudged, "not judged")) if number]
        return f"{self.accepted} of {self.asked} accepted{' (' + ', '.join(apart) + ')' if apart else ''}"

    def add(self, outcome: Outcome) -> None:
        """One outcome more."""
        self.told += 1
        self.accepted += outcome.accepted is True
        self.truncated += outcome.truncated and not outcome.accepted
        self.unjudged += outcome.accepted is None and not outcome.truncated
        self.wrong += outcome.accepted is False and not outcome.truncated
        capped = outcome.truncated and self.cap is not None
        self.responses.append(("accepted" if outcome.accepted else "capped" if capped else "other", outcome.tokens))

    @property
    def tokens(self) -> int:
        """Spent on it so far."""
        return sum(tokens for _, tokens in self.responses)

    @property
    def missed(self) -> int:
        """What counts against going on; a prompt of which nothing can be judged is one that nothing comes of."""
        seen = self.wrong + self.truncated
        return seen if seen or self.accepted else self.unjudged


@dataclass(slots=True)
class Block:
    """Prompts that are planned from the same knowledge."""

    number: int
    size: int
    known: Known | None
    rounds: bool
    """Whether its prompts are asked in rounds, all of them waiting for each other: what is left of the budget is little."""
    blind: bool = False
    """Whether it is planned before any record is known: then every prompt may keep all that is wanted of it."""
    share: Share | None = None
    """What it may spend of the budget while blocks run side by side; None: no budget, or asked in rounds."""
    tokens_per_prompt: float | None = None
    kept_per_prompt: dict[str, float] = field(default_factory=dict)
    opened: int = 0
    closed: bool = False
    pending: list[int] = field(default_factory=lambda: [0, 0, 0])
    """Prompts that are not yet in each tally."""
    tallies: list[Tally] = field(default_factory=lambda: [Tally(), Tally(), Tally()])
    """Records after the first wave; after the second look; when decided."""
    later: list[Known | None] = field(default_factory=lambda: [None, None])
    waiting: list[list[int]] = field(default_factory=lambda: [[], []])
    cost: float = 0.0
    kept: dict[str, float] = field(default_factory=dict)
    """Expected tokens, and kept samples by bucket, of its prompts."""
