"""What a model rewrote is judged against what it was: numbers, steps, languages, and words about thoughts."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.faithful import (
    keeps_the_steps,
    nothing_said_of_thoughts,
    numbers_from_thoughts,
    one_language,
)
from filters.texts.numbers_said import missing_numbers, numbers_said

THOUGHTS = "I add 23 and 9. That is 32. Then 32*4 = 128. Let me check: 128/4 = 32. Yes. So the answer is 128."


@pytest.mark.parametrize(
    ("summary", "thoughts"),
    [
        ("There are $1{,}000$ of them.", "1000 of them"),
        ("There are 1 000 of them.", "1,000 of them"),
        ("It costs 1,250.50 dollars.", "1250.5"),
        ("50% of it", "half of it"),
        ("0.5 of it", "50 percent"),
        ("$\\frac{3}{4}$", "3/4"),
        ("$\\dfrac34$", "0.75"),
        ("3/4", "three quarters, 0.75"),
        ("$2\\frac{1}{3}$", "2 1/3"),
        ("about 3.14", "3.14159"),
        ("$\\approx 66.7\\%$", "2/3 of them"),
        ("75%", "3 in 4 are good"),
        ("$x^2$", "x²"),
        ("$x^{2}$", "x squared"),
        ("35 个", "三十五个"),
        ("三十五个", "35 个"),
        ("百分之二十", "0.2"),
        ("１２３", "123"),
        ("twenty-one", "21"),
        ("14 million", "14,000,000"),
        ("3万人", "30000 人"),
        ("$1,\\!125$", "1125"),
        ("half is 1/2", "I halve it"),
        ("3 dozen are 36", "36 is three dozen"),
        ("$10^{3}$", "10^3"),
        ("-5", "5 below zero, -5"),
        ("0.333", "1/3"),
        ("1. First, add.\n2. Then, stop.", "nothing"),
        ("**Step 3:** done. Case 2 and equation (4) too.", "nothing"),
        ("步骤3：完成。第2步也是。情况1。", "无"),
        ("$x_1$, $a_{10}$ and H2O", "nothing"),
        ("### 2. Result", "nothing"),
        ("```python\nprint(42)\n```", "nothing"),
        ("the 2nd and the 15th", "nothing"),
        ("$$a \\tag{7}$$ \\hspace{2cm} \\\\[3pt]", "nothing"),
    ],
)
def test_a_number_is_found_however_it_is_written(summary: str, thoughts: str) -> None:
    score = numbers_from_thoughts(summary, thoughts)
    assert score.value == 1.0, score.reason


@pytest.mark.parametrize(
    ("summary", "missing"),
    [
        ("It is 129.", "129"),
        ("$\\frac{5}{32}$", "5/32"),
        ("So 1,280 in all", "1,280"),
        ("3.5 times", "3.5"),
        ("It has 12.8% more", "12.8%"),
        ("一百二十九个", "一百二十九"),
        ("one hundred and thirty", "one hundred and thirty"),
        ("1. Add 24.", "24"),
    ],
)
def test_a_number_that_nobody_thought_of_is_named(summary: str, missing: str) -> None:
    score = numbers_from_thoughts(summary, THOUGHTS)
    assert score.value is not None
    assert score.value < 1
    assert score.reason.endswith(f": {missing}")


def test_numbers_of_the_question_may_be_told_again() -> None:
    assert numbers_from_thoughts("With 77 of them", "I count them.", [{"role": "user", "content": "77 pens?"}]).value == 1.0
    assert numbers_from_thoughts("With 77 of them", "I count them.", "78 pens?").value == 0.0


@given(st.text(max_size=300))
def test_every_text_holds_its_own_numbers(text: str) -> None:
    assert missing_numbers(text, [text])[1] == []


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
def test_integers_are_found_with_and_without_separators(numbers: list[int]) -> None:
    plain, grouped = " and ".join(map(str, numbers)), " and ".join(f"{number:,}" for number in numbers)
    assert missing_numbers(plain, [grouped]) == (len(numbers), [])
    assert missing_numbers(grouped, [plain]) == (len(numbers), [])
    assert len(numbers_said(f"{plain}.")) == len(numbers)


def test_thoughts_told_again_keep_their_length_and_their_numbers() -> None:
    again = "I start with 23 and 9, which makes 32.\n\nThen I take 32*4 = 128. I check it: 128/4 = 32. So my answer is 128."
    assert keeps_the_steps(again, THOUGHTS).value == 1.0
    short = keeps_the_steps("I add, and my answer is 128.", THOUGHTS)
    assert short.value is not None
    assert short.value < 1
    assert short.reason == "28 bytes of 97: below 0.5; 5 of 6 numbers are gone: 23, 9, 32, 4, 128/4"
    assert "above 2.0" in keeps_the_steps(again * 3, THOUGHTS).reason
    assert keeps_the_steps("I", "").value is None


def test_chinese_weighs_as_much_as_english() -> None:
    assert keeps_the_steps("我先把23和9加起来，得到32。然后算32*4=128。检查一下：128/4=32。对。所以答案是128。", THOUGHTS).value == 1.0


def test_thoughts_and_summary_are_in_one_language() -> None:
    asked = "请计算 (23+9)*4"
    assert one_language("", asked, "先加，得到三十二，再乘。", "答案是 $\\boxed{128}$。").value == 1.0
    assert one_language("", asked, "先加，得到三十二，再乘。", "$\\boxed{128}$").value == 1.0
    wrong = one_language("", asked, "先加，得到三十二，再乘。", "The answer is what we wanted to have.")
    assert wrong.value == 0.0
    assert wrong.reason.startswith("summary: ")
    assert one_language("", asked, "先加 and then we 再乘。", "答案是 128").reason.startswith("thoughts: ")


@pytest.mark.parametrize(
    "summary",
    [
        "According to the thought process, it is 4.",
        "Based on the above thinking process, 4.",
        "As shown in the reasoning above, 4.",
        "Here is a concise summary: 4.",
        "Here's the rewritten solution.",
        "根据上述思考过程，答案是4。",
        "由思考过程可知，4。",
        "以下是整理后的解答：4",
        "The chain-of-thought says 4. <think>",
    ],
)
def test_a_summary_that_speaks_of_thoughts_is_found(summary: str) -> None:
    assert nothing_said_of_thoughts(summary).value == 0.0


@pytest.mark.parametrize(
    "summary",
    [
        "The process of adding is simple: $2+2=4$.",
        "Descartes thought that I think, therefore I am. My thoughts on it: none.",
        "这个过程需要思考两种情况：偶数和奇数。",
        "Here is the code:\n```python\nprint(4)\n```",
        "By the same reasoning, $b = 4$.",
        "Adding 2 to both sides, here is the revised equation: $x = 4$. Here's a structured summary of the key points:",
    ],
)
def test_a_summary_that_only_thinks_is_not(summary: str) -> None:
    assert nothing_said_of_thoughts(summary).value == 1.0


def test_columns_are_judged_as_single_rows_are() -> None:
    rows = pl.DataFrame(
        {
            "reasoning": [THOUGHTS, "x", None],
            "summary": ["It is \\boxed{128}.", "13", None],
            "messages": [[{"role": "user", "content": "What is (23+9)*4?"}]] * 3,
        }
    )
    assert [each["value"] for each in numbers_from_thoughts.score(rows).to_list()] == [1.0, 0.0, None]
