"""What a reply says, however a service writes it."""

from __future__ import annotations

from typing import Any

import pytest

from dataengine.inference.failures import Failure, Unanswered
from dataengine.inference.served_reply import Said, said_in
from dataengine.machine import OpenAI


def said(message: dict[str, Any], word: str | None, **more: Any) -> Said:
    return said_in({"choices": [{"message": {"role": "assistant", **message}, "finish_reason": word}], **more})


@pytest.mark.parametrize("message", [{}, {"content": None}, {"content": ""}], ids=["missing", "null", "empty"])
def test_a_reply_without_a_text_is_what_its_finish_reason_says(message: dict[str, Any]) -> None:
    with pytest.raises(Unanswered):
        said(message, "content_filter")
    for word, reason in (("length", "length"), ("stop", "stop"), ("tool_calls", "stop")):
        assert (said(message, word).text, said(message, word).finish_reason) == ("", reason)
    with pytest.raises(Failure):
        said(message, None)


@pytest.mark.parametrize(
    ("word", "reason"),
    [("STOP", "stop"), ("LENGTH", "length"), ("MAX_TOKENS", "length"), ("max_output_tokens", "length"), ("model_length", "length")],
)
def test_services_call_the_same_ends_by_other_names(word: str, reason: str) -> None:
    assert said({"content": "abc"}, word).finish_reason == reason


@pytest.mark.parametrize("word", ["SAFETY", "safety", "RECITATION", "refusal"])
def test_a_filter_by_another_name_refuses(word: str) -> None:
    with pytest.raises(Unanswered):
        said({"content": "abc"}, word)


def test_an_unknown_end_of_a_text_is_named_and_not_paid_for_again() -> None:
    with pytest.raises(ValueError, match=r"finish_reason 'moonset'.*--openai.ended '\{\"moonset\": \"stop\"\}'.*abc"):
        said({"content": "abc"}, "moonset")
    with pytest.raises(Failure):
        said({"content": None}, "moonset")
    with pytest.raises(Failure):
        said({"content": "abc"}, "abort")


@pytest.mark.parametrize(("meaning", "reason"), [("stop", "stop"), ("length", "length")])
def test_what_an_end_means_can_be_told(meaning: str, reason: str) -> None:
    def ended(word: str, meaning: str) -> Said:
        reply = {"choices": [{"text": "abc", "finish_reason": word}]}
        return said_in(reply, ended=OpenAI(ended={" EOT_id": meaning}).ended)

    assert ended("eot_id", meaning).finish_reason == reason
    assert ended("stop ", meaning).finish_reason == "stop"
    with pytest.raises(Failure):
        ended("eot_id", "again")
    with pytest.raises(Unanswered):
        ended("eot_id", "refused")
    with pytest.raises(ValueError, match=r"--openai.ended.*'eot_id'.*stop, length"):
        ended("eot_id", "over")


@pytest.mark.parametrize(("count", "tokens"), [(3, 3), (3.0, 3)])
def test_tokens_are_counted_by_the_server(count: float, tokens: int) -> None:
    found = said({"content": "abcd" * 5}, "stop", usage={"completion_tokens": count, "prompt_tokens": count})
    assert (found.response_tokens, found.prompt_tokens, found.counted) == (tokens, tokens, True)


@pytest.mark.parametrize("count", [None, 0, -1, 2.5, float("nan"), float("inf"), 1e30, "3", []])
def test_what_cannot_be_a_number_of_tokens_is_guessed(count: object) -> None:
    found = said({"content": "abcd" * 5}, "stop", usage={"completion_tokens": count, "prompt_tokens": count})
    assert (found.response_tokens, found.prompt_tokens, found.counted) == (5, None, False)


def test_more_tokens_than_were_asked_for_are_not_believed() -> None:
    reply = {"choices": [{"text": "abcd" * 5, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 10**7}}
    assert (said_in(reply, most=2000).response_tokens, said_in(reply, most=2000).counted) == (5, False)
    assert said_in(reply, most=10**7).response_tokens == 10**7


def test_nothing_said_is_no_token_and_one_of_its_end() -> None:
    for count in (0, 1):
        found = said({"content": ""}, "stop", usage={"completion_tokens": count, "prompt_tokens": 9})
        assert (found.response_tokens, found.prompt_tokens, found.counted) == (count, 9, True)


@pytest.mark.parametrize("usage", [[], [1, 2], "none", 3], ids=str)
def test_a_usage_of_another_form_leaves_the_text_good(usage: object) -> None:
    found = said({"content": "abcd" * 5}, "stop", usage=usage)
    assert (found.text, found.response_tokens, found.counted) == ("abcd" * 5, 5, False)


@pytest.mark.parametrize(
    "content",
    ["4", "<think>\nwell\n</think>\n\n4", "well\n</think>\n\n4", "<think>\n\n</think>\n\n4", "</think>4"],
    ids=["apart", "twice", "opened by the template", "empty tags", "closed alone"],
)
def test_thoughts_that_are_sent_apart_stand_once_in_the_text(content: str) -> None:
    assert said({"content": content, "reasoning_content": "\nwell"}, "stop").text == "<think>\nwell\n</think>\n\n4"


def test_thoughts_that_the_content_tells_in_full_are_left_as_they_are_there() -> None:
    for content in ("<think>\nwell, well\n</think>\n\n4", "<think>\nwell, we"):
        assert said({"content": content, "reasoning_content": "well"}, "length").text == content


def test_half_a_character_does_not_end_the_run() -> None:
    assert said({"content": "a\ud83d", "reasoning": "b\ude00"}, "stop").text == "<think>\nb�\n</think>\n\na�"


def test_a_reply_nested_deeply_is_shown_briefly() -> None:
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Failure, match="lacks a choice"):
        said_in({"choices": deep})
