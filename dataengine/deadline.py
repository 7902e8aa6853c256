"""How long a scorer may take over a row, and what happens to one that takes longer: it is interrupted, and the row is named.

The time is CPU time of the thread that judges, so that a busy machine times nothing out, and neither does waiting for other processes.
A signal (SIGVTALRM) looks at it about once a second and interrupts the scorer. Two send it: a timer, for `re` lets no other thread run, but
it counts only what the process computes itself; and a thread, for loops of reads and the like, whose time the system takes. A call into C
that never comes back to the interpreter cannot be ended from inside; which row it is at is told again and again.
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
LOADING = 10.0
"""Each process has so many deadlines more for a scorer, used up by calls that go over their time: models are loaded in them."""
SECONDS_OF_SILENCE = 60.0
"""Of the clock on the wall: after so long at the same rows, and twice as long each time, a person is told."""

_to_load = dict[Hashable, float]()
"""Seconds of CPU that the scorers called in this process have left for that."""
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
        own = self.deadline * (1 + (rows - 1) / ROWS_A_DEADLINE)
        left = _to_load.setdefault(self._key, LOADING * self.deadline)
        self._at, self._allowed = (first, rows), own + left
        self._since, self._begun = time.monotonic(), time.thread_time()
        over = self._begun + own
        try:
            try:
                return work()
            finally:
                self._begun = None
                _to_load[self._key] = left - min(left, max(0.0, time.thread_time() - over))
        except _Interrupt:  # in the `finally` too, which it may have cut short
            self._begun = None
            if self is not _running:
                raise  # the time of a scorer further out, which calls this one
            _to_load[self._key] = 0.0
            raise TooLate from None

    def look(self) -> None:
        """In the thread that judges: interrupt it where it is; once more after as long, should it have swallowed that."""
        now = time.thread_time()
        if self._is_over(now):
            self._begun = now
            raise _Interrupt

    def watch(self, judging: int, done: threading.Event, *, tick: float) -> None:
        """Beside the thread that judges, until it is done: ring for it when its time is over, and tell a person that it takes long."""
        seconds, silence = time.pthread_getcpuclockid(judging), SECONDS_OF_SILENCE
        while not done.wait(tick):
            if self._is_over(time.clock_gettime(seconds)):
                signal.pthread_kill(judging, signal.SIGVTALRM)
            if self._begun is not None and time.monotonic() - self._since > silence:
                silence *= 2
                self._tell()

    def _is_over(self, now: float) -> bool:
        begun = self._begun
        return begun is not None and now - begun > self._allowed

    def _tell(self) -> None:
        (first, rows), taken = self._at, time.monotonic() - self._since
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
    watching = {"judging": threading.get_ident(), "done": done, "tick": tick}
    threading.Thread(target=clock.watch, kwargs=watching, name="dataengine-deadline", daemon=True).start()
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
