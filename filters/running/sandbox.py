"""Runs programs that nobody trusts: each behind walls, within limits, and ended whole; no root, no Docker, no signal handlers.

Three kinds of isolation: "bubblewrap" (where it is installed), "namespaces" (the same house built by ourselves) and "limits" (the
kernel's limits and system call filter only, never chosen unless asked for). docs/programs.md says what each one stops.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dataengine.errors import Stopped
from filters.running import frames
from filters.running.sandbox_confine import Limits
from filters.running.sandbox_inside import START as PROGRAM
from filters.running.sandbox_inside import order_to_load
from filters.running.sandbox_walls import bubblewrap

Isolation = Literal["auto", "bubblewrap", "namespaces", "limits"]
WALLS: tuple[Isolation, ...] = ("bubblewrap", "namespaces")
START = 60.0
"""Seconds that a sandbox may take to start on a busy machine."""
SLACK = 20.0
"""Seconds beyond a program's own limits after which its guard is given up as dead."""
IDLE_KEPT = os.cpu_count() or 1


class SandboxFailure(Exception):
    """The sandbox itself has failed: nothing is known about the program."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one process of a program has ended."""

    status: int
    """Exit code, or minus the signal that ended it."""
    ended: str
    """Why the guard ended it: "cpu", "wall" or "" when it ended by itself."""
    flood: bool
    """It reached the output limit."""
    cpu: float
    """CPU seconds."""
    wall: float
    """Seconds on the wall clock."""
    output: bytes
    errors: bytes
    """The end of its standard error."""
    result: bytes
    """What was written to the result file."""


class Sandbox:
    """A zygote behind walls; it forks a guard for each program."""

    def __init__(self, isolation: str) -> None:
        self.isolation = isolation
        code = str(Path(__file__).resolve().parents[2])
        inside = [sys.executable, "-I", "-X", "utf8", "-c", PROGRAM, isolation, code]
        if isolation == "bubblewrap":
            program = shutil.which("bwrap")
            if program is None:
                raise SandboxFailure("bwrap is not installed")
            inside = bubblewrap(program, inside, code=f"{code}/filters")
        ours, theirs = socket.socketpair()
        with theirs:
            environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "PYTHONHASHSEED": "0", "MALLOC_ARENA_MAX": "2"}
            actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
            self.pid = os.posix_spawn(inside[0], inside, environment, file_actions=actions)
        self._control = ours
        self._lock = threading.Lock()
        ours.settimeout(START)
        try:
            told = frames.receive(ours)[0]
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise SandboxFailure(f"it did not start ({error})") from error
        if "error" in told:
            self.close()
            raise SandboxFailure(str(told["error"]))
        self.filtered = bool(told["filter"])
        """A system call filter stands in every program."""

    def program(self, source: bytes, limits: Limits, *, python: bool, tests: socket.socket | None = None) -> Program:
        """A guard that has read `source`; `tests`: the socket that the program or the tests speak through."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                socket.send_fds(self._control, [b"g"], [theirs.fileno(), (tests or theirs).fileno()])
            except OSError as error:
                ours.close()
                raise SandboxFailure("the zygote has died") from error
        return Program(ours, source, limits, python=python)

    def alive(self) -> bool:
        """Does the zygote still listen? It says nothing of itself, so what can be read is its end."""
        end = select.poll()
        end.register(self._control, select.POLLIN)
        return not end.poll(0)

    def close(self) -> None:
        """End it and everything in it."""
        self._control.close()
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            for _ in range(200):  # it ends by itself when nobody speaks to it any more
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    return
                time.sleep(0.005)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def let_go(self) -> None:
        """After a fork it belongs to the parent."""
        self._control.close()


class Program:
    """One program: its guard, seen from here. `error` says why it could not be read, or is None."""

    def __init__(self, guard: socket.socket, source: bytes, limits: Limits, *, python: bool) -> None:
        self.guard, self.limits = guard, limits
        self.error: str | None = None
        try:
            self._tell(order_to_load(limits, python=python), source)
            self.error = self._hear(3 * limits.cpu + SLACK + 10)[0].get("error")
        except EOFError:
            self.error = "the compiler crashed or ran out of time"
        except (OSError, ValueError) as error:
            self.close()
            raise SandboxFailure(f"the guard does not answer ({error})") from error

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def keep(self, name: str, content: bytes) -> None:
        """Lay a file beside the program's standard streams, executable, in every case to come."""
        with self._failing():
            self._tell({"do": "keep", "name": name}, content)
            self._hear(SLACK)

    def run(self, order: dict[str, Any], given: bytes = b"", tests: bytes = b"") -> Outcome:
        """One process to its end."""
        self.begin(order, [(given, tests)])
        return self.end(1)[0]

    def begin(self, order: dict[str, Any], pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Start a process for each (standard input, tests), one after another, up to the first that fails by itself.

        `order["how"]` is main, call, serve, examine or command.
        """
        with self._failing():
            self._tell({"do": "run", **order}, *(part for pair in pairs for part in pair))

    def end(self, most: int) -> list[Outcome]:
        """Wait for them; there may be fewer than the `most` that were begun."""
        with self._failing():
            told, parts = self._hear(most * self.limits.wall + SLACK)
        outcomes = []
        for number, answer in enumerate(told["answers"]):
            output, errors, result = parts[3 * number : 3 * number + 3]
            if not answer.pop("ready"):
                last = errors.decode(errors="replace").strip().rpartition("\n")[2]
                raise SandboxFailure(last[:200] or "the program was not confined")
            outcomes.append(Outcome(**answer, output=output, errors=errors, result=result))
        return outcomes

    def close(self) -> None:
        """End the guard and all that its program has started."""
        self.guard.close()

    def _tell(self, order: dict[str, Any], *blobs: bytes) -> None:
        self.guard.settimeout(self.limits.wall + SLACK)
        frames.send(self.guard, order, *blobs)

    def _hear(self, patience: float) -> tuple[dict[str, Any], list[bytes]]:
        self.guard.settimeout(patience)
        return frames.receive(self.guard)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise SandboxFailure(f"the guard has died ({type(error).__name__})") from error


class Sandboxes:
    """Warm sandboxes, borrowed by one thread at a time and started when none is idle."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Sandbox]] = {}
        self._best: str | None = None
        self._lock = threading.Lock()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget)

    @contextlib.contextmanager
    def borrow(self, isolation: str) -> Iterator[Sandbox]:
        """A sandbox with that isolation; one that fails is not lent again. Stopped where no walls can be built and none were waived."""
        sandbox = self._take(isolation)
        try:
            yield sandbox
        except BaseException:
            sandbox.close()
            raise
        with self._lock:
            idle = self._idle.setdefault(sandbox.isolation, [])
            if len(idle) < IDLE_KEPT:
                idle.append(sandbox)
                return
        sandbox.close()

    def close(self) -> None:
        """End all that are idle."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for sandbox in (one for many in idle.values() for one in many):
            sandbox.close()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        for sandbox in (one for many in self._idle.values() for one in many):
            sandbox.let_go()
        self._idle = {}

    def _take(self, isolation: str) -> Sandbox:
        wanted = self._best or isolation if isolation == "auto" else isolation
        with self._lock:
            idle = self._idle.get(wanted, [])
            while idle:
                sandbox = idle.pop()
                if sandbox.alive():
                    return sandbox
                sandbox.close()
        if wanted != "auto":
            try:
                return Sandbox(wanted)
            except SandboxFailure as failure:
                if isolation == wanted:
                    raise Stopped(_no_walls({wanted: str(failure)})) from failure
                raise
        failures: dict[str, str] = {}
        for walls in WALLS:
            try:
                found = Sandbox(walls)
            except SandboxFailure as failure:
                failures[walls] = str(failure)
            else:
                self._best = walls
                return found
        raise Stopped(_no_walls(failures))


def _no_walls(failures: dict[str, str]) -> str:
    tried = "; ".join(f"{walls}: {why}" for walls, why in failures.items())
    return (
        f"programs are not run without walls around them, and none could be built here ({tried}). Install bubblewrap, or allow user "
        "namespaces (sysctl user.max_user_namespaces, in a container its seccomp profile), or accept what limits alone do not stop "
        '(docs/programs.md lists it) with isolation="limits".'
    )


sandboxes = Sandboxes()
"""The sandboxes of this process."""
