"""How far a server's clock is ahead of ours, by the Date of its replies: answers are compared by when they were given."""

from __future__ import annotations

from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

AGREE = 5.0
"""Seconds that clocks may differ and are taken as one: nobody answers the same item in two places within them."""
STALE = 2.0
"""Seconds that a Date may be old when it is sent: it has whole ones, and servers write it once in a second."""


class Clock:
    """The smallest difference that all replies agree with; none before the first reply."""

    def __init__(self) -> None:
        self._least, self._most = float("-inf"), float("inf")

    def hear(self, date: str | None, *, asked: float, heard: float) -> None:
        """Take in one reply's Date; by our clock (seconds since 1970) it was asked for and heard then."""
        try:
            found = parsedate_to_datetime(date or "")
        except ValueError:
            return
        stamped = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        least, most = stamped - heard, stamped + STALE - asked
        together = max(least, self._least), min(most, self._most)
        self._least, self._most = together if together[0] <= together[1] else (least, most)  # else a clock was set meanwhile

    @property
    def ahead(self) -> timedelta:
        """What is to be taken off the server's times."""
        seconds = max(self._least, min(0.0, self._most))
        return timedelta(seconds=seconds) if abs(seconds) > AGREE else timedelta(0)
