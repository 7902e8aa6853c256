"""Where the final answer of a response is looked for, and why there may be none."""

from __future__ import annotations

import time

import pytest

from filters.final_answers.extraction import final_answer


@pytest.mark.parametrize(
    ("response", "text", "place"),
    [
        ("<think>2+2, maybe 5</think> <answer> 4 </answer>", "4", "answer tag"),
        ("<think>a</think><answer>It is \\boxed{4}.</answer>", "4", "answer tag"),
        ("<think>a</think><answer>4", "4", "answer tag"),
        ("So \\boxed{3}. No: \\boxed{\\frac{1}{2}}", "\\frac{1}{2}", "boxed"),
        ("$\\boxed{k = 45}$ and $\\boxed{n = 2}$", "k = 45, n = 2", "boxed"),
        ("\\boxed{9} \\boxed{42}", "42", "boxed"),
        ("$a = -\\boxed{256}$", "-256", "boxed"),
        ("$\\boxed{28}\\%$", "28%", "boxed"),
        ("We add 3 and 4.\n#### 7", "7", "####"),
        ('{"reasoning": "...", "answer": "1,234"}', "1,234", "json"),
        ("Final Answer: The final answer is $\\frac{1}{2}$. I hope it is correct.", "\\frac{1}{2}", "said"),
        ("The answer is 42 because it must be.", "42", "said"),
        ("Thus, the answer is:\n\\[ \\frac{207}{64} \\]", "\\frac{207}{64}", "said"),
        ("【解析】略 <eoe>\n【答案】: C <eoa>", "C", "said"),
        ("所以答案是 12。", "12", "said"),
        ("（4）【答案】 D <eoa>\n（5）【答案】 C <eoa>", "D, C", "said"),
        ("The answer is correct.\nThe answer is 5.\nThis answer is correct.", "5", "said"),
        (
            "The boots cost $21 and $20, so they are $21 - $20 = $1 dearer on eBay.",
            "The boots cost $21 and $20, so they are $21 - $20 = $1 dearer on eBay.",
            "last line",
        ),
        ("So they need 12 buses.", "So they need 12 buses", "last line"),
        ("a\nSo 3 + 4 = <<3+4=7>>7 apples.", "So 3 + 4 =  7 apples.", "last line"),
        ("The first 3 are gone.\nIt was on **Thursday**, I believe.", "The first 3 are gone.", "last line"),
        ("We are done.\nTherefore, 5 steps lead to point **(8, -2)**.", "(8, -2)", "last line"),
        ("It was on **Thursday**.", "Thursday", "last line"),
        ("**Note** that x was 2. The point is (3, -4).", "(3, -4)", "last line"),
        ("The ratio of the two is 3:4.", "3:4", "last line"),
        ("The answer is: -$\\frac{1}{2}$", "-\\frac{1}{2}", "said"),
        ("故答案为 3；4．", "3；4．", "said"),
        ("<final_answer>5</final_answer>", "5", "answer tag"),
        ("I choose D.", "D", "said"),
        ("The statement is **true**.", "true", "said"),
        ("因此正确的选项是A、C、D。", "A、C、D", "said"),
        ("所以a的取值范围是(1,2]。", "(1,2]", "said"),
        ("-\\boxed{5}", "-5", "boxed"),
        ("$\\framebox{42}$", "42", "boxed"),
    ],
)
def test_the_answer_is_found_where_it_is_announced(response: str, text: str, place: str) -> None:
    found = final_answer(response)
    assert (found.text, found.place) == (text, place)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("<think>First, \\boxed{4}", "no answer found: thoughts not closed"),
        ("<think>\\boxed{4}</think>", "no answer found: nothing after the thoughts"),
        ("", "no answer found: empty response"),
        ("I do not know", "no answer found"),
        ("So it is \\boxed{42", "no answer found: unclosed \\boxed"),
        ("<think>a</think><answer> </answer>", "no answer found: empty <answer>"),
        ("|special_token|still thinking, 5", "no answer found: thoughts not closed"),
    ],
)
def test_a_missing_answer_has_a_reason(response: str, reason: str) -> None:
    found = final_answer(response, marked=True)
    assert (found.text, found.place) == (None, reason)


def test_only_what_follows_the_last_closed_thought_counts() -> None:
    assert final_answer("<think>\\boxed{42}</think> It is \\boxed{43}.").text == "43"
    assert final_answer("<think>a</think> It is \\boxed{43}. </think>").text == "43"
    assert final_answer("|special_token|is it 5?|special_token|The answer is 6.").text == "6"


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r'{"reasoning": "The sum is \\boxed{46}.", "answer": "-46"}', "-46"),
        (r'{"reasoning": "#### Step 1\n#### 8 mod 13", "answer": "5"}', "5"),
        (r'{"reasoning": "so $\frac{1}{2}$, \boxed{2}", "answer": "\frac{1}{2}"}', r"\frac{1}{2}"),
        (r'{"reasoning": "x", "answer": "\\boxed{5}"}', "5"),
        ('{"answer": "7"}\n\nWrite it as `"answer": "42"`:\n{"reasoning": "___", "answer": "___"}', "7"),
        ('So it is \\boxed{3}. {"answer": "4"}', "3"),
    ],
)
def test_other_fields_of_a_json_object_with_an_answer_are_not_looked_into(response: str, answer: str) -> None:
    assert final_answer(response).text == answer


def test_an_unannounced_number_counts_only_where_the_setting_allows_it() -> None:
    assert final_answer("work mentions 34").text == "work mentions 34"
    assert final_answer("work mentions 34", marked=True).text is None


@pytest.mark.parametrize(
    "unit",
    [
        "1 ",
        "\\boxed{",
        "\\boxed{1},",
        "A ",
        "\n",
        "$a$ and ",
        "\\(",
        "answer is ",
        "**",
        "<answer>",
        "，",
        "}",
        '{"answer": "5"}',
        '{"a": "',
    ],
)
def test_hostile_text_takes_no_time(unit: str) -> None:
    begun = time.process_time()
    final_answer("The answer is " + unit * (20_000 // len(unit)))
    assert time.process_time() - begun < 2
