"""Option letters: what a reference wants and what an answer chooses."""

from __future__ import annotations

import pytest

from filters.final_answers.choices import choices_equal, chosen_letters, label, wanted_letters


@pytest.mark.parametrize(
    ("gold", "letters"), [("C", "C"), ("(C)", "C"), ("ACD", "ACD"), ("A, C", "A, C"), ("12", ""), ("Cat", ""), ("c", "")]
)
def test_what_a_reference_wants(gold: str, letters: str) -> None:
    assert wanted_letters(gold) == letters


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("C", "C"),
        ("(c)", "C"),
        ("option b", "B"),
        ("C. 12 apples", "C"),
        ("选项C", "C"),
        ("A, C 和 D", "ACD"),
        ("D、B", "DB"),
        ("options A and C", "AC"),
        ("the only correct one is (D) Plane", "D"),
        ("A bird in the hand is B", "B"),
        ("none of these", ""),
        ("\\frac{A}{2}", None),
    ],
)
def test_what_an_answer_chooses(text: str, letters: str | None) -> None:
    assert chosen_letters(text) == letters


def test_a_quoted_option_is_matched_by_its_letter_only() -> None:
    assert label("C. 12 apples") == "C"
    assert choices_equal(gold="C. 12 apples", prediction="C") is True
    assert choices_equal(gold="C. 12 apples", prediction="B. 13 apples") is False
    assert choices_equal(gold="C. 12 apples", prediction="12 apples") is None
    assert choices_equal(gold="12", prediction="C") is None
