"""What became of the rows on the way to a folder: made, kept, and dropped by whom and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.mixing.quotas import matches, unknown


def folders_before(folder: Path, root: Path) -> Iterator[Path]:
    """Every finished folder that this one was made from, each once, inputs first, itself last."""
    seen: set[Path] = set()

    def walk(at: Path) -> Iterator[Path]:
        if at in seen or not shards.is_finished(at):
            return
        seen.add(at)
        for before in shards.read_manifest(at)["inputs"].values():
            yield from walk((root if at == folder else at.parent) / before)  # what somebody exported lies elsewhere
        yield at

    return walk(folder)


def rejections(folder: Path) -> pl.DataFrame:
    """(dropped_by, dropped_because, rows) of one folder, most first; reasons that differ only in numbers and row ids are one."""
    rows = shards.scan(folder, shards.REJECTED)
    if "dropped_by" not in rows.collect_schema():
        return pl.DataFrame(schema={"dropped_by": pl.String, "dropped_because": pl.String, "rows": pl.UInt32})
    kind = pl.col("dropped_because").str.replace_all(r"\b[0-9a-f]{16}\b|\d+(\.\d+)?", "N").str.slice(0, 80)
    return (
        rows.select("dropped_by", kind)
        .group_by("dropped_by", "dropped_because")
        .agg(rows=pl.len())
        .sort("rows", "dropped_because", descending=[True, False])
        .collect()
    )


def dropped_on_the_way(folder: Path, root: Path, wheres: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """For each `where` of a quota, what every step before (and in) this folder dropped of such rows, in order.

    Each is {folder, dropped_by, rows, not_known}: `not_known` are the columns that rows did not have yet when they were dropped (a row
    without an answer has no pass rate), so that `rows` counts also those which would not have been asked for.
    """
    found: list[list[dict[str, Any]]] = [[] for _ in wheres]
    for before in folders_before(folder, root) if wheres else ():
        rows = shards.scan(before, shards.REJECTED)
        schema = dict(rows.collect_schema())
        if "dropped_by" not in schema:
            continue
        sums = [pl.col("dropped_by").filter(matches(where, schema)).len().alias(str(number)) for number, where in enumerate(wheres)]
        for line in rows.group_by("dropped_by").agg(*sums).sort("dropped_by").collect(engine="streaming").iter_rows(named=True):
            for number, where in enumerate(wheres):
                if count := line[str(number)]:
                    cost = {"folder": before.name, "dropped_by": line["dropped_by"], "rows": count}
                    found[number].append({**cost, "not_known": unknown(where, list(schema))})
    return found


def funnel(folder: Path, root: Path) -> list[dict[str, Any]]:
    """One line for each data folder on the road: {step, made, kept, rejected: {reason: rows}}; of a reason that two gave, who."""
    lines = []
    for before in folders_before(folder, root):
        manifest = shards.read_manifest(before)
        if manifest["rows"] is None:
            continue
        dropped = rejections(before)
        shared = pl.len().over("dropped_because") > 1
        named = dropped.select(
            pl.when(shared).then(pl.format("{}: {}", "dropped_by", "dropped_because")).otherwise("dropped_because"), "rows"
        )
        reasons = dict(named.iter_rows())
        made = manifest["rows"] + manifest["rejected"]
        lines.append({"step": manifest["name"], "folder": before.name, "made": made, "kept": manifest["rows"], "rejected": reasons})
    return lines
