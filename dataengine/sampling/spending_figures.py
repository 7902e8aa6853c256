"""What sampling has asked, spent, kept and decided so far: in all, by decision and by stratum."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NUMBERS = ("prompts", "decided", "covered", "asked", "told", "tokens", "kept", "accepted", "truncated", "unjudged")


@dataclass(slots=True)
class SpendingFigures:
    """Whole numbers only, so that their order of arrival leaves no trace."""

    of: dict[tuple[str, ...], dict[str, int]] = field(default_factory=dict)
    why: dict[str, int] = field(default_factory=dict)

    def add(self, stratum: tuple[str, ...], **numbers: int) -> None:
        """More of these numbers for a stratum."""
        mine = self.of.setdefault(stratum, dict.fromkeys(NUMBERS, 0))
        for name, number in numbers.items():
            mine[name] += number

    def decide(self, stratum: tuple[str, ...], *, kept: int, why: str) -> None:
        """A prompt is done; what stands before a colon is the kind of decision."""
        self.add(stratum, decided=1, kept=kept, covered=int(kept > 0))
        kind = why.split(":")[0]
        self.why[kind] = self.why.get(kind, 0) + 1

    def as_dict(self) -> dict[str, Any]:
        """`{"asked": .., "kept": .., "decisions": {"enough": ..}, "strata": {"math/level 5": {"asked": ..}}}`"""
        whole = {name: sum(numbers[name] for numbers in self.of.values()) for name in NUMBERS}
        strata = {"/".join(stratum): dict(numbers) for stratum, numbers in sorted(self.of.items())}
        return {**whole, "decisions": dict(sorted(self.why.items())), "strata": strata}
