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
from dataengine.mixing.shuffle import Spill, in_schema

PIECE_BYTES = 64 * 2**20
"""Text of rows held as Python objects at the same time."""


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
