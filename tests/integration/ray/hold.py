"""Work that stops in the middle until a test lets it go on, so that a node is lost there on slow machines as on fast ones.

A test makes a folder that all nodes see, with a file `hold` in it. Work that passes leaves a mark for its node, and past a number of rows
it waits until that file is gone. Where there is no such folder, nothing is marked and nobody waits.
"""

from __future__ import annotations

import time
from pathlib import Path


def held(folder: Path) -> Path:
    """A new folder in which work is held."""
    folder.mkdir()
    (folder / "hold").touch()
    return folder


def let_go(folder: Path) -> None:
    """Let everybody go on."""
    (folder / "hold").unlink()


def is_held(folder: Path) -> bool:
    return (folder / "hold").exists()


def pass_by(folder: Path, rows: int, *, most: int) -> None:
    """Leave a mark for so many rows of this node, and wait while there are more than `most` on all nodes together."""
    if not folder.exists():
        return
    with (folder / Path("/proc/self/ns/mnt").readlink().name).open("ab") as mark:  # the second node has mounts of its own
        mark.write(b"." * rows)
    while is_held(folder) and sum(_marks(folder)) > most:
        time.sleep(0.05)


def nodes(folder: Path) -> int:
    """How many nodes have passed by."""
    return len(_marks(folder))


def _marks(folder: Path) -> list[int]:
    return [each.stat().st_size for each in folder.glob("mnt*")]
