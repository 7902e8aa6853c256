"""Algebra: what is equal, and the holes of math-verify that are closed."""

from __future__ import annotations

import pytest

from filters.final_answers.symbolic import BAD_GOLD, DIFFERENT, EQUAL, UNPARSABLE, compare, formulas_equal


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("x^2+2x+1", "(x+1)^2"),
        ("\\frac{\\sqrt{3}}{3}", "\\frac{1}{\\sqrt{3}}"),
        ("\\tan^2(y)+1", "\\sec^2(y)"),
        ("2x+4y-3=0", "y=-\\frac{1}{2}x+\\frac{3}{4}"),
        ("1<x<2", "x \\in (1,2)"),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{bmatrix}1\\\\2\\end{bmatrix}"),
        ("125.664", "40\\pi"),
        ("\\sqrt{17}", "4.1231"),
        ("i(2-i)", "1+2i"),
        ("\\frac{e^{at}-e^{-at}}{2a}", "\\frac{1}{a}\\sinh(at)"),
        ("x^2+1", "x**2 + 1"),
        ("\\frac{37}{4}m", "\\frac{37m}{4}"),
    ],
)
def test_equal_formulas_are_equal(gold: str, prediction: str) -> None:
    assert compare((gold, prediction, True)) == EQUAL


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("1<x<2", "\\{1,2\\}"),
        ("(1,2)", "\\{1,2\\}"),
        ("x<5", "5"),
        ("\\log(0.01)=-2", "\\log_2(x)=-1"),
        ("\\log(0.01)=-2", "\\sqrt{4}=2"),
        ("\\$0.20", "20\\sqrt{13}"),
        ("40\\pi", "125"),
        ("\\sqrt{17}", "4.12"),
        ("x+1", "x+2"),
        ("[0,9)", "[0,1)"),
        ("2^{10}", "1023"),
    ],
)
def test_different_formulas_are_different(gold: str, prediction: str) -> None:
    assert compare((gold, prediction, True)) == DIFFERENT


def test_a_reference_that_cannot_be_read_judges_nobody() -> None:
    assert compare(("\\frac{}{2k(-k)!}", "5", True)) == BAD_GOLD


def test_an_unreadable_prediction_is_named() -> None:
    assert compare(("\\sqrt{2}", "\\frac{", True)) == UNPARSABLE


def test_hostile_formulas_are_cut_off_and_the_others_judged() -> None:
    hostile = ("42", "9^{9^{9^{9}}}"), ("42", "\\sum_{k=1}^{10^9} k^k"), ("42", "(x+y+1)^{1000000}")
    *cut, judged = formulas_equal([*hostile, ("x+1", "1+x")], deadline=1.0)
    assert judged == EQUAL
    assert EQUAL not in cut
    assert any(reason.startswith("timeout after 1 s") for reason in cut)
