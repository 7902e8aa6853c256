"""Where responses are cut: early where few long ones are known, never where going on pays."""

from __future__ import annotations

import random

from dataengine.sampling.response_lengths import Lengths, cap


def lengths_of(number: int, *, sigma: float, stragglers: int = 0, right: float = 0.5) -> Lengths:
    """Log-normal lengths around 1,000 tokens; every `stragglers`-th is fifty times as long, and right no more seldom."""
    dice, lengths = random.Random(number), Lengths()
    for at in range(number):
        tokens = int(1000 * dice.lognormvariate(0, sigma)) * (50 if stragglers and at % stragglers == 0 else 1)
        lengths.add("accepted" if dice.random() < right else "other", tokens)
    return lengths


def test_a_handful_of_stragglers_is_enough_for_a_cap() -> None:
    found = cap(lengths_of(400, sigma=0.4, stragglers=100), patience=4)
    assert found is not None
    assert 3000 < found < 20_000


def test_more_stragglers_known_bring_the_cap_nearer_but_not_into_the_bulk() -> None:
    few, many = (cap(lengths_of(number, sigma=0.4, stragglers=100), patience=4) for number in (400, 40_000))
    assert few is not None
    assert many is not None
    assert 2500 < many <= few


def test_long_right_responses_are_not_cut_where_going_on_pays() -> None:
    assert cap(lengths_of(1000, sigma=0.8), patience=4) is None
    found = cap(lengths_of(30_000, sigma=0.8), patience=4)
    assert found is None or found > 12_000


def test_nothing_is_cut_before_a_fresh_response_is_known_or_where_nothing_long_was_seen() -> None:
    assert cap(lengths_of(200, sigma=0.4, stragglers=50), patience=4) is None
    assert cap(lengths_of(4000, sigma=0.1), patience=4) is None
    assert cap(lengths_of(4000, sigma=0.4, stragglers=100, right=0.0), patience=4) is None


def test_nothing_is_cut_where_nobody_tells_how_many_tokens_a_response_has() -> None:
    known = Lengths()
    for number in range(1_000):
        known.add("accepted" if number % 2 else "other", 0)
    assert cap(known, patience=4.0) is None
