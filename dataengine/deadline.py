"""How long a scorer may take over a row, and what happens to one that takes longer: it is interrupted, and the row is named.

The time is CPU time of the thread that judges, so that a busy machine times nothing out, and neither does waiting for other processes.
A timer signal (SIGVTALRM) looks at it about once a second and interrupts the scorer: Python loops and `re` end by it. A call into
C that never comes back to the interpreter cannot be ended from inside; which row it is at is told again and again.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from types import FrameType
from typing import TypeVar

from dataengine.progress import say

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds of CPU for one row, where the scorer does not ask for more."""
ROWS_A_DEADLINE = 1_000
"""Rows that are judged by one call have the deadline once, and once more for each so many of them."""
FIRST_CALL = 10.0
"""The first call in a process has so many deadlines more: models are loaded then, and functions compiled."""
SECONDS_OF_SILENCE = 60.0
"""Of the clock on the wall: after so long at the same rows, and twice as long each time, a person is told."""

_met = set[Hashable]()
"""Scorers that were called in this process."""
_running: Clock | None = None


class TooLate(Exception):
    """The time of the rows is used up."""


class _Interrupt(BaseException):
    """What the scorer sees of it; no `except Exception` of its own hides it."""


class Clock:
    """`with timed(Clock(...)) as clock: clock.call(lambda: function(row), first=7)`"""

    def __init__(self, scorer: str, *, key: Hashable, deadline: float, row: Callable[[int], str]) -> None:
        """`key`: what has to be loaded once in a process; `row`: how the row of a number is called."""
        self.scorer, self.deadline, self.row = scorer, deadline, row
        self._key = key
        self._at = (0, 0)
        self._allowed = 0.0
        self._begun: float | None = None
        """CPU time of the thread when the call began; None between calls."""
        self._since = time.monotonic()

    def call(self, work: Callable[[], T], *, first: int, rows: int = 1) -> T:
        """What `work` returns over the rows from number `first` on; TooLate when their time is used up."""
        loading = FIRST_CALL * (self._key not in _met)
        _met.add(self._key)
        self._at, self._allowed = (first, rows), self.deadline * (1 + (rows - 1) / ROWS_A_DEADLINE + loading)
        self._since, self._begun = time.monotonic(), time.thread_time()
        try:
            try:
                return work()
            finally:
                self._begun = None
        except _Interrupt:  # in the `finally` too, which it may have cut short
            self._begun = None
            if self is not _running:
                raise  # the time of a scorer further out, which calls this one
            raise TooLate from None

    def look(self) -> None:
        """In the thread that judges: interrupt it where it is; once more after as long, should it have swallowed that."""
        now = time.thread_time()
        if self._begun is not None and now - self._begun > self._allowed:
            self._begun = now
            raise _Interrupt

    def tell(self, done: threading.Event) -> None:
        """Beside the thread that judges, until it is done."""
        pause = SECONDS_OF_SILENCE
        while not done.wait(pause):
            (first, rows), taken = self._at, time.monotonic() - self._since
            if self._begun is not None and taken > SECONDS_OF_SILENCE:
                pause *= 2
                which = self.row(first) if rows == 1 else f"{self.row(first)} and the next {rows - 1:,}"
                say(f"  {self.scorer}: at {which} for {taken:.0f} s")


@contextlib.contextmanager
def timed(clock: Clock) -> Iterator[Clock]:
    """Let the clock run. Not outside of the main thread, and not where another holds the signal: a scorer within a scorer, a profiler."""
    global _running
    if threading.current_thread() is not threading.main_thread() or _running or not _ours(signal.getsignal(signal.SIGVTALRM)):
        yield clock
        return
    done, tick = threading.Event(), min(1.0, clock.deadline / 10)
    signal.signal(signal.SIGVTALRM, _look)  # for good: by its default the signal would end a process that it reaches late
    signal.siginterrupt(signal.SIGVTALRM, False)  # noqa: FBT003  # positional only
    threading.Thread(target=clock.tell, args=(done,), name="dataengine-deadline", daemon=True).start()
    _running = clock
    signal.setitimer(signal.ITIMER_VIRTUAL, tick, tick)
    try:
        yield clock
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        _running = None
        done.set()


def _ours(handler: object) -> bool:
    return handler in (signal.SIG_DFL, _look)


def _look(_number: int, _frame: FrameType | None) -> None:
    if _running is not None:
        _running.look()
