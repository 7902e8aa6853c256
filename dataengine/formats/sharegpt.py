"""ShareGPT conversations as LLaMA-Factory and open-thoughts read them: system, and human and gpt in turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dataengine.formats.shape import KNOWN, LINEAGE, CannotCarry, Format, Row, chosen, last_said, others, said

THEIRS = {"user": "human", "assistant": "gpt"}
OURS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "system": "system"}


def _write(rows: Sequence[Row]) -> dict[str, Any]:
    talk = said(rows[0])
    system = talk[0]["content"] if talk[0]["role"] == "system" else None
    turns = talk[1:] if system is not None else talk
    if [turn["role"] for turn in turns] != ["user", "assistant"] * (len(turns) // 2):
        raise CannotCarry(f"user and assistant do not take turns: {', '.join(turn['role'] for turn in turns)}")
    spoken = [{"from": THEIRS[turn["role"]], "value": turn["content"]} for turn in turns]
    if system == "":  # an empty column means that there is none
        spoken = [{"from": "system", "value": ""}, *spoken]
    return {"system": system or "", "conversations": spoken, **chosen(rows[0], {**KNOWN, **LINEAGE, "model": None, "finish_reason": None})}


def _read(row: Row) -> list[dict[str, Any]]:
    turns = row["conversations"]
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) and "from" in turn and "value" in turn for turn in turns):
        raise CannotCarry("conversations is no list of {from, value}")
    if unknown := [turn["from"] for turn in turns if not isinstance(turn["from"], str) or turn["from"] not in OURS]:
        raise CannotCarry(f"a turn of {unknown[0]!r}: only system, human and gpt are carried")
    messages = [{**turn, "role": OURS[turn["from"]], "content": turn["value"]} for turn in turns]
    if row.get("system"):
        messages = [{"role": "system", "content": row["system"]}, *messages]
    asked, response = last_said(messages)
    return [{**others(row, "system", "conversations"), "messages": asked, "response": response}]


SHAREGPT = Format(
    name="sharegpt",
    marks=(frozenset({"conversations"}),),
    unit="response",
    read=_read,
    write=_write,
    loses="the rendered prompt, sampling, seed and scores; prompts in which user and assistant do not take turns",
)
