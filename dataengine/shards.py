"""Folders of Parquet shards: a shard lands by atomic rename, the manifest lands last, and both are checked when read again."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dataengine.errors import CorruptShard

MANIFEST = "manifest.json"
KEYS = ("settings", "files")
"""What tells a manifest of ours from anybody else's file of this name."""
JOURNAL = ".journal.jsonl"
"""What has landed in a folder that is not finished yet: one line for each file."""
REJECTED = "rejected"
"""The sub-folder of the rows that a step dropped, with `dropped_by` and `dropped_because`."""
GROUP_BYTES = 16 << 20
"""Text of a row group, about: what a reader that wants a few rows has to unpack."""
BATCH_BYTES = 32 << 20
"""Text of a batch that is read at once, about."""
PAGE_BYTES = 1 << 20
"""What is read from the disk at once of each column."""
FIRST_ROWS = 64
"""Rows that tell how long rows are."""
LONG = frozenset({"messages", "checks", "prompt", "response", "reasoning", "summary"})
"""Columns of long texts, written without a dictionary: looking for repeated ones costs a fifth of the time (pyarrow, measured)."""


@dataclass(frozen=True)
class Landed:
    """One file of a folder: its path in there, size in bytes, content hash, and rows where it is a shard."""

    file: str
    bytes: int
    blake2b: str
    rows: int | None = None


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file so that it is there whole and durable, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)


def leftovers(folder: Path) -> list[Path]:
    """What writers that were killed have left in a folder: files half-written, and the journal where it is finished."""
    unfinished = [path for path in folder.rglob(".*.*.tmp") if path.suffixes[-2][1:].isdigit()]
    return [*unfinished, folder / JOURNAL] if is_finished(folder) and (folder / JOURNAL).exists() else unfinished


def clear_leftovers(folder: Path) -> None:
    """Remove them; for whoever alone may write there."""
    for path in leftovers(folder):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def land(folder: Path, file: str, rows: pl.DataFrame) -> Landed:
    """Write one shard and say what has landed."""
    return land_packed(folder, file, packed(rows), rows=len(rows))


def packed(rows: pl.DataFrame) -> bytes:
    """The bytes of a shard: the same rows give the same bytes, wherever they are packed."""
    whole = io.BytesIO()  # packed in memory first: polars hides a full disk behind an error of its own
    rows.write_parquet(whole, compression="zstd", row_group_size=_group_rows(int(rows.estimated_size()), len(rows)))
    return whole.getvalue()


def land_packed(folder: Path, file: str, shard: bytes, *, rows: int) -> Landed:
    """Write a shard that was packed already, here or on another machine."""
    path = folder / file
    write_atomically(path, lambda out: out.write(shard))
    return describe(folder, path, rows=rows)


def land_tables(folder: Path, file: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> Landed:
    """Write one shard from Arrow tables as they come, so that memory holds one of them at a time."""
    rows = 0

    def write(out: BinaryIO) -> None:
        nonlocal rows
        dictionary: Any = list(_short_columns(schema))  # a list of columns, which the stubs do not know
        writer = pq.ParquetWriter(out, schema, compression="zstd", compression_level=1, use_dictionary=dictionary)
        try:
            for table in tables:
                writer.write_table(table, row_group_size=_group_rows(table.nbytes, len(table)))
                rows += len(table)
        except BaseException:
            with contextlib.suppress(OSError):
                writer.close()  # or it would close itself when the file is gone
            raise
        writer.close()

    write_atomically(folder / file, write)
    return describe(folder, folder / file, rows=rows)


def _group_rows(size: int, rows: int) -> int:
    return max(1, rows * GROUP_BYTES // max(size, 1)) if rows else 1


def _short_columns(schema: pa.Schema) -> Iterator[str]:
    for column in schema:
        if pa.types.is_struct(column.type):
            yield from (f"{column.name}.{column.type.field(place).name}" for place in range(column.type.num_fields))
        elif column.name not in LONG:
            yield column.name


def describe(folder: Path, path: Path, *, rows: int | None = None) -> Landed:
    """Size and content hash of a file as it is on disk."""
    return Landed(path.relative_to(folder).as_posix(), path.stat().st_size, digest(path), rows)


def digest(path: Path) -> str:
    """blake2b of a file's content, 16 bytes as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Finish a folder: from here on it is never written again."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False, default=str)
    write_atomically(folder / MANIFEST, lambda out: out.write(text.encode()))
    (folder / JOURNAL).unlink(missing_ok=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the folder says of itself; ValueError where it is not a finished one."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except NotADirectoryError:
        raise ValueError(f"{folder} is a file: name the folder that it lies in") from None
    except FileNotFoundError:
        there = "an unfinished folder: run its recipe again to finish it" if (folder / JOURNAL).exists() else "no folder of ours"
        raise ValueError(f"{folder} has no {MANIFEST}; it is {there}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptShard(f"{folder / MANIFEST} is damaged ({error}): delete the folder and run again to make it anew") from None
    if not isinstance(manifest, dict) or not set(KEYS) <= set(manifest):
        raise ValueError(f"{folder / MANIFEST} was not written by us (it has no {', '.join(KEYS)}): {folder} is no folder of ours")
    return manifest


def is_finished(folder: Path) -> bool:
    """Whether the manifest has landed."""
    return (folder / MANIFEST).is_file()


def check(folder: Path) -> None:
    """Compare every file with the manifest; CorruptShard names the first that differs."""
    for entry in read_manifest(folder)["files"]:
        if problem := _difference(folder, Landed(**entry)):
            raise CorruptShard(f"{folder / entry['file']} {problem}. Delete the folder {folder} and run again to make it anew.")


def _difference(folder: Path, landed: Landed) -> str | None:
    path = folder / landed.file
    if not path.is_file():
        return "is missing, though its manifest lists it"
    if (size := path.stat().st_size) != landed.bytes:
        return f"is damaged: {size} bytes, its manifest says {landed.bytes}"
    if digest(path) != landed.blake2b:
        return "is damaged: its content is not what was written (checksum differs)"
    return None


def journal(folder: Path, landed: Landed) -> None:
    """Note that a file of an unfinished folder has landed; what a full disk or a kill left half-written stays a line of its own."""
    with (folder / JOURNAL).open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
        torn = file.read(1) not in (b"", b"\n")
        file.write(b"\n" * torn + json.dumps(asdict(landed)).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def whole_shards(folder: Path, *, report: Callable[[str], None]) -> dict[str, Landed]:
    """The journalled files of an unfinished folder that are still what was written; others are named and removed.

    A shard is whole or is made again: where one of its parts is spoilt, the others go as well.
    """
    found: dict[str, Landed] = {}
    journal = folder / JOURNAL
    for line in journal_lines(journal.read_bytes() if journal.exists() else b""):
        found[line.file] = line
    spoilt = {file: problem for file, landed in found.items() if (problem := _difference(folder, landed))}
    for file, problem in spoilt.items():
        report(f"{folder / file} {problem}: making it again")
    again = {Path(file).name for file in spoilt}
    for file in [file for file in found if Path(file).name in again]:
        (folder / file).unlink(missing_ok=True)
        del found[file]
    for path in sorted(folder.rglob("*.parquet")):
        if path.relative_to(folder).as_posix() not in found:
            path.unlink()
    return found


def journal_lines(journal: bytes) -> Iterator[Landed]:
    """What a journal says has landed; the shard of a torn line is made again."""
    for line in journal.split(b"\n"):
        with contextlib.suppress(ValueError, TypeError):
            yield Landed(**json.loads(line))


def shard_paths(folder: Path, part: str = "") -> list[Path]:
    """The shards of a folder, or of its part `rejected`, in order."""
    return sorted((folder / part).glob("*.parquet"))


def scan(folder: Path, part: str = "") -> pl.LazyFrame:
    """All rows, lazily; shards may differ in the columns they have. ValueError where no type holds a column of two shards."""
    return scan_shards(shard_paths(folder, part))


def scan_shards(paths: Sequence[Path]) -> pl.LazyFrame:
    """As `scan`, for shards of several folders."""
    if not paths:
        return pl.LazyFrame()
    shards = {path: pl.scan_parquet(path) for path in paths}
    _refuse_clashes({path: rows.collect_schema() for path, rows in shards.items()})
    return pl.concat(list(shards.values()), how="diagonal_relaxed")


def _refuse_clashes(schemas: Mapping[Path, Mapping[str, Any]]) -> None:
    """ValueError where a column holds lists in one shard and texts in another: polars fails late there, or writes {1} for an object."""
    first: dict[str, tuple[Path, Any]] = {}
    for path, schema in schemas.items():
        for name, dtype in schema.items():
            where, before = first.get(name, (path, pl.Null))
            if not _fit(before, dtype):
                raise ValueError(
                    f"the column {name!r} holds {before} in {where} and {dtype} in {path}, and no type holds both: "
                    "give it one type, or another name, where these rows are made"
                )
            if before == pl.Null:
                first[name] = path, dtype


def _fit(one: Any, other: Any) -> bool:
    """Whether a column may hold both types; of lists and objects, whether their parts do."""
    if one == other or pl.Null in (one, other):
        return True
    if isinstance(one, pl.List) and isinstance(other, pl.List):
        return _fit(one.inner, other.inner)
    if isinstance(one, pl.Struct) and isinstance(other, pl.Struct):
        fields = {each.name: each.dtype for each in one.fields}
        return all(_fit(fields.get(each.name, pl.Null), each.dtype) for each in other.fields)
    return not (one.is_nested() or other.is_nested())


def read(folder: Path, part: str = "") -> pl.DataFrame:
    """All rows."""
    return scan(folder, part).collect()


def batches(path: Path, columns: Sequence[str] | None = None, *, size: int = BATCH_BYTES) -> Iterator[pa.RecordBatch]:
    """The rows of one shard in order, about `size` bytes of text at a time, however large its row groups are."""
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=PAGE_BYTES) as file:
        rows = max(1, size // 8 // max(1, round(_row_bytes(file, columns))))  # an eighth, as rows further on may be longer
        waiting: list[pa.RecordBatch] = []
        for piece in file.iter_batches(rows, columns=columns, use_threads=False):
            if waiting and sum(each.nbytes for each in waiting) + piece.nbytes > size:
                yield _joined(waiting)
                waiting = []
            waiting.append(piece)
        if waiting:
            yield _joined(waiting)


def text_bytes(path: Path) -> int:
    """Bytes that the rows of one shard have in memory, about."""
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=PAGE_BYTES) as file:
        return round(_row_bytes(file) * file.metadata.num_rows)


def _row_bytes(file: pq.ParquetFile, columns: Sequence[str] | None = None) -> float:
    """Mean bytes of a row: what the footer says, or what the first rows have where texts are stored once and repeated."""
    found = file.metadata
    first = next(file.iter_batches(FIRST_ROWS, columns=columns, use_threads=False), None)
    if first is None or not len(first):
        return 0.0
    groups = [found.row_group(number) for number in range(found.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    size = sum(chunk.total_uncompressed_size for chunk in chunks if columns is None or chunk.path_in_schema.split(".")[0] in columns)
    return max(size / found.num_rows, first.nbytes / len(first))


def _joined(pieces: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return pieces[0] if len(pieces) == 1 else pa.Table.from_batches(pieces).combine_chunks().to_batches()[0]
