"""Every row that a queue chose from, without its text: where it stands, what each bar said, and the item that people saw of it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from annotation.items import is_score
from dataengine import shards

KNOWN = {"item_id": pl.String, "why": pl.String, "standing": pl.String, "disagrees": pl.String}


def population(folder: Path) -> pl.DataFrame:
    """item_id, why, standing and disagrees of all rows of a queue's folder, rejected ones included, and a Boolean for each bar.

    The Boolean says whether the row is over the bar, null where it was not judged. A folder that is no queue has no rows here.
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
        parts.append(pl.scan_parquet(path).select(*KNOWN, *over).collect())
    empty = pl.DataFrame(schema={**KNOWN, **dict.fromkeys(bars, pl.Boolean)})
    return pl.concat([empty, *parts], how="diagonal_relaxed")


def bars_of(folder: Path) -> dict[str, float]:
    """The bars of a queue: scorer -> at_least; none where the folder is no queue."""
    bars = shards.read_manifest(folder)["settings"].get("bars") or []
    return {bar["scorer"]["scorer"].rpartition(".")[2]: bar["at_least"] for bar in bars}
