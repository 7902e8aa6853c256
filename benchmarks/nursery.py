"""Processes that are there to be killed: a nursery imports what they run once and forks one in milliseconds, as often as it takes.

A benchmark that kills has `road()`, which imports and gives the function that a process runs on a root, and `killing(scratch, kills=,
seed=)`, which yields its figures after every run that ended; `command` is its command line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dataengine import shards
from dataengine.storage import row_index

REPOSITORY = Path(__file__).resolve().parents[1]
SAID = "said.txt"
"""In the root of a run: what its processes said."""


class Pid(NamedTuple):
    """A process that no later one is taken for."""

    number: int
    started: str


class Nursery:
    """The nursery of a module, and the process of its that is alive now."""

    def __init__(self, module: str) -> None:
        command = [sys.executable, "-m", module, "--nursery"]
        self._nursery = subprocess.Popen(command, cwd=REPOSITORY, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = 0
        self.status: int | None = None

    def start(self, root: Path) -> None:
        """Begin, or go on."""
        assert self._nursery.stdin and self._nursery.stdout  # noqa: PT018
        root.mkdir(parents=True, exist_ok=True)
        self._nursery.stdin.write(f"{root}\n".encode())
        self._nursery.stdin.flush()
        self.pid, self.status = int(self._nursery.stdout.readline()), None

    def ended_after(self, seconds: float | None) -> int | None:
        """How the process ended, None where it has not within so many seconds."""
        assert self._nursery.stdout
        if self.status is None and select.select([self._nursery.stdout], [], [], seconds)[0]:
            self.status = int(self._nursery.stdout.readline())
        return self.status

    def whole(self, root: Path) -> float:
        """Run to the end, undisturbed; the seconds it took."""
        begun = time.monotonic()
        self.start(root)
        assert self.ended_after(None) == 0, (root / SAID).read_text()
        return time.monotonic() - begun

    def close(self) -> None:
        """End the nursery, and let go of its pipes."""
        with self._nursery:
            self._nursery.kill()


def command(
    doc: str | None,
    road: Callable[[], Callable[[Path], None]],
    killing: Callable[..., Iterator[dict[str, Any]]],
    *,
    kills: int,
    wrong: Sequence[str],
) -> None:
    """The command line of a benchmark that kills; status 1 where any of the figures `wrong` is not 0."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--kills", type=int, default=kills)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file, written anew after every run")
    parser.add_argument("--nursery", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.nursery:
        nurse(road())
        return
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        for figures in killing(Path(scratch), kills=wanted.kills, seed=wanted.seed):
            line = json.dumps(figures)
            if wanted.out:
                wanted.out.write_text(line + "\n")
            print(line, flush=True)
    if any(figures[name] for name in wrong):
        raise SystemExit(1)


def nurse(make: Callable[[Path], None]) -> None:
    """Fork a process for each root that is asked for, say its pid and then how it ended: importing costs more than all the rest."""
    for line in sys.stdin:
        root = Path(line.rstrip("\n"))
        if pid := os.fork():
            print(pid, flush=True)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
            continue
        os.setsid()
        with (root / SAID).open("ab") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        status = 1
        try:
            make(root)
            status = 0
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)


def children(parent: int) -> Iterator[tuple[Pid, bytes]]:
    """The children of a process, each with its command line."""
    for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in map(int, tasks.read_text().split()):
                with contextlib.suppress(OSError):
                    yield Pid(pid, _state(pid)[1]), Path(f"/proc/{pid}/cmdline").read_bytes()


def outliving(pids: set[Pid]) -> set[Pid]:
    """Those of these processes that are still there ten seconds after their parent ended."""
    deadline = time.monotonic() + 10
    left = pids
    while (left := {pid for pid in left if _is_alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _is_alive(pid: Pid) -> bool:
    with contextlib.suppress(OSError):
        state, started = _state(pid.number)
        return state != "Z" and started == pid.started
    return False


def _state(pid: int) -> tuple[str, str]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], fields[19]


def step_files(root: Path) -> dict[str, str]:
    """Hash of every file in the folders of a root's steps, what killed writers left included; the row index is no part of the promise."""
    found = {}
    for path in (Path(where) / name for step in root.glob("*-*") for where, _, names in os.walk(step) for name in names):
        with contextlib.suppress(FileNotFoundError):  # a worker that outlives its killed parent may still take its file away
            if path.name != row_index.FILE:
                found[path.relative_to(root).as_posix()] = shards.digest(path)
    return found
