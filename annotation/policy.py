"""A review queue answered by a stated rule instead of a person, and marked as such.

It stands where people stand when nobody can be asked (a demo, a test). Rows carry the columns of a review (REVIEWED): `human` is the
verdict, `reviewed_by` is `auto`, `guideline` the rule in words; nothing that the rule discards goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dataengine.columns import REVIEWED, schema
from dataengine.score import Scorer
from dataengine.shards import REJECTED
from dataengine.step import Step
from dataengine.work import Work


def review_by_policy(data: Step, policy: Mapping[Scorer, float], *, guideline: str, name: str = "review") -> Step:
    """Keep the rows that reach every bar of `policy` (scorer -> bar); a row that could not be judged is discarded.

    `guideline` is the rule in words, as people would be given it.
    """
    if not policy:
        raise ValueError("a review policy needs at least one scorer with its bar")
    return Step(name=name, make=_make, inputs={"data": data}, settings={"policy": dict(policy), "guideline": guideline}, version="2")


def _make(work: Work) -> None:
    work.each_shard(_review)


def _review(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    policy: Mapping[Scorer, float] = settings["policy"]
    verdicts: list[str | None] = [None] * len(rows)
    for scorer, bar in policy.items():
        for at, score in enumerate(scorer.score(rows)):
            if verdicts[at] is None and (score["value"] is None or score["value"] < bar):
                verdicts[at] = f"{scorer.name}: {score['reason']}"
    human = [{"value": 0.0 if why else 1.0, "reason": f"discard: {why}" if why else "keep"} for why in verdicts]
    known = {"human": human, "reviewed_by": [["auto"]] * len(rows), "guideline": [settings["guideline"]] * len(rows)}
    reviewed = rows.with_columns(
        pl.Series(name, known.get(name, [None] * len(rows)), dtype=dtype)
        for name, dtype in schema(REVIEWED).items()
        if name in known or name not in rows.columns
    )
    kept = pl.col("human").struct.field("value") == 1.0
    why = pl.col("human").struct.field("reason")
    return {"": reviewed.filter(kept), REJECTED: reviewed.filter(~kept).with_columns(dropped_by=pl.lit("review"), dropped_because=why)}
