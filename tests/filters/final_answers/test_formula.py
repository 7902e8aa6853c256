"""The reader of plain formulas: trees, what it refuses, and that it never hangs."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.final_answers.formula import Reading, parsed
from filters.final_answers.formula_tokens import Unreadable, tokens_of

TWO, X = ("number", Fraction(2)), ("symbol", "x")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("2", TWO),
        ("x", X),
        ("\\pi", ("constant", "pi")),
        ("2x", ("multiply", TWO, X)),
        ("x^{2}", ("power", X, TWO)),
        ("x**2", ("power", X, TWO)),
        ("\\sqrt{x}", ("root", X, TWO)),
        ("sqrt(x)", ("root", X, TWO)),
        ("\\sin x", ("call", "sin", X)),
        ("1,000", ("number", Fraction(1000))),
        ("2\\frac{1}{2}", ("number", Fraction(5, 2))),
        ("x_{1}", ("symbol", "x_1")),
        ("5 \\text{ cm}", ("number", Fraction(5))),
        ("f(x)", ("symbol", "f(x)")),
        ("|x|", ("call", "abs", X)),
    ],
)
def test_trees(text: str, tree: object) -> None:
    assert parsed(text) == tree


def test_the_ambiguous_slash_has_two_readings() -> None:
    assert parsed("1/2x") != parsed("1/2x", Reading(tight_slash=True))


@pytest.mark.parametrize(
    "text", ["", "the answer", "1 2", "\\frac{1}{", "x+", "\\int x dx", "20%", "(1", "1)", "x,y", "\\sum_{k} k", "a=b"]
)
def test_what_is_not_known_for_certain_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        parsed(text)


def test_letters_that_lost_their_spaces_are_taken_apart() -> None:
    assert tokens_of("\\piG") == ["\\pi", "G"]
    assert tokens_of("\\omegat") == ["\\omega", "t"]
    assert tokens_of("\\cdots") == ["\\cdots"]
    assert tokens_of("xy") == ["x", "y"]


@given(text=st.text(alphabet="12x+-*/^_(){}\\ fracsqt|!,.", max_size=60))
def test_a_text_has_one_tree_or_is_unreadable_for_a_reason_every_time(text: str) -> None:
    try:
        tree = parsed(text)
    except Unreadable:
        with pytest.raises(Unreadable, match=r"."):
            parsed(text)
        return
    assert parsed(text) == tree


@pytest.mark.parametrize("unit", ["(", "\\frac{1}{", "-", "x^", "|", "\\sqrt", "!", "2x+", "\\sin ", "{", "a_"])
def test_hostile_text_takes_no_time(unit: str) -> None:
    begun = time.process_time()
    for size in (300, 600):
        try:
            parsed(unit * (size // len(unit)))
        except Unreadable:
            continue
    assert time.process_time() - begun < 1
