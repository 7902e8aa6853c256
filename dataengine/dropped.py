"""The rows that filters dropped, as rows again: for people who are asked whether a filter errs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from dataengine import shards
from dataengine.columns import ONCE_DROPPED, REJECTION, schema
from dataengine.names import nearest
from dataengine.score import Score, Scorer, scorer
from dataengine.step import Step
from dataengine.work import Work

ONCE = "once_dropped_by"
"""Says that a row was dropped once, and by whom."""
AGAIN = dict(zip(schema(REJECTION), schema(ONCE_DROPPED), strict=True))
"""dropped_by -> once_dropped_by, and so on: the row may stay this time."""


@scorer
def never_dropped(once_dropped_by: str | None = None, once_dropped_because: str | None = None) -> Score:
    """1 where no earlier step dropped the row, else 0 with who did and why: the bar that holds back what `dropped` brought again.

    >>> never_dropped("zero_format", "no <answer>")
    Score(value=0.0, reason='zero_format: no <answer>')
    """
    return Score(1.0, "never dropped") if once_dropped_by is None else Score(0.0, f"{once_dropped_by}: {once_dropped_because}")


def dropped(step: Step, *, unwritten: bool = False, name: str) -> Step:
    """All rows in `step`'s rejected/, as rows again.

    `dropped_by` and `dropped_because` become `once_dropped_by` and `once_dropped_because`; of a row that was dropped before, the first
    reason stays. `unwritten`: what could not be brought into its form has no summary that could be kept: `summary` is emptied, and
    `reasoning` is the whole response where there is none.
    """
    return Step(name=name, make=_make_dropped, inputs={"data": step}, settings={"unwritten": unwritten})


def recalled(step: Step, *, by: Sequence[Scorer], at_most: int, seed: int, name: str) -> Step:
    """The rows that `step` kept, those that one of these scorers could not judge, and `at_most` of those that one of them failed.

    Of the failed rows these are the lowest by a keyed hash of their row_id; they alone have `once_dropped_by` and `once_dropped_because`.
    What was surplus, cut off or unanswered stays behind.
    """
    if not by:
        raise ValueError("recalled wants at least one scorer in by: whose rejected rows are meant?")
    settings = {"by": sorted(scorer.name for scorer in by), "at_most": at_most, "seed": seed}
    return Step(name=name, make=_make_recalled, inputs={"data": step}, settings=settings)


def _make_dropped(work: Work) -> None:
    for path in shards.shard_paths(work.inputs["data"], shards.REJECTED):
        if path.name not in work.landed:
            _check_columns(path, work)
            rows = _again(pl.read_parquet(path))
            work.land(path.name, _unwritten(rows) if work.settings["unwritten"] else rows)


def _again(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with who dropped them first."""
    known = [pl.coalesce(pl.col(again), was) if again in rows.columns else pl.col(was).alias(again) for was, again in AGAIN.items()]
    return rows.with_columns(known).drop(AGAIN)


def _unwritten(rows: pl.DataFrame) -> pl.DataFrame:
    thoughts = pl.when(pl.col("reasoning").str.strip_chars() != "").then("reasoning").otherwise("response")
    return rows.with_columns(reasoning=thoughts, summary=pl.lit(""))


def _make_recalled(work: Work) -> None:
    folder, by = work.inputs["data"], work.settings["by"]
    _check_scorers(folder, by)
    kept, rejected = ({path.name: path for path in shards.shard_paths(folder, part)} for part in ("", shards.REJECTED))
    for path in rejected.values():
        _check_columns(path, work)
    failed = [row_id for path in rejected.values() for row_id in _judged(pl.read_parquet(path), by, failed=True)["row_id"]]
    chosen = _chosen(failed, work.settings)
    for file in sorted({*kept, *rejected} - set(work.landed)):
        parts = [pl.read_parquet(kept[file])] if file in kept else []
        if file in rejected:
            lost = pl.read_parquet(rejected[file])
            parts.append(_judged(lost, by, failed=False).drop(AGAIN))
            parts.append(_again(_judged(lost, by, failed=True).filter(pl.col("row_id").is_in(chosen))))
        work.land(file, pl.concat([pl.DataFrame(schema=schema(ONCE_DROPPED)), *parts], how="diagonal_relaxed"))


def _judged(rows: pl.DataFrame, by: Sequence[str], *, failed: bool) -> pl.DataFrame:
    """Rows that one of the scorers failed, or those that one could not judge."""
    found = pl.lit(value=False)
    for name in (name for name in by if name in rows.columns):
        judged = pl.col(name).struct.field("value").is_not_null()
        found |= (pl.col("dropped_by") == name) & (judged if failed else ~judged)
    return rows.filter(found)


def _chosen(row_ids: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    key = f"{settings['seed']} recalled".encode()
    return sorted(row_ids, key=lambda row_id: hashlib.blake2b(row_id.encode(), key=key).digest())[: settings["at_most"]]


def _check_scorers(folder: Path, by: Sequence[str]) -> None:
    known = [str(each) for each in _scorers(shards.read_manifest(folder)["settings"])]
    for name in by:
        if known and name not in known:
            raise ValueError(f"{folder.name} does not ask the scorer {name!r}. {nearest(name, known)}")


def _check_columns(path: Path, work: Work) -> None:
    if "dropped_by" not in pq.read_schema(path).names:
        raise ValueError(f"the rejected rows of {work.inputs['data'].name} do not say who dropped them")


def _scorers(said: Any) -> list[str]:
    """Names of all scorers in a manifest's settings."""
    if isinstance(said, Mapping):
        own = [said["scorer"].rpartition(".")[2]] if isinstance(said.get("scorer"), str) else []
        return own + [name for value in said.values() for name in _scorers(value)]
    return [name for value in said for name in _scorers(value)] if isinstance(said, list) else []
