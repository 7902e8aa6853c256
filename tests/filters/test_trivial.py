"""Only what looks like "1+1=?" or "hello" is trivial: a short question may want the longest thoughts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.lines import json_lines
from filters.trivial import short_if_trivial, trivial_shape

LONG = "I add one and one. " * 30


def test_trivial_questions_want_short_thoughts_and_others_do_not() -> None:
    assert short_if_trivial("That is 2.", "1+1=?").value == 1.0
    assert short_if_trivial(LONG, "A train goes 150 km in 2 hours and then 90 km in 1 hour. What is its average speed?").value == 1.0
    found = short_if_trivial(LONG, "1+1=?")
    assert found.value is not None
    assert found.value < 1
    assert found.reason == "570 bytes of thoughts on a small calculation, 240 wanted at most"


@pytest.mark.parametrize(
    "question",
    [
        "1+1=?",
        "１+１=？",
        "What is 3+4?",
        "$3 \\times 4$",
        "Calculate 12 - 5.",
        "What's two plus two?",
        "三加四等于多少？",
        "请计算49*9。",
        "2+2=___",
        *("hello", "Hello there!", "Thank you so much!", "Who are you?", "你好", "谢谢！", "你是谁？"),
    ],
)
def test_small_calculations_and_small_talk_are_trivial(question: str) -> None:
    assert short_if_trivial(LONG, question).value == 240 / 570


@pytest.mark.parametrize(
    "question",
    [
        "Prove Fermat's last theorem.",
        "What is the integral of sec^3 x?",
        "证明哥德巴赫猜想。",
        "",
        "?",
        "Prove that 1+1=2.",
        "Is 2+2=5?",
        "Find x: 2x=4",
        "Factor 91.",
        "Find 2^100 mod 7.",
        "2^10",
        "1/0",
        "How many primes are below 100?",
        "1, 2, 3, ?",
        "1+2+3",
        "123+4",
        "Hello, what is the integral of x?",
    ],
)
def test_a_short_question_is_not_trivial_for_being_short(question: str) -> None:
    assert short_if_trivial(LONG, question).value == 1.0


def test_a_question_that_is_got_wrong_at_times_is_not_trivial() -> None:
    assert short_if_trivial(LONG, "1+1=?", 0.75).reason == "not trivial: a small calculation with a pass rate of 0.75"
    assert short_if_trivial(LONG, "1+1=?", 1.0).value == 240 / 570


def test_how_large_a_small_calculation_may_be_is_a_setting() -> None:
    assert trivial_shape("1+2+3", numbers=3)
    assert trivial_shape("123+4", digits=3)
    assert not trivial_shape("12+4", digits=1)


@pytest.mark.parametrize("file", ["math_hendrycks.jsonl.zst", "math_competition.jsonl.zst", "math_gsm8k.jsonl.zst", "math_chinese.jsonl"])
def test_no_question_of_the_maths_sets_is_trivial(shared_data: Path, file: str) -> None:
    questions = [row["problem"] for row in json_lines(shared_data / file)]
    assert not list(filter(trivial_shape, questions))


@given(st.text(alphabet="1+=?$( )hi,.!\n 你好加", max_size=300))
def test_any_text_has_or_has_not_the_shape_in_no_time(text: str) -> None:
    assert trivial_shape(text) in ("", "small talk", "a small calculation")
    assert not trivial_shape(text + "x" * 101)
