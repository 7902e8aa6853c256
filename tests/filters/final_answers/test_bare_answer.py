"""What is set aside before two answers are compared: names, conditions, words of unit, the shape of an inequality."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.final_answers.bare_answer import as_interval, same_side


@pytest.mark.parametrize(
    ("gold", "prediction", "left"),
    [
        ("5", "x = 5", ("5", "5")),
        ("x = 5", "5", ("5", "5")),
        ("x = 5", "y = 5", ("x = 5", "y = 5")),
        ("11", "x = 5+5+1 = 11", ("11", "11")),
        ("330000", "150,000 + 180,000 = 330,000", ("330000", "330000")),
        ("(1, 1)", "(m, n) = (1, 1)", ("(1, 1)", "(1, 1)")),
        ("2t", "x(t) = 2t for t > 0", ("2t", "2t")),
        ("333", "997^{-1} \\equiv 333 \\pmod{1000}", ("333", "333")),
        ("600", "x \\approx 600", ("600", "600")),
        ("\\sqrt{2}", "\\sqrt{2} \\approx 1.414", ("\\sqrt{2}", "\\sqrt{2}")),
        ("(0, 1)", "x \\in (0, 1)", ("(0, 1)", "(0, 1)")),
        ("(0, 1)", "0 < x < 1", ("(0, 1)", "(0, 1)")),
        ("2\\sqrt{13}", "2\\sqrt{13} square units", ("2\\sqrt{13}", "2\\sqrt{13}")),
        ("2\\pi", "2\\pi cm^2", ("2\\pi", "2\\pi")),
        ("0.005", "\\frac{1}{2} percent", ("0.005", "\\frac{1}{2} percent")),
        ("2, 1", "x = 1 or x = 2", ("2, 1", "x = 1 or x = 2")),
        ("5", "James sold 10 cars for 2 dollars = 20", ("5", "20")),
    ],
)
def test_what_is_left_of_two_answers(gold: str, prediction: str, left: tuple[str, str]) -> None:
    assert same_side(gold=gold, prediction=prediction) == left


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("x<5", "(-\\infty, 5)"),
        ("5>x", "(-\\infty, 5)"),
        ("x \\ge -\\sqrt{2}", "[-\\sqrt{2}, \\infty)"),
        ("0 \\le t<1", "[0, 1)"),
        ("x<y<z", "(x, z)"),
        ("x<2x-1", "x<2x-1"),
        ("x \\ne 5", "x \\ne 5"),
        ("x<5, y<6", "x<5, y<6"),
    ],
)
def test_an_inequality_in_one_variable_is_an_interval_beside_one(text: str, interval: str) -> None:
    assert as_interval(text, other="(0, 1)") == interval
    assert as_interval(text, other="5") == text


@given(text=st.text(alphabet="xy=<>≤0123(),. \\for", max_size=40) | st.text(max_size=40), other=st.text(max_size=40))
def test_no_text_raises_and_no_digit_is_put_in(text: str, other: str) -> None:
    for side, whole in zip(same_side(gold=text, prediction=other), (text, other), strict=True):
        assert sum(map(str.isdecimal, side)) <= sum(map(str.isdecimal, whole))


@pytest.mark.parametrize("unit", ["x = ", "for ", "a for = ", "<", "x<", "\\approx ", "f(a, ", "x_{", "1,000", "and "])
def test_hostile_text_takes_no_time(unit: str) -> None:
    text = unit * (2_000 // len(unit))
    begun = time.process_time()
    same_side(gold="5", prediction=text)
    same_side(gold=text, prediction="(0, 1)")
    assert time.process_time() - begun < 2
