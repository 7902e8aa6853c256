"""A scorer over the rows of a file, from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from dataengine.lines import json_lines
from dataengine.names import nearest
from dataengine.progress import Bar
from dataengine.score import Scorer
from dataengine.shards import write_atomically

ROWS_AT_ONCE = 2_000


def score_file(scorer: Scorer, file: Path, *, out: Path, columns: Mapping[str, str]) -> str:
    """Write the file's rows with the score as one more column; the summary is what a person reads."""
    rows = read_rows(file)
    scored = rows.with_columns(scored_parts(scorer, renamed(rows, columns, file=file)))
    write_rows(scored, out)
    return summary(scored[scorer.name])


def read_rows(file: Path) -> pl.DataFrame:
    """The rows of a Parquet or JSONL (.gz, .zst) file; ValueError where there is none."""
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    rows = (
        pl.read_parquet(file) if file.suffix == ".parquet" else pl.DataFrame(list(json_lines(file)), infer_schema_length=None, strict=False)
    )
    if rows.is_empty():
        raise ValueError(f"{file} has no rows: nothing to score")
    return rows


def renamed(rows: pl.DataFrame, columns: Mapping[str, str], *, file: Path) -> pl.DataFrame:
    """The rows with the file's columns under our names too; a list of texts as `answer` becomes one text, parted by commas."""
    for ours, theirs in columns.items():
        if theirs not in rows.columns:
            raise ValueError(f"--columns.{ours} says {theirs!r}, which {file} does not have. {nearest(theirs, rows.columns)}")
    view = rows.with_columns(**{ours: pl.col(theirs) for ours, theirs in columns.items()})
    if view.schema.get("answer") == pl.List(pl.String):
        view = view.with_columns(pl.col("answer").list.join(", "))
    return view


def scored_parts(scorer: Scorer, rows: pl.DataFrame) -> pl.Series:
    """The scores of all rows, a part at a time, with progress; all at once where they are compared with each other."""
    scores, at_once = [], len(rows) if scorer.together else ROWS_AT_ONCE
    with Bar(scorer.name, total=len(rows)) as bar:
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            scores.append(scorer.score(part))
            bar.advance(len(part))
    return pl.concat(scores)


def write_rows(rows: pl.DataFrame, out: Path) -> None:
    """Write a Parquet or JSONL file, whole or not at all."""
    write_atomically(out, rows.write_parquet if out.suffix == ".parquet" else rows.write_ndjson)


def summary(scores: pl.Series) -> str:
    """How many rows got which verdict, most first."""
    kind = scores.struct.field("reason").str.replace_all(r"\d+(\.\d+)?", "N").str.slice(0, 80)
    verdicts = pl.DataFrame({"value": scores.struct.field("value").round(3), "reason": kind})
    counted = verdicts.group_by("value", "reason").agg(rows=pl.len()).sort("rows", "reason", descending=[True, False])
    mean = scores.struct.field("value").drop_nulls().mean()
    lines = [
        f"{row['rows']:>9,}  {'unjudged' if row['value'] is None else format(row['value'], '.3g'):>8}  {row['reason']}"
        for row in counted.head(20).iter_rows(named=True)
    ]
    judged = len(scores) - scores.struct.field("value").null_count()
    return "\n".join(
        [
            *lines,
            f"{len(scores):,} rows, {judged:,} judged, mean {mean:.4f}"
            if isinstance(mean, float)
            else f"{len(scores):,} rows, none judged",
        ]
    )
