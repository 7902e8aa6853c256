"""Rows that people reviewed, judged again as they are now, and said: who brings in what a filter would not pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.keep import Bar
from dataengine.reporting.card_reviews import against_lines
from dataengine.step import Step
from dataengine.work import Work, warn

HUMAN, BY = "human", "reviewed_by"


def judged_again(data: Step, bars: Sequence[Bar], *, name: str) -> Step:
    """All rows of `data` (of `reviewed`) with new scores; a person has the last word, so nothing is dropped.

    What people kept or fixed though it fails a bar now is said as a warning and noted in the manifest, from where it goes into the card:
    by verdict and scorer how many rows, and one of them with its reason.
    """
    return Step(name=name, make=_make, inputs={"data": data}, settings={"bars": list(bars)})


def _make(work: Work) -> None:
    work.each_shard(_score)
    bars: list[Bar] = work.settings["bars"]
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in shards.shard_paths(work.folder):
        rows = pl.read_parquet(path)
        for bar in bars if HUMAN in rows.columns else ():
            for row in _failing(rows, bar).iter_rows(named=True):
                did = "fixed" if row[HUMAN]["reason"].startswith("fix") else "kept"
                said = f"{row['row_id']} by {', '.join(row[BY] or ())}: {row[bar.scorer.name]['reason']}"
                found[did, bar.scorer.name].append(said)
    work.notes["against"] = [
        {"people": did, "scorer": scorer, "rows": len(said), "first": said[0]} for (did, scorer), said in sorted(found.items())
    ]
    for line in against_lines(work.notes["against"]):
        warn(f"{work.name}: {line}")


def _score(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    return {"": rows.with_columns(*(bar.scorer.score(rows) for bar in settings["bars"]))}


def _failing(rows: pl.DataFrame, bar: Bar) -> pl.DataFrame:
    """Rows that a person let pass and that are under the bar."""
    under = pl.col(bar.scorer.name).struct.field("value") < pl.lit(bar.at_least, dtype=pl.Float32)
    return rows.filter(under & pl.col(HUMAN).struct.field("value").eq(1.0))
