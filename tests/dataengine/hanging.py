"""Scorers for tests of deadlines: they hang over the rows that tell them to, each in its way."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
from types import FrameType

import polars as pl

from dataengine.score import Score, batch_scorer, scorer

DEADLINE = 0.1
CATASTROPHE = re.compile(r"(a+)+b")


def _obey(response: str) -> None:
    match response.partition(" ")[0]:
        case "loop":
            while True:
                pass
        case "stubborn":
            while True:
                with contextlib.suppress(Exception):
                    time.perf_counter()
        case "system":
            block = bytearray(1 << 24)
            with open("/dev/zero", "rb", buffering=0) as zeros:  # noqa: PTH123  # unbuffered
                while True:
                    zeros.readinto(block)
        case "regex":
            CATASTROPHE.match("a" * 64)
        case "sleep":
            time.sleep(3 * DEADLINE)


@scorer(deadline=DEADLINE)
def row_by_row(response: str) -> Score:
    """Judges one row at a time."""
    _obey(response)
    return Score(1.0, f"read {response}")


@batch_scorer(deadline=DEADLINE)
def together(response: pl.Series) -> list[Score]:
    """Judges all rows of a call."""
    found = []
    for text in response:
        _obey(text)
        found.append(Score(1.0, f"read {text}"))
    return found


@batch_scorer(deadline=DEADLINE)
def through_another(response: pl.Series) -> list[Score]:
    """Asks another scorer, as rewards do."""
    return [Score(row["value"], row["reason"]) for row in row_by_row.score(pl.DataFrame({"response": response}))]


@batch_scorer(deadline=DEADLINE)
def heavy(response: pl.Series) -> list[Score]:
    """Takes longer over many rows than over one, though none of them hangs."""
    until = time.thread_time() + len(response) * DEADLINE / 30
    while time.thread_time() < until:
        pass
    return [Score(1.0, f"read {text}") for text in response]


@scorer(deadline=DEADLINE)
def loads_late(response: str) -> Score:
    """Takes its time over the first row of a process that has anything to judge."""
    if response and not _loaded:
        until = time.thread_time() + 4 * DEADLINE
        while time.thread_time() < until:
            pass
        _loaded.append(response)
    return Score(1.0, f"read {response}")


_loaded: list[str] = []


@scorer(deadline=DEADLINE)
def with_an_alarm(response: str) -> Score:
    """Has a limit of its own, by the signal that everybody takes for that."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        _obey(response)
    except TimeoutError:
        return Score(0.0, "its own alarm")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return Score(1.0, f"read {response}")


@scorer(deadline=DEADLINE)
def in_a_thread(response: str) -> Score:
    """Works in a thread of its own, and busily."""

    def work() -> None:
        until = time.thread_time() + 2 * DEADLINE
        while time.thread_time() < until:
            pass

    if response == "busy":
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    return Score(1.0, f"read {response}")
