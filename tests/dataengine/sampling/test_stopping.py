"""Plans follow from learned pass rates as the derivation says: docs/sampling.md."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dataengine.sampling.known import Known, Tally
from dataengine.sampling.learned_rates import NEVER, RATES, Rates, before_any_record, learned
from dataengine.sampling.response_lengths import Ending, Lengths, bin_of, cap, end_of
from dataengine.sampling.spending_policy import Adaptive
from dataengine.sampling.stopping import Goal, Stopping

OTHER: list[tuple[Ending, int]] = [("other", 700)] * 12
GOAL = Goal(want=4, at_most=64, as_many_as=16, covered=0.99)


def stopping(
    rates: list[float] | None = None, goal: Goal = GOAL, *, accepted: float = 1.0, other: float = 1.0, prompts: float = 1.0
) -> Stopping:
    before = before_any_record()[None] if rates is None else np.array([rates])
    one = np.ones(1)
    return Stopping(goal, before, weight_G=prompts * one, accepted_cost_G=accepted * one, other_cost_G=other * one)


def test_before_any_record_every_rate_is_possible() -> None:
    before = before_any_record()
    assert before.sum() == pytest.approx(1)
    assert before[0] == NEVER
    assert (before > 0).all()


def test_the_posterior_rises_with_every_accepted_sample_and_falls_with_every_other() -> None:
    chance = stopping().chance_NSG[:, :, 0]
    for n in range(4, 63):
        assert (np.diff(chance[n, :4]) > 0).all()
        assert (chance[n + 1, :4] < chance[n, :4]).all()
        assert (chance[n + 1, 1:4] > chance[n, :3]).all()


def test_of_prompts_with_one_accepted_or_more_the_better_is_not_given_up_earlier() -> None:
    plan = stopping().as_good_as_fixed(np.zeros(1))[0].plans[0]
    lasts = [next(n for n in range(s, 65) if not plan.go[n][s]) for s in range(4)]
    assert lasts[1:] == sorted(lasts[1:])


def harder(power: float) -> list[float]:
    """Laplace's prior with every rate raised to a power."""
    up_to = np.interp(RATES, RATES**power, np.cumsum(before_any_record()))
    return np.diff(np.concatenate(([0.0], up_to / up_to[-1]))).clip(1e-12).tolist()


@pytest.mark.parametrize("power", [0.2, 1.0, 4.0, 16.0])
def test_both_promises_are_met_exactly_unless_more_is_cheaper_per_kept_sample(power: float) -> None:
    of = stopping(harder(power), prompts=1e6)
    mixed = of.as_good_as_fixed(np.zeros(1))[0]
    kept, covered = (1 + of.margin_kept) * of.fixed_kept, (0.99 + of.margin_covered) * of.fixed_covered
    assert mixed.kept >= kept - 1e-9
    assert mixed.covered >= covered - 1e-9
    worth = max(plan.price.kept for plan in mixed.plans)
    assert mixed.kept == pytest.approx(kept) or worth == pytest.approx(mixed.cost / mixed.kept, rel=0.05)
    assert mixed.covered == pytest.approx(covered) or {plan.price.first for plan in mixed.plans} == {0.0}
    assert mixed.cost / mixed.kept < 16 / of.fixed_kept


@pytest.mark.parametrize("power", [0.2, 1.0, 4.0])
def test_no_two_prices_meet_both_promises_for_less(power: float) -> None:
    of = stopping(harder(power), prompts=1e6)
    mixed = of.as_good_as_fixed(np.zeros(1))[0]
    prices = np.array([(kept, first) for kept in np.geomspace(1, 100, 60) for first in np.geomspace(0.1, 500, 40)])
    cost, kept, covered = (one[:, 0] for one in of.foreseen(of.go_on(prices[:, :1], prices[:, 1:])))
    meets = (kept >= (1 + of.margin_kept) * of.fixed_kept) & (covered >= (0.99 + of.margin_covered) * of.fixed_covered)
    assert meets.any()
    assert mixed.cost / mixed.kept <= 1.001 * (cost[meets] / kept[meets]).min()


def test_what_a_plan_foresees_is_what_happens() -> None:
    of = stopping()
    mixed = of.as_good_as_fixed(np.zeros(1))[0]
    dice, kept, cost = random.Random(3), 0, 0
    rates = dice.choices(RATES.tolist(), before_any_record().tolist(), k=20_000)
    for rate in rates:
        plan, n, s = mixed.of(dice.random()), 0, 0
        while s < 4 and plan.go[n][s]:
            s += dice.random() < rate
            n += 1
        kept, cost = kept + s, cost + n
    assert kept / len(rates) == pytest.approx(mixed.kept, rel=0.02)
    assert cost / len(rates) == pytest.approx(mixed.cost, rel=0.02)


def test_dear_failures_are_given_up_sooner_at_the_same_price() -> None:
    price = np.full((1, 1), 6.0)
    cheap, dear = (stopping(other=other).go_on(price, 0 * price).sum() for other in (1.0, 3.0))
    assert dear < cheap


def test_a_wave_is_what_would_be_asked_if_all_missed_and_hardly_oversteps() -> None:
    plan = stopping().as_good_as_fixed(np.zeros(1))[0].plans[0]
    assert plan.wave(0, 0) == 4
    assert plan.wave(0, 3) == 1
    assert plan.wave(1, 3) == 1
    assert plan.wave(8, 0) > 2
    for n in range(64):
        for s in range(min(4, n + 1)):
            wave = plan.wave(n - s, s)
            assert (wave > 0) == plan.go[n][s]
            assert all(plan.go[n + more][s] for more in range(wave))


def test_a_cost_per_prompt_is_met_exactly() -> None:
    for cost in (0.5, 2.0, 5.0):
        assert stopping().within(cost, np.zeros(1))[0].cost == pytest.approx(cost, rel=0.02)


def test_learning_finds_the_distribution_behind_the_records() -> None:
    dice = random.Random(1)
    counts: dict[tuple[int, int], int] = {}
    for _ in range(3000):
        rate = 0.0 if dice.random() < 0.4 else 0.8
        right = sum(dice.random() < rate for _ in range(12))
        counts[right, 12 - right] = counts.get((right, 12 - right), 0) + 1
    found = learned(counts, before_any_record())
    assert found[RATES < 0.02].sum() == pytest.approx(0.4, abs=0.04)
    assert found[(RATES > 0.7) & (RATES < 0.9)].sum() > 0.5


def test_a_stratum_is_told_from_its_parent_when_its_records_differ_and_not_before() -> None:
    records = {("math", "easy"): {(4, 0): 100}, ("math", "hard"): {(0, 8): 100}, ("math", "new"): {(0, 4): 2}}
    rates = Rates(records)
    easy, hard = (float(rates.of(rates.group_of(("math", one))) @ RATES) for one in ("easy", "hard"))
    assert easy > 0.9
    assert hard < 0.1
    assert rates.group_of(("math", "new")) == ("math",)
    assert rates.group_of(("code",)) == ()


def test_every_stop_of_a_known_stratum_names_its_numbers() -> None:
    tally = Tally()
    for _ in range(50):
        tally.add(("x",), accepted=0, missed=12, responses=OTHER)
    known = Known(tally, Adaptive().goal, patience=4.0)
    why = known.why_stop(("x",), known.plan(("x",), 0.5), accepted=0, missed=12)
    assert "pass rate 0.0" in why
    assert known.unit == 700


def lengths_of(draws: list[tuple[bool, int]]) -> Lengths:
    lengths = Lengths()
    for accepted, tokens in draws:
        lengths.add("accepted" if accepted else "other", tokens)
    return lengths


def test_bins_hold_the_lengths_they_say() -> None:
    for tokens in (1, 2, 3, 5, 1000, 1024, 32_768, 10**9):
        bin_ = bin_of(tokens)
        assert tokens <= end_of(bin_) or bin_ == 99
        assert bin_ == 0 or end_of(bin_ - 1) < tokens


def test_a_cap_cuts_loops_and_stragglers_and_leaves_long_thinking_alone() -> None:
    dice = random.Random(0)
    thinking = [(dice.random() < 0.6, int(3000 * dice.lognormvariate(0, 0.8))) for _ in range(4000)]
    assert cap(lengths_of(thinking), patience=4.0) is None
    looping = [(right, 32_768) if not right and dice.random() < 0.4 else (right, tokens) for right, tokens in thinking]
    loops = cap(lengths_of(looping), patience=4.0)
    assert loops is None or loops > 9000
    stragglers = [(right, tokens * 50) if dice.random() < 0.01 else (right, tokens // 8 + 2000) for right, tokens in thinking]
    found = cap(lengths_of(stragglers), patience=4.0)
    assert found is not None
    assert found < 20_000
    assert cap(lengths_of(stragglers[:300]), patience=4.0) is None
