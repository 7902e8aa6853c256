"""Of rows that were dropped once, those that a queue will ask about, known beforehand: so only these are worth refining for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from annotation.queue import draws
from annotation.standing import all_bars, disagreement, scores, side
from dataengine.dropped import ONCE
from dataengine.score import Scorer
from dataengine.shards import REJECTED
from dataengine.step import Step
from dataengine.work import Work


def drawn(data: Step, compared: Sequence[Scorer], *, audit: float, seed: int, name: str) -> Step:
    """The rows that nobody dropped, and of the others (`once_dropped_by`) those that a queue may ask about; the rest is in rejected/.

    `audit` and `seed` are the queue's, and so are the `compared` scorers, its only group of `compare`; of each a full mark is a pass.
    """
    settings = {"compared": list(compared), "audit": audit, "seed": seed}
    return Step(name=name, make=_make, inputs={"data": data}, settings=settings)


def _make(work: Work) -> None:
    work.each_shard(_draw)


def _draw(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    never, again = rows.filter(pl.col(ONCE).is_null()), rows.filter(pl.col(ONCE).is_not_null())
    draw_R, _ = draws(again["row_id"].to_list(), seed=settings["seed"])
    asked = pl.Series(draw_R < settings["audit"], dtype=pl.Boolean) | _disagree(again, settings["compared"])
    because = {"dropped_by": pl.lit("drawn"), "dropped_because": pl.lit("nobody will be asked about it")}
    return {"": pl.concat([never, again.filter(asked)]), REJECTED: again.filter(~asked).with_columns(**because)}


def _disagree(rows: pl.DataFrame, compared: Sequence[Scorer]) -> pl.Series:
    """Whether scorers that measure the same do not agree on a row."""
    bars = all_bars((), compared)
    said = rows.select(scores(rows, bar) for bar in bars).select(side(bar, bar.scorer.name).alias(bar.scorer.name) for bar in bars)
    differ = [disagreement(row, [list(row)]) is not None for row in said.iter_rows(named=True)]
    return pl.Series(differ or [False] * len(rows), dtype=pl.Boolean)
