"""Make what is missing: every step once, inputs first, each folder finished by its manifest."""

from __future__ import annotations

import errno
import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataengine import shards
from dataengine.errors import DiskFull
from dataengine.machine import Machine
from dataengine.own_version import own_version
from dataengine.progress import say
from dataengine.step import ModelHere, Step, ancestors, identity
from dataengine.work import Work, warn

LOG = "runs.jsonl"
"""Under the root: one line for each step made, with its seconds."""


def run(step: Step, root: Path | str, *, machine: Machine | None = None) -> Path:
    """The finished folder of a step, making what is missing of it and of everything it needs.

    Raises CorruptShard where a finished folder is damaged, DiskFull, and ValueError for what the user can mend.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    road = list(ancestors(step))
    for number, each in enumerate(road, start=1):
        _make_or_reuse(each, root, machine or Machine(), f"[{number}/{len(road)}]")
    return step.place(root)


def _make_or_reuse(step: Step, root: Path, machine: Machine, position: str) -> None:
    folder = step.place(root)
    if isinstance(step, ModelHere):
        return
    if shards.is_finished(folder):
        shards.check(folder)
        say(f"{position} {step.folder}: there already")
        return
    say(f"{position} {step.folder}")
    started = time.monotonic()
    with _only_one(folder), _disk_full_named(folder):
        manifest = _make(step, root, machine)
    seconds = time.monotonic() - started
    entry = {"time": time.time(), "step": step.name, "folder": step.folder, "seconds": round(seconds, 3), "rows": manifest["rows"]}
    with (root / LOG).open("a") as log:
        log.write(json.dumps(entry) + "\n")
    made = "done" if manifest["rows"] is None else f"{manifest['rows']:,} rows"
    dropped = f", {manifest['rejected']:,} rejected" if manifest["rejected"] else ""
    say(f"{position} {step.folder}: {made}{dropped} in {seconds:.1f} s")


def _make(step: Step, root: Path, machine: Machine) -> dict[str, Any]:
    folder = step.place(root)
    inputs = {key: each.place(root) for key, each in step.inputs.items()}
    work = Work(name=step.name, folder=folder, root=root, inputs=inputs, settings=step.settings, machine=machine)
    work.landed = shards.whole_shards(folder, report=warn)
    step.make(work)
    files = [_as_landed(folder, path, work) for path in _files(folder)]
    main = [each.rows for each in files if each.rows is not None and "/" not in each.file]
    manifest = {
        "name": step.name,
        "fingerprint": step.fingerprint,
        "made_by": own_version(),
        "settings": identity(step.settings),
        "inputs": {key: str(path.relative_to(root)) if path.is_relative_to(root) else str(path) for key, path in inputs.items()},
        "rows": sum(main) if main else None,
        "rejected": sum(each.rows or 0 for each in files if each.file.startswith(f"{shards.REJECTED}/")),
        "notes": work.notes,
        "files": [{"file": each.file, "bytes": each.bytes, "blake2b": each.blake2b, "rows": each.rows} for each in files],
    }
    shards.write_manifest(folder, manifest)
    return manifest


def _files(folder: Path) -> list[Path]:
    """Everything in a folder that is part of the promise; names that begin with a dot are not."""
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _as_landed(folder: Path, path: Path, work: Work) -> shards.Landed:
    known = work.landed.get(path.relative_to(folder).as_posix())
    return known or shards.describe(folder, path)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Two runs never make the same folder at once."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / ".lock"
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another run is making {folder} right now: wait for it, or choose another --root") from None
        yield
    lock.unlink(missing_ok=True)


@contextmanager
def _disk_full_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(
            error.errno, f"no space left while making {folder}. What has landed is kept: free some space and run the same command again"
        ) from error
