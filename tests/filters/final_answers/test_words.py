"""Answers in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.final_answers.words import is_words, plain_words, words_equal


@pytest.mark.parametrize("text", ["Paris", "yes", "no", "Eiffel Tower", "正确", "Łódź", "\\text{Evelyn}"])
def test_words_are_words(text: str) -> None:
    assert is_words(text)


@pytest.mark.parametrize("text", ["x", "5 apples", "x+y", "\\sin x", "sin", "", "(a, b)^2"])
def test_formulas_are_not(text: str) -> None:
    assert not is_words(text)


def test_case_articles_and_punctuation_do_not_count_and_a_sentence_may_go_on() -> None:
    assert words_equal(gold="Eiffel Tower", prediction="the eiffel tower.") is True
    assert words_equal(gold="Yes", prediction="Yes, it does") is True
    assert words_equal(gold="Yes", prediction="No") is False
    assert words_equal(gold="listen", prediction="silent") is False
    assert words_equal(gold="x+1", prediction="yes") is None
    assert plain_words("The Who, a band") == ["who", "band"]


@given(text=st.text(max_size=40))
def test_no_text_raises_and_words_equal_themselves(text: str) -> None:
    if is_words(text):
        assert words_equal(gold=text, prediction=text) is True
