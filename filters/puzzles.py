"""Puzzles with exact checkers: any reasoning-gym task through its own scorer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from dataengine.score import Score, scorer
from dataengine.templates import split_r1, split_zero


@scorer
def gym_score(response: str, checks: str) -> Score:
    """The task's own score of the answer in `<answer>` tags, or of what follows the thoughts; `checks` is written by `sources.gym`."""
    task = json.loads(checks)
    if "task" not in task or "entry" not in task:
        return Score(None, "bad reference: checks hold no reasoning-gym task and entry")
    import reasoning_gym

    answer = split_zero(response)[1] or split_r1(response)[1] or ("" if "<think>" in response else response)
    if not answer.strip():
        return Score(0.0, "no answer found")
    judge = cast(Callable[[str, dict[str, Any]], float], reasoning_gym.get_score_answer_fn(task["task"]))
    value = float(judge(answer.strip(), task["entry"]))
    return Score(min(max(value, 0.0), 1.0), f"{task['task']} gives {value:.3g}")
