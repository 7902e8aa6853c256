"""All rows of each prompt together, though they lie far apart: through a spill on disk, in bounded memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataengine import shards
from dataengine.columns import REJECTION, schema
from dataengine.mixing.shuffle import Spill, in_schema
from dataengine.shards import REJECTED

PIECE_BYTES = 64 * 2**20
"""Text of rows held as Python objects at the same time."""
SHARD_ROWS = 5_000
"""Rows of a shard of whole prompts, and then the rest of its last prompt."""


def whole_prompts(folder: Path) -> bool:
    """Whether all rows of each prompt, rejected ones too, lie in shards of one name; eight bytes a prompt are held."""
    names = {path.name for part in ("", REJECTED) for path in shards.shard_paths(folder, part)}
    prompts = []
    for name in sorted(names):
        paths = [path for path in (folder / name, folder / REJECTED / name) if path.is_file()]
        if paths[0].parent != folder:
            return False
        ids = pl.concat([pl.scan_parquet(path).select(pl.col("prompt_id").drop_nulls().unique().hash()) for path in paths])
        prompts.append(ids.unique().collect()["prompt_id"])
    return not prompts or pl.concat(prompts).is_duplicated().sum() == 0


def regrouped(folder: Path, *, into: Path) -> None:
    """The rows of a folder and of its rejected part once more, all those of a prompt in shards of one name."""
    shutil.rmtree(into, ignore_errors=True)
    paths = [*shards.shard_paths(folder), *shards.shard_paths(folder, REJECTED)]
    types = pl.concat([pl.scan_parquet(path) for path in paths], how="diagonal_relaxed").collect_schema()
    number, rows, text = 0, list[dict[str, Any]](), 0
    for together in by_prompt(paths, spill=into / ".spilled"):
        rows += together
        text += sum(len(row.get("response") or "") for row in together)
        if len(rows) >= SHARD_ROWS or text >= PIECE_BYTES:
            _land(into, f"{number:05d}.parquet", pl.DataFrame(rows, schema=types))
            number, rows, text = number + 1, [], 0
    if rows or not number:
        _land(into, f"{number:05d}.parquet", pl.DataFrame(rows, schema=types))


def _land(into: Path, name: str, rows: pl.DataFrame) -> None:
    if "dropped_because" in rows.columns:
        dropped = rows["dropped_because"].is_not_null()
        shards.land(into, f"{REJECTED}/{name}", rows.filter(dropped))
        rows = rows.filter(~dropped).drop(schema(REJECTION), strict=False)
    shards.land(into, name, rows)


def by_prompt(paths: Sequence[Path], *, spill: Path) -> Iterator[list[dict[str, Any]]]:
    """The rows of each prompt in their order, prompts in the order of their first rows."""
    ids = pl.concat([pl.scan_parquet(path).select("prompt_id").collect() for path in paths])
    if ids.is_empty():
        return
    first_R = ids.with_row_index("row").select(pl.col("row").min().over("prompt_id"))["row"].to_numpy()
    place_R = np.empty(len(ids), dtype=np.int64)
    place_R[np.argsort(first_R, kind="stable")] = np.arange(len(ids))
    pieces = 1 + sum(shards.text_bytes(path) for path in paths) // PIECE_BYTES
    begin_O = np.linspace(0, len(ids), pieces + 1, dtype=np.int64)
    schema = pl.concat([pl.scan_parquet(path).head(0) for path in paths], how="diagonal_relaxed").collect().to_arrow().schema
    spilled, row = Spill(spill, outputs=pieces), 0
    for path in paths:
        for batch in shards.batches(path):
            places = place_R[row : row + len(batch)]
            spilled.add(in_schema(batch, schema), place_R=places, output_R=np.searchsorted(begin_O, places, side="right") - 1)
            row += len(batch)
    try:
        yield from _grouped(spilled, begin_O)
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _grouped(spilled: Spill, begin_O: np.ndarray) -> Iterator[list[dict[str, Any]]]:
    def rows() -> Iterator[dict[str, Any]]:
        for output, (begin, end) in enumerate(zip(begin_O[:-1].tolist(), begin_O[1:].tolist(), strict=True)):
            if begin < end:
                for table in spilled.gather(output, range(begin, end), most_bytes=PIECE_BYTES):
                    yield from table.to_pylist()
                spilled.drop(output)

    for _, together in groupby(rows(), key=lambda row: row["prompt_id"]):
        yield list(together)
