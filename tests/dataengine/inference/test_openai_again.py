"""What the engine `openai` asks again, elsewhere or more slowly, and when it stops: servers on loopback that fail in every way known."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataengine.errors import Stopped
from dataengine.inference.endpoint import Endpoint, new_session
from dataengine.inference.engine import Sampling
from dataengine.inference.failures import Failure
from dataengine.inference.openai import OpenAIEngine
from dataengine.inference.served_tokens import ServedTokens
from dataengine.machine import OpenAI
from tests.dataengine.inference.bad_server import Asked, Broken, completion, failing, serving
from tests.dataengine.inference.openai_asked import SAMPLING, ask, engine_of, first_then, only

BASE = Path(__file__).resolve().parents[3] / "dataengine" / "recipes" / "tiny_base" / "base"


@pytest.mark.parametrize(
    "bad",
    [
        failing(500),
        failing(502),
        failing(503),
        failing(504),
        failing(429, **{"Retry-After": "0.2"}),
        failing(408),
        web.Response(text="<html>bad gateway</html>", content_type="text/html"),
        web.Response(text='{"choices": [{"text": "ha', content_type="application/json"),
        web.Response(text="", content_type="application/json"),
        web.json_response([]),
        web.json_response(None),
        web.json_response({"choices": []}),
        web.json_response({"usage": {}}),
        web.json_response({"choices": [{"finish_reason": "stop"}]}),
        web.json_response({"choices": [{"text": 5, "finish_reason": "stop"}]}),
        web.json_response({"choices": [{"text": "ha"}]}),
        web.json_response({"choices": ["ha"]}),
        web.json_response({"error": {"message": "out of memory"}}),
        completion("ha", finish=None),
        completion("ha", finish="abort"),
        completion("ha", finish="error"),
        Broken,
    ],
    ids=lambda bad: (
        str(getattr(bad, "status", "")) + str(getattr(bad, "text", ""))[:30] if isinstance(bad, web.Response) else repr(bad)[:30]
    ),
)
def test_what_is_the_servers_fault_is_asked_again(bad: Any) -> None:
    def copied() -> Any:  # a response object is sent once
        if not isinstance(bad, web.Response):
            return bad
        return web.Response(status=bad.status, body=bad.body, headers={k: v for k, v in bad.headers.items() if k != "Content-Length"})

    with serving(first_then([copied(), copied()], lambda asked: completion("four"))) as server:
        engine = engine_of(server)
        assert only(engine).text == "four"
    assert len(server.asked) == 3
    assert engine.spent.asked_again == 2


def test_a_connection_that_ends_in_the_middle_of_a_reply_is_asked_again() -> None:
    async def half(asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
        await response.prepare(asked.request)
        await response.write(b'{"choices": [{"te')
        raise Broken

    with serving(first_then([half], lambda asked: completion("four"))) as server:
        assert only(engine_of(server)).text == "four"


def test_a_server_that_accepts_and_sends_nothing_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataengine.inference.pace.FIRST_SECONDS", 0.5)

    async def silent(asked: Asked) -> None:
        await asyncio.sleep(100)

    with serving(silent) as dead, serving(lambda asked: completion("four")) as alive:
        found = ask(engine_of(dead, alive, slowest=100), *"abcdefgh")
    assert [response.text for _, response in found] == ["four"] * 8
    assert dead.asked
    assert dead.cancelled == len(dead.asked)


def test_what_failed_here_is_asked_elsewhere() -> None:
    with serving(lambda asked: failing(500)) as bad, serving(lambda asked: completion("four")) as good:
        began = time.monotonic()
        found = ask(engine_of(bad, good), *map(str, range(30)))
    assert len(found) == 30
    assert len(good.asked) == 30
    assert time.monotonic() - began < 10


def test_after_patience_the_run_stops_and_says_why() -> None:
    with serving(lambda asked: failing(500, "the GPU fell off")) as server, pytest.raises(Stopped, match="the GPU fell off") as stopped:
        only(engine_of(server, patience=1.0))
    assert server.url in str(stopped.value)
    assert "kept" in str(stopped.value)


def test_a_prompt_that_fails_every_time_is_named_and_the_way_out_as_well() -> None:
    def answer(asked: Asked) -> Any:
        if asked.prompt == "bad 17":
            return failing(500)
        return completion()

    async def busy(asked: Asked) -> Any:
        await asyncio.sleep(0.1)
        return answer(asked)

    named = pytest.raises(Stopped, match=r"the prompt 'bad 17'.*leave it out of the data")
    with serving(busy) as server, named:
        ask(engine_of(server, patience=1.0, in_flight=2), "bad 17", *map(str, range(60)))


def test_one_dead_server_of_several_does_not_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataengine.inference.openai.LEARN_SECONDS", 0.5)
    with serving(lambda asked: completion()) as dead:
        pass

    def answer(asked: Asked) -> dict:
        ids = asked.prompt if isinstance(asked.prompt, list) else []
        return completion("four", prompt_tokens=len(ids), token_ids=[270])

    with serving(answer) as alive:
        addresses = OpenAI(urls=(dead.url, alive.url), patience=300.0)
        engine = OpenAIEngine(addresses, model="tiny", revision="r", tokens=ServedTokens(BASE))
        response = only(engine)
    assert list(response.token_ids) == [270]
    assert isinstance(alive.asked[-1].prompt, list)


def test_a_connection_that_is_not_made_in_time_is_no_late_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataengine.inference.endpoint.CONNECT_SECONDS", 0.2)
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # nobody accepts: the queue is full
            each = waiting.enter_context(socket.socket())
            each.settimeout(0)
            each.connect_ex(full.getsockname())

        async def connect() -> None:
            session = new_session()
            endpoint = Endpoint(f"http://127.0.0.1:{full.getsockname()[1]}/v1", limit=1, slowest=5)
            try:
                await endpoint.post(session, "/completions", b"{}", deadline=6583.0)
            finally:
                await session.close()

        with pytest.raises(Failure, match="ConnectionTimeoutError") as failure:
            asyncio.run(connect())
    assert not failure.value.late


def test_a_request_that_is_ended_from_here_is_no_late_answer() -> None:
    async def silent(asked: Asked) -> None:
        await asyncio.sleep(100)

    async def dropped(url: str) -> None:
        session, endpoint = new_session(), Endpoint(url, limit=1, slowest=5)
        asyncio.get_running_loop().call_later(0.2, endpoint.drop)
        try:
            await endpoint.post(session, "/completions", b"{}", deadline=100.0)
        finally:
            await session.close()

    with serving(silent) as server, pytest.raises(Failure, match="went away") as failure:
        asyncio.run(dropped(server.url))
    assert not failure.value.late


def test_nobody_there_stops_the_run_after_patience() -> None:
    with serving(lambda asked: completion()) as server:
        pass
    with pytest.raises(Stopped, match="Connect"):
        only(engine_of(server, patience=1.0))


def test_an_https_address_of_a_plain_port_says_so() -> None:
    with serving(lambda asked: completion()) as server:
        engine = OpenAIEngine(OpenAI(urls=(server.url.replace("http", "https"),), patience=0.1), model="tiny", revision="r1")
        with pytest.raises(Stopped, match=f"may speak plain http: try {server.url}"):
            only(engine)


def test_a_page_for_people_is_named_as_one() -> None:
    def login(asked: Asked) -> web.Response:
        return web.Response(text="<html>Log in</html>", content_type="text/html")

    with serving(login) as server, pytest.raises(Stopped, match=r"a page for people.*login.*<html>Log in"):
        only(engine_of(server, patience=0.1))


def test_retry_after_in_seconds_is_honoured() -> None:
    with serving(first_then([lambda asked: failing(429, **{"Retry-After": "1.5"})], lambda asked: completion())) as server:
        only(engine_of(server))
    assert server.asked[1].at - server.asked[0].at >= 1.5


def test_retry_after_as_a_date_is_read_by_the_servers_clock() -> None:
    def busy(asked: Asked) -> web.Response:
        now = 1_000_000_000  # a server whose clock is decades behind ours
        return failing(503, **{"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + 2, usegmt=True)})

    with serving(first_then([busy], lambda asked: completion())) as server:
        only(engine_of(server))
    assert 2.0 <= server.asked[1].at - server.asked[0].at < 6


def test_a_server_that_asks_for_a_longer_rest_than_our_patience_stops_the_run_at_once() -> None:
    began = time.monotonic()
    with serving(lambda asked: failing(429, **{"Retry-After": "3600"})) as server, pytest.raises(Stopped, match=r"rest of 3,\d\d\d s"):
        only(engine_of(server, patience=60))
    assert time.monotonic() - began < 5


def test_an_empty_account_stops_the_run_at_once() -> None:
    def broke(asked: Asked) -> web.Response:
        return web.json_response({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, status=429)

    with serving(broke) as server, pytest.raises(Stopped, match="no credit left"):
        only(engine_of(server))
    assert len(server.asked) == 1


def test_requests_a_minute_are_kept() -> None:
    with serving(lambda asked: completion()) as server:
        ask(engine_of(server, requests_per_minute=600), *map(str, range(45)))
    times = [asked.at for asked in server.asked]
    assert times[-1] - times[0] >= (45 - 600 / 20) / 10 * 0.9  # a twentieth of a minute's at once, then under ten a second


def test_tokens_a_minute_are_kept() -> None:
    with serving(lambda asked: completion(prompt_tokens=50, tokens=50)) as server:
        ask(engine_of(server, tokens_per_minute=12_000, in_flight=1), *map(str, range(20)), sampling=Sampling(max_tokens=50))
    times = [asked.at for asked in server.asked]
    assert times[-1] - times[0] >= (19 * 100 - 12_000 / 20 - 100) / 200 * 0.8


def test_no_more_requests_are_open_than_was_said() -> None:
    async def slow(asked: Asked) -> dict:
        await asyncio.sleep(0.02)
        return completion()

    with serving(slow) as server:
        ask(engine_of(server, in_flight=5), *map(str, range(40)))
    assert server.most_open == 5


def test_an_overloaded_server_is_asked_less_at_once() -> None:
    async def answer(asked: Asked) -> Any:
        await asyncio.sleep(0.02)
        return failing(429) if server.open_now > 4 else completion()

    with serving(answer) as server:
        engine = engine_of(server, in_flight=64)
        assert len(ask(engine, *map(str, range(150)))) == 150
    assert engine.capacity < 64


@given(st.integers(0, 2**32), st.integers(1, 3), st.floats(0, 0.6))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_fails_each_asked_sample_comes_exactly_once(seed: int, servers: int, rate: float) -> None:
    """Any mix of failures at any of the servers: every sample once, with the text that its seed asks for, or Stopped."""
    draw = random.Random(seed)

    def answer(asked: Asked) -> Any:
        good = completion(str(asked.body["seed"]))
        if draw.random() >= rate:
            return good
        html, rest = web.Response(text="<html>"), {"Retry-After": "0.05"}
        bad = [failing(500), failing(429), failing(503, **rest), html, completion("x", finish=None), Broken]
        chosen = draw.choice(bad)
        if chosen is Broken:
            raise Broken
        return chosen

    prompts = [f"p{number}" for number in range(12)]
    with serving(answer) as a, serving(answer) as b, serving(answer) as c:
        try:
            found = ask(engine_of(*[a, b, c][:servers], patience=4.0), *prompts, samples=3)
        except Stopped:
            return
    assert sorted((prompt, response.sample) for prompt, response in found) == [(p, s) for p in sorted(prompts) for s in range(3)]
    assert all(int(response.text) == SAMPLING.seed_of(prompt, response.sample) % 2**31 for prompt, response in found)
