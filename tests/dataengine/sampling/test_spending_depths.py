"""Strata of every depth, whose prompts were once counted in fractions: a sum that depends on its order."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from dataengine.sampling import spending
from dataengine.sampling.spending import Adaptive, Outcome, Prompt
from tests.dataengine.sampling.test_spending import World, drive

DEPTHS = (
    "3023030211311230313111000120302021333101020102101003031131032113132120102232301033000311211002103201"
    "1022203122020331233111002203112111100132222123031022332101231101133323132022323000302211230211311220"
    "1011113300001033021301021311312030332013110331010133203122211133120313102310003300020132312131222100"
)


@dataclass(frozen=True)
class OfEveryDepth(World):
    """300 prompts in strata of their own, of others too, or of none."""

    def outcome(self, prompt: int, sample: int, cap: int | None = None) -> Outcome:
        dice = random.Random(f"237,{prompt},{sample}")
        right, tokens = dice.random() < self.rates[prompt], 1 + int(10 * dice.lognormvariate(0, 0.7))
        judged, whole = dice.random() >= 0.05, dice.random() >= 0.05
        return Outcome(right if judged and whole else None, tokens, truncated=not whole)


def of_every_depth() -> OfEveryDepth:
    strata = [[(), ("x",), ("x", "y"), (str(at),)][int(depth)] for at, depth in enumerate(DEPTHS)]
    never = [random.Random(f"237z{at}").random() <= 0.1 for at in range(300)]
    rates = [random.Random(f"237{at}").random() ** 4 * (not never[at]) for at in range(300)]
    return OfEveryDepth([Prompt(f"237-{at}", stratum) for at, stratum in enumerate(strata)], rates)


def test_a_budget_over_strata_of_every_depth_is_spent_alike_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spending, "FIRST_BLOCK", 16)
    monkeypatch.setattr(spending, "LARGEST_BLOCK", 64)
    world, policy = of_every_depth(), Adaptive(want=2, at_most=8, budget=24_000, covered=1.0, patience=None)
    first = drive(world, policy, order=lambda flying: 0)
    last = drive(world, policy, order=lambda flying: flying - 1, in_flight=72, lazy=True)
    assert last.asked == first.asked
    assert last.decided == first.decided
