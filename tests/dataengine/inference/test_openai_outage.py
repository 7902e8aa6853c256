"""Servers that are there and answer nobody: patience is one clock for all that wait, and while it runs a person is told."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest
from aiohttp import web

from dataengine.errors import Stopped
from dataengine.inference.endpoint import Endpoint
from dataengine.inference.endpoints import Endpoints
from dataengine.inference.failures import Failure
from dataengine.inference.openai import OpenAIEngine
from dataengine.inference.outage import Outage
from tests.dataengine.inference.bad_server import Asked, Broken, completion, failing, serving
from tests.dataengine.inference.openai_asked import SAMPLING, ask, engine_of, first_then, only

LONG = 120.0
"""Seconds after which a stop comes too late, on however slow a machine; what was asked in turn would take an hour."""


def ask_in_time(engine: OpenAIEngine, prompts: list[str]) -> None:
    """All at the same time; TimeoutError where nothing comes of it."""

    async def one(prompt: str) -> None:
        async for _ in engine.respond(prompt, SAMPLING, range(1)):
            pass

    async def everything() -> None:
        async with asyncio.timeout(LONG):
            await asyncio.gather(*(one(prompt) for prompt in prompts))

    try:
        asyncio.run(everything())
    finally:
        engine.close()


def broken(asked: Asked) -> Any:
    """What one server said that was broken: overload now and then, an error page, a cut connection, garbage."""
    kind = asked.number % 7
    if kind == 3:
        return failing(429, "slow down", **{"Retry-After": "0.1"})
    if kind == 5:
        raise Broken
    return web.Response(text="not json at all") if kind % 2 else failing(500, "oops")


def test_a_broken_server_ends_the_patience_of_all_that_wait_for_it() -> None:
    with serving(broken) as server:
        engine = engine_of(server, patience=3.0, in_flight=1)
        with pytest.raises(Stopped, match="nobody has answered for") as stopped:
            ask_in_time(engine, [f"prompt {number}" for number in range(128)])
    assert "with a patience of 3 s" in str(stopped.value)
    assert f"Last: {server.url} " in str(stopped.value)
    assert "What was answered is kept" in str(stopped.value)
    again = re.search(r" wait, (\d+) were asked again", str(stopped.value))
    assert again is not None
    assert engine.spent.asked_again >= int(again.group(1)) > 0


def test_an_overloaded_server_that_lets_nobody_in_ends_it_as_well() -> None:
    with serving(lambda asked: failing(503, "no room")) as server, pytest.raises(Stopped, match="503: no room"):
        ask_in_time(engine_of(server, patience=2.0), [f"prompt {number}" for number in range(128)])


def test_nobody_there_is_one_clock_for_all_and_names_no_encryption() -> None:
    with serving(lambda asked: completion()) as server:
        pass
    with pytest.raises(Stopped, match="Cannot connect to host") as stopped:
        ask_in_time(engine_of(server, patience=2.0), [f"prompt {number}" for number in range(128)])
    assert "ssl" not in str(stopped.value)


def test_answers_now_and_then_keep_patience_alive() -> None:
    with serving(lambda asked: completion() if asked.number % 2 else failing(429)) as server:
        found = ask(engine_of(server, patience=60.0), *map(str, range(12)))
    assert len(found) == 12


def failed(outage: Outage, *times: float) -> None:
    for at in times:
        outage.failed("http://a 500: oops", asked_at=at, now=at)


async def of_an_outage(outage: Outage) -> None:
    with outage.request():
        failed(outage, 100.0, 110.0)
        assert outage.lasts(500.0) == 0.0, "too little was tried"
        failed(outage, 120.0)
        assert outage.lasts(161.0) == 61.0, "since the first failure"
        with outage.attempt(130.0):
            assert outage.lasts(159.0) == 59.0
            assert outage.lasts(161.0) == 0.0, "a server has worked at one for half of the patience"
        outage.answered(170.0)
        assert outage.lasts(900.0) == 0.0
        failed(outage, 200.0, 210.0, 220.0)
        assert outage.lasts(261.0) == 61.0, "since the first failure after the answer"
    with outage.request():
        assert outage.lasts(900.0) == 0.0, "nobody asked for a while"


def test_the_clock_runs_from_the_first_failure_after_the_last_answer_unless_a_server_is_at_work() -> None:
    asyncio.run(of_an_outage(Outage(60.0)))


def test_requests_that_fail_together_count_once() -> None:
    async def together() -> None:
        outage = Outage(60.0)
        with outage.request():
            for at in (101.0, 102.0, 103.0):
                outage.failed("http://a went away", asked_at=100.0, now=at)
            assert outage.lasts(900.0) == 0.0

    asyncio.run(together())


def test_the_time_in_which_servers_are_started_is_no_part_of_the_clock() -> None:
    endpoint = Endpoint("http://a/v1", limit=1, slowest=5)
    endpoints, tries = Endpoints([endpoint], patience=4.0, advice="wait"), 0

    async def dies_four_times(_: Endpoint, late: int) -> str:
        nonlocal tries
        tries += 1
        if tries == 5:
            return "four"
        if tries == 3:
            endpoint.up = False
            asyncio.get_running_loop().call_later(4.5, is_up)
        raise Failure("went away")

    def is_up() -> None:
        endpoint.up = True
        endpoints.wake()

    found, _ = asyncio.run(endpoints.ask(dies_four_times))
    assert found == "four"


def test_while_servers_fail_a_line_says_so_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("dataengine.inference.outage.FIRST_LINE", 0.2)
    monkeypatch.setattr("dataengine.inference.outage.BETWEEN_LINES", 1.0)
    began = time.monotonic()
    with serving(lambda asked: failing(500, "oops")) as server, pytest.raises(Stopped):
        ask_in_time(engine_of(server, patience=3.0, in_flight=1), list("abcdefgh"))
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: servers fail")]
    assert 1 <= len(lines) <= time.monotonic() - began + 1
    assert " wait, " in lines[0]
    assert " were asked again. Last: " in lines[0]
    assert lines[0].endswith(f"{server.url} 500: oops")


def test_of_a_failure_among_many_answers_nothing_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("dataengine.inference.outage.FIRST_LINE", 0.05)

    async def mostly_good() -> None:
        outage = Outage(60.0)
        with outage.request():
            failed(outage, 1.0)
            for _ in range(20):
                outage.answered(2.0)
            await asyncio.sleep(0.3)
            assert capsys.readouterr().err == ""
            failed(outage, 3.0)
            while "servers fail" not in (said := capsys.readouterr().err):
                await asyncio.sleep(0.01)
            assert "failures" in said

    asyncio.run(asyncio.wait_for(mostly_good(), LONG))


def test_a_line_comes_while_a_server_wants_a_long_rest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("dataengine.inference.outage.FIRST_LINE", 0.1)
    monkeypatch.setattr("dataengine.inference.outage.BETWEEN_LINES", 0.3)
    with serving(first_then([lambda asked: failing(429, **{"Retry-After": "2"})], lambda asked: completion())) as server:
        only(engine_of(server, patience=30.0))
    assert capsys.readouterr().err.count("warning: servers fail") >= 2
