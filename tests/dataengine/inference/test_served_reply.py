"""What a reply says, however a service writes it."""

from __future__ import annotations

from typing import Any

import pytest

from dataengine.inference.failures import Failure, Unanswered
from dataengine.inference.served_reply import Said, said_in


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
    with pytest.raises(ValueError, match=r"finish_reason 'moonset'.*ENDED.*abc"):
        said({"content": "abc"}, "moonset")
    with pytest.raises(Failure):
        said({"content": None}, "moonset")
    with pytest.raises(Failure):
        said({"content": "abc"}, "abort")


@pytest.mark.parametrize(("count", "tokens"), [(3, 3), (3.0, 3), (0, 0)])
def test_tokens_are_counted_by_the_server(count: float, tokens: int) -> None:
    found = said({"content": "abcd" * 5}, "stop", usage={"completion_tokens": count, "prompt_tokens": count})
    assert (found.response_tokens, found.prompt_tokens, found.counted) == (tokens, tokens, True)


@pytest.mark.parametrize("count", [None, -1, 2.5, float("nan"), float("inf"), 1e30, "3", []])
def test_what_cannot_be_a_number_of_tokens_is_guessed(count: object) -> None:
    found = said({"content": "abcd" * 5}, "stop", usage={"completion_tokens": count, "prompt_tokens": count})
    assert (found.response_tokens, found.prompt_tokens, found.counted) == (5, None, False)


def test_half_a_character_does_not_end_the_run() -> None:
    assert said({"content": "a\ud83d", "reasoning": "b\ude00"}, "stop").text == "<think>\nb�\n</think>\n\na�"


def test_a_reply_nested_deeply_is_shown_briefly() -> None:
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Failure, match="lacks a choice"):
        said_in({"choices": deep})
