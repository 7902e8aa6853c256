"""The engine `openai` against real HTTP servers on loopback that misbehave in every way we know of."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataengine.errors import Stopped
from dataengine.inference.engine import Response, Sampling
from dataengine.inference.openai import OpenAIEngine
from dataengine.machine import OpenAI
from dataengine.messages import MESSAGES
from tests.dataengine.inference.bad_server import Asked, BadServer, Broken, chat, completion, event_stream, failing, serving

SAMPLING = Sampling(max_tokens=16)


def engine_of(*servers: BadServer, **settings: Any) -> OpenAIEngine:
    urls = tuple(server.url for server in servers)
    return OpenAIEngine(OpenAI(urls=urls, **{"patience": 20.0, **settings}), model="tiny", revision="r1")


def ask(engine: OpenAIEngine, *prompts: str, samples: int = 1, sampling: Sampling = SAMPLING) -> list[tuple[str, Response]]:
    """All responses to all prompts, asked for at the same time; the engine is closed."""
    found: list[tuple[str, Response]] = []

    async def one(prompt: str) -> None:
        async with aclosing(engine.respond(prompt, sampling, range(samples))) as answers:  # type: ignore[type-var]
            async for response in answers:
                found.append((prompt, response))

    async def everything() -> None:
        await asyncio.gather(*(one(prompt) for prompt in prompts))

    try:
        asyncio.run(everything())
    finally:
        engine.close()
    return found


def only(engine: OpenAIEngine, prompt: str = "2+2?", sampling: Sampling = SAMPLING) -> Response:
    ((_, response),) = ask(engine, prompt, sampling=sampling)
    return response


def first_then(first: Sequence[Any], then: Callable[[Asked], Any]) -> Callable[[Asked], Any]:
    """Answers the first requests with what is listed (exceptions are raised), all later ones with `then`."""

    def answer(asked: Asked) -> Any:
        given = first[asked.number] if asked.number < len(first) else then(asked)
        given = given(asked) if callable(given) and not isinstance(given, type) else given
        if given is Broken:
            raise Broken
        return given

    return answer


def test_a_response_has_text_tokens_reason_and_cost() -> None:
    with serving(lambda asked: completion("four")) as server:
        engine = engine_of(server, price_in=1.0, price_out=10.0)
        response = only(engine)
    assert (response.text, response.finish_reason, response.prompt_tokens) == ("four", "stop", 3)
    assert list(response.token_ids) == [-1, -1]
    assert all(math.isnan(value) for value in response.logprobs)
    assert (engine.spent.responses, engine.spent.prompt_tokens, engine.spent.response_tokens) == (1, 3, 2)
    assert engine.spent.money == pytest.approx((3 * 1.0 + 2 * 10.0) / 1e6)


def test_every_sample_is_a_request_of_its_own_with_a_seed_of_its_own() -> None:
    with serving(lambda asked: completion(str(asked.body["seed"]))) as server:
        found = ask(engine_of(server), "a", "b", samples=4)
    assert sorted((prompt, response.sample) for prompt, response in found) == [(p, s) for p in "ab" for s in range(4)]
    assert {(p, r.sample, int(r.text)) for p, r in found} == {(p, s, SAMPLING.seed_of(p, s) % 2**31) for p in "ab" for s in range(4)}


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


def test_nobody_there_stops_the_run_after_patience() -> None:
    with serving(lambda asked: completion()) as server:
        pass
    with pytest.raises(Stopped, match="Connect"):
        only(engine_of(server, patience=1.0))


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


def test_one_bad_prompt_is_refused_and_the_others_are_answered() -> None:
    def answer(asked: Asked) -> Any:
        return failing(400, "I do not like this") if asked.prompt == "bad" else completion("four")

    with serving(answer) as server:
        found = dict(ask(engine_of(server), "good", "bad", "fine"))
    assert {prompt: response.finish_reason for prompt, response in found.items()} == {"good": "stop", "bad": "refused", "fine": "stop"}
    assert found["bad"].text == ""


def test_the_very_first_prompt_may_be_the_bad_one() -> None:
    def answer(asked: Asked) -> Any:
        return failing(400, "I do not like this") if asked.prompt == "bad" else completion("four")

    with serving(answer) as server:
        assert only(engine_of(server), "bad").finish_reason == "refused"
    assert [asked.prompt for asked in server.asked] == ["bad", "Hello"]


@pytest.mark.parametrize("finish", ["content_filter", "refusal"])
def test_a_content_filter_refuses(finish: str) -> None:
    with serving(lambda asked: completion("", finish=finish)) as server:
        assert only(engine_of(server)).finish_reason == "refused"


def test_a_400_that_hits_everything_is_our_mistake() -> None:
    refused = pytest.raises(ValueError, match=r"refuses everything.*temperature is not supported.*temperature=1")
    with serving(lambda asked: failing(400, "temperature is not supported")) as server, refused:
        ask(engine_of(server), "a", "b", "c")


def test_a_server_that_turns_to_refusing_everything_is_not_put_down_to_the_prompts() -> None:
    def answer(asked: Asked) -> Any:
        return completion() if asked.number < 5 else failing(400, "no more")

    with serving(answer) as server, pytest.raises(ValueError, match="refuses everything"):
        ask(engine_of(server, in_flight=1), *map(str, range(60)))
    assert len(server.asked) < 30


def test_a_prompt_that_does_not_fit_is_too_long() -> None:
    def answer(asked: Asked) -> Any:
        long = f"This model's maximum context length is 100 tokens. However, your prompt contains {len(asked.prompt)} input tokens"
        return failing(400, long) if len(asked.prompt) > 50 else completion("four")

    with serving(answer) as server:
        found = dict(ask(engine_of(server), "x" * 120, "short"))
    assert {response.finish_reason for response in found.values()} == {"prompt_too_long", "stop"}


def test_a_prompt_that_fits_only_with_a_shorter_response_is_asked_for_what_there_is_room_for() -> None:
    def answer(asked: Asked) -> Any:
        size, most = len(asked.prompt), asked.body["max_tokens"]
        if size + most > 100:
            return failing(400, f"maximum context length is 100 tokens, you requested {most} and your prompt has {size} input tokens")
        return completion("cut", finish="length", tokens=most)

    with serving(answer) as server:
        response = only(engine_of(server), "x" * 90, Sampling(max_tokens=60))
    assert (response.finish_reason, len(response.token_ids)) == ("length", 10)


def test_a_context_that_cannot_hold_what_is_asked_is_our_mistake() -> None:
    said = (
        "This model's maximum context length is 100 tokens. However, you requested 2005 tokens (5 in the messages, 2000 in the completion)."
    )
    with serving(lambda asked: failing(400, said)) as server, pytest.raises(ValueError, match="context of 100 tokens cannot hold"):
        only(engine_of(server), sampling=Sampling(max_tokens=2000))


def test_a_wrong_model_is_answered_with_the_nearest_right_one() -> None:
    def answer(asked: Asked) -> Any:
        return failing(404, f"The model `{asked.body['model']}` does not exist.")

    wrong = pytest.raises(ValueError, match=r"no model 'tiny'\. Did you mean 'tiny-7b'\? There are: large, tiny-7b\.")
    with serving(answer, models=("tiny-7b", "large")) as server, wrong:
        only(engine_of(server))
    assert len(server.asked) == 1


def test_a_wrong_address_is_named() -> None:
    unknown = pytest.raises(ValueError, match="does not know this address")
    with serving(lambda asked: failing(404, "Not Found"), models=()) as server, unknown:
        only(engine_of(server))


def test_a_404_after_answers_is_a_server_on_its_way_up() -> None:
    with serving(first_then([completion(), lambda asked: failing(404)], lambda asked: completion())) as server:
        assert len(ask(engine_of(server, in_flight=1), "a", "b", "c")) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_our_mistake_and_is_never_shown(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-very-secret")
    with serving(lambda asked: failing(status, "Incorrect API key provided: sk-very-secret")) as server:
        engine = engine_of(server, key_variables=("TEST_KEY",))
        with pytest.raises(ValueError, match="key_variables") as refused:
            only(engine)
    assert server.asked[0].headers["Authorization"] == "Bearer sk-very-secret"
    assert "sk-very-secret" not in str(refused.value) + engine.version + repr(engine.__dict__)


def test_a_key_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"NO_SUCH_KEY.*is not set"):
        OpenAIEngine(OpenAI(urls=("http://127.0.0.1:1/v1",), key_variables=("NO_SUCH_KEY",)), model="m", revision="r")


def test_without_a_key_variable_no_key_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with serving(lambda asked: completion()) as server:
        only(engine_of(server))
    assert "Authorization" not in server.asked[0].headers


def test_requests_a_minute_are_kept() -> None:
    with serving(lambda asked: completion()) as server:
        ask(engine_of(server, requests_per_minute=600), *map(str, range(45)))
    times = [asked.at for asked in server.asked]
    assert times[-1] - times[0] >= (45 - 600 / 20) / 10 * 0.9  # a twentieth of a minute's at once, then under ten a second


def test_tokens_a_minute_are_kept() -> None:
    with serving(lambda asked: completion(prompt_tokens=50, tokens=50)) as server:
        ask(engine_of(server, tokens_per_minute=12_000, in_flight=1), *map(str, range(20)))
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


def test_closing_the_iterator_cancels_the_request() -> None:
    async def slow(asked: Asked) -> dict:
        if asked.number:
            await asyncio.sleep(100)
        return completion()

    async def one_of_two(engine: OpenAIEngine) -> None:
        async with aclosing(engine.respond("a", SAMPLING, [0, 1])) as answers:  # type: ignore[type-var]
            async for _ in answers:
                break
        for _ in range(100):
            if server.cancelled:
                return
            await asyncio.sleep(0.02)

    with serving(slow) as server:
        engine = engine_of(server)
        asyncio.run(one_of_two(engine))
        engine.close()
    assert (len(server.asked), server.cancelled) == (2, 1)


def test_messages_go_to_chat_and_thoughts_come_back_before_the_answer() -> None:
    prompt = MESSAGES.render([{"role": "user", "content": "2+2?"}])
    with serving(lambda asked: chat("It is 4.", reasoning_content="2 and 2 make 4.")) as server:
        response = only(engine_of(server), prompt)
    assert server.asked[0].path == "/v1/chat/completions"
    assert server.asked[0].body["messages"] == [{"role": "user", "content": "2+2?"}]
    assert response.text == "<think>\n2 and 2 make 4.\n</think>\n\nIt is 4."


def test_thoughts_that_were_cut_stay_open() -> None:
    prompt = MESSAGES.render([{"role": "user", "content": "2+2?"}])
    with serving(lambda asked: chat(None, reasoning="2 and", finish="length")) as server:
        response = only(engine_of(server), prompt)
    assert (response.text, response.finish_reason) == ("<think>\n2 and", "length")


def test_a_cut_response_is_not_asked_for_again() -> None:
    with serving(lambda asked: completion("a b c", finish="length")) as server:
        assert only(engine_of(server)).finish_reason == "length"
    assert len(server.asked) == 1


def test_more_fields_of_a_request_come_with_the_model_and_null_takes_one_away() -> None:
    with serving(lambda asked: completion()) as server:
        body = {"reasoning_effort": "high", "temperature": None}
        only(OpenAIEngine(OpenAI(urls=(server.url,)), model="tiny", revision="r", body=body))
    assert server.asked[0].body["reasoning_effort"] == "high"
    assert "temperature" not in server.asked[0].body


def test_a_stop_text_is_kept_as_the_end_where_the_server_would_cut_it_off() -> None:
    def piece(text: str, finish: str | None = None) -> dict:
        return {"choices": [{"index": 0, "text": text, "finish_reason": finish}]}

    async def answer(asked: Asked) -> web.StreamResponse:
        pieces = [piece("so <answer>4</ans"), piece("wer> and then"), *[piece(" more")] * 200, piece("", "stop")]
        return await event_stream(asked, [*pieces, "[DONE]"], pause=0.01)

    with serving(answer) as server:
        began = time.monotonic()
        response = only(engine_of(server), sampling=Sampling(max_tokens=500, stop=("</answer>",)))
    assert (response.text, response.finish_reason) == ("so <answer>4</answer>", "stop")
    assert "stop" not in server.asked[0].body
    assert time.monotonic() - began < 1.5  # the rest was not waited for


def test_a_stream_is_put_together() -> None:
    def piece(**delta: Any) -> dict:
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}

    async def answer(asked: Asked) -> web.StreamResponse:
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9}}
        thoughts = [piece(role="assistant"), piece(reasoning_content="well, "), piece(reasoning_content="4")]
        return await event_stream(asked, [*thoughts, piece(content="It "), piece(content="is 4."), end, usage, "[DONE]"])

    with serving(answer) as server:
        response = only(engine_of(server, stream=True), MESSAGES.render([{"role": "user", "content": "2+2?"}]))
    assert response.text == "<think>\nwell, 4\n</think>\n\nIt is 4."
    assert (response.prompt_tokens, len(response.token_ids)) == (7, 9)


@pytest.mark.parametrize("how", ["cut", "silent", "half a line", "error"])
def test_a_stream_that_breaks_is_asked_again(how: str) -> None:
    piece = {"choices": [{"index": 0, "text": "fo", "finish_reason": None}]}

    async def broken(asked: Asked) -> web.StreamResponse:
        last = {"cut": [], "silent": [], "half a line": ['{"choices": [{"te'], "error": [{"error": {"message": "CUDA"}}]}[how]
        response = await event_stream(asked, [piece, *last])
        if how == "silent":
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(asked.request)
            await asyncio.sleep(100)
        return response

    async def good(asked: Asked) -> web.StreamResponse:
        return await event_stream(asked, [piece, {"choices": [{"index": 0, "text": "ur", "finish_reason": "stop"}]}, "[DONE]"])

    with serving(first_then([broken], good)) as server:
        assert only(engine_of(server, stream=True, silent_seconds=0.5)).text == "four"
    assert len(server.asked) == 2


def test_a_server_that_counts_no_tokens_is_guessed_and_said() -> None:
    with serving(lambda asked: {"choices": [{"text": "x" * 40, "finish_reason": "stop"}]}) as server:
        engine = engine_of(server)
        assert len(only(engine).token_ids) == 10
    assert not engine.spent.counted


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
