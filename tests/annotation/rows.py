"""Rollouts for the tests of annotation: rows of responses in every standing, and two scorers to stand them by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.columns import MESSAGES
from dataengine.keep import Bar
from dataengine.score import Score, scorer
from dataengine.step import Step
from dataengine.work import Work


@scorer
def right(answer: str, summary: str) -> Score:
    """Right where the summary is the answer; an answer of ? can not be judged."""
    return Score(None if answer == "?" else float(answer == summary), f"{summary} against {answer}")


@scorer
def short(reasoning: str) -> Score:
    """Short thoughts pass."""
    return Score(float(len(reasoning) < 40), f"{len(reasoning)} characters")


@short.finds
def _too_long(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = row["reasoning"] or ""
    return [{"start": 40, "end": len(text), "text": text[40:], "note": "too long"}] if len(text) > 40 else []


@scorer
def judge(summary: str) -> Score:
    """Another word on what is right: it likes even answers."""
    return Score(float(summary.isdigit() and int(summary) % 2 == 0), "even?")


BARS = (Bar(scorer=right), Bar(scorer=short))


def rollout(number: int, *, answer: str | None = None, long: bool = False, **more: Any) -> dict[str, Any]:
    """One row; right and short where nothing else is said."""
    reasoning = f"I count to {number}." + (" Wait, again." * 4 if long else "")
    summary = str(number)
    return {
        "prompt_id": hashlib.blake2b(f"p{number}".encode(), digest_size=8).hexdigest(),
        "row_id": hashlib.blake2b(f"r{number}".encode(), digest_size=8).hexdigest(),
        "messages": [{"role": "user", "content": f"How much is {number}?"}],
        "answer": summary if answer is None else answer,
        "domain": "math",
        "language": "en",
        "response": f"<think>\n{reasoning}\n</think>\n\n{summary}",
        "reasoning": reasoning,
        "summary": summary,
        "response_tokens": 10 + number,
        **more,
    }


def rollouts(count: int) -> list[dict[str, Any]]:
    """Of every six one is unjudged, two are rejected (one wrong, one long) and three are kept."""
    return [rollout(n, answer={0: "?", 1: "wrong"}.get(n % 6), long=n % 6 == 2) for n in range(count)]


def responses(given: Sequence[Mapping[str, Any]], *, shard_rows: int = 7, name: str = "rollouts") -> Step:
    """A step that lands these rows as they are, some to a shard."""
    return Step(name=name, make=_make, settings={"rows": [dict(row) for row in given], "shard_rows": shard_rows})


def _make(work: Work) -> None:
    rows, size = work.settings["rows"], work.settings["shard_rows"]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    frame = frame.with_columns(pl.col("messages").cast(MESSAGES)) if "messages" in frame.columns else frame
    for number, start in enumerate(range(0, max(len(rows), 1), size)):
        work.land(f"{number:05d}.parquet", frame[start : start + size])


def everywhere(folder: Path) -> list[str]:
    """The row_id of every row of a folder, kept or rejected, in no order."""
    parts = [shards.scan(folder, part) for part in ("", shards.REJECTED) if shards.shard_paths(folder, part)]
    return sorted(row_id for rows in parts for row_id in rows.select("row_id").collect()["row_id"])
