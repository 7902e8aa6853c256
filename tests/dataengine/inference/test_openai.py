"""The engine `openai` against real HTTP servers on loopback: responses, chat, streams."""

from __future__ import annotations

import asyncio
import json
import math
import time
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from dataengine.inference.engine import Sampling
from dataengine.inference.openai import OpenAIEngine
from dataengine.machine import OpenAI
from dataengine.messages import MESSAGES
from tests.dataengine.inference.bad_server import Asked, chat, completion, event_stream, serving
from tests.dataengine.inference.openai_asked import SAMPLING, ask, engine_of, first_then, only


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


def test_what_a_response_cost_that_was_ended_from_here_is_guessed_from_its_text() -> None:
    piece = {"choices": [{"index": 0, "text": "one two three four five <END> more", "finish_reason": None}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 500, "completion_tokens": 9}}

    async def answer(asked: Asked) -> web.StreamResponse:
        return await event_stream(asked, [piece, {"choices": [{"text": "", "finish_reason": "stop"}]}, usage, "[DONE]"])

    with serving(answer) as server:
        engine = engine_of(server, price_in=1.0)
        response = only(engine, "x" * 2000, sampling=Sampling(max_tokens=100, stop=("<END>",)))
    assert (len(response.token_ids), response.prompt_tokens // 10) == (9, 50)
    assert engine.spent.money == pytest.approx(500e-6, rel=0.01)
    assert not engine.spent.counted


def test_a_stream_that_ends_without_a_word_is_an_empty_response() -> None:
    first = {"choices": [{"delta": {"role": "assistant", "content": None}, "finish_reason": None}]}

    async def answer(asked: Asked) -> web.StreamResponse:
        return await event_stream(asked, [first, {"choices": [{"delta": {}, "finish_reason": "stop"}]}, "[DONE]"])

    with serving(answer) as server:
        response = only(engine_of(server, stream=True), MESSAGES.render([{"role": "user", "content": "2+2?"}]))
    assert (response.text, response.finish_reason, len(server.asked)) == ("", "stop", 1)


def test_a_stream_may_send_its_content_in_parts_and_half_a_character_at_a_time() -> None:
    def piece(content: object) -> dict:
        return {"choices": [{"delta": {"content": content}, "finish_reason": None}]}

    async def answer(asked: Asked) -> web.StreamResponse:
        pieces = [piece([{"type": "text", "text": "so "}]), piece("\ud83d"), piece("\ude00")]
        return await event_stream(asked, [*pieces, {"choices": [{"delta": {}, "finish_reason": "stop"}]}, "[DONE]"])

    with serving(answer) as server:
        response = only(engine_of(server, stream=True), MESSAGES.render([{"role": "user", "content": "2+2?"}]))
    assert response.text == "so 😀"


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


@pytest.mark.parametrize("mine", [1, None], ids=["all numbered", "the kept one not always"])
def test_of_several_choices_in_a_stream_the_first_is_the_response(mine: int | None) -> None:
    def piece(index: int | None, text: str, finish: str | None = None) -> dict:
        return {"choices": [{**({} if index is None else {"index": index}), "text": text, "finish_reason": finish}]}

    both = {"choices": [*piece(0, " ZZZ", "length")["choices"], *piece(1, "ur")["choices"]]}
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9}}
    woven = [piece(1, "f"), piece(0, "ZZZ"), piece(mine, "o"), piece(2, "<END>"), both, piece(2, "", "stop"), piece(1, "!", "stop"), usage]

    async def answer(asked: Asked) -> web.StreamResponse:
        return await event_stream(asked, [*woven, "[DONE]"])

    with serving(answer) as server:
        response = only(engine_of(server, stream=True), sampling=Sampling(max_tokens=16, stop=("<END>",)))
    assert (response.text, response.finish_reason, response.prompt_tokens, len(response.token_ids)) == ("four!", "stop", 7, 9)


@pytest.mark.parametrize("how", [{}, {"stream": True}], ids=["no stream asked", "stream asked"])
@pytest.mark.parametrize("told", ["text/plain", "text/event-stream", "application/json"])
def test_a_stream_is_read_whatever_it_is_called_and_whoever_asked(how: dict[str, Any], told: str) -> None:
    pieces = [{"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in ("fo", "ur")]
    events = [*pieces, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    body = ": ping\n\n" + "".join(f"data: {json.dumps(event)}\r\n\r\n" for event in events) + "data: [DONE]\n\n"

    def answer(asked: Asked) -> web.Response:
        return web.Response(body=body.encode(), headers={"Content-Type": told})

    with serving(answer) as server:
        response = only(engine_of(server, **how), MESSAGES.render([{"role": "user", "content": "2+2?"}]))
    assert (response.text, response.finish_reason, len(server.asked)) == ("four", "stop", 1)


def test_a_stream_that_nobody_asked_for_and_that_breaks_is_asked_again() -> None:
    half = 'data: {"choices": [{"text": "fo", "finish_reason": null}]}\n\ndata: {"choi'

    def broken(asked: Asked) -> web.Response:
        return web.Response(text=half, content_type="text/event-stream")

    with serving(first_then([broken], lambda asked: completion("four"))) as server:
        assert only(engine_of(server)).text == "four"


@pytest.mark.parametrize("how", ["cut", "silent", "half a line", "error", "deep", "choices", "delta"])
def test_a_stream_that_breaks_is_asked_again(how: str) -> None:
    piece = {"choices": [{"index": 0, "text": "fo", "finish_reason": None}]}

    async def broken(asked: Asked) -> web.StreamResponse:
        last = {"half a line": ['{"choices": [{"te'], "error": [{"error": {"message": "CUDA"}}], "deep": ["[" * 200_000]}
        last |= {"choices": [{"choices": 5}], "delta": [{"choices": [{"delta": [1]}]}]}
        response = await event_stream(asked, [piece, *last.get(how, [])])
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


@pytest.mark.parametrize("how", [{}, {"stream": True}], ids=str)
def test_a_redirect_is_not_followed_with_the_key(how: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-very-secret")
    with serving(lambda asked: completion()) as elsewhere:
        moved = lambda asked: web.Response(status=307, headers={"Location": elsewhere.url + "/completions"})  # noqa: E731
        with serving(moved) as server, pytest.raises(ValueError, match="307"):
            only(engine_of(server, key_variables=("TEST_KEY",), **how))
    assert not elsewhere.asked


@pytest.mark.parametrize("usage", [{"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": 9, "completion_tokens": 10**7}], ids=str)
def test_counts_that_cannot_be_are_guessed_and_said(usage: dict[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    with serving(lambda asked: {"choices": [{"text": "x" * 40, "finish_reason": "stop"}], "usage": usage}) as server:
        engine = engine_of(server, price_out=1e6, price_in=1e6)
        response = only(engine)
    assert len(response.token_ids) == 10
    assert engine.spent.money == engine.spent.prompt_tokens + 10 > 10
    assert not engine.spent.counted
    assert "does not tell how many tokens" in capsys.readouterr().err


def test_a_server_that_counts_no_tokens_is_guessed_and_said() -> None:
    with serving(lambda asked: {"choices": [{"text": "x" * 40, "finish_reason": "stop"}]}) as server:
        engine = engine_of(server)
        assert len(only(engine).token_ids) == 10
    assert not engine.spent.counted
