"""verl's Parquet rows: prompts with a reference for rule-based rewards; verl makes its own responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dataengine.columns import MESSAGES
from dataengine.formats.shape import CannotCarry, Format, Row, as_messages, asked, chosen, others
from dataengine.references import answer_or_checks, answer_text

EXTRA = {
    "prompt_id": pl.String,
    "language": pl.String,
    "license": pl.String,
    "source_row": pl.Int64,
    "checks": pl.String,
    "pass_rate": pl.Float64,
}
"""What goes into extra_info beside split and index."""


def _write(rows: Sequence[Row]) -> dict[str, Any]:
    row = rows[0]
    truth = row.get("answer") if row.get("answer") is not None else row.get("checks")
    if truth is None:
        raise CannotCarry("no answer and no checks: verl's rewards want a ground truth")
    return {
        "data_source": row.get("source") or "unknown",
        "prompt": asked(row),
        "ability": row.get("domain"),
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {"split": "train", "index": row["number"], **chosen(row, EXTRA)},
    }


def _read(row: Row) -> list[dict[str, Any]]:
    reward, extra = row["reward_model"], row.get("extra_info") or {}
    if not isinstance(extra, Mapping):
        raise CannotCarry("extra_info is no object")
    if not isinstance(reward, Mapping) or "ground_truth" not in reward:
        raise CannotCarry("reward_model has no ground_truth")
    truth = reward["ground_truth"]
    known = {name: value for name, value in extra.items() if name in EXTRA and name != "prompt_id"}
    judged_by = {"answer": None if truth == extra["checks"] else answer_text(truth)} if "checks" in extra else answer_or_checks(truth)
    made = {
        **others(row, "data_source", "prompt", "ability", "reward_model", "extra_info"),
        "messages": as_messages(row["prompt"]),
        "domain": row.get("ability"),
        "source": row.get("data_source"),
        **known,
        **judged_by,
    }
    rest = {name: value for name, value in extra.items() if name not in (*EXTRA, "split", "index")}
    return [{**made, "extra_info": rest} if rest else made]


VERL = Format(
    name="verl",
    marks=(frozenset({"prompt", "reward_model"}),),
    unit="prompt",
    read=_read,
    write=_write,
    schema={
        "data_source": pl.String,
        "prompt": MESSAGES,
        "ability": pl.String,
        "reward_model": pl.Struct({"style": pl.String, "ground_truth": pl.String}),
        "extra_info": pl.Struct({"split": pl.String, "index": pl.Int64, **EXTRA}),
    },
    loses="responses (verl makes its own), other score columns; a row with both answer and checks gives its answer as ground truth",
)
