"""Runs as processes that can be killed, and what they leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dataengine.storage.crc_lines import HEAD
from tests.integration.ray.cluster import QUIET, REPOSITORY

STARTED: list[subprocess.Popen[Any]] = []
"""Every driver of a test, so that none outlives one that fails."""


def start(
    what: str, root: Path, *, address: str = "", model: Path | None = None, python: Path | None = None, held: Path | None = None
) -> subprocess.Popen[bytes]:
    """One of the roads as a process of its own, which says its words into a log beside its root."""
    given = ", ".join(repr(str(each or "")) for each in (what, root, address, model, python, held))
    code = f"from tests.integration.ray.slow_road import main; main({given})"
    with (root.parent / f"{root.name}.log").open("ab") as said:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, env={**os.environ, **QUIET}, stdout=said, stderr=said)
    STARTED.append(process)
    return process


def end_all() -> None:
    """Kill what still runs."""
    while STARTED:
        process = STARTED.pop()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def finished(process: subprocess.Popen[bytes], root: Path) -> str:
    """What it said until its good end."""
    status = process.wait()
    said = (root.parent / f"{root.name}.log").read_text()
    assert status == 0, said
    return said


def wait_until(there: Callable[[], bool], process: subprocess.Popen[bytes], root: Path) -> None:
    """Wait while the process lives."""
    while not there():
        assert process.poll() is None, (root.parent / f"{root.name}.log").read_text()
        time.sleep(0.05)


def lines_of(path: Path) -> int:
    """How many lines were written so far: none while the file is not there."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def data_files(root: Path) -> dict[str, bytes]:
    """Every shard and manifest."""
    found = [path for path in sorted(root.glob("*-*/**/*")) if path.suffix in (".parquet", ".json") and "responses" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def stored_keys(root: Path) -> list[str]:
    """The key of each stored response; a line that is still being written is none."""
    lines = [line for path in sorted(root.glob("responses/*/*.log")) for line in path.read_bytes().splitlines(keepends=True)]
    return [json.loads(line[HEAD:])["key"] for line in lines if is_whole(line)]


def is_whole(line: bytes) -> bool:
    """Whether it is its checksum's line to the end."""
    return line.endswith(b"\n") and line[: HEAD - 1] == b"%08x" % zlib.crc32(line[HEAD:-1])
