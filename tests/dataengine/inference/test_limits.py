"""Rates and deadlines, on a clock of the test's own."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.inference.bucket import Bucket
from dataengine.inference.endpoint import Endpoint
from dataengine.inference.engine import Sampling
from dataengine.inference.failures import Failure, context_in, retry_after
from dataengine.inference.pace import ENOUGH, Pace
from dataengine.machine import OpenAI, Vllm


@given(st.floats(2, 10_000), st.lists(st.floats(0, 5), max_size=200))
def test_no_minute_holds_more_than_was_promised(per_minute: float, pauses: list[float]) -> None:
    bucket, now, taken = Bucket(per_minute), 0.0, []
    for pause in pauses:
        now += pause
        now += bucket.wait(1, now)
        bucket.take(1, now)
        taken.append(now)
    for start in taken:
        assert sum(start <= at < start + 60 for at in taken) <= per_minute + 1


def test_what_is_more_than_the_bucket_holds_leaves_a_debt() -> None:
    bucket = Bucket(600)
    assert bucket.wait(1000, 0.0) == 0.0
    bucket.take(1000, 0.0)
    assert bucket.wait(1, 0.0) == pytest.approx((1000 - 30 + 1) / 9.5)


def test_no_limit_never_waits() -> None:
    bucket = Bucket(0)
    bucket.take(1e9, 0.0)
    assert bucket.wait(1e9, 0.0) == 0.0


def test_a_deadline_follows_the_measured_pace_and_doubles_when_it_was_missed() -> None:
    pace = Pace(slowest=5)
    assert pace.deadline(100) == 30 + 100 / 5
    for _ in range(ENOUGH):
        pace.note(2.0, 100)
    assert pace.deadline(100) == pytest.approx(30 + 4 * 2.0)
    assert pace.deadline(100, late=2) == pytest.approx(4 * (30 + 4 * 2.0))


def test_a_server_that_is_dead_for_days_rests_half_a_minute_each_time() -> None:
    dead, now = Endpoint("http://a/v1", limit=4, slowest=5), 0.0
    for _ in range(3000):
        now = dead.rests_until + 1
        dead.failed(Failure("refused"), asked_at=now, now=now)
    assert dead.rests_until == now + 30.0
    assert dead.pace.deadline(100, late=3000) < math.inf


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: -1} for name in ("requests_per_minute", "tokens_per_minute", "price_in", "price_out", "patience")),
        *({name: 0} for name in ("in_flight", "slowest", "silent_seconds")),
        {"slowest": math.nan},
    ],
    ids=str,
)
def test_a_limit_that_cannot_be_kept_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"--openai\.{next(iter(wrong))} is .*got"):
        OpenAI(**wrong)


@pytest.mark.parametrize("name", ["tensor_parallel", "sequences", "start_seconds", "silent_seconds"])
def test_settings_of_servers_are_numbers_that_can_be(name: str) -> None:
    wrong: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=rf"--vllm\.{name} is"):
        Vllm(**wrong)


@pytest.mark.parametrize("wrong", [{"stop": ("",)}, {"stop": "</answer>"}, {"temperature": math.nan}, {"temperature": math.inf}], ids=str)
def test_sampling_that_would_cut_everything_or_draw_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="sampling wants"):
        Sampling(**wrong)


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after({"Retry-After": "1.5"}) == 1.5
    assert retry_after({"Retry-After": "-3"}) == 0.0
    assert retry_after({"Retry-After": "soon"}) == retry_after({}) == 0.0
    dates = {"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert retry_after(dates) == 30.0


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (
            "This model's maximum context length is 4097 tokens. You asked for 5000 tokens (97 in the messages, 4903 made).",
            (4097, 97),
        ),
        ("maximum context length is 32,768 tokens and your prompt contains at least 1,213 input tokens", (32768, 1213)),
        ("no", None),
    ],
)
def test_context_and_prompt_are_read_from_what_servers_say(said: str, found: tuple[int, int] | None) -> None:
    assert context_in(said) == found
