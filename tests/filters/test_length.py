"""Length bars."""

from __future__ import annotations

import pickle

from filters.length import length_within


def test_the_bar_includes_its_ends() -> None:
    bar = length_within.with_(at_least=2, at_most=4)
    assert [bar(tokens).value for tokens in (1, 2, 4, 5)] == [0.0, 1.0, 1.0, 0.0]
    assert bar(5).reason == "5 tokens, at most 4 wanted"


def test_a_response_that_was_cut_off_is_named_so() -> None:
    assert length_within(6, "length").reason == "truncated at 6 tokens"
    assert length_within(6, "stop").value == 1.0


def test_the_scorer_travels_by_name() -> None:
    assert pickle.loads(pickle.dumps(length_within.with_(at_most=9))) == length_within.with_(at_most=9)
