"""Make what is missing: every step once, inputs first, each folder finished by its manifest."""

from __future__ import annotations

import contextlib
import errno
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
from dataengine.step import Model, ModelHere, Step, ancestors, identity
from dataengine.storage import row_index
from dataengine.storage.lock import only_one
from dataengine.storage.second_home import SecondHome, second_home
from dataengine.work import Work, warn

LOG = "runs.jsonl"
"""Under the root: one line for each step made, with its seconds."""
LOCK = ".lock"
"""In a folder: held by whoever makes it."""


def run(step: Step, root: Path | str, *, machine: Machine | None = None) -> Path:
    """The finished folder of a step, making what is missing of it and of everything it needs.

    Raises CorruptShard where a finished folder is damaged, DiskFull, Stopped, and ValueError for what the user can mend.
    """
    root, machine = Path(root), machine or Machine()
    root.mkdir(parents=True, exist_ok=True)
    road = list(ancestors(step))
    with second_home(root, machine.store) as home:
        for number, each in enumerate(road, start=1):
            if not isinstance(each, ModelHere):
                _make_or_reuse(each, root, machine, home, position=f"[{number}/{len(road)}]")
    return step.place(root)


def _make_or_reuse(step: Step, root: Path, machine: Machine, home: SecondHome | None, *, position: str) -> None:
    folder = step.place(root)
    if _reused(folder, home, position):
        return
    with only_one(folder / LOCK, doing=f"making {folder}"), _disk_full_named(folder):
        if home:
            home.fetch(step, folder)
        if _reused(folder, home, position):  # fetched, or finished by another run since we looked
            return
        say(f"{position} {step.folder}")
        started = time.monotonic()
        shards.clear_leftovers(folder)
        if home and any(isinstance(each, Model) for each in ancestors(step)):
            home.fetch_logs()
        manifest = _make(step, root, machine, home)
        if home:
            home.finished(folder)
    seconds = time.monotonic() - started
    _log(step, root, home, seconds=seconds, rows=manifest["rows"])
    made = "done" if manifest["rows"] is None else f"{manifest['rows']:,} rows"
    dropped = f", {manifest['rejected']:,} rejected" if manifest["rejected"] else ""
    say(f"{position} {step.folder}: {made}{dropped} in {seconds:.1f} s")


def _reused(folder: Path, home: SecondHome | None, position: str) -> bool:
    if not shards.is_finished(folder):
        return False
    shards.check(folder)
    _tidy(folder)
    if home:
        home.finished(folder)
    say(f"{position} {folder.name}: there already")
    return True


def _tidy(folder: Path) -> None:
    """A run that was killed after the manifest had landed left what comes after it; not where its maker is still at it."""
    if shards.leftovers(folder) or (folder / LOCK).exists():
        with contextlib.suppress(ValueError, OSError), only_one(folder / LOCK, doing=f"making {folder}"):
            shards.clear_leftovers(folder)


def _log(step: Step, root: Path, home: SecondHome | None, *, seconds: float, rows: int | None) -> None:
    entry = {"time": time.time(), "step": step.name, "folder": step.folder, "seconds": round(seconds, 3), "rows": rows}
    if home:
        home.fetch_file(root / LOG)
    with (root / LOG).open("a") as log:
        log.write(json.dumps(entry) + "\n")
    if home:
        home.file_changed(root / LOG)


def _make(step: Step, root: Path, machine: Machine, home: SecondHome | None) -> dict[str, Any]:
    folder = step.place(root)
    inputs = {key: each.place(root) for key, each in step.inputs.items()}
    assert all(path.exists() for path in inputs.values()), f"{folder} is made from {inputs}, of which one is not there"
    work = Work(name=step.name, folder=folder, root=root, inputs=inputs, settings=step.settings, machine=machine, home=home)
    work.landed = shards.whole_shards(folder, report=warn)
    step.make(work)
    shards.clear_leftovers(folder)  # workers of a killed run may outlive it, and die while we write
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
    if manifest["rows"] or manifest["rejected"]:
        with contextlib.suppress(OSError):  # it only saves `explain` a second: a full disk may do without
            row_index.build(folder)
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
def _disk_full_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(
            error.errno, f"no space left while making {folder}. What has landed is kept: free some space and run the same command again"
        ) from error
