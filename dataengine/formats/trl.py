"""TRL's conversational shapes: `messages` and `prompt`/`completion` for supervised training, `prompt` for GRPO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from dataengine.columns import MESSAGES
from dataengine.formats.shape import (
    KNOWN,
    LINEAGE,
    CannotCarry,
    Format,
    Row,
    as_messages,
    asked,
    chosen,
    last_said,
    others,
    response_of,
    said,
)

ABOUT = {**KNOWN, **LINEAGE, "model": pl.String, "finish_reason": pl.String}
"""What is written beside a response; TRL hands such columns to reward functions and ignores them otherwise."""


def _write_messages(rows: Sequence[Row]) -> dict[str, Any]:
    return {"messages": said(rows[0]), **chosen(rows[0], ABOUT)}


def _read_messages(row: Row) -> list[dict[str, Any]]:
    messages, response = last_said(row["messages"])
    return [{**others(row, "messages"), "messages": messages, "response": response}]


def _write_completion(rows: Sequence[Row]) -> dict[str, Any]:
    completion = [{"role": "assistant", "content": response_of(rows[0])}]
    return {"prompt": asked(rows[0]), "completion": completion, **chosen(rows[0], ABOUT)}


def _read_completion(row: Row) -> list[dict[str, Any]]:
    messages, response = last_said([*as_messages(row["prompt"]), *_answer(row["completion"])])
    return [{**others(row, "prompt", "completion"), "messages": messages, "response": response}]


def _answer(completion: Any) -> list[dict[str, Any]]:
    if isinstance(completion, str):
        return [{"role": "assistant", "content": completion}]
    as_messages(completion)
    return completion


def _write_prompt(rows: Sequence[Row]) -> dict[str, Any]:
    return {"prompt": asked(rows[0]), "solution": rows[0].get("answer"), **chosen(rows[0], PROMPT_ABOUT)}


def _read_prompt(row: Row) -> list[dict[str, Any]]:
    messages = as_messages(row["prompt"])
    if messages[-1]["role"] == "assistant":
        raise CannotCarry("the prompt ends with the assistant's words")
    solution = row.get("solution")
    answer = row["answer"] if row.get("answer") is not None else solution
    proof = {} if solution is None or solution == answer else {"solution": solution}  # a text beside the answer stays
    return [{**others(row, "prompt", "solution"), **proof, "messages": messages, "answer": answer}]


PROMPT_ABOUT = {**KNOWN, **{name: dtype for name, dtype in LINEAGE.items() if name != "row_id"}}

TRL = Format(
    name="trl",
    marks=(frozenset({"messages"}),),
    unless=frozenset({"generations", "response"}),
    unit="response",
    read=_read_messages,
    write=_write_messages,
    schema={"messages": MESSAGES, **ABOUT},
    loses="the rendered prompt, sampling, seed and scores",
)

TRL_PROMPT_COMPLETION = Format(
    name="trl-prompt-completion",
    marks=(frozenset({"prompt", "completion"}),),
    unit="response",
    read=_read_completion,
    write=_write_completion,
    schema={"prompt": MESSAGES, "completion": MESSAGES, **ABOUT},
    loses="the rendered prompt, sampling, seed and scores",
)

TRL_PROMPT = Format(
    name="trl-prompt",
    marks=(frozenset({"prompt", "solution"}),),
    unless=frozenset({"completion", "reward_model", "info", "task", "generations"}),
    unit="prompt",
    read=_read_prompt,
    write=_write_prompt,
    schema={"prompt": MESSAGES, "solution": pl.String, **PROMPT_ABOUT},
    loses="responses: GRPO makes its own",
)
