"""How long a stratum's responses are, and from which length on a running one is worth less than a fresh one.

B: length bins, a quarter of an octave each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

Ending = Literal["accepted", "other", "capped"]
"""Capped: cut by a cap of ours below the sampling's own, so that nobody knows how it would have gone on."""

BINS = 100
"""Up to 2^25 tokens."""
OCTAVE = 4
RESPONSES_FOR_A_CAP, ACCEPTED_FOR_A_CAP = 256, 32
LONGER_FOR_A_CAP = 2
"""A cap stands where at least so many responses are known to have gone beyond it: where there are none it would save nothing."""
WELL_KNOWN, BULK, FAR = 8, 0.95, 2
"""With fewer longer ones, no cap is nearer than FAR bins beyond the length that this share of the accepted responses stays within."""
WEIGHT_OF_ALL = 16
"""How many responses of its own a stratum's mean lengths need to outweigh those of all."""


def bin_of(tokens: int) -> int:
    """The bin of a length: b holds the lengths in (2^((b-1)/4), 2^(b/4)]."""
    return min(BINS - 1, math.ceil(4 * math.log2(tokens) - 1e-9)) if tokens > 1 else 0


def end_of(bin_: int) -> int:
    """The longest whole number of tokens in a bin."""
    return math.floor(2 ** (bin_ / 4) + 1e-9)


@dataclass(slots=True)
class Lengths:
    """Lengths of responses in bins, by how they ended."""

    tokens: dict[Ending, int] = field(default_factory=lambda: {"accepted": 0, "other": 0, "capped": 0})
    number: dict[Ending, int] = field(default_factory=lambda: {"accepted": 0, "other": 0, "capped": 0})
    in_bin: dict[Ending, list[int]] = field(default_factory=lambda: {"accepted": [0] * BINS, "other": [0] * BINS, "capped": [0] * BINS})

    def add(self, ending: Ending, tokens: int) -> None:
        """One response more."""
        self.tokens[ending] += tokens
        self.number[ending] += 1
        self.in_bin[ending][bin_of(tokens)] += 1

    def add_all(self, others: Iterable[Lengths]) -> Lengths:
        """Everything that the others hold, too."""
        for other in others:
            for ending in self.tokens:
                self.tokens[ending] += other.tokens[ending]
                self.number[ending] += other.number[ending]
                mine = self.in_bin[ending]
                for bin_, times in enumerate(other.in_bin[ending]):
                    mine[bin_] += times
        return self

    @property
    def responses(self) -> int:
        return sum(self.number.values())

    @property
    def enough_for_a_cap(self) -> bool:
        """Whether they tell what a fresh response brings, and how long right ones are."""
        return self.responses >= RESPONSES_FOR_A_CAP and self.number["accepted"] >= ACCEPTED_FOR_A_CAP


def costs(own: Lengths, of_all: Lengths) -> tuple[float, float]:
    """Mean tokens of an accepted response and of any other, shrunk towards the mean over all strata; (1, 1) before any is known."""
    if not sum(of_all.tokens.values()):
        return 1.0, 1.0
    accepted = own.tokens["accepted"], own.number["accepted"]
    other = own.tokens["other"] + own.tokens["capped"], own.number["other"] + own.number["capped"]
    mean = sum(of_all.tokens.values()) / of_all.responses
    all_accepted = _mean(of_all.tokens["accepted"], of_all.number["accepted"], mean)
    all_other = _mean(of_all.tokens["other"] + of_all.tokens["capped"], of_all.number["other"] + of_all.number["capped"], mean)
    return _mean(*accepted, all_accepted), _mean(*other, all_other)


def _mean(tokens: int, number: int, before: float) -> float:
    return (tokens + WEIGHT_OF_ALL * before) / (number + WEIGHT_OF_ALL)


def cap(lengths: Lengths, *, patience: float) -> int | None:
    """The shortest length at which every way of going on pays `patience` times less per token than a fresh response; None: no such.

    Chances of ending in a bin come from the responses that reached it (Kaplan and Meier 1958: what a cap cut says nothing beyond the cap).
    What chance may have hidden is assumed (Lindy's law): one response more went on there, as long again as it had run, and was right.
    """
    tokens = sum(lengths.tokens.values())
    if not lengths.enough_for_a_cap or not tokens:  # a recording or a server that tells no tokens
        return None
    fresh = lengths.number["accepted"] / tokens
    accepted, other, capped = (lengths.in_bin[ending] for ending in ("accepted", "other", "capped"))
    reached = [0] * (BINS + 1)
    for bin_ in range(BINS - 1, -1, -1):
        reached[bin_] = reached[bin_ + 1] + accepted[bin_] + other[bin_] + capped[bin_]
    longest = max(bin_ for bin_ in range(BINS) if accepted[bin_] or other[bin_])
    bulk = _bulk(accepted)
    for start in range(longest):
        longer = sum(accepted[start + 1 :]) + sum(other[start + 1 :])
        if longer < LONGER_FOR_A_CAP:
            return None
        if longer < WELL_KNOWN and start < bulk:
            continue
        if patience * _best_going_on(accepted, other, reached, start=start, longest=longest) < fresh:
            return end_of(start)
    return None


def _bulk(accepted: list[int]) -> int:
    """The bin that ends FAR times beyond what BULK of the accepted responses stay within."""
    within = accumulate(accepted)
    return FAR + next(bin_ for bin_, seen in enumerate(within) if seen >= BULK * sum(accepted))


def _best_going_on(accepted: list[int], other: list[int], reached: list[int], *, start: int, longest: int) -> float:
    """Most accepted per token over every length to which a response longer than bin `start` could be let go on."""
    alive, right, tokens, best = 1.0, 0.0, 0.0, 0.0
    assumed = 1.0 / (1 + reached[start + 1])
    known = 1.0 - assumed
    for bin_ in range(start + 1, min(BINS - 1, max(longest, start + OCTAVE)) + 1):
        at_risk = max(1, reached[bin_])
        ending = (accepted[bin_] + other[bin_]) / at_risk
        assumed_left = max(0.0, 1 - (bin_ - start - 0.5) / OCTAVE)
        tokens += (known * alive * (1 - ending / 2) + assumed * assumed_left) * (end_of(bin_) - end_of(bin_ - 1))
        right += known * alive * accepted[bin_] / at_risk + assumed * (bin_ - start <= OCTAVE) / OCTAVE
        alive *= 1 - ending
        best = max(best, right / max(tokens, 1.0))
    return best
