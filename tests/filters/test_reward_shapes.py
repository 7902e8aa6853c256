"""Rewards with known shapes: the same numbers as their sources, and where they differ, why."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.lines import json_lines
from dataengine.score import Score, Scorer
from filters.find import find
from filters.format import zero_format
from filters.length_rewards import cosine_reward, length_reward, soft_overlong
from filters.logic_rl import logic_rl
from filters.reasoning_steps import reasoning_steps
from filters.repetition_penalty import repetition_penalty
from filters.reward_range import as_score
from filters.tag_count import tag_count
from filters.tinyzero import tinyzero
from trainers.rewards import as_rewards, score_rollouts

SOLUTION = "(1) Zoey is a knight\n(2) Ella is a knave\n(3) Liam is a knight"
DIFFERENT = {
    "43f0a9e829d962f2": "open-r1 parts Chinese words with a dictionary, here a character is a word",
    "0b8b5443a3d720e6": "open-r1 takes a response as right whose reference it cannot read",
    "09cc5350f22858d5": "TRL calls a reference in words unreadable, here it is compared as text",
}
"""Rows of the peers' tests with another number here, and why (docs/rewards.md)."""


def reward(score: Score) -> float | None:
    """The source's own number, from the reason."""
    return None if score.value is None else float(score.reason.removeprefix("reward ").split(":")[0])


def texts(row: dict[str, Any]) -> list[str]:
    return [completion[0]["content"] for completion in row["args"][0]]


def lengths(row: dict[str, Any]) -> list[int]:
    return [len(ids) for ids in row["args"][2]]


def of_repetition(row: dict[str, Any]) -> list[float | None]:
    settings = {key: value for key, value in row["factory"]["kw"].items() if key != "language"}
    given = [
        " ".join(map(str, ids)) if isinstance(ids, list) and not (ids and isinstance(ids[0], dict)) else ids[0]["content"]
        for ids in row["args"][0]
    ]
    return [reward(repetition_penalty(text, **settings)) for text in given]


def of_length(row: dict[str, Any]) -> list[float | None]:
    rows = pl.DataFrame({"response": texts(row), "answer": row["args"][1]})
    return [reward(Score(**score)) for score in length_reward.score(rows).to_list()]


def of_cosine(row: dict[str, Any]) -> list[float | None]:
    scorer = cosine_reward.with_(unit="tokens", max_length=row["factory"]["kw"]["max_len"])
    return [reward(scorer(*given)) for given in zip(texts(row), row["args"][1], lengths(row), strict=True)]


def of_overlong(row: dict[str, Any]) -> list[float | None]:
    made = row["factory"]["kw"]
    scorer = soft_overlong.with_(max_tokens=made["max_completion_len"], cache=made["soft_punish_cache"])
    return [reward(scorer(len(ids))) for ids in row["kw"]["completion_ids"]]


def of_code(row: dict[str, Any]) -> list[float | None]:
    return [zero_format(text, code=row["factory"]["kw"].get("language", "python")).value for text in texts(row)]


OURS: dict[tuple[str, str], Callable[[dict[str, Any]], list[float | None]]] = {
    ("huggingface/open-r1", "tag_count_reward"): lambda row: [tag_count(text).value for text in texts(row)],
    ("huggingface/open-r1", "reasoning_steps_reward"): lambda row: [reasoning_steps(text).value for text in texts(row)],
    ("huggingface/open-r1", "format_reward"): lambda row: [zero_format(text).value for text in texts(row)],
    ("huggingface/open-r1", "get_code_format_reward"): of_code,
    ("huggingface/open-r1", "get_repetition_penalty_reward"): of_repetition,
    ("huggingface/trl", "get_repetition_penalty_reward"): of_repetition,
    ("huggingface/open-r1", "len_reward"): of_length,
    ("huggingface/trl", "get_cosine_scaled_reward"): of_cosine,
    ("huggingface/open-r1", "get_cosine_scaled_reward"): of_cosine,
    ("huggingface/trl", "get_soft_overlong_punishment"): of_overlong,
    ("huggingface/open-r1", "get_soft_overlong_punishment"): of_overlong,
}


def test_the_numbers_of_the_peers_own_tests_come_out(shared_data: Path) -> None:
    rows = [row for row in json_lines(shared_data / "reward_tests.jsonl") if (row["suite"], row["fn"]) in OURS]
    assert len(rows) > 20
    different = {}
    for row in rows:
        ours = OURS[row["suite"], row["fn"]](row)
        expected = row["expected"] if isinstance(row["expected"], list) else [row["expected"]]
        place = slice(None) if isinstance(row["expected"], list) else slice(row["path"][0], row["path"][0] + 1)
        if ours[place] != pytest.approx(expected, abs=1e-3):
            different[row["id"]] = (row["test"], ours, expected)
    assert set(different) <= set(DIFFERENT), different


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Zoey is a knight, Ella is a knave, and Liam is a knight", 3.0),
        ("zoey IS A Knight\nElla is a knave\nLiam is a knight", 3.0),
        ("Zoey is a knave, Ella is a knave, and Liam is a knight", -0.5),
        ("Zoey is a knight, Ella is a knave", -1.0),
        ("Zoey is a knight, Ella is a knave, Liam: knight", -1.0),
        ("Zoey is a knight or a knave, Ella is a knave, Liam is a knight", -1.0),
        ("", -1.0),
    ],
)
def test_logic_rl_adds_format_and_roles(answer: str, expected: float) -> None:
    assert reward(logic_rl(f"<think>hm</think>\n<answer>{answer}</answer>", SOLUTION)) == expected
    assert reward(logic_rl(f"hm</think>\n<answer>{answer}</answer>", SOLUTION, prefilled=True)) == expected
    assert reward(logic_rl(f"hm</think>\n<answer>{answer}</answer>", SOLUTION)) == -3.0


@pytest.mark.parametrize("response", ["<answer>a</answer><think>b</think>", "<think>a</think><answer>b</answer></answer>", "", "<think>"])
def test_out_of_format_is_worst_in_logic_rl(response: str) -> None:
    assert logic_rl(response, SOLUTION).value == 0.0


def test_a_puzzle_without_roles_is_unjudged() -> None:
    assert logic_rl("<think>a</think><answer>b</answer>", "nobody knows").value is None


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("<think>a\nb</think> <answer>(44 - 19) + 35</answer>", 1.0),
        ("<answer>44 + 19 - 35</answer>", 0.1),
        ("<answer>44 + 16</answer>", 0.1),
        ("<answer>44 - 19 + 35 = 60</answer>", 0.1),
        ("<answer>1</answer> <answer>35 + 44 - 19</answer>\n", 1.0),
        ("<answer>35 + 44 - 19</answer>\nThat is it.", 0.0),
        ("<answer>\n35 + 44 - 19\n</answer>", 0.0),
        ("<answer>35/(44-19", 0.0),
        ("<answer>35/(44-44)</answer>", 0.1),
        ("<answer>__import__('os')</answer>", 0.1),
        ("<answer></answer>", 0.1),
    ],
)
def test_tinyzero_pays_a_tenth_for_trying(response: str, expected: float) -> None:
    assert tinyzero(response, [19, 35, 44], 60).value == expected


@pytest.mark.parametrize(("equation", "numbers", "target"), [("2**3", [2, 3], 8), ("7//2", [7, 2], 3), ("2.5*4", [2, 5, 4], 10)])
def test_what_tinyzero_lets_pass_by_mistake_earns_the_tenth(equation: str, numbers: list[int], target: int) -> None:
    assert tinyzero(f"<answer>{equation}</answer>", numbers, target).value == 0.1


def test_length_is_compared_within_a_prompt_and_unjudged_rows_are_left_out() -> None:
    right, wrong = "\\boxed{4}", "\\boxed{5}"
    rows = pl.DataFrame(
        {
            "response": [right, "so " + right, wrong, "so " + wrong, right, "so the answer is " + right],
            "answer": ["4", "4", "4", "4", "4", ""],
            "prompt_id": ["a", "a", "a", "a", "b", "b"],
        }
    )
    found = [reward(Score(**score)) for score in length_reward.score(rows).to_list()]
    assert found == [0.5, -0.5, 0.0, -0.5, 0.0, None]


@pytest.mark.parametrize(("tokens", "expected"), [(0, 0), (80, 0), (85, -0.25), (90, -0.5), (100, -1), (101, -1), (10**9, -1)])
def test_soft_overlong_falls_from_what_is_expected_to_what_is_allowed(tokens: int, expected: float) -> None:
    assert reward(soft_overlong(tokens, max_tokens=100, cache=20)) == expected


def test_soft_overlong_without_a_cache_is_a_step() -> None:
    assert [reward(soft_overlong(tokens, max_tokens=100, cache=0)) for tokens in (100, 101)] == [0, -1]


@settings(deadline=None)  # the first call compiles
@given(length=st.integers(0, 10_000), longer=st.integers(1, 10_000))
def test_a_longer_right_response_never_earns_more_and_a_longer_wrong_one_never_less(length: int, longer: int) -> None:
    rows = {"response": ["\\boxed{4}", "\\boxed{5}"] * 2, "answer": ["4"] * 4, "response_tokens": [length] * 2 + [length + longer] * 2}
    right, wrong, right_later, wrong_later = (
        cosine_reward.with_(unit="tokens", max_length=4_000).score(pl.DataFrame(rows)).struct.field("value")
    )
    assert right >= right_later > wrong_later >= wrong


@settings(deadline=None)  # the first call compiles
@given(words=st.lists(st.sampled_from("abc"), max_size=40), n=st.integers(1, 5))
def test_the_repetition_penalty_is_that_of_its_definition(words: list[str], n: int) -> None:
    grams = [tuple(words[place : place + n]) for place in range(len(words) - n + 1)]
    expected = len(set(grams)) / len(grams) if grams else 1.0
    assert repetition_penalty(" ".join(words), ngram_size=n).value == pytest.approx(expected)
    assert repetition_penalty("\n\t".join(words).upper(), ngram_size=n).value == pytest.approx(expected)


def test_weights_bring_the_sources_scale_back_in_grpo() -> None:
    rows = pl.DataFrame(
        {
            "response": ["\\boxed{4}", "a b a b a b \\boxed{5}"],
            "answer": ["4", "4"],
            "prompt_id": ["p", "p"],
            "response_tokens": [80, 95],
        }
    )
    rewards = {
        cosine_reward.with_(unit="tokens", max_length=100): 2.0,
        repetition_penalty.with_(ngram_size=2, max_penalty=-0.5): 0.5,
        soft_overlong.with_(max_tokens=100, cache=20): 1.0,
        length_reward: 1.0,
    }
    totals = score_rollouts(as_rewards(rewards), rows).totals
    theirs = [sum(reward(Score(**scorer.score(rows)[row])) or 0.0 for scorer in rewards) for row in range(2)]
    assert totals[0] is not None
    assert totals[1] is not None
    assert totals[0] - totals[1] == pytest.approx(theirs[0] - theirs[1], abs=1e-3)


SHAPES = (tag_count, reasoning_steps, repetition_penalty, length_reward, cosine_reward, soft_overlong, logic_rl, tinyzero)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_shapes_are_found_by_name_and_travel(shape: Scorer) -> None:
    assert find(shape.name) == shape
    assert pickle.loads(pickle.dumps(shape)) == shape


@settings(deadline=None)  # the first call compiles
@given(response=st.one_of(st.text(), st.text(alphabet="<>/thinkaswer\n12+*() \x00\u202e", max_size=200)), answer=st.text(max_size=50))
def test_no_text_makes_a_shape_raise(response: str, answer: str) -> None:
    rows = pl.DataFrame(
        {"response": [response], "numbers": [[1, 2]], "target": [3], "answer": [answer], "response_tokens": [len(response)]}
    )
    for shape in (tag_count, reasoning_steps, repetition_penalty, soft_overlong, logic_rl, tinyzero):
        score = shape.score(rows)[0]
        assert "scorer error" not in score["reason"]
        assert score["value"] is None or 0 <= score["value"] <= 1


@pytest.mark.parametrize("shape", [tag_count, reasoning_steps, logic_rl], ids=lambda shape: shape.name)
def test_lone_surrogates_are_only_characters(shape: Scorer) -> None:
    rest = (SOLUTION,) if shape == logic_rl else ()
    assert shape("\ud800<think>\n\udfff", *rest).value is not None


def test_a_range_that_settings_leave_empty_is_refused() -> None:
    with pytest.raises(ValueError, match="tells nothing"):
        as_score(0.0, low=1.0, high=1.0, because="")
    with pytest.raises(ValueError, match="outside of"):
        as_score(2.0, low=0.0, high=1.0, because="")
    with pytest.raises(ValueError, match="max_penalty is below 0"):
        repetition_penalty("a", max_penalty=1.0)
    with pytest.raises(ValueError, match="want the column 'response_tokens'"):
        cosine_reward("a", "4", unit="tokens")


def test_the_cosine_is_open_r1s_up_to_the_limit() -> None:
    expected = 0.5 + 0.25 * (1 + math.cos(math.pi * 0.3))
    assert reward(cosine_reward("\\boxed{4}", "4", 30, unit="tokens", max_length=100)) == pytest.approx(expected, abs=1e-3)
    assert cosine_reward("\\boxed{4}", "4", 900, unit="tokens", max_length=100).reason.startswith("reward 0.5: right")
