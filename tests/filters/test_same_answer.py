"""A rewritten rollout keeps its answer, its program, or what its checks ask for; whatever it says, a row has a verdict."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.lines import json_lines
from filters.same_answer import same_answer

THOUGHTS = "I add 23 and 9. That is 32. Then 32*4 = 128. Let me check: 128/4 = 32. Yes. So the answer is 128."
TESTS = json.dumps({"inputs": ["4", "7"], "outputs": ["8", "14"]})
DOUBLE = "n = int(input())\nr = n + n\nprint(r)\n"
LOWERCASE = json.dumps({"instruction_id_list": ["change_case:english_lowercase"], "kwargs": [{}]})


def formed(reasoning: str, summary: str) -> str:
    return f"<think>\n{reasoning}\n</think>\n\n{summary}"


def block(code: str, *, said: str = "") -> str:
    return f"{said}```python\n{code}```"


def value(summary: str, before: str, *, answer: str | None = None, checks: str | None = None) -> float | None:
    """What a rewritten summary of the same thoughts gets."""
    columns: dict[str, Any] = {"response": formed("I think.", summary), "before_response": formed("I think.", before)}
    columns |= {"summary": summary, "before_summary": before, "answer": answer, "checks": checks}
    columns |= {"reasoning": "I think.", "before_reasoning": "I think."}
    return same_answer(*(columns[name] for name in same_answer.columns)).value


@pytest.mark.parametrize(
    ("summary", "before", "answer", "value"),
    [
        ("It is $\\boxed{128}$.", "128", "128", 1.0),
        ("It is $\\boxed{128.0}$.", "128", None, 1.0),
        ("It is $\\boxed{129}$.", "128", "128", 0.0),
        ("It is $\\boxed{129}$.", "128", None, 0.0),
        ("It is $\\boxed{128}$.", "129", "128", 0.0),
        ("It is long.", "128", "128", 0.0),
        ("It is $\\boxed{128}$.", "no idea", "128", 1.0),
    ],
)
def test_the_final_answer_has_to_stay(summary: str, before: str, answer: str | None, value: float) -> None:
    score = same_answer(formed(THOUGHTS, summary), answer, THOUGHTS, formed(THOUGHTS, before), THOUGHTS)
    assert score.value == value, score.reason


def test_rewritten_thoughts_have_to_arrive_where_the_old_ones_did() -> None:
    before = formed(THOUGHTS, "128")
    lost = "I add 23 and 9, 32. Then 32*4, that is 131."
    assert same_answer(formed(lost, "128"), "128", lost, before, THOUGHTS).value == 0.0
    kept = "I add 23 and 9, 32. Then 32*4, that is 128."
    assert same_answer(formed(kept, "128"), "128", kept, before, THOUGHTS).value == 1.0
    vague = "Hm. I do not know."
    assert same_answer(formed("I see.", "128"), "128", "I see.", formed(vague, "128"), vague).value == 1.0


def test_without_any_answer_there_is_nothing_to_compare() -> None:
    assert same_answer("Hello there!").value is None


@pytest.mark.parametrize("before", ["red and blue", "x = y and z", "I like all of them."])
def test_words_that_state_no_value_are_no_answer_and_their_neighbours_are_judged(before: str) -> None:
    assert value("They are \\boxed{red and blue}.", before) is None
    rows = pl.DataFrame(
        {
            "response": [formed("I", "\\boxed{128}"), formed("I", "so \\boxed{red}"), None],
            "before_response": [formed("I", "128"), formed("I", before), "1"],
        }
    )
    assert [each["value"] for each in same_answer.score(rows).to_list()] == [1.0, None, None]


texts = st.text(max_size=40) | st.sampled_from(
    [
        "",
        " ",
        "red and blue",
        "x = y and z",
        "\\boxed{",
        "\\boxed{}",
        "<answer></answer>",
        "```",
        "```\n```",
        "</think>",
        "1/0",
        "answer is",
        "#### ",
    ]
)


@settings(max_examples=300, deadline=None)
@given(*[texts | st.none()] * 4, *[texts] * 2, st.sampled_from([None, "", "7", "(a, b"]), st.sampled_from([None, LOWERCASE, "{}", "[]"]))
def test_no_text_makes_it_raise(
    summary: str | None,
    before: str | None,
    reasoning: str | None,
    before_reasoning: str | None,
    response: str,
    before_response: str,
    answer: str | None,
    checks: str | None,
) -> None:
    score = same_answer(response, answer, reasoning, before_response, before_reasoning, checks, summary, before)
    assert score.value in (None, 0.0, 1.0)
    assert score.reason


@settings(max_examples=100, deadline=None)
@given(texts.filter(str.strip), st.sampled_from([TESTS, LOWERCASE, "assert f(1) == 2", "no tests at all", ""]))
def test_what_is_judged_by_checks_and_is_what_it_was_passes(text: str, checks: str) -> None:
    assert value(text, text, checks=checks) == 1.0
    assert value(text, f"{text}\n", checks=checks) == 1.0


def test_a_program_with_other_words_around_it_is_the_same_program() -> None:
    before = block(DOUBLE)
    for checks in (TESTS, "no tests at all", None):
        assert value(block(DOUBLE, said="It doubles the number.\n\n"), before, checks=checks) == 1.0
        assert value(block(DOUBLE.replace("\n", "  \n")), before, checks=checks) == 1.0


def test_a_broken_program_whose_last_line_is_the_old_one_does_not_pass() -> None:
    broken = block(DOUBLE.replace("n + n", "n - 7"), said="It doubles the number.\n\n")
    assert value(broken, block(DOUBLE), checks=TESTS) == 0.0
    assert value(broken, block(DOUBLE)) == 0.0


def test_another_program_passes_where_it_passes_the_tests() -> None:
    assert value(block("print(2 * int(input()))\n"), block(DOUBLE), checks=TESTS) == 1.0
    assert value(block("print(2 * int(input()))\n"), block(DOUBLE)) == 0.0, "nothing tells that it does the same"
    assert value("It doubles the number.", block(DOUBLE), checks=TESTS) == 0.0


def test_an_example_of_use_behind_the_program_hides_no_change_of_it() -> None:
    before, after = (f"```python\ndef double(n):\n    return n {sign} n\n```\n\n```python\nprint(double(4))\n```" for sign in "+-")
    tests = "assert double(4) == 8"
    assert value(after, before, checks=tests) == 0.0
    assert value(before.partition("\n\n")[0], before, checks=tests) == 1.0


def test_a_text_that_follows_instructions_has_to_follow_them_again() -> None:
    assert value("they are red and blue.", "red and blue", checks=LOWERCASE) == 1.0
    assert value("They are \\boxed{red and blue}.", "red and blue", checks=LOWERCASE) == 0.0


def test_an_answer_that_was_wrong_is_kept_too_so_that_people_can_be_asked_about_the_rewritten_row() -> None:
    """A dropped row of an audit, or a reference that is wrong itself: the refinement is no second verifier."""
    assert value("It is \\boxed{82}.", "82", answer="1") == 1.0
    assert value("82", "82", answer="1") == 1.0
    assert value("It is \\boxed{1}.", "82", answer="1") == 0.0
    assert value("It is \\boxed{83}.", "82", answer="1") == 0.0
    was, now = ("I add, so the answer is 82.", "I add, so the answer is 83.")
    same = same_answer(formed(now, "82"), "1", now, formed(was, "82"), was, None, "82", "82")
    assert same.reason == "the thoughts arrived at 82 before, and now at 83"


def test_the_answer_is_looked_for_in_the_summary_whatever_the_special_tokens_are() -> None:
    text = "|t|Perhaps \\boxed{5}? No, 4.|t|It is 4."
    before = "|t|Perhaps \\boxed{5}? No, 4.|t|4"
    thoughts = "Perhaps \\boxed{5}? No, 4."
    assert same_answer(text, "4", thoughts, before, thoughts, None, "It is 4.", "4").value == 1.0


def test_real_programs_stay_the_same_programs(shared_data: Path) -> None:
    outputs = (row["output"] for row in json_lines(shared_data / "code_model_solutions.jsonl.zst") if row["language"] == "python")
    codes = [output.rpartition("```python\n")[2].partition("```")[0].strip() + "\n" for output in islice(outputs, 150)]
    wrong = [code for code in codes if value(block(code, said="The program does it.\n\n"), block(code)) != 1.0]
    assert not wrong


def test_columns_are_judged_as_single_rows_are() -> None:
    rows = pl.DataFrame(
        {
            "response": [formed(THOUGHTS, "It is \\boxed{128}."), formed("x", "13"), formed("x", block(DOUBLE)), None],
            "answer": ["128", "12", None, "1"],
            "checks": [None, None, TESTS, None],
            "reasoning": [THOUGHTS, "x", "x", None],
        }
    )
    assert [each["value"] for each in same_answer.score(rows).to_list()] == [1.0, 0.0, 1.0, None]
