"""What the engine `openai` is refused: a prompt's fault stays with the prompt, our mistakes end the run and are named."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from dataengine.inference.engine import Sampling
from dataengine.inference.openai import OpenAIEngine
from dataengine.machine import OpenAI
from tests.dataengine.inference.bad_server import Asked, completion, failing, serving
from tests.dataengine.inference.openai_asked import ask, engine_of, first_then, only


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


@pytest.mark.parametrize("status", [400, 422])
def test_a_field_that_is_called_like_a_refusal_is_our_mistake(status: int) -> None:
    unknown = lambda asked: failing(status, 'Unknown name "safety_settings": Cannot find field.')  # noqa: E731
    with serving(unknown) as server:
        engine = OpenAIEngine(OpenAI(urls=(server.url,)), model="tiny", revision="r", body={"safety_settings": [1]})
        with pytest.raises(ValueError, match=r"refuses everything.*safety_settings"):
            ask(engine, "a", "b", "c")


def test_a_moderated_prompt_is_refused_and_the_others_are_answered() -> None:
    def answer(asked: Asked) -> Any:
        error = {"message": "flagged", "code": 403, "metadata": {"flagged_input": "bad"}}
        return web.json_response({"error": error}, status=403) if asked.prompt == "bad" else completion("four")

    with serving(answer) as server:
        found = dict(ask(engine_of(server), "good", "bad"))
    assert {prompt: response.finish_reason for prompt, response in found.items()} == {"good": "stop", "bad": "refused"}


@pytest.mark.parametrize("name", ["n", "best_of"])
def test_responses_that_would_be_paid_and_thrown_away_are_not_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=4.*all be paid"):
        OpenAIEngine(OpenAI(urls=("http://127.0.0.1:1/v1",)), model="m", revision="r", body={name: 4})


@pytest.mark.parametrize("body", [{"messages": []}, {"messages": None}, {"prompt": "2+2?"}, {"seed": 5}], ids=str)
def test_a_body_that_would_make_all_requests_the_same_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(body))}.*Leave it out"):
        OpenAIEngine(OpenAI(urls=("http://127.0.0.1:1/v1",)), model="m", revision="r", body=body)


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
