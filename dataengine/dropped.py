"""The rows that filters dropped, as rows again: for people who are asked whether a filter errs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from dataengine import shards
from dataengine.columns import REJECTION, schema
from dataengine.names import nearest
from dataengine.score import Scorer
from dataengine.step import Step
from dataengine.work import Work


def dropped(step: Step, *, by: Sequence[Scorer], name: str) -> Step:
    """The rows in `step`'s rejected/ that one of these scorers dropped; what is surplus, cut off or unanswered is not among them.

    `dropped_by` and `dropped_because` become `once_dropped_by` and `once_dropped_because`, for they may stay this time.
    """
    if not by:
        raise ValueError("dropped wants at least one scorer in by: whose rejected rows are meant?")
    return Step(name=name, make=_make, inputs={"data": step}, settings={"by": sorted(scorer.name for scorer in by)})


def _make(work: Work) -> None:
    folder = work.inputs["data"] / shards.REJECTED
    paths = sorted(folder.glob("*.parquet"))
    _check(work, [name for path in paths for name in pq.read_schema(path).names])
    again = {column: f"once_{column}" for column in schema(REJECTION)}
    for path in (path for path in paths if path.name not in work.landed):
        rows = pl.read_parquet(path)
        work.land(path.name, rows.filter(pl.col("dropped_by").is_in(work.settings["by"])).rename(again))


def _check(work: Work, columns: Sequence[str]) -> None:
    settings: Mapping[str, Any] = shards.read_manifest(work.inputs["data"])["settings"]
    known = [str(each) for each in _scorers(settings)]
    for name in work.settings["by"]:
        if known and name not in known:
            raise ValueError(f"{work.inputs['data'].name} does not ask the scorer {name!r}. {nearest(name, known)}")
    if columns and "dropped_by" not in columns:
        raise ValueError(f"the rejected rows of {work.inputs['data'].name} do not say who dropped them")


def _scorers(said: Any) -> list[str]:
    """Names of all scorers in a manifest's settings."""
    if isinstance(said, Mapping):
        own = [said["scorer"].rpartition(".")[2]] if isinstance(said.get("scorer"), str) else []
        return own + [name for value in said.values() for name in _scorers(value)]
    return [name for value in said for name in _scorers(value)] if isinstance(said, list) else []
