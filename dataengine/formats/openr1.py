"""OpenR1-Math's columns: a problem with all its generations, their verdicts and finish reasons side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dataengine.columns import MESSAGES
from dataengine.formats.shape import CannotCarry, Format, Row, as_messages, asked, chosen, last_said, others, response_of

LISTS = ("generations", "is_reasoning_complete", "correctness_math_verify", "correctness_llama", "finish_reasons", "row_ids", "models")
THEIRS = {"solution": pl.String, "answer": pl.String, "problem_type": pl.String, "question_type": pl.String, "source": pl.String}
OURS = {"domain": pl.String, "language": pl.String, "license": pl.String, "source_row": pl.Int64, "checks": pl.String}
"""Columns of ours that OpenR1-Math does not have; whoever reads it by name does not see them."""
VERDICTS = ("answer_matches", "is_right", "correctness_math_verify")
"""Score columns that say whether a response is right, the first that is there."""


def _write(rows: Sequence[Row]) -> dict[str, Any]:
    right = [_verdict(row) for row in rows]
    best = next((row for row, verdict in zip(rows, right, strict=True) if verdict), rows[0])
    messages = asked(rows[0])
    questions = [message["content"] for message in messages if message["role"] == "user"]
    if not questions:
        raise CannotCarry("no user message: there is no problem")
    return {
        "problem": questions[-1],
        **chosen(rows[0], THEIRS),
        "uuid": rows[0].get("prompt_id"),
        "is_reasoning_complete": [row.get("reasoning") is not None and row.get("finish_reason") != "length" for row in rows],
        "generations": [response_of(row) for row in rows],
        "correctness_math_verify": right if any(verdict is not None for verdict in right) else None,
        "correctness_llama": None,
        "finish_reasons": [row.get("finish_reason") for row in rows],
        "correctness_count": sum(verdict is True for verdict in right),
        "messages": [*messages, {"role": "assistant", "content": response_of(best)}],
        "row_ids": [row.get("row_id") for row in rows],
        "models": [row.get("model") for row in rows],
        **chosen(rows[0], OURS),
    }


def _verdict(row: Row) -> bool | None:
    """Right, wrong, or null where it could not be judged."""
    score = next((row[name] for name in VERDICTS if row.get(name) is not None), None)
    return None if score is None or score["value"] is None else score["value"] >= 1.0


def _read(row: Row) -> list[dict[str, Any]]:
    generations = row["generations"]
    if not isinstance(generations, list) or not generations:
        raise CannotCarry("no generations")
    known = others(row, *LISTS, "problem", "messages", "uuid", "correctness_count")
    made = []
    for number, text in enumerate(generations):
        if not isinstance(text, str):
            raise CannotCarry(f"generation {number} is no text")
        response = {**known, "messages": _problem(row), "response": text, "finish_reason": _at(row, "finish_reasons", number)}
        for name in ("correctness_math_verify", "correctness_llama"):
            if isinstance(verdict := _at(row, name, number), bool | int | float):
                response[name] = {"value": float(verdict), "reason": "as published"}
        for theirs, ours in (("row_ids", "row_id"), ("models", "model")):
            if (value := _at(row, theirs, number)) is not None:
                response[ours] = value
        made.append(response)
    return made


def _problem(row: Row) -> list[dict[str, str]]:
    """What was asked: a conversation's beginning where there is one, the problem otherwise."""
    messages = row.get("messages")
    if isinstance(messages, list) and len(messages) > 1 and isinstance(messages[-1], Mapping) and messages[-1].get("role") == "assistant":
        return last_said(messages)[0]
    return as_messages(row["problem"])


def _at(row: Row, name: str, number: int) -> Any:
    values = row.get(name)
    return values[number] if isinstance(values, list) and number < len(values) else None


OPENR1 = Format(
    name="openr1",
    marks=(frozenset({"problem", "generations"}),),
    unit="responses",
    read=_read,
    write=_write,
    schema={
        "problem": pl.String,
        **THEIRS,
        "uuid": pl.String,
        "is_reasoning_complete": pl.List(pl.Boolean),
        "generations": pl.List(pl.String),
        "correctness_math_verify": pl.List(pl.Boolean),
        "correctness_llama": pl.List(pl.Boolean),
        "finish_reasons": pl.List(pl.String),
        "correctness_count": pl.Int64,
        "messages": MESSAGES,
        "row_ids": pl.List(pl.String),
        "models": pl.List(pl.String),
        **OURS,
    },
    loses="the rendered prompt, sampling, seed, and every score but the verdict on the answer",
)
