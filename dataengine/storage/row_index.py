"""Where a row lies in a finished folder: a sorted index of its ids, kept beside the shards as a dot-file that is no part of the promise."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataengine import shards

FILE = ".rows.index"
"""16 bytes that name the manifest it was built from, then all keys in order, then the place of each; both little-endian u64."""
IDS = ("prompt_id", "row_id")
"""The columns whose values are found; 16 hex digits are their own key."""
RECORDS = ("prompts", "hits")
"""Parts that hold no rows but what a step noted of prompts (how each was sampled) and of rows (where they met an evaluation set)."""
PARTS = ("", shards.REJECTED, *RECORDS)
STAMP, LAYOUT = 16, b"rows 2"
"""Bytes of the stamp, and what is raised when the file is written otherwise."""
ROW_BITS, SHARD_BITS = 40, 22
HEX = re.compile(r"[0-9a-f]{1,16}")


@dataclass(frozen=True, order=True)
class Place:
    """One row of a folder: `Place("rejected", 3, 1704)` is row 1704 of the fourth shard of rejected/."""

    part: str
    shard: int
    row: int


def build(folder: Path) -> None:
    """Index a finished folder at once instead of when somebody asks first."""
    if not _is_whole(folder):
        _write(folder, *_sorted_keys(folder))


def places(folder: Path, ids: Sequence[str]) -> list[Place]:
    """Where rows with any of these ids (prompt_id or row_id, or the beginning of one in hex) lie, in order; built when first asked."""
    keys, where = _opened(folder)
    found: set[int] = set()
    for asked in ids:
        for low, high in _ranges(asked):
            found.update(where[np.searchsorted(keys, low, "left") : np.searchsorted(keys, high, "right")].tolist())
    return sorted(_place(code) for code in found)


def rows_at(
    folder: Path, found: Sequence[Place], *, only: Sequence[str] | None = None, without: Sequence[str] = ()
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The rows at these places, all columns or some; rows near each other in a shard are read together."""
    for part in PARTS:
        paths = shards.shard_paths(folder, part)
        for number, path in enumerate(paths):
            wanted = sorted(place.row for place in found if (place.part, place.shard) == (part, number))
            if not wanted:
                continue
            shard = pl.scan_parquet(path)
            there = shard.collect_schema().names()
            shard = shard.select(name for name in there if name not in without and (only is None or name in only))
            for first, last in _stretches(wanted):
                read = shard.slice(first, last - first + 1).collect()
                chosen = [row for row in wanted if first <= row <= last]
                rows = read[[row - first for row in chosen]].iter_rows(named=True)
                yield from ((Place(part, number, row), values) for row, values in zip(chosen, rows, strict=True))


def _stretches(wanted: Sequence[int], *, apart: int = 200) -> Iterator[tuple[int, int]]:
    """Runs of row numbers with gaps of at most `apart`."""
    first = last = wanted[0]
    for row in wanted[1:]:
        if row - last > apart:
            yield first, last
            first = row
        last = row
    yield first, last


def _ranges(asked: str) -> Iterator[tuple[np.uint64, np.uint64]]:
    """The keys an id may have: its own hex digits, as the beginning of a longer one; its hash, where it is somebody else's id."""
    if HEX.fullmatch(asked):
        yield np.uint64(int(asked.ljust(16, "0"), 16)), np.uint64(int(asked.ljust(16, "f"), 16))
    if len(asked) != 16 or not HEX.fullmatch(asked):
        yield np.uint64(_hashed(asked)), np.uint64(_hashed(asked))


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _place(code: int) -> Place:
    shard = (code >> ROW_BITS) & ((1 << SHARD_BITS) - 1)
    return Place(PARTS[code >> (ROW_BITS + SHARD_BITS)], shard, code & ((1 << ROW_BITS) - 1))


def _opened(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(keys, places), mapped from the file where it is there and belongs to this very manifest."""
    if not _is_whole(folder):
        made = _sorted_keys(folder)
        with contextlib.suppress(OSError):  # a folder that cannot be written to is indexed anew each time
            _write(folder, *made)
        return made
    path = folder / FILE
    count = (path.stat().st_size - STAMP) // 16
    mapped = np.memmap(path, dtype="<u8", mode="r", offset=STAMP) if count else np.empty(0, dtype="<u8")
    return mapped[:count], mapped[count:]


def _is_whole(folder: Path) -> bool:
    try:
        with (folder / FILE).open("rb") as file:
            return file.read(STAMP) == _stamp(folder) and ((folder / FILE).stat().st_size - STAMP) % 16 == 0
    except FileNotFoundError:
        return False


def _stamp(folder: Path) -> bytes:
    return hashlib.blake2b((folder / shards.MANIFEST).read_bytes(), digest_size=STAMP, person=LAYOUT).digest()


def _write(folder: Path, keys: np.ndarray, where: np.ndarray) -> None:
    stamp = _stamp(folder)
    shards.write_atomically(folder / FILE, lambda out: (out.write(stamp), out.write(keys.tobytes()), out.write(where.tobytes())))


def _sorted_keys(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    keys, where = [np.empty(0, dtype="<u8")], [np.empty(0, dtype="<u8")]
    for part_number, part in enumerate(PARTS):
        for number, path in enumerate(shards.shard_paths(folder, part)):
            shard = pl.scan_parquet(path)
            ids = shard.select(name for name in shard.collect_schema().names() if name in IDS).collect()
            first = (part_number << (ROW_BITS + SHARD_BITS)) | (number << ROW_BITS)
            for name in ids.columns:
                there = ids[name].is_not_null().arg_true().to_numpy().astype("<u8")
                keys.append(_keys(ids[name].drop_nulls()))
                where.append(there + np.uint64(first))
    all_keys, all_places = np.concatenate(keys), np.concatenate(where)
    order = np.argsort(all_keys, kind="stable")
    return all_keys[order], all_places[order]


def _keys(ids: pl.Series) -> np.ndarray:
    is_key = ids.str.contains(r"^[0-9a-f]{16}$")
    if is_key.all():
        return ids.str.decode("hex").bin.reinterpret(dtype=pl.UInt64, endianness="big").to_numpy().astype("<u8")
    return np.array([int(text, 16) if own else _hashed(text) for text, own in zip(ids, is_key, strict=True)], dtype="<u8")
