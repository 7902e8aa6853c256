"""When asking a prompt once more stops to pay: optimal stopping over its record, for a whole set of strata at one price.

N: samples so far.  S: accepted so far.  T: grid of pass rates.  C: candidates tried side by side.  G: groups (strata).
Costs are in units of one average response; docs/sampling.md derives every rule that stands here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dataengine.sampling.learned_rates import RATES, Floats, likelihood

MARGIN = 0.001
"""Planned for beyond the promise on coverage."""
UNSURE_KEPT, UNSURE_COVERED = 0.005, 0.03
"""Planned for beyond the promises, over the root of the number of known prompts: the plan that looks cheapest on a guess is too cheap."""
FIRST_WORTH = np.concatenate(([0.0], np.geomspace(1.0, 1024.0, 13)))
"""What may be paid on top for a prompt's first kept sample, before the two nearest are looked between."""
DEAREST = 256.0
"""Average responses that are paid for one kept sample at most."""
STEPS = 12
"""Halvings of a price."""
SURPLUS = 0.03
"""Share of a wave that may be expected to come after the last sample that is wanted; 0 is slowest and spends nothing on speed."""


@dataclass(frozen=True)
class Goal:
    """What a plan has to reach."""

    want: int
    at_most: int
    as_many_as: int
    """The fixed number of samples whose kept samples and covered prompts are the measure."""
    covered: float
    """Share of the prompts covered by that fixed number that must be covered."""


@dataclass(frozen=True)
class Price:
    """What is paid, in average responses: `Price(kept=6.5, first=12.0)`"""

    kept: float
    first: float
    """On top, for the first kept sample of a prompt."""


@dataclass(frozen=True)
class Plan:
    """Whether to go on, for each record of one group at one price."""

    go: list[list[bool]]
    """[N][S]"""
    chance: list[list[float]]
    """The posterior's mean pass rate. [N][S]"""
    price: Price
    _waves: dict[tuple[int, int], int] = field(default_factory=dict, compare=False, repr=False)

    def wave(self, missed: int, accepted: int) -> int:
        """How many samples to ask for together after this record: 0 is stop.

        As many as would be asked one by one if all missed, unless too many of them would come after the last that is wanted.
        """
        record = missed + accepted, accepted
        if record not in self._waves:
            self._waves[record] = self._wave(*record)
        return self._waves[record]

    def _wave(self, n: int, s: int) -> int:
        want = len(self.go[0])
        alone = 0
        while n + alone < len(self.go) and self.go[n + alone][s]:
            alone += 1
        size, surplus, done = 0, 0.0, 0.0
        here = [1.0] + [0.0] * (want - s - 1)
        while size < alone:
            surplus += done
            if surplus > SURPLUS * (size + 1):
                break
            hits = [chance * at for chance, at in zip(self.chance[n + size][s:], here, strict=True)]
            here = [at - hit + before for at, hit, before in zip(here, hits, [0.0, *hits[:-1]], strict=True)]
            done += hits[-1]
            size += 1
        return size


@dataclass(frozen=True)
class Mixed:
    """A few plans and the shares of prompts that follow them: so both promises are met exactly, not in steps."""

    plans: Sequence[Plan]
    up_to: Sequence[float]
    """The coin up to which a prompt follows each plan, rising to 1."""
    cost: float
    """Expected cost of one prompt, in average responses."""
    kept: float
    """Expected kept samples of one prompt."""
    covered: float
    """Expected chance that one sample of a prompt is kept, or more."""

    def of(self, coin: float) -> Plan:
        """The plan of a prompt with this coin in [0, 1)."""
        return self.plans[bisect_right(self.up_to, coin, hi=len(self.plans) - 1)]


class Stopping:
    """The optimal stopping problem of all groups at once."""

    def __init__(self, goal: Goal, rates_GT: Floats, *, weight_G: Floats, accepted_cost_G: Floats, other_cost_G: Floats) -> None:
        self.goal = goal
        self.weight_G = weight_G / weight_G.sum()
        self.accepted_cost_G, self.other_cost_G = accepted_cost_G, other_cost_G
        evidence = _evidence(goal.want, goal.at_most)
        whole = evidence @ rates_GT.T
        self.chance_NSG = np.round(np.divide(evidence @ (rates_GT * RATES).T, whole, out=np.zeros_like(whole), where=whole > 0), 10)
        kept_T, covered_T = _fixed(goal.as_many_as, goal.want)
        unsure = 1 / max(4.0, float(weight_G.sum())) ** 0.5
        self.margin_kept, self.margin_covered = UNSURE_KEPT * unsure, MARGIN + UNSURE_COVERED * unsure
        self.fixed_kept = float(self.weight_G @ (rates_GT @ kept_T))
        self.fixed_covered = float(self.weight_G @ (rates_GT @ covered_T))

    def go_on(self, kept_CG: Floats, first_CG: Floats) -> NDArray[np.bool_]:
        """Backward induction: go on where one more sample, and what may follow it, is worth more than it costs. [N, S, C, G]"""
        want, most = self.goal.want, self.goal.at_most
        value = np.zeros((want + 1, *kept_CG.shape))
        worth = np.repeat(kept_CG[None], want, axis=0)
        worth[0] += first_CG
        go = np.zeros((most + 1, want, *kept_CG.shape), dtype=bool)
        for n in range(most - 1, -1, -1):
            chance = self.chance_NSG[n][:, None, :]
            gain = chance * (worth + value[1:] - self.accepted_cost_G) + (1 - chance) * (value[:want] - self.other_cost_G)
            go[n] = gain > 0
            value[:want] = np.maximum(gain, 0.0)
        return go

    def foreseen(self, go: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        """Expected cost, kept samples and covered prompts of one prompt of each group under a plan. [C, G] each"""
        want, most = self.goal.want, self.goal.at_most
        here = np.zeros((want, *go.shape[2:]))
        here[0] = 1.0
        cost, kept, covered = np.zeros(go.shape[2:]), np.zeros(go.shape[2:]), np.zeros(go.shape[2:])
        for n in range(most):
            chance = self.chance_NSG[n][:, None, :]
            here = here * go[n]
            hit, miss = here * chance, here * (1 - chance)
            cost += hit.sum(axis=0) * self.accepted_cost_G + miss.sum(axis=0) * self.other_cost_G
            kept += hit.sum(axis=0)
            covered += hit[0]
            here = miss
            here[1:] += hit[:-1]
        return cost, kept, covered

    def as_good_as_fixed(self, at_least_G: Floats) -> list[Mixed]:
        """The fewest tokens per kept sample that keep as many, and cover as many, as the fixed number does; a plan for each group.

        `at_least_G`: prices that quotas ask for on top.
        """
        covered = min(1.0, self.goal.covered + self.margin_covered) * self.fixed_covered if self.goal.covered else 0.0
        below, above = _around(covered, self._keeping_as_many(FIRST_WORTH)[-1])
        first_C = np.linspace(FIRST_WORTH[below], FIRST_WORTH[above], len(FIRST_WORTH))
        dear_C, cheap_C, share_C, covered_C = self._keeping_as_many(first_C)
        below, above = _around(covered, covered_C)
        much = float(np.clip((covered - covered_C[below]) / max(covered_C[above] - covered_C[below], 1e-12), 0.0, 1.0))
        prices, shares = [], []
        for end, part in ((above, much), (below, 1 - much)):
            prices += [(np.maximum(price_C[end], at_least_G), float(first_C[end])) for price_C in (dear_C, cheap_C)]
            shares += [part * float(share_C[end]), part * float(1 - share_C[end])]
        return self._mixed(prices, shares)

    def _keeping_as_many(self, first_C: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """For each worth of a first kept sample the least price that keeps as many as the fixed number does, and what a kept one costs.

        Returns the price above, that below, the share of prompts above with which just as many are kept, and what is covered then. [C] each
        """
        need = (1 + self.margin_kept) * self.fixed_kept
        first = np.repeat(first_C[:, None], len(self.weight_G), axis=1)
        low, high = np.full(len(first_C), 0.25), np.full(len(first_C), DEAREST)
        for _ in range(STEPS):
            middle = np.sqrt(low * high)
            cost, kept, _ = self._reached(middle, first)
            reached = (kept >= need) & (middle * kept >= cost)
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        dear, cheap = self._reached(high, first), self._reached(low, first)
        share = np.clip((need - cheap[1]) / np.maximum(dear[1] - cheap[1], 1e-12), 0.0, 1.0)
        return high, low, share, share * dear[2] + (1 - share) * cheap[2]

    def within(self, cost: float, at_least_G: Floats) -> list[Mixed]:
        """Most kept samples for an expected cost per prompt: one price for all, raised to `at_least_G` where a quota needs it."""
        low, high = 1e-3, DEAREST
        for _ in range(2 * STEPS):
            middle = float(np.sqrt(low * high))
            low, high = (middle, high) if self._cost_at(_priced(middle, at_least_G)) <= cost else (low, middle)
        dear, cheap = _priced(high, at_least_G), _priced(low, at_least_G)
        much, little = self._cost_at(dear), self._cost_at(cheap)
        share = float(np.clip((cost - little) / max(much - little, 1e-12), 0.0, 1.0))
        return self._mixed([(dear, 0.0), (cheap, 0.0)], [share, 1 - share])

    def price_to_keep(self, kept: float, members_G: NDArray[np.bool_]) -> float:
        """The least price at which the members' prompts are expected to keep so many each; the dearest where none does."""
        low, high = 1e-3, DEAREST
        weight_G = self.weight_G * members_G
        for _ in range(2 * STEPS):
            middle = float(np.sqrt(low * high))
            prices = np.full((1, len(weight_G)), middle)
            enough = self.foreseen(self.go_on(prices, np.zeros_like(prices)))[1][0] @ weight_G >= kept * weight_G.sum()
            low, high = (low, middle) if enough else (middle, high)
        return high

    def _cost_at(self, kept_G: Floats) -> float:
        cost, _, _ = self.foreseen(self.go_on(kept_G[None], np.zeros((1, len(kept_G)))))
        return float(cost[0] @ self.weight_G)

    def _reached(self, kept_C: Floats, first_CG: Floats) -> Floats:
        prices = np.repeat(kept_C[:, None], len(self.weight_G), axis=1)
        return np.stack([one @ self.weight_G for one in self.foreseen(self.go_on(prices, first_CG))])

    def _mixed(self, priced: Sequence[tuple[Floats, float]], shares: Sequence[float]) -> list[Mixed]:
        """The plans at these prices (of a kept sample by group, of a first one on top) in these shares; none that nobody follows."""
        followed = [at for at, share in enumerate(shares) if share > 0]
        share_C = np.array([shares[at] for at in followed])
        prices = np.stack([priced[at][0] for at in followed])
        first_C = np.array([priced[at][1] for at in followed])
        go = self.go_on(prices, np.repeat(first_C[:, None], len(self.weight_G), axis=1))
        expected = [np.tensordot(share_C, one, axes=1) for one in self.foreseen(go)]
        up_to = np.cumsum(share_C).tolist()
        made = []
        for g in range(len(self.weight_G)):
            chance = self.chance_NSG[:, :, g].tolist()
            plans = [Plan(go[:, :, c, g].tolist(), chance, Price(float(prices[c, g]), float(first_C[c]))) for c in range(len(followed))]
            made.append(Mixed(plans, up_to, *(float(one[g]) for one in expected)))
        return made


def _around(need: float, rising_C: Floats) -> tuple[int, int]:
    """The last place below what is needed and the first above it; the same place twice, or the last two, where there is no such pair."""
    enough_C = rising_C >= need
    above = int(np.argmax(enough_C)) if enough_C.any() else len(rising_C) - 1
    return max(0, above - 1), above


def _priced(price: float, at_least_G: Floats) -> Floats:
    """A common price below 1 lowers what the quotas ask for as well: then the budget does not reach for them."""
    return np.maximum(price, at_least_G * min(price, 1.0))


@lru_cache(maxsize=4)
def _evidence(want: int, at_most: int) -> Floats:
    """P(s accepted of n | pass rate) up to a factor per record; nought where s > n. [N, S, T]"""
    n, s = np.meshgrid(np.arange(at_most + 1), np.arange(want), indexing="ij")
    return np.where((s <= n)[..., None], likelihood(s, np.maximum(n - s, 0)), 0.0)


@lru_cache(maxsize=4)
def _fixed(samples: int, want: int) -> tuple[Floats, Floats]:
    """Expected kept samples (`want` at most) and chance of any, of a fixed number of samples at each pass rate. [T] each"""
    left = np.zeros((want + 1, len(RATES)))
    left[0] = 1.0
    for _ in range(samples):
        hit = left[:want] * RATES
        left[:want] -= hit
        left[1:] += hit
    return np.arange(want + 1) @ left, 1.0 - left[0]
