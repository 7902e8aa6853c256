"""What a tokenizer takes for a special token is found wherever it stands, and a text that shows nothing says nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.cold_start.stray_text import says_nothing, strays
from dataengine.templates import Form


@pytest.mark.parametrize(
    "token",
    [
        "<|im_end|>",
        "<|eot_id|>",
        "<｜end▁of▁sentence｜>",
        "</s>",
        "<s>",
        "<bos>",
        "<end_of_turn>",
        "[INST]",
        "<think>",
        "</answer>",
        "\0",
        "\ud800",
    ],
)
def test_a_special_token_is_found_in_words_and_in_code(token: str) -> None:
    for text in (f"I see {token} here.", f"```python\nend = '{token}'\n```"):
        assert [(stray.text, text[stray.at :].startswith(token)) for stray in strays(text)] == [(token, True)]


@pytest.mark.parametrize(
    "text", ["a<b and c>d", "x <| f |> g", "`List<s_t>`", "|x| <= |y|", "<b>bold</b>", "a[INT]", "<thinking>", "if (a < s && s > b)"]
)
def test_what_only_looks_like_a_token_may_stand(text: str) -> None:
    assert not strays(text)


def test_tokens_of_the_forms_are_found_too_each_in_its_place() -> None:
    found = strays("I |t| see </think> |u|.", Form(opening="|t|", closing="|t|"), Form(opening="|u|", closing="|v|"))
    assert [(str(stray), stray.at) for stray in found] == [("'|t|'", 2), ("'</think>'", 10), ("'|u|'", 19)]


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u200b", "\ufeff", "\u2060\u200d", "\u3164", "\u2800", "\x1b", "\ufe0f"])
def test_a_text_that_shows_nothing_says_nothing(text: str) -> None:
    assert says_nothing(text)


@given(st.text(), st.sampled_from("a1.√你🙂|"))
def test_one_character_that_can_be_seen_is_enough(text: str, seen: str) -> None:
    assert not says_nothing(text + seen)
