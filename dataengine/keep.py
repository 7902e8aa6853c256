"""Score rows, and split them by a bar: what is dropped lies in rejected/ with all its columns and the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dataengine.score import Score, Scorer
from dataengine.shards import REJECTED
from dataengine.step import Step
from dataengine.work import Work


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a row has to reach: `Bar(scorer=language_share, at_least=0.99)`"""

    scorer: Scorer
    at_least: float = 1.0
    unjudged: bool = False
    """Whether a row that could not be judged passes."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.at_least <= 1.0:
            raise ValueError(f"at_least is a bar on a score and lies in [0, 1], got {self.at_least}")

    def passes(self, score: Score) -> bool:
        """Whether a row with this score is over the bar; scores are compared as they are stored, in 32 bits."""
        return self.unjudged if score.value is None else bool(np.float32(score.value) >= np.float32(self.at_least))


def score(data: Step, scorers: Sequence[Scorer], *, name: str = "score") -> Step:
    """The same rows with one struct column {value, reason} for each scorer."""
    _check_alone(*scorers)
    return Step(name=name, make=_make_score, inputs={"data": data}, settings={"scorers": list(scorers)})


def keep(data: Step, scorer: Scorer, *, at_least: float = 1.0, unjudged: bool = False, name: str | None = None) -> Step:
    """The rows whose score is `at_least` the bar; rows that could not be judged are kept only when `unjudged` says so."""
    _check_alone(scorer)
    bar = Bar(scorer=scorer, at_least=at_least, unjudged=unjudged)
    settings = {"scorer": bar.scorer, "at_least": bar.at_least, "unjudged": bar.unjudged}
    return Step(name=name or f"keep-{scorer.name}", make=_make_keep, inputs={"data": data}, settings=settings)


def _check_alone(*scorers: Scorer) -> None:
    for scorer in scorers:
        if scorer.together:
            raise ValueError(
                f"{scorer.name} compares rows with each other, and a step sees one shard at a time: "
                f"score the whole file with `dataengine score {scorer.name} FILE --out SCORED`"
            )


def _make_score(work: Work) -> None:
    work.each_shard(_score_shard)


def _make_keep(work: Work) -> None:
    work.each_shard(_split_shard)


def _score_shard(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    return {"": rows.with_columns(*(scorer.score(rows) for scorer in settings["scorers"]))}


def _split_shard(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    scorer: Scorer = settings["scorer"]
    scored = rows.with_columns(scorer.score(rows))
    value = pl.col(scorer.name).struct.field("value")
    good = (value >= pl.lit(settings["at_least"], dtype=pl.Float32)).fill_null(settings["unjudged"])
    why = pl.col(scorer.name).struct.field("reason")
    dropped = scored.filter(~good).with_columns(
        dropped_by=pl.lit(scorer.name),
        dropped_because=pl.when(value.is_null()).then(pl.lit("unjudged: ") + why).otherwise(why),
    )
    return {"": scored.filter(good), REJECTED: dropped}
