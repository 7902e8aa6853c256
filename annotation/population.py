"""Every row that a queue chose from, without its text: where it stands, what each bar said, and the item that people saw of it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from annotation.items import is_score
from dataengine import shards
from dataengine.dropped import ONCE

KNOWN = {"item_id": pl.String, "why": pl.String, "standing": pl.String, "disagrees": pl.String}


def population(folder: Path) -> pl.DataFrame:
    """item_id, why, standing and disagrees of all rows of a queue's folder, rejected ones included, and a Boolean for each scorer.

    The Boolean says whether the row is over the bar, null where it was not judged. What dropped rows before this queue (`once_dropped_by`)
    has one too, which is false for these and else null. A folder that is no queue has no rows here.
    """
    bars = bars_of(folder)
    parts = []
    for path in [*shards.shard_paths(folder), *shards.shard_paths(folder, shards.REJECTED)]:
        there = pl.scan_parquet(path).collect_schema()
        if not set(KNOWN) <= set(there):
            continue
        over = [
            (pl.col(name).struct.field("value") >= pl.lit(at_least, dtype=pl.Float32)).alias(name)
            for name, at_least in bars.items()
            if name in there and is_score(there[name])
        ]
        once = [ONCE] if ONCE in there else []
        parts.append(pl.scan_parquet(path).select(*KNOWN, *over, *once).collect())
    empty = pl.DataFrame(schema={**KNOWN, **dict.fromkeys(bars, pl.Boolean)})
    return _with_droppers(pl.concat([empty, *parts], how="diagonal_relaxed"))


def _with_droppers(rows: pl.DataFrame) -> pl.DataFrame:
    if ONCE not in rows.columns:
        return rows
    droppers = [name for name in rows[ONCE].drop_nulls().unique().sort() if name not in rows.columns]
    return rows.with_columns(pl.when(pl.col(ONCE) == name).then(statement=False).alias(name) for name in droppers).drop(ONCE)


def bars_of(folder: Path) -> dict[str, float]:
    """The bars of a queue: scorer -> at_least, a watched one's being a full mark; none where the folder is no queue."""
    settings = shards.read_manifest(folder)["settings"]
    bars = {bar["scorer"]["scorer"]: bar["at_least"] for bar in settings.get("bars") or []}
    watched = {scorer["scorer"]: 1.0 for scorer in settings.get("watched") or []}
    return {name.rpartition(".")[2]: at_least for name, at_least in {**bars, **watched}.items()}
