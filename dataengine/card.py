"""A dataset card: what a folder holds, which models said it, how it was sampled, under which licences, and what was dropped on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from dataengine import shards
from dataengine.funnel import funnel
from dataengine.shards import write_atomically
from dataengine.step import Step
from dataengine.work import Work

COUNTED = ("domain", "language", "source", "license", "model", "sampling", "bucket", "reviewed_by")
"""Columns of few values, each a table of the card."""
MOST = 12
"""Values of one column that are shown."""


def card(data: Step, *, title: str, name: str = "card") -> Step:
    """A folder with the card of `data` as README.md, and the same text as summary.txt for the terminal."""
    return Step(name=name, make=_make, inputs={"data": data}, settings={"title": title})


def _make(work: Work) -> None:
    text = "\n".join(card_text(work.inputs["data"], work.root, title=work.settings["title"])) + "\n"
    for file in ("README.md", "summary.txt"):
        write_atomically(work.folder / file, lambda out: out.write(text.encode()))


def card_text(folder: Path, root: Path, *, title: str) -> Iterator[str]:
    """The lines of the card, as Markdown with the header that the Hub reads."""
    rows = shards.scan(folder)
    columns = rows.collect_schema().names()
    total = rows.select(pl.len()).collect().item()
    licenses = [] if "license" not in columns else rows.select(pl.col("license").unique()).collect()["license"].drop_nulls().to_list()
    yield from ("---", f"license: {licenses[0].lower() if len(licenses) == 1 else 'other'}", "tags: [reasoning, chain-of-thought]", "---")
    yield from ("", f"# {title}", "", f"{total:,} rows, made by {shards.read_manifest(folder)['made_by']} (`{folder.name}`).")
    yield from _funnel_lines(folder, root)
    for column in (column for column in COUNTED if column in columns):
        counts = rows.group_by(column).agg(rows=pl.len()).sort("rows", column, descending=[True, False]).collect()
        yield from ("", f"## {column}", "", f"| {column} | rows |", "|---|---:|")
        yield from (f"| {_cell(row[column])} | {row['rows']:,} |" for row in counts.head(MOST).iter_rows(named=True))
        if len(counts) > MOST:
            yield f"| and {len(counts) - MOST} others | {counts['rows'][MOST:].sum():,} |"
    yield from ("", "## Contamination", "", "No evaluation set was compared with these rows.")


def _funnel_lines(folder: Path, root: Path) -> Iterator[str]:
    yield from ("", "## From made to kept", "", "| step | made | kept | dropped, most first |", "|---|---:|---:|---|")
    for line in funnel(folder, root):
        reasons = "; ".join(f"{count:,} {_cell(reason)}" for reason, count in list(line["rejected"].items())[:5])
        yield f"| {line['step']} | {line['made']:,} | {line['kept']:,} | {reasons} |"


def _cell(value: object) -> str:
    return "not said" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
