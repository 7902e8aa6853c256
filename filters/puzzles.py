"""Puzzles of reasoning-gym: any of its tasks, judged by the task's own scorer in a process that is killed at a deadline."""

from __future__ import annotations

import functools
import importlib.util
import json
import multiprocessing
import os
import re
from typing import Any

import polars as pl

from dataengine.names import nearest
from dataengine.score import Score, batch_scorer
from dataengine.workers import Lost, Workers
from filters.final_answers.extraction import after_thoughts, final_answer

MEMORY = 4 << 30
"""Address space of a worker in bytes."""

LONGEST_ANSWER = 20_000
"""Characters beyond which nothing is an answer to a puzzle (ours)."""

Question = tuple[str, str, str]
"""(task, answer, the task's row as JSON text)."""


@batch_scorer(version="2")
def gym_score(response: pl.Series, checks: pl.Series, *, timeout: float = 5.0) -> list[Score]:
    """The score that the reasoning-gym task itself gives the answer, in [0, 1]; many tasks know partial credit (0.01 for any answer, say).

    `checks` is JSON `{"task": ..., "entry": ...}`, as `dataengine.sources.gym` writes it. The answer is the last `<answer>`, else a box or
    an announced answer, else all that follows the thoughts. Some tasks give the answer to Python's `eval` by way of sympy: answers that
    look like code are refused, and the scorer runs in a worker process. `timeout`: its CPU seconds; beyond it the row is unjudged.
    """
    if importlib.util.find_spec("reasoning_gym") is None:
        raise ValueError("gym_score wants reasoning-gym: pip install 'r1-dataengine[gym]'")
    read = [_question(*row) for row in zip(response.to_list(), checks.to_list(), strict=True)]
    asked = list(dict.fromkeys(question for question in read if not isinstance(question, Score)))
    answers = dict(zip(asked, _workers().ask(asked, deadline=timeout), strict=True)) if asked else {}
    return [question if isinstance(question, Score) else _score(question[0], answers[question]) for question in read]


@functools.cache
def _workers() -> Workers:
    alone = multiprocessing.parent_process() is None
    return Workers("filters.puzzles:own_score", count=max(1, min(4, os.cpu_count() or 1)) if alone else 1, memory=MEMORY)


_CODE = re.compile(r"__\w+|\b(?:eval|exec|compile|open|getattr|setattr|globals|locals|lambda|import)\b\s*[(:]|\bimport\s+\w")


def _question(response: str, checks: str) -> Question | Score:
    """What to ask the task's scorer, or the score that needs no asking."""
    try:
        task = json.loads(checks)
        name, entry = task["task"], task["entry"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Score(None, "bad reference: checks hold no reasoning-gym task and entry")
    answer, fault = _answer(response)
    if fault:
        return Score(0.0, fault)
    if len(answer) > LONGEST_ANSWER:
        return Score(0.0, "unparsable: too long")
    if _CODE.search(answer):
        return Score(0.0, "unparsable: code in the answer")
    return str(name), answer, json.dumps(entry, ensure_ascii=False)


def _answer(response: str) -> tuple[str, str]:
    """(answer, "") or ("", why there is none)."""
    reply, fault = after_thoughts(response)
    if fault:
        return "", fault
    tags = re.findall(r"<answer>((?:(?!<answer>).)*?)(?:</answer>|\Z)", reply, re.DOTALL)
    answer = tags[-1] if tags else final_answer(reply, marked=True).text or reply
    return answer.strip(), "" if answer.strip() else "no answer found"


def _score(task: str, given: Any) -> Score:
    if isinstance(given, Lost):
        return Score(None, given.reason)
    if isinstance(given, str):
        return Score(None, f"bad reference: {given}")
    return Score(min(max(given, 0.0), 1.0), f"{task} gives {given:.3g}")


def own_score(question: Question) -> float | str:
    """The task's score of an answer, or why it has none; runs in a worker."""
    import reasoning_gym

    task, answer, entry = question
    known = reasoning_gym.factory.DATASETS
    if task not in known:
        return f"reasoning-gym has no task {task!r}. {nearest(task, known)}"
    row = json.loads(entry)
    try:
        value = float(_judge(task)(answer, row))
        return value if value >= 1.0 else max(value, float(_judge(task)(answer, _with_tuples(row))))
    except MemoryError:
        raise  # the worker ends: what is left of it is not to be trusted
    except Exception as error:  # the worker boundary: tasks raise anything
        return f"{task} failed on its own row: {type(error).__name__}: {error}"[:200]


def _with_tuples(value: Any) -> Any:
    """The row with tuples for lists: JSON knows no tuples, and the grid tasks compare with them."""
    if isinstance(value, dict):
        return {key: _with_tuples(inside) for key, inside in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


@functools.cache
def _judge(task: str) -> Any:
    import reasoning_gym

    return reasoning_gym.get_score_answer_fn(task)
