"""verifiers' rows: prompt, answer and info (and, in old files, task); the environment makes its own responses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dataengine.columns import MESSAGES
from dataengine.formats.shape import CannotCarry, Format, Row, as_messages, asked, others
from dataengine.references import answer_or_checks

INFO = ("prompt_id", "domain", "language", "source", "source_row", "license", "checks", "pass_rate")
"""What goes into `info`, as JSON text, which verifiers reads back before a rollout. No `task` is written: 0.1.14 wants an object there."""


def _write(rows: Sequence[Row]) -> dict[str, Any]:
    row = rows[0]
    answer = row.get("answer")
    info = {name: row[name] for name in INFO if row.get(name) is not None}
    return {
        "prompt": asked(row),
        "answer": "" if answer is None else answer,
        "info": json.dumps(info if answer is not None else {**info, "answer": None}, ensure_ascii=False),
    }


def _read(row: Row) -> list[dict[str, Any]]:
    given = row.get("info")
    try:
        info = json.loads(given) if isinstance(given, str) and given else given or {}
    except json.JSONDecodeError:
        raise CannotCarry("info is no JSON") from None
    if not isinstance(info, Mapping):
        raise CannotCarry("info is no object")
    asked_for = row["prompt"] if row.get("prompt") is not None else row.get("question")
    made = {
        **others(row, "prompt", "question", "answer", "info", "task", "example_id"),
        "messages": as_messages(asked_for),
        **({"answer": info["answer"]} if "answer" in info else answer_or_checks(row.get("answer"))),
        "domain": None if row.get("task") in (None, "", "default") else row["task"],
        **{name: value for name, value in info.items() if name in INFO and name != "prompt_id"},
    }
    rest = {name: value for name, value in info.items() if name not in (*INFO, "answer")}
    return [{**made, "info": json.dumps(rest, ensure_ascii=False)} if rest else made]


VERIFIERS = Format(
    name="verifiers",
    marks=tuple(frozenset({asked_as, "answer", about}) for asked_as in ("prompt", "question") for about in ("info", "task")),
    unless=frozenset({"completion", "reward_model"}),
    unit="prompt",
    read=_read,
    write=_write,
    schema={"prompt": MESSAGES, "answer": pl.String, "info": pl.String},
    loses="responses (the environment makes its own) and score columns",
)
