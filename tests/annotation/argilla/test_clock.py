"""How far a server's clock is ahead: the smallest difference that all its replies agree with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from annotation.argilla.clock import Clock

NOW = 1_795_000_000.0


def date(seconds: float) -> str:
    """As servers write it: whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize("ahead", [-36_000.0, -601.5, -9.5, 0.0, 6.5, 600.4])
def test_a_difference_is_known_within_the_seconds_of_a_date(ahead: float) -> None:
    clock = Clock()
    for step in range(20):
        asked = NOW + 0.37 * step
        clock.hear(date(asked + 0.05 + ahead), asked=asked, heard=asked + 0.1)
    assert abs(clock.ahead.total_seconds() - ahead) <= 2.5
    assert clock.ahead or abs(ahead) < 6


def test_a_reply_that_takes_long_tells_no_difference() -> None:
    clock = Clock()
    clock.hear(date(NOW), asked=NOW - 60, heard=NOW + 60)
    assert clock.ahead == timedelta(0)


@pytest.mark.parametrize("told", [None, "", "yesterday", "-1"])
def test_a_server_that_says_no_date_has_our_clock(told: str | None) -> None:
    clock = Clock()
    clock.hear(told, asked=NOW, heard=NOW)
    assert clock.ahead == timedelta(0)


def test_a_clock_that_is_set_meanwhile_is_heard_anew() -> None:
    clock = Clock()
    for ahead in (0, 900):
        clock.hear(date(NOW + ahead), asked=NOW, heard=NOW + 0.1)
    assert abs(clock.ahead.total_seconds() - 900) <= 2.5
