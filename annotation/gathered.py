"""What people have said of a queue's rows so far, written down once, a file for each shard: a run that was killed goes on with it."""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import polars as pl

from annotation.answer import Answer
from dataengine import shards

WHOLE = "whole"
"""The file that says that everything is there; it holds the number of superseded answers."""
LINES = 100
"""Answers to one shard that are in memory at most."""


def gather(queue: Path, place: Path, *, again: bool) -> int:
    """Write the answers to each shard of a queue into `place`; how many are to texts that rows no longer have.

    Without `again` what was gathered before is left as it is.
    """
    done = place / WHOLE
    if done.is_file() and not again:
        return int(done.read_text())
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shard_of: dict[str, str] = {}
    for path in shards.shard_paths(queue):
        shard_of |= dict.fromkeys(pl.read_parquet(path, columns=["item_id"])["item_id"].drop_nulls(), path.name)
    superseded = 0
    waiting: dict[str, list[str]] = defaultdict(list)
    for answer in answers_of(queue):
        if answer.item_id not in shard_of:
            superseded += answer.status != "draft"
            continue
        shard = shard_of[answer.item_id]
        waiting[shard].append(json.dumps(asdict(answer)))
        if len(waiting[shard]) >= LINES:
            _append(place, shard, waiting.pop(shard))
    for shard, lines in waiting.items():
        _append(place, shard, lines)
    for path in place.glob("*.jsonl"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    shards.write_atomically(done, lambda out: out.write(str(superseded).encode()))
    return superseded


def answers_of(queue: Path) -> Iterable[Answer]:
    """Everybody's latest word in the store of a queue."""
    from annotation.sqlite.store import Store

    with closing(Store.open(queue)) as store:
        yield from store.answers()


def file_of(place: Path, shard: str) -> Path | None:
    """Where the answers to one shard lie; None where nobody has answered."""
    path = _file(place, shard)
    return path if path.is_file() else None


def answers_in(file: Path | BinaryIO | None) -> dict[str, list[Answer]]:
    """The answers of one such file, or of its bytes on a node of a cluster, by item_id."""
    found: dict[str, list[Answer]] = defaultdict(list)
    written = file.read_bytes() if isinstance(file, Path) else file.read() if file else b""
    for line in written.splitlines():
        answer = Answer(**json.loads(line))
        found[answer.item_id].append(answer)
    return found


def _append(place: Path, shard: str, lines: Sequence[str]) -> None:
    with _file(place, shard).open("a", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines)


def _file(place: Path, shard: str) -> Path:
    return place / f"{shard}.jsonl"
