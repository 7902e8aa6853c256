"""Published sets that we read and do not write: OpenMathReasoning and Llama-Nemotron, by their columns."""

from __future__ import annotations

from typing import Any

from dataengine.formats.shape import CannotCarry, Format, Row, as_messages, others, response_of

DOMAINS = {"math": "math", "code": "code", "science": "stem", "chat": "general", "safety": "general", "instruction following": "general"}
"""Llama-Nemotron's categories as our domains."""


def _read_math(row: Row) -> list[dict[str, Any]]:
    made = {
        **others(row, "problem", "generated_solution", "expected_answer", "problem_source", "generation_model"),
        "messages": as_messages(row["problem"]),
        "response": row["generated_solution"],
        "answer": row.get("expected_answer") or None,
        "domain": "math",
        "source": row.get("problem_source"),
        "model": row.get("generation_model"),
    }
    return [{**made, "response": response_of(made)}]


def _read_nemotron(row: Row) -> list[dict[str, Any]]:
    messages = as_messages(row["input"])
    if row.get("system_prompt"):
        messages = [{"role": "system", "content": row["system_prompt"]}, *messages]
    if not isinstance(row["output"], str):
        raise CannotCarry("output is no text")
    made = {
        **others(row, "input", "output", "system_prompt", "generator", "reasoning"),
        "messages": messages,
        "response": row["output"],
        "domain": DOMAINS.get(str(row.get("category")), row.get("category")),
        "model": row.get("generator"),
        "reasoning_mode": row.get("reasoning"),
    }
    return [made]


OPEN_MATH_REASONING = Format(
    name="openmathreasoning", marks=(frozenset({"problem", "generated_solution"}),), unit="response", read=_read_math
)
NEMOTRON = Format(
    name="nemotron",
    marks=(frozenset({"input", "output", "reasoning"}), frozenset({"input", "output", "generator"})),
    unit="response",
    read=_read_nemotron,
)
