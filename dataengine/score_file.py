"""A scorer over the rows of a file, from the command line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl

from dataengine.column_types import column, types_of
from dataengine.names import nearest
from dataengine.progress import Bar
from dataengine.score import Scorer
from dataengine.shards import write_atomically
from dataengine.sources import numbered_rows

ROWS_AT_ONCE = 2_000
PACKED = (".gz", ".zst")
"""The last suffix of a JSON lines file that is compressed."""


def score_file(scorer: Scorer, file: Path, *, out: Path, columns: Mapping[str, str]) -> str:
    """Write the file's rows with the score as one more column; the summary is what a person reads."""
    refuse_other_files(out)
    rows = read_rows(file)
    scored = rows.with_columns(scored_parts(scorer, renamed(rows, columns, file=file)))
    write_rows(scored, out)
    return summary(scored[scorer.name])


def read_rows(file: Path) -> pl.DataFrame:
    """The rows of a Parquet, JSON (one list) or JSONL file (.gz, .zst); ValueError where there is none.

    A column whose values no one type holds is text: texts as they are, anything else as JSON.
    """
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    rows = _parquet(file) if file.suffix == ".parquet" else _json(file)
    if rows.is_empty():
        raise ValueError(f"{file} has no rows: nothing to score")
    return rows


def _parquet(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{file} cannot be read as Parquet: {error}") from None


def _json(file: Path) -> pl.DataFrame:
    rows = [row for _, row in numbered_rows(file)]
    return pl.DataFrame([column(name, [row.get(name) for row in rows], dtype) for name, dtype in types_of(rows).items()])


def renamed(rows: pl.DataFrame, columns: Mapping[str, str], *, file: Path) -> pl.DataFrame:
    """The rows with the file's columns under our names too; a list of texts as `answer` becomes one text, parted by commas.

    So it does where some answers are lists and others texts, which a column holds as JSON.
    """
    for ours, theirs in columns.items():
        if theirs not in rows.columns:
            raise ValueError(f"--columns.{ours} says {theirs!r}, which {file} does not have. {nearest(theirs, rows.columns)}")
    view = rows.with_columns(**{ours: pl.col(theirs) for ours, theirs in columns.items()})
    if view.schema.get("answer") == pl.List(pl.String):
        view = view.with_columns(pl.col("answer").list.join(", "))
    elif view.schema.get("answer") == pl.String:
        answers = [_joined(answer) for answer in view["answer"]]
        view = view.with_columns(pl.Series("answer", answers, dtype=pl.String))
    return view


def _joined(answer: str | None) -> str | None:
    """A list of texts as one text; everything else as it is."""
    if answer is None or not answer.startswith('["'):
        return answer
    try:
        parts = json.loads(answer)
    except ValueError:
        return answer
    return ", ".join(parts) if all(isinstance(part, str) for part in parts) else answer


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
    """Write a Parquet or JSONL file (.gz, .zst), whole or not at all."""
    refuse_other_files(out)
    write_atomically(out, rows.write_parquet if out.suffix == ".parquet" else partial(_write_lines, rows, out.suffix))


def refuse_other_files(out: Path) -> None:
    """ValueError where the name of a file to write asks for a format that we do not write."""
    kind = Path(out.stem).suffix if out.suffix in PACKED else out.suffix
    if out.suffix != ".parquet" and kind not in (".jsonl", ".ndjson"):
        raise ValueError(f"{out} is no name of a file that can be written: end it in .parquet, .jsonl, .jsonl.gz or .jsonl.zst")


def _write_lines(rows: pl.DataFrame, suffix: str, out: BinaryIO) -> None:
    if suffix == ".gz":
        with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed:
            rows.write_ndjson(cast(BinaryIO, packed))
    elif suffix == ".zst":
        import zstandard

        with zstandard.ZstdCompressor().stream_writer(out, closefd=False) as packed:
            rows.write_ndjson(packed)
    else:
        rows.write_ndjson(out)


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
