"""What was dropped on the way is counted whole, by reason, and by whom where two gave the same."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataengine import shards
from dataengine.reporting.funnel import funnel
from dataengine.run import run
from dataengine.step import Step
from dataengine.work import Work

DROPPED = [("right", "no answer"), ("right", "no answer"), ("format", "no answer"), ("format", "no tags")]


def land(work: Work) -> None:
    by, because = zip(*DROPPED, strict=True)
    rows = pl.DataFrame({"row_id": [f"{number:016x}" for number in range(len(DROPPED))]})
    work.land("rejected/00000.parquet", rows.with_columns(dropped_by=pl.Series(by), dropped_because=pl.Series(because)))
    work.land("00000.parquet", rows[:1])


def test_a_reason_that_two_droppers_gave_is_counted_for_each(tmp_path: Path) -> None:
    folder = run(Step(name="two", make=land), tmp_path)
    (line,) = funnel(folder, tmp_path)
    assert line["rejected"] == {"right: no answer": 2, "format: no answer": 1, "no tags": 1}
    assert sum(line["rejected"].values()) == shards.read_manifest(folder)["rejected"]
