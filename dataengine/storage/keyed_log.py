"""An append-only store of rows under 16-byte keys: durable before it is used, compacted to Parquet while it is read and written.

What is promised, whatever happens (`kill -9`, power cut, full disk, a clock that jumps, a crash in the middle of compaction):

- A row that `add` has returned from survives the death of the process. Its line is with the operating system by then; the disk is
  forced once a second by a thread of its own, and by `sync` (before a shard that depends on it lands), so that a power cut costs a
  second of rows, and never one that a landed shard holds.
- A row is there once. Half a line, or one that a bad disk has changed, is noticed by its checksum, named, and counts as missing; so does
  a Parquet file, of which nothing is read before its checksum was compared, once, when the folder is opened.
- Nothing is keyed, ordered or decided by the clock; intervals are measured on a clock that never jumps.
- One writer: a second process is told who holds the folder. Within the process every method may be called from any thread.

In the folder: segments `000012.log` of lines `crc32 {"key": ..., ...}`, never rewritten, their numbers never used twice. Closed ones are
packed by the thread, adjacent ones together, into `000003-000012-<digest>.parquet`, which lands by rename; only then are they deleted. So
a crash leaves both at worst, and a segment that a Parquet file covers is deleted unread. Readers are moved over in between, none waits.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import polars as pl

from dataengine.errors import DiskFull, Stopped
from dataengine.shards import digest, sync_folder, write_atomically
from dataengine.storage import crc_lines
from dataengine.storage.key_table import MARK_BIT, KeyTable, Place, halves, packed_places
from dataengine.storage.lock import only_one
from dataengine.work import warn

SECONDS_BETWEEN_SYNCS = 1.0
SECONDS_BEFORE_PACKING_AGAIN = 60.0
SEGMENT = 64 << 20
"""Bytes after which a segment is closed, and of closed segments that are worth a Parquet file."""
MANY = 16
"""So many closed segments are packed however small they are: a run that was killed often leaves one each time."""
GROUP = 128
"""Rows that are read together from a Parquet file; the last few groups stay in memory."""
GROUPS_KEPT = 16
CHUNK = 64 << 10
PACKED = re.compile(r"(\d{6,})-(\d{6,})-([0-9a-f]{16})\.parquet")


@dataclass(slots=True)
class _File:
    path: Path
    first: int
    last: int
    """The segments it is or covers."""
    checksum: str = ""
    """Of a Parquet file."""
    gone: bool = False
    """A segment that was packed."""


class KeyedLog:
    """`with KeyedLog(folder, schema={"text": pl.String}) as log: log.add(key, {"text": "a"}); log.get(key)`"""

    def __init__(self, folder: Path, *, schema: Mapping[str, Any], mark: str = "", segment: int | None = None) -> None:
        """Rows have the columns of `schema`; those whose column `mark` is not null are marked in the index."""
        self.folder, self.schema, self.mark, self.segment = folder, dict(schema), mark, segment or SEGMENT
        self._table = KeyTable()
        self._files: list[_File] = []
        """By their number in places; never shortened while open."""
        self._groups: OrderedDict[tuple[int, int], list[dict[str, Any]]] = OrderedDict()
        self._lock = threading.RLock()
        self._syncing, self._packing = threading.Lock(), threading.Lock()
        self._out, self._size, self._writing = -1, 0, -1
        self._full: list[int] = []
        """Closed segments that are not forced to the disk yet."""
        self._number = 0
        self._failed: BaseException | None = None
        self._woken = threading.Event()
        self._closing = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(only_one(self.folder / ".lock", doing=f"writing to {self.folder}"))
            self._open()
            self._closing = False
            self._keeper = threading.Thread(target=self._keep, name="dataengine-store", daemon=True)
            self._keeper.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._stack:
            self._closing = True
            self._woken.set()
            self._keeper.join()
            with self._lock:
                self._end_segment()
            self._force()

    def __len__(self) -> int:
        return len(self._table)

    @property
    def index_bytes(self) -> int:
        """Memory of the index."""
        return self._table.bytes

    def marked(self, key: bytes) -> bool | None:
        """Whether the key's row is a marked one; None where there is no whole row of this key."""
        with self._lock:
            place = self._table.get(key)
        return None if place is None else place.mark

    def add(self, key: bytes, row: Mapping[str, Any]) -> None:
        """Keep one row, in place of an earlier one of this key; it survives the death of this process from here on. Raises DiskFull."""
        body = json.dumps({"key": key.hex(), **row}, ensure_ascii=False).encode()
        with self._lock:
            self._raise_failure()
            if self._out < 0:
                self._new_segment()
            try:
                size = crc_lines.append(self._out, body)
            except OSError as error:
                self._end_segment()  # half a line may stand at its end: nothing is ever written behind it
                raise _named(error, self.folder) from error
            mark = bool(self.mark) and row[self.mark] is not None
            self._table.put(key, Place(self._writing, self._size, mark))
            self._size += size
            if self._size >= self.segment:
                self._end_segment()
                self._woken.set()

    def get(self, key: bytes) -> dict[str, Any]:
        """The row of a key; KeyError where there is none."""
        while True:
            with self._lock:
                place = self._table.get(key)
                if place is None:
                    raise KeyError(key.hex())
                file = self._files[place.file]
            try:
                row = self._packed_row(place) if file.checksum else _line(file.path, place.at)
            except FileNotFoundError:
                continue  # it has just been packed into another file
            assert row["key"] == key.hex(), f"{file.path} changed while it was open"
            return {name: row.get(name) for name in self.schema}

    def sync(self) -> None:
        """Force everything that was added so far to the disk; in this thread, while others go on adding."""
        with self._lock:
            self._raise_failure()
        self._force()

    def compact(self) -> None:
        """Pack all closed segments now; the thread does it by itself when there is enough."""
        while self._packed_some(everything=True):
            pass

    # Opening

    def _open(self) -> None:
        self._table, self._files, self._groups = KeyTable(), [], OrderedDict()
        self._out, self._size, self._full, self._failed = -1, 0, [], None
        for unfinished in self.folder.glob(".*.tmp"):
            unfinished.unlink()
        logs = {int(path.stem): path for path in self.folder.glob("*.log")}
        packed = self._packed_files()
        for number in [n for n in logs if any(file.first <= n <= file.last for file in packed)]:
            logs.pop(number).unlink()  # we were killed before that
        files = [*packed, *(_File(path, number, number) for number, path in logs.items())]
        for file in sorted(files, key=lambda file: file.first):
            self._files.append(file)
            (self._index_packed if file.checksum else self._index_log)(len(self._files) - 1)
        self._number = max((file.last for file in files), default=-1) + 1

    def _packed_files(self) -> list[_File]:
        """The Parquet files that are whole; one that lies within another (which only a copied folder can hold) is left out."""
        found = []
        for path in self.folder.glob("*.parquet"):
            if (named := PACKED.fullmatch(path.name)) and _is_whole(path, checksum=named[3]):
                found.append(_File(path, int(named[1]), int(named[2]), checksum=named[3]))
        found.sort(key=lambda file: (file.first, -file.last))
        kept: list[_File] = []
        for file in found:
            if not kept or file.last > kept[-1].last:
                kept.append(file)
        return kept

    def _index_log(self, number: int) -> None:
        for body, at, _ in crc_lines.whole(self._files[number].path):
            row = json.loads(body)
            self._table.put(bytes.fromhex(row["key"]), Place(number, at, bool(self.mark) and row.get(self.mark) is not None))

    def _index_packed(self, number: int) -> None:
        rows = pl.read_parquet(self._files[number].path, columns=["key_head", "key_tail", *([self.mark] if self.mark else [])])
        self._table.put_many(rows["key_head"].to_numpy(), rows["key_tail"].to_numpy(), self._places(number, rows))

    def _places(self, number: int, rows: pl.DataFrame) -> Any:
        marks = rows[self.mark].is_not_null().to_numpy() if self.mark else np.zeros(len(rows), dtype=bool)
        return packed_places(number, np.arange(len(rows), dtype=np.uint64), marks)

    # Writing and packing

    def _new_segment(self) -> None:
        path = self.folder / f"{self._number:06d}.log"
        try:
            self._out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except OSError as error:
            raise _named(error, self.folder) from error
        self._files.append(_File(path, self._number, self._number))
        self._number, self._size, self._writing = self._number + 1, 0, len(self._files) - 1
        sync_folder(self.folder)

    def _end_segment(self) -> None:
        if self._out >= 0:
            self._full.append(self._out)
            self._out = -1

    def _force(self) -> None:
        """Force what is written; whoever comes while another thread does so waits until its own rows are on the disk."""
        with self._syncing:
            with self._lock:
                full, self._full = self._full, []
                if self._out >= 0:
                    full.append(os.dup(self._out))
            try:
                for descriptor in full:
                    os.fsync(descriptor)
            except OSError as error:
                raise _named(error, self.folder) from error
            finally:
                for descriptor in full:
                    os.close(descriptor)

    def _keep(self) -> None:
        """The thread's life: force the disk once a second, pack what is closed."""
        while not self._closing:
            self._woken.wait(SECONDS_BETWEEN_SYNCS)
            self._woken.clear()
            try:
                self._force()
            except OSError as error:
                self._failed = error  # the next add tells
                return
            try:
                while not self._closing and self._packed_some():
                    pass
            except (OSError, pl.exceptions.PolarsError) as error:
                warn(f"{self.folder} is not packed: {error}")
                self._woken.wait(SECONDS_BEFORE_PACKING_AGAIN)

    def _packed_some(self, *, everything: bool = False) -> bool:
        with self._packing:
            closed = self._closed(everything=everything)
            if closed:
                self._pack(closed)
        return bool(closed)

    def _closed(self, *, everything: bool) -> list[int]:
        """Numbers of adjacent closed segments that are worth a Parquet file together."""
        with self._lock:
            writing = self._writing if self._out >= 0 else -1
            logs = [n for n, file in enumerate(self._files) if not file.checksum and not file.gone and n != writing]
        logs.sort(key=lambda n: self._files[n].first)
        run: list[int] = []
        size = 0
        for n in logs:
            if run and self._files[n].first != self._files[run[-1]].last + 1:
                if everything:
                    break
                run, size = [], 0
            run.append(n)
            size += self._files[n].path.stat().st_size
            if size >= self.segment or len(run) >= MANY:
                return run
        return run if everything else []

    def _pack(self, numbers: Sequence[int]) -> None:
        """Closed segments become one Parquet file; rows that were replaced or damaged since are left behind."""
        files = [self._files[n] for n in numbers]
        bodies, olds = [], []
        for n, file in zip(numbers, files, strict=True):
            for body, at, _ in crc_lines.whole(file.path):
                bodies.append(body)
                olds.append((n, at))
        rows = _frame(bodies, self.schema)
        places = np.concatenate(
            [packed_places(n, np.array([at], dtype=np.uint64), np.zeros(1, dtype=bool)) for n, at in olds] or [np.zeros(0, dtype=np.uint64)]
        )
        packed = io.BytesIO()
        rows.write_parquet(packed, compression="zstd", row_group_size=GROUP)
        whole = packed.getvalue()
        checksum = hashlib.blake2b(whole, digest_size=16).hexdigest()[:16]
        path = self.folder / f"{files[0].first:06d}-{files[-1].last:06d}-{checksum}.parquet"
        write_atomically(path, lambda out: out.write(whole))
        with self._lock:
            self._files.append(_File(path, files[0].first, files[-1].last, checksum=checksum))
            new = self._places(len(self._files) - 1, rows)
            marks = new & np.uint64(1 << MARK_BIT)
            self._table.move_many(rows["key_head"].to_numpy(), rows["key_tail"].to_numpy(), old=places | marks, new=new)
        for file in files:
            file.gone = True
            file.path.unlink()

    # Reading

    def _packed_row(self, place: Place) -> dict[str, Any]:
        number, group = place.file, place.at // GROUP
        with self._lock:
            rows = self._groups.get((number, group))
            if rows is not None:
                self._groups.move_to_end((number, group))
        if rows is None:
            part = pl.scan_parquet(self._files[number].path).slice(group * GROUP, GROUP).collect()
            rows = part.to_dicts()
            with self._lock:
                self._groups[number, group] = rows
                while len(self._groups) > GROUPS_KEPT:
                    self._groups.popitem(last=False)
        row = dict(rows[place.at % GROUP])
        key = row.pop("key_head").to_bytes(8, "little") + row.pop("key_tail").to_bytes(8, "little")
        return {"key": key.hex(), **row}

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise Stopped(f"{self.folder} can no longer be kept: {self._failed}. What was stored is safe: run again") from self._failed


def _is_whole(path: Path, *, checksum: str) -> bool:
    """Whether a Parquet file is what was written; a damaged one goes, with all its rows."""
    try:
        found = digest(path)[:16]
    except OSError as error:
        if error.errno != errno.EIO:  # whatever else keeps us from reading says nothing about its rows
            raise
        found = "unreadable"
    if found != checksum:
        warn(f"{path} is damaged (checksum differs): its rows are made again")
        path.unlink()
    return found == checksum


def _frame(bodies: Sequence[bytes], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Lines of segments as rows with the two halves of their keys in front."""
    typed = {"key": pl.String, **schema}
    rows = pl.read_ndjson(io.BytesIO(b"\n".join(bodies)), schema=typed) if bodies else pl.DataFrame(schema=typed)
    heads, tails = halves([bytes.fromhex(key) for key in rows["key"].to_list()])
    return pl.concat([pl.DataFrame({"key_head": heads, "key_tail": tails}), rows.drop("key")], how="horizontal")


def _line(path: Path, at: int) -> dict[str, Any]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        line = os.pread(descriptor, CHUNK, at)
        while b"\n" not in line:
            more = os.pread(descriptor, CHUNK << 3, at + len(line))
            assert more, f"{path} ends in the middle of a line that was whole before"
            line += more
    finally:
        os.close(descriptor)
    return json.loads(line[crc_lines.HEAD : line.index(b"\n")])


def _named(error: OSError, folder: Path) -> OSError:
    """A full disk by its own name."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return DiskFull(
        error.errno, f"no space left while writing to {folder}. What was stored is kept: free some space and run the same command again"
    )
