"""A block's share of the budget: no prompt spends beyond its part, and what is left over is divided again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dataengine.sampling.spending_shares import Share


def test_nobody_may_ask_before_the_first_division() -> None:
    assert Share(tokens=10_000, response=100).affords(3, spent=0) == 0


def test_a_share_is_divided_in_equal_parts() -> None:
    share = Share(tokens=1_000, response=100, spent=100, waiting=[3, 7, 9])
    assert share.divide({3: 60, 7: 0, 9: 40})
    assert [share.affords(prompt, spent=spent) for prompt, spent in ((3, 60), (7, 0), (9, 40), (9, 240), (9, 241))] == [3, 3, 3, 1, 0]
    assert not share.waiting
    assert share.affords(8, spent=0) == 0


def test_what_is_too_little_for_everybody_is_not_divided() -> None:
    share = Share(tokens=1_000, response=100, spent=750, waiting=[3, 7, 9])
    assert not share.divide({3: 250, 7: 250, 9: 250})
    assert share.waiting == [3, 7, 9]


@given(st.integers(0, 10_000), st.integers(1, 50), st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_a_share_is_never_overspent_by_responses_no_longer_than_what_is_set_aside(tokens: int, response: int, wanted: list[int]) -> None:
    share, spent = Share(tokens, response), dict.fromkeys(range(len(wanted)), 0)
    while share.divide({prompt: spent[prompt] for prompt in spent if wanted[prompt]}):
        for prompt in spent:
            asked = min(wanted[prompt], share.affords(prompt, spent=spent[prompt]))
            wanted[prompt] -= asked
            spent[prompt] += asked * response
            share.spent += asked * response
    assert share.spent == sum(spent.values()) <= tokens
    assert not any(wanted) or tokens - share.spent < response * sum(1 for left in wanted if left)
