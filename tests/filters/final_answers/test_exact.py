"""The rules that need no algebra: what is equal, what is different and what they leave open."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.final_answers.exact import equal
from filters.final_answers.numbers import number

SAME = [
    ("1000", "1,000.0"),
    ("1234", "1\\,234"),
    ("32349", "32,\\! 349"),
    ("1/3", "\\dfrac{1}{3}"),
    ("\\frac12", "0.5"),
    ("2.5", "2½"),
    ("71/6", "+11 5/6"),
    ("918\\frac{1}{2}", "918.5"),
    ("-5", "−5"),
    ("123", "１２３"),
    ("1500", "1.5 \\times 10^3"),
    ("5.89e-7", "5.89 × 10⁻⁷ m"),
    ("1/9", "0.\\overline{1}"),
    ("0.335", "33.5\\%"),
    ("20", "20%"),
    ("10\\%", "0.1"),
    ("10", "\\$10"),
    ("10", "10\\text{ cm}^2"),
    ("10", "10 weeks"),
    ("1.5 m", "150 cm"),
    ("$0.5", "50 cents"),
    ("336^\\circ", "336"),
    ("x=2", "2"),
    ("2", "x = 2"),
    ("11", "x = 5+5+1 = 11"),
    ("(1,2)", "(1, 2)"),
    ("1, 2", "2 \\text{ and } 1"),
    ("\\{1,2\\}", "2, 1"),
    ("(\\frac{3}{5}, \\frac{8}{3}]", "(0.6, 2.6667]"),
    ("3:4", "6:8"),
    ("20:34:00", "20:34"),
    ("C", "(C)"),
    ("C", "C. 12 apples"),
    ("C", "选项C"),
    ("ACD", "A, C, D"),
    ("\\text{Evelyn}", "evelyn"),
    ("Yes", "Yes, it does"),
    ("16386.17", "16386.1679"),
    ("1/3", "0.3333"),
    ("0.3", "0.30000000000000004"),
    ("12", "There are 12 of them"),
    ("3", "three boxes"),
    ("18", "So, the value of f(-2) is 18"),
    ("1000", "The velocity \\omega_{s} is 1000 radians per second"),
    ("4.5e33", "4.5 \\times 10^{33} \\, \\text{erg s}^{-1}"),
    ("3千米", "3000米"),
    ("5", "5个"),
    ("2^{2021}-1", "2 \\cdot 2^{2020} - 1"),
    ("2A3_{16}", "2A3"),
    ("6:00 p.m.", "6 PM"),
    ("10:45 a.m.", "10:45"),
    ("3元5角", "3.5元"),
    ("①③", "③、①"),
    ("3 \\pmod{7}", "3"),
    ("x \\equiv 3 \\pmod 7", "x \\equiv 10 \\pmod{7}"),
    ("0.5", "\\frac{1}{2} \\text{ or } 0.5"),
    ("6.28", "2\\pi \\approx 6.28"),
    ("k\\in Z", "k \\in \\mathbb{Z}"),
    ("1000000", "1 million"),
    ("14", "14 million"),
    ("3.5亿", "350000000"),
    ("1/3", "0.333\\ldots"),
    ("1/3", "0.\\dot{3}"),
    ("1/6", "0.1(6)"),
    ("21", "twenty-one"),
    ("three", "3"),
    ("one half", "1/2"),
    ("150 minutes", "2 hours and 30 minutes"),
    ("68 in", "5 ft 8 in"),
    ("\\frac{1}{2} hour", "30 minutes"),
    ("1 m^2", "10000 \\text{ cm}^2"),
    ("6 and 8", "8 and 6"),
    ("3 apples and 4 oranges", "4 oranges, 3 apples"),
    ("3、4", "4和3"),
    ("July 4, 1776", "On July 4, 1776"),
    ("北偏东30°", "北偏东30°"),
    ("Café", "café"),
    ("30^\\circ", "30^o"),
    ("30°", "30º"),
    ("3:2", "3\\colon 2"),
    ("3:2", "3 to 2"),
    ("\\infty", "\\text{infinity}"),
    ("42", "\\color{red}{42}"),
    ("42", "\\underline{42}"),
    ("(-1, 1)", "|x| < 1"),
    ("x\\le -2 \\text{ or } x\\ge 2", "|x| \\ge 2"),
    ("1 < x < 2", "2 > x > 1"),
    ("a<b<c", "c > b > a"),
    ("A(1, 2)", "(1, 2)"),
    ("|AB| = 4", "4"),
    ("x=1, y=2", "\\begin{cases} x=1 \\\\ y=2 \\end{cases}"),
    ("(1,2)", "\\begin{aligned} x&=1\\\\ y&=2 \\end{aligned}"),
    ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "[[1, 2], [3, 4]]"),
    ("B. Paris", "Paris"),
    ("AB", "both A and B"),
    ("B", "A is wrong, B is correct"),
]
DIFFERENT = [
    ("5", "5.001"),
    ("12345678902", "12345678901"),
    ("1/3", "0.33"),
    ("3.15", "3.14159"),
    ("12", "1,2345"),
    ("5", "5abc"),
    ("10", "10m"),
    ("5 m", "5 kg"),
    ("(1,2)", "(2,1)"),
    ("(1,2)", "[1,2]"),
    ("(1,2)", "\\{1,2\\}"),
    ("2", "(0, 1)"),
    ("12", "[1,2]"),
    ("1, 2", "1, 2, 3"),
    ("C", "B"),
    ("ACD", "AC"),
    ("Yes", "No"),
    ("listen", "silent"),
    ("12:00", "1:00"),
    ("4", "4 4/0"),
    ("73/6", "11 7/6"),
    ("2^{2021}-1", "2^{2021}-2"),
    ("2A3_{16}", "2A3_{12}"),
    ("33\\frac{1}{3}\\%", "33\\frac{4}{3}\\%"),
    ("3元5角", "-3元5角"),
    ("2 n \\text{ for even } n", "-2 n \\text{ for even } n"),
    ("10:45 a.m.", "10:54 a.m."),
    ("6 p.m.", "7 p.m."),
    ("①②③", "①③"),
    ("x \\equiv 3 \\pmod 7", "x \\equiv 4 \\pmod 7"),
    ("x \\equiv 3 \\pmod 7", "x \\equiv 3 \\pmod 5"),
    ("0.5", "\\frac{1}{2} \\text{ or } 0.6"),
    ("6 and 8", "6 and 9"),
    ("3 apples and 4 oranges", "3 apples and 5 oranges"),
    ("2 hours 5 minutes", "2 hours 7 minutes"),
    ("5 remainder 2", "5 remainder 3"),
    ("3 out of 5", "3 out of 7"),
    ("5 pm", "5 am"),
    ("4 July", "4 August"),
    ("30 degrees north", "30 degrees south"),
    ("北偏东30度", "北偏西30度"),
    ("增加5", "减少5"),
    ("May", "Amy"),
    ("10\\%", "10^\\circ"),
    ("10 cm", "10 cm^2"),
    ("100.0", "100.04"),
    ("1 million", "1 billion"),
    ("0.\\dot{3}", "0.33"),
    ("B", "A or B"),
    ("B", "not B"),
    ("A", "A cat sat"),
    ("A", "both (A) and (B)"),
    ("a<b<c", "c > a > b"),
    ("(-1, 1)", "|x| \\le 1"),
    ("(2,1)", "\\begin{aligned} x&=1\\\\ y&=2 \\end{aligned}"),
]


@pytest.mark.parametrize(("gold", "prediction"), SAME)
def test_equal_answers_are_equal(gold: str, prediction: str) -> None:
    assert equal(gold=gold, prediction=prediction) is True


@pytest.mark.parametrize(("gold", "prediction"), DIFFERENT)
def test_different_answers_are_not_equal(gold: str, prediction: str) -> None:
    assert not equal(gold=gold, prediction=prediction)


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("15", "\\sum_{k=1}^5 k"),
        ("x", "\\sqrt{x^2}"),
        ("\\frac{37}{4}m", "b=m, k=\\frac{37}{4}m"),
        ("1<x<2", "\\{1,2\\}"),
    ],
)
def test_algebra_is_left_open(gold: str, prediction: str) -> None:
    assert equal(gold=gold, prediction=prediction) is None


@given(value=st.fractions(max_denominator=999), other=st.fractions(max_denominator=999))
def test_fractions_are_equal_exactly_when_their_values_are(value: Fraction, other: Fraction) -> None:
    spelled = f"\\frac{{{other.numerator}}}{{{other.denominator}}}"
    assert equal(gold=str(value), prediction=spelled) is (value == other)


@given(value=st.integers(min_value=-(10**12), max_value=10**12))
def test_thousands_separators_change_nothing(value: int) -> None:
    assert equal(gold=str(value), prediction=f"{value:,}") is True
    assert equal(gold=str(value), prediction=f"{value + 1:,}") is False


@given(text=st.text(max_size=60))
def test_every_text_is_equal_to_itself_or_empty_and_nothing_raises(text: str) -> None:
    assert equal(gold=text, prediction=text) is True
    number(text)
    equal(gold="5", prediction=text)
    equal(gold=text, prediction="5")


@pytest.mark.parametrize("unit", ["1,", "A ", "a b ", "\\frac{1}{", "(", "km ", "1 000", "{", "1/", "和", "answer ", "x="])
def test_hostile_text_takes_no_time(unit: str) -> None:
    text = unit * (2_000 // len(unit))
    begun = time.process_time()
    equal(gold="5", prediction=text)
    equal(gold=text, prediction="5")
    assert time.process_time() - begun < 2


def test_gold_and_prediction_cannot_be_swapped_unseen() -> None:
    with pytest.raises(TypeError):
        equal("1", "2")  # type: ignore[misc]


def test_long_lists_are_compared_at_once() -> None:
    numbers = [str(n) for n in range(300)]
    begun = time.process_time()
    assert equal(gold=", ".join(numbers), prediction=", ".join(reversed(numbers))) is True
    assert equal(gold=", ".join(numbers), prediction=", ".join(f"{n}.5" for n in numbers)) is False
    assert time.process_time() - begun < 1
