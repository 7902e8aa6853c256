"""Brackets, parts, rows and columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.final_answers.lists import branches, distinct, matrix, named_tuple, split


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(1, 2)", ("(", ["1", "2"])),
        ("(0, 1]", ("(]", ["0", "1"])),
        ("[1, (2, 3)]", ("[", ["1", "(2, 3)"])),
        ("\\{1, 2\\}", ("\\{", ["1", "2"])),
        ("{1, 2}", ("\\{", ["1", "2"])),
        ("1 and 2", ("", ["1", "2"])),
        ("(1, 2), (3, 4)", ("", ["(1, 2)", "(3, 4)"])),
        ("p=5,q=2;p=7,q=2", ("", ["p=5,q=2", "p=7,q=2"])),
        ("(0, 1) \\cup (2, 3)", ("\\cup", ["(0, 1)", "(2, 3)"])),
        ("1,234", None),
        ("f(x, y)", None),
        ("5", None),
    ],
)
def test_how_an_answer_lists(text: str, found: tuple[str, list[str]] | None) -> None:
    assert split(text) == found


def test_rows_and_columns_of_a_matrix() -> None:
    assert matrix("\\begin{pmatrix}1&2\\\\ 3 & 4\\end{pmatrix}") == [["1", "2"], ["3", "4"]]
    assert matrix("\\begin{array}{cc}1&2\\end{array}") == [["1", "2"]]
    assert matrix("\\begin{vmatrix}1&2\\end{vmatrix}") is None  # a determinant is a number
    assert matrix("5") is None


def test_a_named_list_is_a_tuple_and_both_signs_are_two_values() -> None:
    assert named_tuple(("", ["p = 5", "q=2"])) == ("(", ["5", "2"])
    assert named_tuple(("", ["x=1", "x=2"])) == ("", ["x=1", "x=2"])
    assert branches("1 \\pm 2") == "1 + 2 , 1 - 2"
    assert distinct(["1", " 1", "2"]) == ["1", "2"]


@given(text=st.text(alphabet="12ax ,;()[]{}\\&cup", max_size=40))
def test_no_text_raises_and_no_part_is_longer_than_the_whole(text: str) -> None:
    matrix(text)
    found = split(branches(text))
    assert found is None or all(len(part) <= 2 * len(text) for part in found[1])
