"""The second pass of a mix: the text is read once, what is taken gets its new order on disk, what is not lies in rejected/.

Legend: _R row of the parts, in the order of parts, shards and rows; _P place in the mix; _S input shard; _O output shard.
"""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine.mixing.quotas import Quota
from dataengine.mixing.shuffle import Spill, in_schema
from dataengine.progress import Bar
from dataengine.shards import REJECTED
from dataengine.work import Work

SHARD_BYTES = 128 << 20
"""Text of an output shard, about; and of the input shards whose rejected rows share one."""
MOST_THREADS = 4
"""More would wait for the disk, and each has an output shard in memory."""
SPILLED = ".spilled"
"""Where rows wait for their output shard; thrown away at the end, and when a killed attempt begins again."""

TAKEN, TWICE, TOO_MANY, UNASKED = range(4)
"""What becomes of a row."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where every row goes."""

    paths: Sequence[Path]
    """Input shards."""
    begin_S: np.ndarray
    """The row with which each input shard begins; one more for the end."""
    text_S: np.ndarray
    """Bytes of text of each input shard."""
    quotas: Sequence[Quota]
    quota_R: np.ndarray
    """int32: the quota that a row is counted in."""
    fate_R: np.ndarray
    place_R: np.ndarray
    """int32: the place of a row in the mix; -1 where it has none."""
    quota_P: np.ndarray
    """int32: the quota of the row at each place."""
    schema: pa.Schema
    """Columns of all parts together."""

    def first_places(self) -> np.ndarray:
        """_O: the place with which each output shard begins; one more for the end."""
        text_R = np.repeat(self.text_S / np.maximum(np.diff(self.begin_S), 1), np.diff(self.begin_S))
        text_P = np.zeros(len(self.quota_P))
        text_P[self.place_R[self.place_R >= 0]] = text_R[self.place_R >= 0]
        end_P = np.cumsum(text_P)
        whole = end_P[-1] if len(end_P) else 0
        outputs = max(1, -(-int(whole) // SHARD_BYTES))
        return np.array([0, *np.searchsorted(end_P, np.arange(1, outputs) * (whole / outputs)), len(end_P)], dtype=np.int64)

    def runs(self) -> list[range]:
        """Input shards behind one another that have the text of one output shard together, or one that has more."""
        before_S = np.cumsum(self.text_S) - self.text_S
        starts = [*np.unique(before_S // SHARD_BYTES, return_index=True)[1].tolist(), len(self.text_S)]
        return [range(start, stop) for start, stop in pairwise(starts)]


def move(work: Work, plan: Plan) -> None:
    """Land what is rejected and what is taken; shards that a killed attempt has landed are left as they are."""
    shutil.rmtree(work.folder / SPILLED, ignore_errors=True)
    mover = _Mover(work, plan)
    try:
        with (
            ThreadPoolExecutor(min(work.machine.workers, MOST_THREADS)) as threads,
            work.bar(total=len(mover.runs) + len(mover.missing), unit="shards") as bar,
        ):
            _all(threads, bar, [partial(mover.sort_out, run) for run in range(len(mover.runs))])
            _all(threads, bar, [partial(mover.land_output, output) for output in mover.missing])
    finally:
        shutil.rmtree(work.folder / SPILLED, ignore_errors=True)


def _all(threads: ThreadPoolExecutor, bar: Bar, tasks: Sequence[Callable[[], None]]) -> None:
    """Do them all; the first that fails ends it."""
    try:
        for done in as_completed([threads.submit(task) for task in tasks]):
            done.result()
            bar.advance()
    except BaseException:
        threads.shutdown(cancel_futures=True)
        raise


class _Mover:
    """What the threads share; nothing of it changes but the spill."""

    def __init__(self, work: Work, plan: Plan) -> None:
        self.plan, self.runs = plan, plan.runs()
        self._work, self._landed, self._one_at_a_time = work, frozenset(work.landed), threading.Lock()
        self._first_O = plan.first_places()
        outputs = len(self._first_O) - 1
        self.missing = [output for output in range(outputs) if f"{output:05d}.parquet" not in self._landed]
        self._missing_O = np.isin(np.arange(outputs), self.missing)
        self._spill = Spill(work.folder / SPILLED, outputs=outputs)

    def sort_out(self, run: int) -> None:
        """Spill what is taken of a run of input shards, and land what is rejected."""
        file = f"{REJECTED}/{run:05d}.parquet"
        rows = slice(self.plan.begin_S[self.runs[run].start], self.plan.begin_S[self.runs[run].stop])
        rejected = self._rejected(self.runs[run])
        if file not in self._landed and (self.plan.fate_R[rows] != TAKEN).any():
            self._land(file, rejected, "dropped_by", "dropped_because")
        elif (self._output_of(rows) >= 0).any():
            deque(rejected, maxlen=0)

    def land_output(self, output: int) -> None:
        """Land one shard of the mix from what is spilled for it."""
        self._land(f"{output:05d}.parquet", self._mixed(output), "part", "bucket")
        self._spill.drop(output)

    def _land(self, file: str, tables: Iterable[pa.Table], *labels: str) -> None:
        schema = pa.schema([*self.plan.schema, *((label, pa.large_string()) for label in labels)])
        landed = shards.land_tables(self._work.folder, file, schema, tables)
        with self._one_at_a_time:
            self._work._note(landed)

    def _rejected(self, inputs: range) -> Iterator[pa.Table]:
        """Rows that are not taken; on the way those that are go into the spill."""
        for shard in inputs:
            begin = int(self.plan.begin_S[shard])
            for batch in shards.batches(self.plan.paths[shard]):
                rows = slice(begin, begin + len(batch))
                begin = rows.stop
                known = in_schema(batch, self.plan.schema)
                self._spill.add(known, place_R=self.plan.place_R[rows], output_R=self._output_of(rows))
                dropped = np.flatnonzero(self.plan.fate_R[rows] != TAKEN)
                if len(dropped):
                    because = [self._because(row) for row in (dropped + rows.start).tolist()]
                    yield _with(known.take(pa.array(dropped)), dropped_by=[self._work.name] * len(because), dropped_because=because)

    def _because(self, row: int) -> str:
        fate, quota = self.plan.fate_R[row], self.plan.quota_R[row]
        if fate == TOO_MANY:
            return f"more than the quota {self.plan.quotas[quota].bucket} asks for"
        return "the same row twice" if fate == TWICE else "no quota asks for it"

    def _mixed(self, output: int) -> Iterator[pa.Table]:
        begin, end = self._first_O[output : output + 2].tolist()
        for rows in self._spill.gather(output, range(begin, end), most_bytes=2 * SHARD_BYTES):
            quotas = [self.plan.quotas[number] for number in self.plan.quota_P[begin : begin + len(rows)].tolist()]
            begin += len(rows)
            yield _with(rows, part=[quota.part for quota in quotas], bucket=[quota.bucket for quota in quotas])

    def _output_of(self, rows: slice) -> np.ndarray:
        """_R: the output shard that a row goes to; -1 where it is not taken, or the shard has landed."""
        place_R = self.plan.place_R[rows]
        output_R = np.searchsorted(self._first_O, place_R, side="right") - 1
        return np.where((place_R >= 0) & self._missing_O[output_R], output_R, -1)


def _with(rows: pa.RecordBatch | pa.Table, **columns: list[str]) -> pa.Table:
    """The rows with columns of text behind the others."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, pa.large_string()))
    return table
