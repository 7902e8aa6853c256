"""Rows of a test as a step, in shards of a chosen size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dataengine.columns import PROBLEM, RESPONSE, schema
from dataengine.sources import prompt_id
from dataengine.step import Step
from dataengine.work import Work


def given_rows(rows: Sequence[Mapping[str, Any]], *, shard: int = 1000) -> Step:
    """These rows as they are."""
    return Step(name="given", make=_make, settings={"rows": [dict(row) for row in rows], "shard": shard})


def _make(work: Work) -> None:
    rows, size = work.settings["rows"], work.settings["shard"]
    known = {**schema(PROBLEM), **schema(RESPONSE)}
    frame = pl.DataFrame(rows, infer_schema_length=None)
    frame = frame.with_columns(pl.col(name).cast(known[name]) for name in frame.columns if name in known)
    for number, start in enumerate(range(0, len(rows), size)):
        work.land(f"{number:05d}.parquet", frame[start : start + size])


def response(question: str, text: str | None, *, number: int = 0, **more: Any) -> dict[str, Any]:
    """A row of a response, its id made of its number."""
    messages = [{"role": "user", "content": question}]
    return {"row_id": f"{number:016x}", "prompt_id": prompt_id(messages), "messages": messages, "response": text, **more}
