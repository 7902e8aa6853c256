"""How long nobody has answered, whoever waits for whom, and what a person is told while servers fail."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from dataengine.progress import say

ROUNDS = 3
"""Failures one after the other, at least, before patience can end: with long deadlines one attempt may take longer than that."""
HOPE = 0.5
"""A request that has been open for this part of the patience is one that a server works at: as long as one is, patience does not end."""
LAST_ERRORS = 3
FIRST_LINE = 10.0
"""Seconds that servers have failed before anybody is told: most failures are over by then."""
BETWEEN_LINES = 30.0
EVERYDAY = 0.1
"""Failures, as a part of all that was asked, of which nothing is said while others are answered, or may be."""


class Outage:
    """One clock for all requests of an engine: it runs from the first failure or the last answer, whichever was later."""

    def __init__(self, patience: float) -> None:
        self.again = 0
        """Requests that were asked again."""
        self.last_answer = 0.0
        self._patience = patience
        self._under_way = self._rounds = self._failed = self._answered = 0
        self._open: dict[object, float] = {}
        """Requests that a server has now, and since when."""
        self._since: float | None = None
        self._failed_at = self._told_at = 0.0
        self._errors: deque[str] = deque(maxlen=LAST_ERRORS)
        self._line: asyncio.TimerHandle | None = None

    @contextmanager
    def request(self) -> Iterator[None]:
        """One that is under way until it is answered; the clock of an engine that nobody asks does not run."""
        if not self._under_way:
            self.begin_anew()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    @contextmanager
    def attempt(self, now: float) -> Iterator[None]:
        """While a server has the request."""
        this = object()
        self._open[this] = now
        try:
            yield
        finally:
            del self._open[this]

    def begin_anew(self) -> None:
        """What failed before says nothing any more: servers were started, or nothing was asked."""
        self._since, self._rounds = None, 0

    def answered(self, now: float) -> None:
        """Somebody was."""
        self.begin_anew()
        self.last_answer = now
        self._answered += 1

    def failed(self, error: str, *, asked_at: float, now: float) -> None:
        """Somebody was not; requests that were open at the same time count once."""
        if self._since is None:
            self._since = now
        if asked_at >= self._failed_at or not self._rounds:
            self._rounds, self._failed_at = self._rounds + 1, now
        self._tell_later()
        self._failed += 1
        self._errors.append(error)

    def lasts(self, now: float) -> float:
        """Seconds without an answer to anybody; 0 while a server may still be at work, or where too little was tried."""
        if self._since is None or self._rounds < ROUNDS:
            return 0.0
        oldest = min(self._open.values(), default=now)
        return 0.0 if now - oldest > HOPE * self._patience else now - self._since

    def said(self) -> str:
        """How many requests wait, and the last errors, each with its address."""
        return f"{self._waiting()}. Last: {'; '.join(dict.fromkeys(self._errors))}"

    def _waiting(self) -> str:
        return f"{self._under_way - len(self._open):,} wait, {self.again:,} were asked again"

    def _tell_later(self) -> None:
        if self._line is None:
            loop = asyncio.get_running_loop()
            now = loop.time()
            self._failed = self._answered = 0
            self._line = loop.call_at(max(now + FIRST_LINE, self._told_at + BETWEEN_LINES), self._tell, now)

    def _tell(self, since: float) -> None:
        """One line, and the next one later while nobody has been answered."""
        self._line = None
        if not self._under_way or self._failed < EVERYDAY * (self._failed + self._answered + len(self._open)):
            return
        self._told_at = asyncio.get_running_loop().time()
        seen = f"failures in the last {self._told_at - since:.0f} s: {self._failed:,}, answers: {self._answered:,}"
        say(f"warning: servers fail ({seen}); {self._waiting()}. Last: {self._errors[-1]}")
        if self._since is not None:
            self._tell_later()
