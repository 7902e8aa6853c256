"""Plain formulas told apart by their values: what is equal, what is different, what is left open and what is refused."""

from __future__ import annotations

import threading
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.final_answers.notation import latex
from filters.final_answers.probing import formulas_probed, is_plain, value_of
from filters.final_answers.tree_values import TooLarge


def probe(gold: str, prediction: str) -> bool | None:
    return formulas_probed(gold=latex(gold), prediction=latex(prediction))


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("x^2+2x+1", "(x+1)^2"),
        ("\\frac{\\sqrt{3}}{3}", "\\frac{1}{\\sqrt{3}}"),
        ("\\tan^2(y)+1", "\\sec^2(y)"),
        ("\\frac{e^{at}-e^{-at}}{2a}", "\\frac{1}{a}\\sinh(at)"),
        ("\\cos(x)", "\\sin(90^{\\circ}-x)"),
        ("i(2-i)", "1+2i"),
        ("\\sqrt[3]{-8}", "-2"),
        ("\\frac{7!}{16}", "315"),
        ("\\binom{10}{3}", "120"),
        ("2^{2^3}", "2^2^3"),
        ("10^{100}", "10^{99} \\cdot 10"),
        ("C e^{-2t}", "c e^{-2t}"),
        ("\\omegat", "\\omega t"),
        ("\\frac{1}{2x}", "1/2x"),
        ("2", "\\log 100"),
        ("\\ln 10", "\\log 10"),
        ("f(t)+1", "1+f(t)"),
        ("\\lfloor \\frac{2n}{3} \\rfloor + 1", "\\lfloor \\frac{2n+3}{3} \\rfloor"),
        ("5x-7y+11z+4=0", "-20x+28y-44z-16=0"),
        ("y=2x+1", "x=\\frac{y-1}{2}"),
        ("I\\frac{d\\omega}{dt}+2B\\omega=T", "\\frac{d\\omega}{dt} = \\frac{1}{I}T - \\frac{2B}{I}\\omega"),
    ],
)
def test_formulas_with_the_same_values_are_equal_either_way_round(gold: str, prediction: str) -> None:
    assert probe(gold, prediction) is True
    assert probe(prediction, gold) is True


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("x+1", "x+2"),
        ("x", "y"),
        ("2^{10}", "1023"),
        ("\\infty", "-\\infty"),
        ("1-e^{-1}", "1+e^{-1}"),
        ("\\sqrt{2}", "1.5"),
        ("10^{20}+1", "10^{20}"),
        ("5x-7y+11z+4=0", "5x-7y+11z+5=0"),
        ("(x-1)(y-2)=0", "y-2=0"),
        ("\\lfloor n/2 \\rfloor", "\\lceil n/2 \\rceil"),
    ],
)
def test_formulas_with_other_values_are_different(gold: str, prediction: str) -> None:
    assert probe(gold, prediction) is False


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [("x", "\\sqrt{x^2}"), ("15", "\\sum_{k=1}^5 k"), ("0.333x", "x/3"), ("5", "some words"), ("x<1", "x<2"), ("1", "\\frac{1}{0}")],
)
def test_what_values_do_not_settle_is_left_open(gold: str, prediction: str) -> None:
    assert probe(gold, prediction) is None


@pytest.mark.parametrize(
    "text", ["9^{9^{9^9}}", "9^9^9", "9**9**9**9", "1000000!", "((20!)!)!", "2^{10^9}", "\\binom{10^9}{5\\cdot10^8}", "e^{e^{e^{e^e}}}"]
)
def test_what_has_too_many_digits_is_refused_at_once(text: str) -> None:
    with pytest.raises(TooLarge):
        probe("42", text)


def test_a_closed_formula_has_a_value_to_sixty_digits() -> None:
    value = value_of("\\sqrt{2}")
    assert value is not None
    assert abs(value * value - 2) < Fraction(1, 10**55)
    assert value_of("x") is None
    assert value_of("\\sqrt{-1}") is None


def test_the_reader_of_formulas_refuses_prose_and_lists() -> None:
    assert is_plain("2\\pi r")
    assert not is_plain("the area")
    assert not is_plain("1, 2")
    assert not is_plain("(" * 60 + "1" + ")" * 60)


LEAVES = st.one_of(st.integers(min_value=-9, max_value=9).map(lambda n: f"({n})"), st.sampled_from(["x", "y", "a_{1}", "\\pi"]))
FORMULAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", " \\cdot "]), inner).map(lambda p: f"({p[0]}{p[1]}{p[2]})"),
        st.tuples(inner, inner).map(lambda p: f"\\frac{{{p[0]}}}{{{p[1]}}}"),
        inner.map(lambda p: f"({p})^{{2}}"),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(formula=FORMULAS, other=FORMULAS)
def test_a_sum_written_the_other_way_round_is_never_different_and_verdicts_are_symmetric(formula: str, other: str) -> None:
    assert probe(f"{formula} + {other}", f"{other} + {formula}") is not False
    assert probe(formula, other) == probe(other, formula)


@settings(max_examples=60, deadline=None)
@given(formula=FORMULAS)
def test_spaces_and_sizes_of_brackets_change_nothing(formula: str) -> None:
    spelled = formula.replace("(", "\\left( ").replace(")", "\\, \\right)")
    assert probe(formula, spelled) is not False
    assert probe(formula, f"{formula}+1") is not True


def test_threads_do_not_disturb_each_others_digits() -> None:
    found: list[bool | None] = []

    def work() -> None:
        found.extend(probe("\\sqrt{2}+\\sqrt{3}", "\\sqrt{5+2\\sqrt{6}}") for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 80
