"""Verifier processes: a row goes in, its scores come out, and nothing a row does to its verifier can make it wrong.

`Verifiers` keeps a few processes that hold the scorers loaded; rows that wait are sent together, so that under load a message costs
little, and one by one when there is no load, so that nothing waits. A process that dies or is killed is replaced and its rows are asked
again, each alone; a row that is alone with a verifier when it hangs (CPU seconds, so that neither a busy machine nor a suspended run times
anything out), or when it dies for the third time, could not be judged, and its reason says so. All of it happens in one thread of the
pool's own: an event loop that awaits `judge` goes on. Verifiers die with the process that started them, however that dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pickle
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from dataengine.errors import Stopped
from dataengine.keep import Bar
from dataengine.machine import Machine
from dataengine.score import Score
from dataengine.work import warn
from dataengine.workers import PATIENCE, Watch, cpu_seconds

LOST = "verifier lost: "
"""How the reason of a row begins whose verifier hung or died."""
LIVES = 3
"""A row that was alone with a verifier as often as this when it died is to blame."""
BATCH = 64
"""Rows sent together at most."""
BATCH_SECONDS = 0.5
"""Fewer are sent together when they take longer than this."""
FALSE_STARTS = 3
"""A verifier that ends so often before it is ready will never be; one that was killed gets more tries."""
TRIES = 20
READY_WITHIN = 600.0
"""Seconds until a verifier is ready: numba compiles and models are loaded from slow disks in minutes. Longer, and it hangs while its
scorers are imported. Nothing that is sent to it or comes from it may take longer either, so that no verifier can stop the pool."""
DEADLINE = 120.0

LIFE = """
import ctypes, json, os, sys
if hasattr(ctypes.CDLL(None), "prctl"):
    ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[2]):
    os._exit(1)
sys.path[:] = json.loads(sys.argv[1])
from dataengine.sampling.verifiers import live
live()
"""
"""What a verifier runs. PR_SET_PDEATHSIG is the kernel's help for one that is still loading or holds the interpreter lock: it dies with
the thread that started it, which lives as long as the pool."""

Values = tuple[Any, ...]
Found = dict[str, tuple[float | None, str]]


class Judge(Protocol):
    """What judges rows: local processes here, actors on a cluster."""

    async def judge(self, row: Mapping[str, Any], *, since: int = 0) -> dict[str, Score]:
        """The scores of one row by name, bar after bar from number `since` up to the first that it does not pass.

        Raises Stopped when there can be no verdicts any more (a broken scorer, verifiers that cannot start).
        """
        ...

    def close(self) -> None:
        """End everything; from any thread, any number of times."""
        ...


def open_verifiers(bars: Sequence[Bar], *, columns: Mapping[str, Any], machine: Machine, deadline: float = DEADLINE) -> Judge:
    """The verifiers of this machine or cluster; `columns` are the rows' columns with their types."""
    for bar in bars:
        bar.scorer.check_columns(columns)
        if bar.scorer.function.__module__ == "__main__":
            raise ValueError(
                f"{bar.scorer.name} is defined in the script that is running, and verifier processes load scorers by name: "
                "put it into a module of its own and import it from there"
            )
    if machine.on == "ray":
        from dataengine.cluster.ray_verifiers import RayVerifiers

        return RayVerifiers(bars, columns=columns_read(bars, columns), machine=machine, deadline=deadline)
    return Verifiers(bars, columns=columns, count=machine.workers, deadline=deadline)


def columns_read(bars: Sequence[Bar], columns: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the columns that a scorer reads."""
    read = {name for bar in bars for parameter in bar.scorer.columns for name in (parameter, bar.scorer.instead.get(parameter))}
    return {name: dtype for name, dtype in columns.items() if name in read}


def scored(
    bars: Sequence[Bar], columns: Mapping[str, Any], rows: Sequence[Values], since: Sequence[int], *, killable: bool = False
) -> list[Found]:
    """What a verifier does: the scores of rows (values in the order of `columns`), each from bar number `since` on.

    Bars are tried in their order, the rows that did not pass one are not shown to the next. `killable`: see `Scorer.score`.
    """
    frame = pl.DataFrame(rows, schema=dict(columns), orient="row")
    found: list[Found] = [{} for _ in rows]
    out: set[int] = set()
    for number, bar in enumerate(bars):
        asked = [index for index, first in enumerate(since) if first <= number and index not in out]
        if not asked:
            continue
        for index, score in zip(asked, _scores(bar, frame[asked], killable=killable), strict=True):
            found[index][bar.scorer.name] = (score["value"], score["reason"])
            if not bar.passes(Score(score["value"], score["reason"])):
                out.add(index)
    return found


def _scores(bar: Bar, rows: pl.DataFrame, *, killable: bool) -> list[dict[str, Any]]:
    """The scores of all rows by one bar; Stopped with the scorer's name where it can judge none of them, whatever they are."""
    try:
        return bar.scorer.score(rows, killable=killable).to_list()
    except Stopped:
        raise
    except Exception as error:  # the worker boundary: a scorer that breaks its contract stops the run, with its name
        raise Stopped(
            f"{bar.scorer!r} cannot judge at all: {type(error).__name__}: {error}. No row is to blame: mend the scorer or its settings and "
            "run again; no response is lost."
        ) from error


@dataclass(slots=True)
class _Question:
    values: Values
    since: int
    deliver: Callable[[Found | Exception], None]
    deaths: int = 0
    alone: bool = False


@dataclass(slots=True)
class _Verifier:
    process: subprocess.Popen[bytes]
    connection: Connection
    started: float
    ready: bool = False
    batch: list[_Question] = field(default_factory=list)
    since: float = 0.0
    cpu: float = 0.0


class Verifiers:
    """`count` verifier processes: `pool = Verifiers(bars, columns=schema, count=2); scores = await pool.judge(row); pool.close()`"""

    def __init__(self, bars: Sequence[Bar], *, columns: Mapping[str, Any], count: int, deadline: float = DEADLINE) -> None:
        """`deadline`: seconds of CPU time for one row (or for all that are sent together)."""
        self.bars, self.columns, self.count, self.deadline = list(bars), columns_read(bars, columns), max(1, count), deadline
        self.replaced = 0
        """Verifiers that died or were killed."""
        self._waiting: deque[_Question] = deque()
        self._verifiers: list[_Verifier] = []
        self._seconds = 0.0
        """For one row, smoothed."""
        self._false_starts = 0
        self._failure: Exception | None = None
        self._closing = False
        self._round = min(1.0, deadline / 10)
        self._watch = Watch(self._round)
        self._wake, self._woken = socket.socketpair()
        self._wake.settimeout(0)
        self._woken.settimeout(0)
        self._thread = threading.Thread(target=self._run, name="dataengine-verifiers", daemon=True)
        self._thread.start()

    async def judge(self, row: Mapping[str, Any], *, since: int = 0) -> dict[str, Score]:
        """See `Judge`; a row whose verifiers hang or die is unjudged with a reason that begins with `verifier lost: `."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Found] = loop.create_future()

        def deliver(found: Found | Exception) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, answer, found)

        self._waiting.append(_Question(tuple(row.get(name) for name in self.columns), since, deliver))
        self._nudge()
        if self._failure is not None:
            self._tell_all(self._failure)
        return {name: Score(value, reason) for name, (value, reason) in (await answer).items()}

    def close(self) -> None:
        """End every process; whoever still waits gets Stopped."""
        self._closing = True
        self._nudge()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    @property
    def pids(self) -> list[int]:
        """The processes that are alive now."""
        return [verifier.process.pid for verifier in list(self._verifiers)]

    def _nudge(self) -> None:
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: there is nobody to wake
            self._wake.send(b"x")

    # The pool's thread

    def _run(self) -> None:
        try:
            while not self._closing:
                self._start_missing()
                self._send()
                ready = wait([self._woken, *(verifier.connection for verifier in self._verifiers)], timeout=self._round)
                self._watch.look()
                if self._woken in ready:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(1 << 16)
                for verifier in list(self._verifiers):
                    self._receive(verifier) if verifier.connection in ready else self._end_if_late(verifier)
        except Exception as error:  # the worker boundary: whoever waits is told
            self._failure = error if isinstance(error, Stopped) else Stopped(f"the verifiers cannot go on: {type(error).__name__}: {error}")
        finally:
            self._failure = self._failure or Stopped("the verifiers were closed while rows were still being judged")
            for verifier in list(self._verifiers):
                self._waiting.extend(verifier.batch)
                self._end(verifier)
            self._tell_all(self._failure)
            self._wake.close()
            self._woken.close()

    def _tell_all(self, failure: Exception) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._waiting.popleft().deliver(failure)

    def _start_missing(self) -> None:
        while len(self._verifiers) < self.count:
            ours, theirs = socket.socketpair()
            for way in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                ours.setsockopt(socket.SOL_SOCKET, way, struct.pack("ll", int(READY_WITHIN), int(READY_WITHIN % 1 * 1e6)))
            with theirs:
                command = [sys.executable, "-W", "ignore", "-c", LIFE, json.dumps(sys.path), str(os.getpid())]
                alone = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
                process = subprocess.Popen(
                    command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env={**os.environ, **alone}, start_new_session=True
                )
            verifier = _Verifier(process, Connection(ours.detach()), self._watch.now)
            self._verifiers.append(verifier)
            with contextlib.suppress(OSError):  # it died at once: noticed below
                verifier.connection.send((self.bars, self.columns))

    def _send(self) -> None:
        idle = [verifier for verifier in self._verifiers if verifier.ready and not verifier.batch]
        for number, verifier in enumerate(idle):
            if not self._waiting:
                return
            fair = -(-len(self._waiting) // (len(idle) - number))
            size = min(BATCH, fair, max(1, int(BATCH_SECONDS / self._seconds)) if self._seconds else 1)
            if self._waiting[0].alone:
                verifier.batch = [self._waiting.popleft()]
            else:
                while self._waiting and len(verifier.batch) < size and not self._waiting[0].alone:
                    verifier.batch.append(self._waiting.popleft())
            verifier.since, verifier.cpu = self._watch.look(), cpu_seconds(verifier.process.pid)
            try:
                verifier.connection.send(([one.values for one in verifier.batch], [one.since for one in verifier.batch]))
            except OSError:
                self._lost(verifier, "died")

    def _receive(self, verifier: _Verifier) -> None:
        try:
            said = verifier.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            self._lost(verifier, "died")
            return
        if isinstance(said, Exception):
            raise said
        if not verifier.ready:
            verifier.ready, self._false_starts = True, 0
            return
        took = (self._watch.now - verifier.since) / len(verifier.batch)
        self._seconds = took if not self._seconds else 0.8 * self._seconds + 0.2 * took
        batch, verifier.batch = verifier.batch, []
        for question, found in zip(batch, said, strict=True):
            question.deliver(found)

    def _end_if_late(self, verifier: _Verifier) -> None:
        if not verifier.ready and self._watch.now - verifier.started > READY_WITHIN:
            warn(f"a verifier hangs while it imports {self._scorers}: not ready within {READY_WITHIN:g} s, ended")
            self._lost(verifier, "hung")
        if not verifier.batch:
            return
        waited = self._watch.now - verifier.since
        if waited <= self.deadline or verifier.connection.poll():
            return
        if cpu_seconds(verifier.process.pid) - verifier.cpu > self.deadline or waited > PATIENCE * self.deadline:
            self._lost(verifier, f"gave no verdict within {self.deadline:g} s")

    def _lost(self, verifier: _Verifier, how: str) -> None:
        """Replace a verifier; its rows are asked again, each alone, unless this one was alone and is to blame."""
        self._end(verifier)
        self.replaced += 1
        if not verifier.ready:
            killed = (verifier.process.returncode or 0) < 0 and how == "died"
            self._false_starts += 1
            if self._false_starts >= (TRIES if killed else FALSE_STARTS):
                raise Stopped(
                    f"verifier processes {'hang' if how == 'hung' else 'end'} before they are ready ({self._false_starts} in a row)"
                    f"{'' if how == 'hung' else '; their error stands above'}. Import {self._scorers} by hand to see why, mend that and "
                    "run again; no response is lost."
                )
        alone = len(verifier.batch) == 1
        for question in reversed(verifier.batch):
            question.alone = True
            question.deaths += alone and how == "died"
            if alone and how != "died":
                question.deliver(self._unjudged(question, f"it {how}"))
            elif question.deaths >= LIVES:
                question.deliver(self._unjudged(question, f"it died {LIVES} times over this row"))
            else:
                self._waiting.appendleft(question)

    @property
    def _scorers(self) -> str:
        """The modules of the scorers, as one imports them."""
        return ", ".join(sorted({bar.scorer.function.__module__ for bar in self.bars}))

    def _unjudged(self, question: _Question, why: str) -> Found:
        return {self.bars[question.since].scorer.name: (None, f"{LOST}{why}")}

    def _end(self, verifier: _Verifier) -> None:
        self._verifiers.remove(verifier)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(verifier.process.pid, signal.SIGKILL)
        verifier.connection.close()
        verifier.process.wait()


def _settle(answer: asyncio.Future[Found], found: Found | Exception) -> None:
    if answer.done():
        return
    answer.set_exception(found) if isinstance(found, Exception) else answer.set_result(found)


def live() -> None:
    """A verifier's life: load the scorers, judge what comes, end when the other side of the socket is gone."""
    connection = Connection(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # the first to go when memory is short
    bars, columns = connection.recv()
    inbox: queue.SimpleQueue[tuple[list[Values], list[int]]] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                inbox.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    connection.send("ready")
    while True:
        rows, since = inbox.get()
        try:
            said: list[Found] | Exception = scored(bars, columns, rows, since, killable=True)
        except Exception as error:  # the worker boundary: whoever waits is told
            said = error if isinstance(error, Stopped) else Stopped(f"a verifier cannot go on: {type(error).__name__}: {error}")
        connection.send(said)
