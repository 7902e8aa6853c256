"""What became of the rows on the way to a folder: made, kept, and dropped by whom and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards


def folders_before(folder: Path, root: Path) -> Iterator[Path]:
    """Every finished folder that this one was made from, each once, inputs first, itself last."""
    seen: set[Path] = set()

    def walk(at: Path) -> Iterator[Path]:
        if at in seen or not shards.is_finished(at):
            return
        seen.add(at)
        for before in shards.read_manifest(at)["inputs"].values():
            yield from walk(root / before)
        yield at

    return walk(folder)


def rejections(folder: Path, *, where: Mapping[str, str] | None = None) -> pl.DataFrame:
    """(dropped_by, dropped_because, rows) of one folder, most first; reasons that differ only in numbers are one."""
    rows = shards.scan(folder, shards.REJECTED)
    columns = rows.collect_schema().names()
    if "dropped_by" not in columns or any(column not in columns for column in where or {}):
        return pl.DataFrame(schema={"dropped_by": pl.String, "dropped_because": pl.String, "rows": pl.UInt32})
    chosen = rows.filter(pl.all_horizontal(pl.lit(value=True), *(pl.col(column) == value for column, value in (where or {}).items())))
    kind = pl.col("dropped_because").str.replace_all(r"\d+(\.\d+)?", "N").str.slice(0, 80)
    return (
        chosen.select("dropped_by", kind)
        .group_by("dropped_by", "dropped_because")
        .agg(rows=pl.len())
        .sort("rows", "dropped_because", descending=[True, False])
        .collect()
    )


def dropped_on_the_way(folder: Path, root: Path, *, where: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """What each step before (and in) this folder dropped, in order: [{folder, dropped_by, rows}]."""
    found = []
    for before in folders_before(folder, root):
        counted = rejections(before, where=where).group_by("dropped_by", maintain_order=True).agg(pl.col("rows").sum())
        found += [{"folder": before.name, **row} for row in counted.iter_rows(named=True)]
    return found


def funnel(folder: Path, root: Path) -> list[dict[str, Any]]:
    """One line for each data folder on the road: {step, made, kept, rejected: {reason: rows}}."""
    lines = []
    for before in folders_before(folder, root):
        manifest = shards.read_manifest(before)
        if manifest["rows"] is None:
            continue
        reasons = {row["dropped_because"]: row["rows"] for row in rejections(before).iter_rows(named=True)}
        made = manifest["rows"] + manifest["rejected"]
        lines.append({"step": manifest["name"], "folder": before.name, "made": made, "kept": manifest["rows"], "rejected": reasons})
    return lines
