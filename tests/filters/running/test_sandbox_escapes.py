"""Hostile programs: none of the attempts in escape_attempts.py gets through the walls, and what limits alone let through is known."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filters.running.sandbox import Outcome, Sandbox, SandboxFailure
from filters.running.sandbox_confine import Limits
from tests.filters.running.escape_attempts import ATTEMPTS, FILES, KERNEL, LET_THROUGH_BY_LIMITS, NETWORK, PRELUDE, PROCESSES

SMALL = Limits(cpu=1.0, wall=4.0, memory=192 << 20, output=4 << 20, scratch=16 << 20)
OF_ROOT = {
    "the interpreter's library",
    "system folder",
    "root folder",
    "kernel settings",
    "device node",
    "memory device",
    "root of the first process",
}
"""Under limits alone these depend on who runs the program: root may."""


@pytest.fixture(scope="module", params=["namespaces", "bubblewrap"])
def walls(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox with walls; skipped where this machine cannot build them."""
    if request.param == "bubblewrap" and not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    try:
        sandbox = Sandbox(request.param)
    except SandboxFailure as failure:
        pytest.skip(f"no {request.param} here: {failure}")
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Targets of the machine's: files that everybody may write, a process, open ports and sockets."""
    folder = tmp_path_factory.mktemp("host")
    for parent in (folder, *list(folder.parents)[:-2]):
        parent.chmod(0o755)  # a program of another user gets this far, and no permission hides the targets
    folder.chmod(0o777)
    targets: dict[str, Any] = {"folder": str(folder), "variable": "PYTEST_CURRENT_TEST"}
    for name in ("secret", "file", "doomed", "moved"):
        (folder / name).write_text("the machine's own")
        (folder / name).chmod(0o666)
        targets[name] = str(folder / name)
    victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    targets |= {"pid": victim.pid, "unix": str(folder / "socket"), "abstract": f"\0escape{os.getpid()}"}
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as unix, socket.socket(socket.AF_UNIX) as abstract:
        unix.bind(targets["unix"])
        unix.listen()
        abstract.bind(targets["abstract"])
        abstract.listen()
        targets["port"] = server.getsockname()[1]
        yield targets
        for listener in (server, unix, abstract):
            listener.settimeout(0)
            with pytest.raises(BlockingIOError):
                listener.accept()
    assert victim.poll() is None, "a program has ended a process of the machine's"
    victim.communicate(b"\n")


def attempt(sandbox: Sandbox, name: str, host: dict[str, Any], limits: Limits = SMALL) -> Outcome:
    """What comes of one attempt."""
    with sandbox.program(f"{PRELUDE}\n{ATTEMPTS[name]}".encode(), limits, python=True) as program:
        assert program.error is None
        return program.run({"how": "main"}, json.dumps(host).encode() + b"\n")


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_to_get_out_fails(walls: Sandbox, host: dict[str, Any], name: str) -> None:
    before = descendants(walls.pid)
    outcome = attempt(walls, name, host)
    assert b"ESCAPED" not in outcome.output, outcome.output[-300:]
    assert outcome.wall < SMALL.wall + 2
    assert Path(host["file"]).read_text() == "the machine's own"
    assert sorted(os.listdir(host["folder"])) == ["doomed", "file", "moved", "secret", "socket"]  # noqa: PTH208
    assert len(descendants(walls.pid)) <= len(before) + 1, "something of the program's lives on"


def test_there_are_more_than_forty_attempts() -> None:
    assert len(ATTEMPTS) >= 40


def test_a_sandbox_works_as_before_after_every_attempt(walls: Sandbox, host: dict[str, Any]) -> None:
    with walls.program(b"print(6 * 7)", SMALL, python=True) as program:
        assert program.run({"how": "main"}).output == b"42\n"


def test_what_limits_alone_let_through_is_what_the_page_says(host: dict[str, Any], tmp_path: Path) -> None:
    sandbox = Sandbox("limits")
    tried = [name for name in {**NETWORK, **FILES, **PROCESSES, **KERNEL} if name not in OF_ROOT] + ["disk", "inodes"]
    try:
        through = set()
        for name in tried:
            for file in ("secret", "file", "doomed", "moved"):
                (tmp_path / file).write_text("the machine's own")
            targets = {**host, "folder": str(tmp_path), **{file: str(tmp_path / file) for file in ("secret", "file", "doomed", "moved")}}
            patient = SMALL._replace(cpu=30.0, wall=60.0) if name == "inodes" else SMALL  # so many files take a slow disk a while
            if b"ESCAPED" in attempt(sandbox, name, targets, patient).output:
                through.add(name)
    finally:
        sandbox.close()
    assert through == LET_THROUGH_BY_LIMITS


def descendants(pid: int) -> list[int]:
    """The processes below one, found through /proc."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
