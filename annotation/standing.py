"""What the bars of a filter chain say of every row, before anybody is asked: kept, rejected or unjudged, and who does not agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from annotation.items import is_score, readable_text
from dataengine import shards
from dataengine.keep import Bar
from dataengine.score import Score, Scorer
from dataengine.step import Step
from dataengine.work import Work

KEPT, REJECTED, UNJUDGED = "kept", "rejected", "unjudged"
KNOWN_BY = ("row_id", "prompt_id", "sample")
NO_TEXT = "no text: nothing to read"


def standing(data: Step, bars: Sequence[Bar], *, watched: Sequence[Scorer], compare: Sequence[Sequence[str]], name: str) -> Step:
    """A row for each row of `data`, in its shards and order, without text: its id, all scores, `standing`, `disagrees`, `has_text`.

    A score that stands in the rows is taken as it is, others are computed. A row that fails a bar is rejected; one that fails none and
    that a bar could not judge is unjudged (Bar.unjudged says otherwise); `watched` scorers have no part in that. `has_text` is false where
    the row has no text.
    """
    settings = {"bars": list(bars), "watched": list(watched), "compare": [list(group) for group in compare]}
    return Step(name=name, make=_make, inputs={"data": data}, settings=settings)


def all_bars(bars: Sequence[Bar], watched: Sequence[Scorer]) -> list[Bar]:
    """What a row is scored by: the bars, and the watched scorers, of which a full mark is a pass."""
    return [*bars, *(Bar(scorer=scorer) for scorer in watched)]


def side(bar: Bar, value: str) -> pl.Expr:
    """Whether a score, given by the name of its column, is over the bar; null where it was not judged."""
    return pl.col(value).struct.field("value") >= pl.lit(bar.at_least, dtype=pl.Float32)


def _make(work: Work) -> None:
    folder: Path = work.inputs["data"]
    paths = shards.shard_paths(folder)
    if not sum(pq.read_metadata(path).num_rows for path in paths):
        raise ValueError(f"{folder.name} has no rows: there is nothing to ask about")
    for path in paths:
        _check_columns(path, all_bars(work.settings["bars"], work.settings["watched"]))
    work.each_shard(_judge)


def _check_columns(path: Path, bars: Sequence[Bar]) -> None:
    there = pl.scan_parquet(path).collect_schema()
    lacking = [name for name in ("row_id", "messages") if name not in there]
    lacking += [] if {"response", "reasoning", "summary"} & set(there) else ["response"]
    if lacking:
        raise ValueError(
            f"a queue wants rows of responses with the column {lacking[0]!r}; {path.parent.name} has {', '.join(there) or 'no columns'}. "
            "Rows of generate, sample, keep, score and mix have it."
        )
    for bar in bars:
        given = there.get(bar.scorer.name)
        if given is not None and not is_score(given):
            raise ValueError(f"the column {bar.scorer.name} holds {given}, not the scores of {bar.scorer.name}: rename it or leave it out")
        if given is None:
            if bar.scorer.together:
                raise ValueError(
                    f"{bar.scorer.name} compares rows with each other, and a queue sees one shard at a time: "
                    f"score the whole file with `dataengine score {bar.scorer.name} FILE --out SCORED` and queue that"
                )
            bar.scorer.check_columns(there)


def _judge(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    bars: list[Bar] = settings["bars"]
    known = rows.select(name for name in KNOWN_BY if name in rows.columns)
    scored = all_bars(bars, settings["watched"])
    said = known.with_columns(scores(rows, bar) for bar in scored)
    sides = said.select(side(bar, bar.scorer.name).alias(bar.scorer.name) for bar in scored)
    fails = [(~pl.col(bar.scorer.name)).fill_null(value=False) for bar in bars]
    open_ = [pl.col(bar.scorer.name).is_null() for bar in bars if not bar.unjudged]
    stands = (
        pl.when(pl.any_horizontal(pl.lit(value=False), *fails))
        .then(pl.lit(REJECTED))
        .when(pl.any_horizontal(pl.lit(value=False), *open_))
        .then(pl.lit(UNJUDGED))
        .otherwise(pl.lit(KEPT))
    )
    texts = rows.select(name for name in ("reasoning", "summary", "response") if name in rows.columns)
    told = pl.DataFrame(
        {
            "standing": sides.select(stands.alias("standing"))["standing"] if bars else [KEPT] * len(rows),
            "disagrees": [disagreement(row, settings["compare"]) for row in sides.iter_rows(named=True)] or [None] * len(rows),
            "has_text": [readable_text(row) for row in texts.iter_rows(named=True)],
        },
        schema={"standing": pl.String, "disagrees": pl.String, "has_text": pl.Boolean},
    )
    return {"": pl.concat([said, told], how="horizontal")}


def scores(rows: pl.DataFrame, bar: Bar) -> pl.Series:
    """The scores that stand in the rows; those that do not are computed."""
    name = bar.scorer.name
    if name not in rows.columns:
        return bar.scorer.score(rows)
    given = rows[name]
    lacking = given.struct.field("reason").is_null() & given.struct.field("value").is_null()
    if not lacking.any() or bar.scorer.together:
        return given
    computed = iter(bar.scorer.score(rows.filter(lacking)).to_list())
    found = [next(computed) if new else old for new, old in zip(lacking, given.to_list(), strict=True)]
    return pl.Series(name, found, dtype=given.dtype)


def disagreement(sides: Mapping[str, bool | None], compare: Sequence[Sequence[str]]) -> str | None:
    """Of each group whose scorers fall on different sides: "answer_matches passes, judge fails"."""
    found = []
    for group in compare:
        judged = {name: sides[name] for name in group if sides[name] is not None}
        if len(set(judged.values())) > 1:
            found.append(", ".join(f"{name} {'passes' if over else 'fails'}" for name, over in judged.items()))
    return "; ".join(found) or None


def reason_of(row: Mapping[str, Any], bars: Sequence[Bar]) -> tuple[str, str] | None:
    """(scorer, why) of the first bar that a row does not pass, from its scores; None where it passes all."""
    for bar in bars:
        said = row[bar.scorer.name]
        if said["value"] is None and not bar.unjudged:
            return bar.scorer.name, f"unjudged: {said['reason']}"
        if said["value"] is not None and not bar.passes(Score(said["value"], said["reason"] or "")):
            return bar.scorer.name, said["reason"] or ""
    return None
