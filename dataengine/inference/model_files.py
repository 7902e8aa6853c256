"""A model's folder on the node that needs it: used where it lies, or brought in pieces from the driver, once for each node."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from dataengine.errors import Stopped

PIECE = 64 << 20
"""Bytes brought at once, so that no object store has to hold a model."""

Read = Callable[[str, int, int], bytes]
"""From a file's name, an offset and a length to its content there."""


def files_of(folder: Path) -> dict[str, int]:
    """The files beside and under a model's configuration that a server may want, with their sizes."""
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    return {path.name: path.stat().st_size for path in found}


def read_piece(folder: Path, name: str, start: int, length: int) -> bytes:
    """Part of one of these files."""
    with (folder / name).open("rb") as file:
        file.seek(start)
        return file.read(length)


def of_node(what: str) -> Path:
    """A folder of this user's in the node's temporary folder (TMPDIR decides where that is)."""
    folder = Path(tempfile.gettempdir()) / f"dataengine-{what}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise Stopped(f"{folder} belongs to somebody else: set TMPDIR on this node to a folder of your own with room for the model")
    return folder


def model_here(folder: Path, revision: str, files: dict[str, int], read: Read) -> Path:
    """The model's folder on this node, of this very content.

    Where the driver's path leads to it here too (a shared file system, an image that holds the model), it is used as it is. Else it
    is brought into the node's temporary folder and stays there for the next run.
    """
    if _is_here(folder, revision):
        return folder
    cache = of_node("models")
    place = cache / revision / folder.name  # engines call a model by its folder's name
    with (cache / f"{revision}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several engines of one node wait for the first one's copy
        if not _is_here(place, revision):
            shutil.rmtree(place, ignore_errors=True)
            _bring(place, files, read)
            if not _is_here(place, revision):
                raise Stopped(f"the model {folder.name} changed while it was brought to a node: let it be finished, then run again")
    return place


def _is_here(folder: Path, revision: str) -> bool:
    from dataengine.inference.weights import weights_revision

    whole = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    return whole and weights_revision(folder) == revision


def _bring(place: Path, files: dict[str, int], read: Read) -> None:
    place.mkdir(parents=True)
    for name, size in files.items():
        with (place / name).open("wb") as file:
            for start in range(0, size, PIECE):
                file.write(read(name, start, min(PIECE, size - start)))
