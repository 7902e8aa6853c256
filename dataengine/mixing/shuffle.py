"""Rows of many shards in another order on disk: spilled by where they go, then put in order one output shard at a time.

Memory holds a batch for each thread while spilling. While gathering it holds one output shard for each thread, and twice the one that is
being put in order: threads take turns at that, so the peak does not depend on how many of them happen to be there at once.
Spilled slices are lz4-packed Arrow streams behind one another: three times smaller than the text, and the disk is the slower part.

Legend: _R row of an input shard, _S row of a spilled slice, _O output shard.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

PLACE = "__place"
"""Where a row comes in the whole order; spilled with it, not landed."""

UNPACKED = pa.ipc.IpcReadOptions(use_threads=False)
PACKED = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


class Spill:
    """Slices of rows for each output shard, in dot-files of a folder; threads may add at the same time."""

    def __init__(self, folder: Path, *, outputs: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._locks = [threading.Lock() for _ in range(outputs)]
        self._ordering = threading.Lock()
        self.bytes_O = np.zeros(outputs, dtype=np.int64)
        """Text spilled for each output shard."""

    def add(self, rows: pa.RecordBatch, *, place_R: np.ndarray, output_R: np.ndarray) -> None:
        """Put each row of a batch with its place where its output shard will look for it; `output` -1 leaves a row out."""
        going = np.flatnonzero(output_R >= 0)
        going = going[np.argsort(output_R[going], kind="stable")]
        if not len(going):
            return
        sorted_rows = rows.take(pa.array(going)).append_column(PLACE, pa.array(place_R[going]))
        outputs, begins = np.unique(output_R[going], return_index=True)
        for output, begin, end in zip(outputs.tolist(), begins.tolist(), [*begins[1:].tolist(), len(going)], strict=True):
            self._append(output, sorted_rows.slice(begin, end - begin))

    def _append(self, output: int, rows: pa.RecordBatch) -> None:
        packed = pa.BufferOutputStream()
        with pa.ipc.new_stream(packed, rows.schema, options=PACKED) as stream:
            stream.write_batch(rows)
        with self._locks[output], self._file(output).open("ab", buffering=0) as file:
            whole = memoryview(packed.getvalue())
            while len(whole):
                whole = whole[file.write(whole) :]
            self.bytes_O[output] += rows.nbytes

    def gather(self, output: int, places: range, *, most_bytes: int) -> Iterator[pa.Table]:
        """The rows of one output shard in the order of their places; in several tables where its text is more than `most_bytes`."""
        pieces = max(1, -(-int(self.bytes_O[output]) // most_bytes))
        step = max(1, -(-len(places) // pieces))
        for cut in (places[start : start + step] for start in range(0, len(places), step)):
            with self._ordering:
                rows = _in_order([rows if len(cut) == len(places) else _between(rows, cut) for rows in self._slices(output)])
            yield rows

    def drop(self, output: int) -> None:
        """Give the space of one output shard back."""
        self._file(output).unlink(missing_ok=True)

    def _slices(self, output: int) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(self._file(output))) as file:
            while file.tell() < file.size():
                yield from pa.ipc.open_stream(file, options=UNPACKED)

    def _file(self, output: int) -> Path:
        return self._folder / f"{output:05d}"


def _between(rows: pa.RecordBatch, places: range) -> pa.RecordBatch:
    place_S = rows.column(PLACE).to_numpy()
    return rows.filter(pa.array((place_S >= places.start) & (place_S < places.stop)))


def _in_order(slices: list[pa.RecordBatch]) -> pa.Table:
    """One table in the order of `PLACE`, which goes; a column at a time, so that little is there twice and nothing three times."""
    table = pa.Table.from_batches(slices)
    slices.clear()
    order = pa.array(np.argsort(table.column(PLACE).to_numpy()))
    table = table.drop_columns(PLACE)
    schema, columns, ordered = table.schema, table.columns, []
    del table
    while columns:
        ordered.append(columns.pop(0).combine_chunks().take(order))
    return pa.Table.from_arrays(ordered, schema=schema)


def in_schema(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with these columns: those it lacks are null, others are cast as polars casts."""
    if rows.schema.equals(schema):
        return rows
    if all(rows.schema.field(column.name).type == column.type for column in schema if column.name in rows.schema.names):
        columns = [rows.column(each.name) if each.name in rows.schema.names else pa.nulls(len(rows), each.type) for each in schema]
        return pa.RecordBatch.from_arrays(columns, schema=schema)
    empty, given = pl.DataFrame(schema.empty_table()), pl.DataFrame(pa.Table.from_batches([rows]))
    cast = pl.concat([empty, given.select(name for name in schema.names if name in given.columns)], how="diagonal_relaxed")
    return cast.rechunk().to_arrow().to_batches()[0]
