"""Countdown and 24: exact values, exact numbers, nothing but four operators, and no answer that hangs or runs."""

from __future__ import annotations

import pickle
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.countdown import countdown


@pytest.mark.parametrize(
    ("answer", "numbers", "target"),
    [
        ("8 / (3 - 8 / 3)", [3, 3, 8, 8], 24),
        ("(5 - 1/5) * 5", [1, 5, 5, 5], 24),
        ("(1+2)*8=24", [1, 2, 8], 24),
        ("24 = (1+2)*8", [1, 2, 8], 24),
        ("98 = 98", [98], 98),
        (r"\boxed{44 + 19 + 35}", [44, 19, 35], 98),
        (r"\boxed{\frac{8}{3 - \frac{8}{3}}}", [3, 3, 8, 8], 24),
        (r"\left(1+2\right)\times 8", [1, 2, 8], 24),
        ("(1 + 2) × 8", [1, 2, 8], 24),
        ("48 ÷ 2 · 1", [48, 2, 1], 24),
        ("30 − 6", [30, 6], 24),
        ("-6 + 30", [30, 6], 24),
        ("[1+2]*{8}", [1, 2, 8], 24),
        ("（1+2）*8＝24", [1, 2, 8], 24),
        ("`(1+2)*8`", [1, 2, 8], 24),
        ("**(1+2)*8**", [1, 2, 8], 24),
        ("(1+2)*8.", [1, 2, 8], 24),
        ("100 - 99", [99, 100], 1),
    ],
)
def test_right_expressions_are_right_however_they_are_spelt(answer: str, numbers: list[int], target: int) -> None:
    verdict = countdown(f"<think>hm</think><answer>{answer}</answer>", numbers, target)
    assert verdict.value == 1.0, verdict.reason


@pytest.mark.parametrize(
    ("answer", "numbers", "target", "reason"),
    [
        ("2**3", [2, 3], 8, "unparsable: '*' where a number or ( should be"),
        ("7//2", [7, 2], 3, "unparsable: '/' where a number or ( should be"),
        ("2^3", [2, 3], 8, "unparsable: '^' is no part of an expression"),
        ("9**9**9**9", [9, 9, 9, 9], 24, "unparsable: '*' where"),
        ("7 % 4", [7, 4], 3, "unparsable: '%' is no part"),
        ("4!", [4], 24, "unparsable: '!' is no part"),
        ("3 8", [3, 8], 24, "unparsable: no operator before 8"),
        ("3(8)", [3, 8], 24, "unparsable: no operator before ("),
        ("(3*8", [3, 8], 24, "unparsable: a parenthesis is not closed"),
        ("3*8)", [3, 8], 24, "unparsable: a parenthesis was never opened"),
        ("3*", [3], 24, "unparsable: the expression breaks off"),
        ("()", [3], 24, "unparsable: ')' where"),
        ("+3*8", [3, 8], 24, "unparsable: '+' where"),
        ("__import__('os').system('true')", [3, 8], 24, "unparsable: '_' is no part"),
        ("3*8 = 25", [3, 8], 24, "wrong: the equation does not say 24"),
        ("3*8 = 12*2", [3, 8, 12, 2], 24, "wrong: the equation does not say 24"),
        ("1+1 = 2*12 = 24", [1, 1], 24, "unparsable: 3 sides of an equation"),
        ("3+8", [3, 8], 24, "wrong: 11, not 24"),
        ("8/3", [3, 8], 24, "wrong: 8/3, not 24"),
        ("3*8", [3, 8, 1], 24, "wrong: 1 is not used"),
        ("3*8*1*1", [3, 8, 1], 24, "wrong: 1 is used too often"),
        ("8*3", [8, 3, 8], 24, "wrong: 8 is not used often enough"),
        ("24", [2, 4], 24, "wrong: 24 is not given"),
        ("12*2", [1, 2, 2], 24, "wrong: 12 is not given"),
        ("3.0*8.5", [3, 8], 24, "wrong: 17/2 is not given"),
        ("5/(1-1)", [5, 1, 1], 24, "wrong: divides by zero"),
        ("24 + 0*(1/(3-3))", [24, 0, 1, 3, 3], 24, "wrong: divides by zero"),
    ],
)
def test_wrong_expressions_say_what_is_wrong(answer: str, numbers: list[int], target: int, reason: str) -> None:
    verdict = countdown(f"<answer>{answer}</answer>", numbers, target)
    assert verdict.value == 0.0
    assert verdict.reason.startswith(reason)


def test_a_fraction_that_floats_would_round_is_exact() -> None:
    assert countdown("<answer>1/3*3</answer>", [1, 3, 3], 1).value == 1.0
    near = "100000000000000000 * 3 / 3 + 1/3"
    assert countdown(f"<answer>{near}</answer>", [10**17, 3, 3, 1, 3], 10**17).value == 0.0


@pytest.mark.parametrize(
    ("numbers", "target", "what"),
    [
        ([], 24, "numbers"),
        (None, 24, "numbers"),
        (["x"], 24, "numbers"),
        ("[1,", 24, "numbers"),
        ([1], None, "target"),
        ([1], "x", "target"),
    ],
)
def test_puzzles_that_cannot_be_read_are_unjudged(numbers: Any, target: Any, what: str) -> None:
    assert countdown("<answer>1</answer>", numbers, target).value is None
    assert countdown("<answer>1</answer>", numbers, target).reason == f"bad reference: the {what} cannot be read"


def test_no_answer_is_wrong_with_its_reason() -> None:
    assert countdown("<think>3*8", [3, 8]).reason == "no answer found: thoughts not closed"
    assert countdown("", [3, 8]).value == 0.0


def test_columns_have_their_own_names_and_24_is_the_target_of_rows_without_one() -> None:
    rows = pl.DataFrame({"response": ["<answer>3*8</answer>", "<answer>3+8</answer>"], "numbers": [[3, 8], [3, 8]]})
    assert countdown.score(rows).struct.field("value").to_list() == [1.0, 0.0]
    assert countdown.score(rows.with_columns(target=pl.lit(11))).struct.field("value").to_list() == [0.0, 1.0]
    assert pickle.loads(pickle.dumps(countdown)) == countdown


Tree = tuple[str, Fraction, list[int]]
"""An expression, its value, and the numbers in it."""


def _joined(pair: tuple[Tree, Tree, str]) -> Tree:
    (left, a, used), (right, b, others), sign = pair
    sign = "+" if sign == "/" and not b else sign
    value = a + b if sign == "+" else a - b if sign == "-" else a * b if sign == "*" else a / b
    return f"({left}) {sign} ({right})", value, used + others


trees = st.recursive(
    st.integers(0, 99).map(lambda number: (str(number), Fraction(number), [number])),
    lambda inner: st.tuples(inner, inner, st.sampled_from("+-*/")).map(_joined),
    max_leaves=8,
)


@given(trees, st.randoms(use_true_random=False))
def test_any_expression_has_pythons_exact_value(tree: Tree, chance: Any) -> None:
    text, value, used = tree
    numbers = list(used)
    chance.shuffle(numbers)
    if value.denominator == 1 and abs(value) < 10**40:
        assert countdown(f"<answer>{text}</answer>", numbers, int(value)).value == 1.0
        assert countdown(f"<answer> {text.replace(' ', '')} </answer>", numbers, int(value)).value == 1.0
    assert countdown(f"<answer>{text}</answer>", [*numbers, 7], 24).value == 0.0


@given(st.text(alphabet="0123456789+-*/()= .\\{}fracx", max_size=60))
def test_no_text_raises_or_is_run(text: str) -> None:
    verdict = countdown(f"<answer>{text}</answer>", [1, 2, 3], 6)
    assert verdict.value in (0.0, 1.0)
    assert verdict.reason


def test_deep_and_long_answers_end_at_once() -> None:
    for answer in ("(" * 900 + "1" + ")" * 900, "-" * 999 + "1", "9" * 999, "1+" * 499 + "1", r"\frac{" * 150, "(" * 1_000_000):
        assert countdown(f"<answer>{answer}</answer>", [1, 2], 3).value == 0.0
