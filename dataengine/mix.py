"""Exact quotas over the parts of a mix: deterministic, stable when rows are added, with a report of what is short and why."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.funnel import dropped_on_the_way
from dataengine.shards import REJECTED
from dataengine.step import Step
from dataengine.work import Work, warn

SHARD_ROWS = 20_000
RANK = "__rank"


@dataclass(frozen=True, kw_only=True)
class Quota:
    """So many rows of a part, where its columns have these values: `Quota(part="reasoning", rows=395_285, where={"domain": "math"})`"""

    part: str
    rows: int
    where: Mapping[str, str] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        """What the quota is called in the report."""
        return "/".join((self.part, *(f"{column}={value}" for column, value in self.where.items())))

    def __post_init__(self) -> None:
        if self.rows < 0:
            raise ValueError(f"a quota is a number of rows, got {self.rows} for {self.part!r}")


def mix(parts: Mapping[str, Step], quotas: Sequence[Quota], *, seed: int, stop_when_short: bool = False, name: str = "mix") -> Step:
    """Exactly the quotas' rows out of the parts, in an order drawn by `seed`.

    A row's rank is a keyed hash of its content, so adding rows to a part moves few others. What is too little is taken whole and
    reported as short (or stops the run, with `stop_when_short`); what is too much lies in rejected/.
    """
    for quota in quotas:
        if quota.part not in parts:
            raise ValueError(f"a quota names the part {quota.part!r}; the mix has {', '.join(sorted(parts))}")
    buckets = [quota.bucket for quota in quotas]
    if len(set(buckets)) < len(buckets):
        raise ValueError(
            f"two quotas ask for the same rows: {', '.join(sorted({bucket for bucket in buckets if buckets.count(bucket) > 1}))}"
        )
    settings = {"quotas": list(quotas), "seed": seed, "stop_when_short": stop_when_short}
    return Step(name=name, make=_make, inputs=parts, settings=settings)


def _make(work: Work) -> None:
    taken, left, report = [], [], []
    for part in sorted(work.inputs):
        rows = _ranked(shards.read(work.inputs[part]), part=part, seed=work.settings["seed"])
        twice = pl.col(RANK).is_first_distinct().not_()
        left.append(_dropped(rows.filter(twice), by=work.name, because="the same row twice in this part"))
        rows = rows.filter(~twice)
        for quota in (quota for quota in work.settings["quotas"] if quota.part == part):
            fits = rows.filter(_matches(quota, rows.columns))
            chosen = fits.head(quota.rows)
            rows = rows.join(chosen.select(RANK), on=RANK, how="anti")
            taken.append(chosen.with_columns(part=pl.lit(part), bucket=pl.lit(quota.bucket)))
            report.append(_line(quota, had=len(fits), taken=len(chosen), folder=work.inputs[part], root=work.root))
        left.append(_dropped(rows, by=work.name, because="more than the quota, or no quota asks for it"))
    work.notes["quotas"] = report
    _say_what_is_short(report, stop=work.settings["stop_when_short"])
    work.land(f"{REJECTED}/00000.parquet", pl.concat(left, how="diagonal_relaxed").sort(RANK).drop(RANK))
    mixed = pl.concat(taken, how="diagonal_relaxed").sort(RANK).drop(RANK)
    for number, start in enumerate(range(0, max(len(mixed), 1), SHARD_ROWS)):
        work.land(f"{number:05d}.parquet", mixed[start : start + SHARD_ROWS])


def _ranked(rows: pl.DataFrame, *, part: str, seed: int) -> pl.DataFrame:
    """Rows by a hash of (seed, part, prompt, response): a shuffle that does not depend on position."""

    key = f"{seed}\0{part}".encode()[:64]
    wanted = [name for name in ("prompt_id", "sample", "response") if name in rows.columns]
    ranks = [hashlib.blake2b(repr(row).encode(), key=key, digest_size=16).hexdigest() for row in rows.select(wanted).iter_rows()]
    return rows.with_columns(pl.Series(RANK, ranks, dtype=pl.String)).sort(RANK, maintain_order=True)


def _dropped(rows: pl.DataFrame, *, by: str, because: str) -> pl.DataFrame:
    return rows.with_columns(dropped_by=pl.lit(by), dropped_because=pl.lit(because))


def _matches(quota: Quota, columns: Sequence[str]) -> pl.Expr:
    for column in quota.where:
        if column not in columns:
            raise ValueError(f"the quota {quota.bucket!r} asks for the column {column!r}; the part has {', '.join(columns)}")
    return pl.all_horizontal(pl.lit(value=True), *(pl.col(column) == value for column, value in quota.where.items()))


def _line(quota: Quota, *, had: int, taken: int, folder: Path, root: Path) -> dict[str, Any]:
    short = quota.rows - taken
    cost = dropped_on_the_way(folder, root, where=quota.where) if short > 0 else []
    return {"bucket": quota.bucket, "wanted": quota.rows, "had": had, "taken": taken, "short": short, "dropped_before": cost}


def _say_what_is_short(report: Sequence[Mapping[str, Any]], *, stop: bool) -> None:
    lines = []
    for line in report:
        if line["short"] > 0:
            cost = "; ".join(f"{each['rows']} by {each['dropped_by']}" for each in line["dropped_before"][:5])
            lines.append(
                f"{line['bucket']}: wanted {line['wanted']:,}, had {line['had']:,}, short {line['short']:,}"
                + (f" (dropped before: {cost})" if cost else "")
            )
    if lines and stop:
        raise ValueError(
            "the mix is short of its quotas:\n  " + "\n  ".join(lines) + "\nMake more rows, lower a bar or a quota, or let it be short."
        )
    for line in lines:
        warn(f"short quota, {line}")
