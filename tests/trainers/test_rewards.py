"""What a rollout earns: weights, domains, and what could not be judged."""

from __future__ import annotations

import polars as pl
import pytest

from dataengine.score import Score, Scorer, scorer
from trainers.rewards import Reward, as_rewards, check_rewards, score_rollouts

ROWS = pl.DataFrame({"response": ["5", "7", "x", "hello"], "answer": ["5", "5", None, None], "domain": ["math", "math", "math", "general"]})


@scorer
def equal(response: str, answer: str) -> Score:
    """1 where the response is the reference."""
    return Score(float(response == answer), "compared")


@scorer
def kind(response: str, *, word: str = "hello") -> Score:
    """1 where a word is said."""
    return Score(float(word in response), "searched")


def test_the_plain_form_sums_weighted_scores_and_an_unjudged_term_leaves_the_row_unjudged() -> None:
    scored = score_rollouts(as_rewards({equal: 2.0, kind: 0.5}), ROWS)
    assert scored.totals == [2.0, 0.0, None, None]
    assert scored.scores["equal"][2] == {"value": None, "reason": "no answer"}


def test_a_weight_of_zero_is_reported_and_never_rewards_nor_leaves_out() -> None:
    scored = score_rollouts(as_rewards({kind: 1.0, equal: 0.0}), ROWS)
    assert scored.totals == [0.0, 0.0, 0.0, 1.0]
    assert scored.means() == {"kind": 0.25, "equal": 0.5}


def test_only_the_branch_of_a_rows_domain_counts() -> None:
    rewards = [Reward(scorer=equal, domains=("math",)), Reward(scorer=kind, domains=("general",), weight=3.0)]
    scored = score_rollouts(as_rewards(rewards), ROWS)
    assert scored.totals == [1.0, 0.0, None, 3.0]
    assert scored.scores["kind"].to_list()[:3] == [None, None, None]


def test_one_scorer_may_weigh_differently_in_two_domains() -> None:
    rewards = [Reward(scorer=kind, domains=("math",), weight=1.0), Reward(scorer=kind, domains=("general",), weight=4.0)]
    assert score_rollouts(as_rewards(rewards), ROWS).totals == [0.0, 0.0, 0.0, 4.0]


def test_two_scorers_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two different rewards are called 'kind'"):
        as_rewards({kind: 1.0, kind.with_(word="yes"): 1.0})


@pytest.mark.parametrize("rewards", [{}, {kind: 0.0}])
def test_rewards_that_reward_nothing_are_refused(rewards: dict[Scorer, float]) -> None:
    with pytest.raises(ValueError, match="at least one scorer"):
        as_rewards(rewards)


def test_prompts_that_nothing_rewards_and_columns_that_are_missing_are_named_before_the_first_rollout() -> None:
    with pytest.raises(ValueError, match="domain general"):
        check_rewards(as_rewards([Reward(scorer=equal, domains=("math",))]), ROWS, made=["response"])
    with pytest.raises(ValueError, match="equal wants the column 'answer'"):
        check_rewards(as_rewards({equal: 1.0}), ROWS.drop("answer"), made=["response"])
