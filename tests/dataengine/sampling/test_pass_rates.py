"""A pass rate's estimate and interval hold although asking stops because of what was seen."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.sampling.known import Known, Tally
from dataengine.sampling.pass_rates import beta_share_below, credible, pass_rate_of
from dataengine.sampling.spending import Outcome
from dataengine.sampling.spending_policy import Adaptive


def record(verdicts: str) -> list[Outcome]:
    """+ right, - wrong, ? not judged, t cut."""
    kinds = {"+": Outcome(accepted=True, tokens=10), "-": Outcome(accepted=False, tokens=10), "?": Outcome(accepted=None, tokens=10)}
    kinds["t"] = Outcome(accepted=False, tokens=10, truncated=True)
    return [kinds[one] for one in verdicts]


def adaptive_record(rate: float, dice: random.Random) -> list[Outcome]:
    """A prompt asked by the product's first plan: a wave, its outcomes, the next wave."""
    made: list[Outcome] = []
    while True:
        right = sum(one.accepted is True for one in made)
        wave = PLAN.wave(len(made) - right, right) if right < 4 and len(made) < 64 else 0
        if not wave:
            return made
        made += [Outcome(dice.random() < rate, 10) for _ in range(min(wave, 64 - len(made)))]


PLAN = Known(Tally(), Adaptive().goal, patience=None).plan((), 0.0)


def test_the_estimate_says_what_it_is_of() -> None:
    assert pass_rate_of(record("++-+"), want=None).rate == 0.75
    assert pass_rate_of(record("++++"), want=4).rate == 1.0
    assert pass_rate_of(record("+-+++"), want=4).rate == 0.75
    assert pass_rate_of(record("----"), want=4).rate == 0.0
    assert pass_rate_of(record("+-"), want=1).rate == 0.5


def test_what_is_cut_or_not_judged_is_no_verdict() -> None:
    both = pass_rate_of(record("+t?-"))
    assert (both.rate, both.judged) == (0.5, 2)
    nothing = pass_rate_of(record("t?"))
    assert (nothing.rate, nothing.low, nothing.high, nothing.judged) == (None, 0.0, 1.0, 0)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_interval_holds_the_estimate_and_moves_with_the_evidence(right: int, wrong: int) -> None:
    low, high = credible(right, wrong)
    assert 0 <= low <= high <= 1
    if right + wrong:
        assert low <= right / (right + wrong) <= high
    assert credible(right + 1, wrong)[0] >= low
    assert credible(right, wrong + 1)[1] <= high


@pytest.mark.parametrize(("x", "a", "b"), [(0.3, 2, 3), (0.9, 5, 1), (0.05, 1, 12), (0.5, 7, 7)])
def test_the_beta_distribution_is_the_binomial_tail_for_whole_numbers(x: float, a: int, b: int) -> None:
    n = a + b - 1
    tail = sum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))
    assert beta_share_below(x, a, b) == pytest.approx(tail, abs=1e-12)


def test_the_estimate_is_nearly_unbiased_and_the_plain_share_is_not() -> None:
    dice = random.Random(7)
    for rate in (0.3, 0.5, 0.7, 0.9):
        records = [adaptive_record(rate, dice) for _ in range(4000)]
        ours = sum(pass_rate_of(one, want=4).rate or 0.0 for one in records) / len(records)
        assert abs(ours - rate) < 0.015


def test_the_interval_covers_the_truth_under_adaptive_stopping() -> None:
    dice = random.Random(8)
    inside = []
    for rate in [(at + 0.5) / 40 for at in range(40)]:
        ranges = [pass_rate_of(adaptive_record(rate, dice), want=4) for _ in range(400)]
        inside.append(sum(one.low <= rate <= one.high for one in ranges) / len(ranges))
    assert sum(inside) / len(inside) > 0.94
    assert min(inside) > 0.84


@settings(max_examples=50)
@given(st.lists(st.sampled_from("+-?t"), max_size=40), st.integers(1, 6))
def test_a_rate_is_a_share(verdicts: list[str], want: int) -> None:
    found = pass_rate_of(record("".join(verdicts)), want=want)
    assert found.rate is None or 0 <= found.rate <= 1
