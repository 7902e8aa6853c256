"""Warm processes that answer questions of one function and are killed at a deadline.

A nursery process imports the function once and forks a worker in a few milliseconds, so a killed one costs next to nothing. No signal
handlers, no threads, no `multiprocessing.Process`: it works from any thread, inside daemonic workers, after a fork, and never
re-imports the caller's `__main__`. The clock is the worker's own CPU time, so a busy machine times nothing out, nor does a run that is
suspended and goes on later.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from dataengine.errors import Stopped
from dataengine.not_installed import not_installed

MESSAGE = struct.Struct("<4sI")
CHUNK = 16
"""Questions sent to a worker at once: more save nothing (measured), fewer are spread better."""
PATIENCE = 6.0
"""A worker that gets no CPU is given up after so many deadlines of wall time."""
TIMEOUT, DIED = "timeout after ", "worker died"
"""How the reasons of lost questions begin."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A question without an answer: the worker was killed at the deadline ("timeout after ...") or died ("worker died ...")."""

    reason: str


class Watch:
    """The clock of one who looks every so many seconds: while he himself stands still (a run suspended or frozen) it does too, nearly."""

    def __init__(self, every: float) -> None:
        self.now = 0.0
        self._most = 2 * every
        self._looked = time.monotonic()

    def look(self) -> float:
        """Seconds since the beginning, of which each pause between two looks counts for two rounds at most."""
        before, self._looked = self._looked, time.monotonic()
        self.now += min(self._looked - before, self._most)
        return self.now


@dataclass(frozen=True, slots=True)
class _Unable:
    """What a worker says that can answer no question at all, and why."""

    why: str


@dataclass(slots=True)
class _Worker:
    pid: int
    connection: Connection
    questions: deque[int] = field(default_factory=deque)
    """Indices sent and not answered yet; the first one is being worked on."""
    since: float = 0.0
    cpu: float = 0.0


class Workers:
    """A pool of `count` processes for the function `target` ("module:name"), started when the first question comes.

    A worker may hold `memory` bytes of address space. `ask` is thread-safe: callers take turns.
    """

    def __init__(self, target: str, *, count: int, memory: int) -> None:
        self.target, self.count, self.memory = target, count, memory
        self._lock = threading.Lock()
        self._nursery: tuple[int, socket.socket] | None = None
        self._workers: list[_Worker] = []
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget)

    def ask(self, questions: Sequence[Any], *, deadline: float) -> list[Any]:
        """One answer or Lost for each question, in their order; `deadline` in seconds of CPU time for each.

        Stopped where what the function imports is not there: no question is to blame.
        """
        answers: list[Any] = [None] * len(questions)
        waiting = deque(range(len(questions)))
        with self._lock, self._dropped_on_error():
            busy: list[_Worker] = []
            watch = Watch(deadline / 10)
            while waiting or busy:
                for worker in self._idle(busy, wanted=len(waiting)):
                    size = max(1, min(CHUNK, len(waiting) // (2 * self.count) or 1))
                    worker.questions.extend(waiting.popleft() for _ in range(min(size, len(waiting))))
                    worker.connection.send([questions[index] for index in worker.questions])
                    worker.since, worker.cpu = watch.look(), cpu_seconds(worker.pid)
                    busy.append(worker)
                readable = wait([worker.connection for worker in busy], timeout=deadline / 10)
                now = watch.look()
                for worker in list(busy):
                    heard = worker.connection in readable
                    lost = self._receive(worker, answers, now) if heard else self._late(worker, now - worker.since, deadline)
                    if lost:
                        answers[worker.questions.popleft()] = Lost(lost)
                        waiting.extendleft(reversed(worker.questions))
                        self._end(worker)
                    if lost or not worker.questions:
                        busy.remove(worker)
        return answers

    def close(self) -> None:
        """End every process; the next question starts new ones."""
        for worker in self._workers:
            worker.connection.close()
        self._workers.clear()
        if self._nursery:
            pid, control = self._nursery
            self._nursery = None
            control.close()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _forget(self) -> None:
        """After a fork the processes belong to the parent: let go of the connections and start anew when asked."""
        self._lock = threading.Lock()
        for worker in self._workers:
            worker.connection.close()
        self._workers = []
        if self._nursery:
            self._nursery[1].close()
        self._nursery = None

    @contextlib.contextmanager
    def _dropped_on_error(self) -> Iterator[None]:
        """Workers in the middle of a question are of no use to the next caller."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _idle(self, busy: list[_Worker], *, wanted: int) -> list[_Worker]:
        idle = [worker for worker in self._workers if worker not in busy]
        while len(idle) < wanted and len(self._workers) < self.count:
            idle.append(self._new())
        return idle[:wanted]

    def _receive(self, worker: _Worker, answers: list[Any], now: float) -> str | None:
        """Store what has come; the reason where the worker has died."""
        try:
            while worker.questions and worker.connection.poll():
                answer, worker.cpu = worker.connection.recv()
                worker.since = now
                if isinstance(answer, _Unable):
                    raise Stopped(f"{self.target} can answer nothing here ({answer.why}): install what it imports, and run again")
                answers[worker.questions.popleft()] = answer
        except (EOFError, OSError):
            return f"{DIED} (out of memory?)"
        return None

    def _late(self, worker: _Worker, waited: float, deadline: float) -> str | None:
        late = waited > deadline and (cpu_seconds(worker.pid) - worker.cpu > deadline or waited > PATIENCE * deadline)
        return f"{TIMEOUT}{deadline:g} s" if late and not worker.connection.poll() else None

    def _new(self) -> _Worker:
        if not self._nursery:
            self._nursery = _start_nursery(self.target, self.memory)
        control = self._nursery[1]
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(control, [MESSAGE.pack(b"fork", 0)], [theirs.fileno()])
        _, pid = MESSAGE.unpack(control.recv(MESSAGE.size, socket.MSG_WAITALL))
        worker = _Worker(pid, Connection(ours.detach()))
        self._workers.append(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        if self._nursery:
            self._nursery[1].sendall(MESSAGE.pack(b"end ", worker.pid))


def cpu_seconds(pid: int) -> float:
    """CPU time a process has used; infinite where the system does not tell, so that wall time decides."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("inf") if not Path("/proc/self/stat").exists() else 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _start_nursery(target: str, memory: int) -> tuple[int, socket.socket]:
    ours, theirs = socket.socketpair()
    code = (
        "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
        "from dataengine.workers import nursery; nursery(sys.argv[2], int(sys.argv[3]))"
    )
    arguments = [sys.executable, "-W", "ignore", "-c", code, json.dumps(sys.path), target, str(memory)]
    with theirs:
        actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        pid = os.posix_spawn(sys.executable, arguments, os.environ, file_actions=actions)
    if not ours.recv(1):
        ours.close()
        os.waitpid(pid, 0)
        raise RuntimeError(f"the worker process for {target} could not start; its error stands above. Is every dependency installed?")
    return pid, ours


def nursery(target: str, memory: int) -> None:
    """The nursery's life: import the function, fork a worker for each socket that comes, end those named, die with the parent."""
    os.setsid()
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)
    with socket.socket(fileno=0) as control:
        control.sendall(b"r")
        while True:
            message, handles, _, _ = socket.recv_fds(control, MESSAGE.size, 1)
            if not message:
                os.killpg(0, signal.SIGKILL)
            order, pid = MESSAGE.unpack(message)
            if order == b"end ":
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                continue
            pid = os.fork()
            if not pid:
                control.close()
                _work(Connection(handles[0]), function, memory)
            os.close(handles[0])
            control.sendall(MESSAGE.pack(b"pid ", pid))


def _work(connection: Connection, function: Callable[[Any], Any], memory: int) -> None:
    """A worker's life: answer each question of a chunk as soon as it is known; never returns into the nursery's loop."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        while True:
            for question in connection.recv():
                answer = function(question)
                connection.send((answer, time.process_time()))
    except BaseException as error:  # the worker boundary: whatever it was, the parent sees a closed connection
        if not_installed(error):
            connection.send((_Unable(str(error)), time.process_time()))
        os._exit(1)
