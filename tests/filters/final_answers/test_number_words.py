"""English number words: what they write, and what is no number."""

from __future__ import annotations

from fractions import Fraction

import pytest

from filters.final_answers.number_words import spelled_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("zero", 0),
        ("Twenty-one", 21),
        ("one hundred and five", 105),
        ("two thousand twenty four", 2024),
        ("three million", 3_000_000),
        ("negative seven", -7),
        ("one half", Fraction(1, 2)),
        ("three quarters", Fraction(3, 4)),
    ],
)
def test_number_words_have_a_value(text: str, value: int) -> None:
    assert spelled_number(text) == value


@pytest.mark.parametrize(
    "text", ["", "million", "one two", "twenty eleven", "half", "third", "a dozen", "one apple", "and", "21", "x" * 500]
)
def test_other_words_have_none(text: str) -> None:
    assert spelled_number(text) is None
