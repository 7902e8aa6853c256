"""Rows as a refinement leaves them: blocks of rows with what became of each, and the shards that are made of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.columns import REFINED, REJECTION, schema
from dataengine.shards import REJECTED
from dataengine.templates import Form

BLOCK = 256
"""Rows of one block, and of one shard."""

BEFORE = {"response": "before_response", "reasoning": "before_reasoning", "summary": "before_summary"}
"""Under which names checks see what a row was."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one row."""

    did: str
    """done | left (no reply passed the checks) | unanswered (cut off, refused, too long a prompt) | not needed"""
    why: str = ""
    """The reasons of every reply that was not taken."""
    sample: int | None = None
    """Which reply was taken."""
    changed: Mapping[str, str] = field(default_factory=dict)
    """The new texts: reasoning, summary, response."""


@dataclass(eq=False, kw_only=True)
class Block:
    """Consecutive rows, and what became of each as soon as it is known."""

    number: int
    rows: pl.DataFrame
    outcomes: list[Outcome]

    @property
    def file(self) -> str:
        """Name of its shards."""
        return f"{self.number:05d}.parquet"


def blocks(data: Path) -> Iterator[Block]:
    """The rows of a finished folder, block by block, read when their turn comes; a block never spans two shards."""
    number, columns = 0, dict(shards.scan(data).collect_schema())
    for path in shards.shard_paths(data):
        rows = with_parts(pl.scan_parquet(path), columns)
        for start in range(0, rows.select(pl.len()).collect().item(), BLOCK):
            yield Block(number=number, rows=rows.slice(start, BLOCK).collect(), outcomes=[])
            number += 1


def with_parts(rows: pl.LazyFrame, columns: Mapping[str, Any]) -> pl.LazyFrame:
    """The rows with every one of these columns, and with response, reasoning and summary; nulls where they have none."""
    there, wanted = rows.collect_schema(), {**dict.fromkeys(BEFORE, pl.String), **columns}
    return rows.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in wanted.items() if name not in there)


def changed_row(row: Mapping[str, Any], texts: Mapping[str, str], form: Form) -> dict[str, Any]:
    """The row with rewritten parts and the response made of them, and what it was under the names of BEFORE."""
    before = {after: row[name] for name, after in BEFORE.items()}
    parts = {name: texts.get(name, row[name]) or "" for name in ("reasoning", "summary")}
    if token := next((token for part in parts.values() if (token := form.stray(part))), None):
        raise ValueError(f"the special token {token!r} stands inside a part that is not rewritten")
    return {**row, **before, **texts, "response": form.write(**parts)}


def parts_of(block: Block, *, name: str, by: str, refinement: str, drops: bool) -> dict[str, pl.DataFrame]:
    """The rows of each part, the main one last: with `drops` those that were not refined though they needed it are rejected."""
    rows, outcomes = block.rows, block.outcomes
    assert len(rows) == len(outcomes)
    columns = []
    for column in BEFORE:
        new = [one.changed.get(column, old) for one, old in zip(outcomes, rows[column].to_list(), strict=True)]
        columns.append(pl.Series(column, new, dtype=pl.String))
    told = rows["refined"].to_list() if "refined" in rows.columns else [None] * len(rows)
    befores = rows["response"].to_list()
    refined = [
        [*(earlier or ()), _told(one, before, by=by, refinement=refinement)]
        for earlier, one, before in zip(told, outcomes, befores, strict=True)
    ]
    made = rows.with_columns(*columns, pl.Series("refined", refined, dtype=schema(REFINED)["refined"]))
    if "row_id" not in made.columns:
        made = made.with_columns(pl.Series("row_id", [_row_id(row) for row in made.iter_rows(named=True)], dtype=pl.String))
    if not drops:
        return {"": made}
    dropped = [one.did in ("left", "unanswered") for one in outcomes]
    bad = pl.Series(dropped, dtype=pl.Boolean)
    types = schema(REJECTION)
    because = pl.Series(
        "dropped_because", [one.why for one, out in zip(outcomes, dropped, strict=True) if out], dtype=types["dropped_because"]
    )
    return {REJECTED: made.filter(bad).with_columns(pl.lit(name).alias("dropped_by"), because), "": made.filter(~bad)}


def _row_id(row: Mapping[str, Any]) -> str:
    """Content hash of a row that had none, 16 hex digits: of the question and what was made of it."""
    said = [row.get("prompt_id"), row["response"], [each["refinement"] for each in row["refined"]]]
    return hashlib.blake2b(json.dumps(said, ensure_ascii=False).encode(), digest_size=8).hexdigest()


def _told(one: Outcome, before: str | None, *, by: str, refinement: str) -> dict[str, Any]:
    asked = one.did != "not needed"
    return {
        "refinement": refinement,
        "did": one.did,
        "why": one.why,
        "by": by if asked else None,
        "sample": one.sample,
        "before": before if one.did == "done" else None,
    }
