"""Unions of intervals as sets of numbers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.final_answers.intervals import unions_equal


@pytest.mark.parametrize(
    ("gold", "prediction", "equal"),
    [
        ("(0, 1] \\cup (1, 2)", "(0, 2)", True),
        ("(0, 1) \\cup (1, 2)", "(0, 2)", False),
        ("(0, 1) \\cup [1, 2)", "(0, 2)", True),
        ("(0, 9) \\cup (9, 36)", "(9, 36) \\cup (0, 9)", True),
        ("(-\\infty, 0) \\cup (\\sqrt{8}, \\infty)", "(-\\infty, 0) \\cup (2\\sqrt{2}, +\\infty)", True),
        ("(0, 1) \\cup \\{1\\}", "(0, 1]", True),
        ("(0, 1) \\cup (2, 3)", "(0, 1) \\cup (2, 3]", False),
        ("(0, 1)", "(0, 1)", None),
        ("(0, a) \\cup (2, 3)", "(0, 3)", None),
        ("(0, 1) \\cup x", "(0, 3)", None),
    ],
)
def test_unions(gold: str, prediction: str, equal: bool | None) -> None:  # noqa: FBT001 - a table of cases
    assert unions_equal(gold=gold, prediction=prediction) is equal
    assert unions_equal(gold=prediction, prediction=gold) is equal


@given(cuts=st.lists(st.integers(-9, 9), min_size=2, max_size=6, unique=True))
def test_where_an_interval_is_cut_does_not_matter(cuts: list[int]) -> None:
    ends = sorted(cuts)
    parts = " \\cup ".join(f"({low}, {high}]" for low, high in itertools.pairwise(ends))
    whole = f"({ends[0]}, {ends[-1]}]"
    assert unions_equal(gold=parts + f" \\cup \\{{{ends[-1]}\\}}", prediction=whole) is True
