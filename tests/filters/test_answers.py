"""The scorer as filters, rewards and evaluation see it: verdicts, reasons, batches, and the test cases of fifteen other projects."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path

import polars as pl
import pytest

import filters.final_answers.equality
from dataengine.lines import json_lines
from filters.answers import answer_matches

DISPUTED = {
    # a percent sign may mean hundredths or be left out: "what percent" is answered either way
    **{("40/9", f"4 4/9{sign}"): False for sign in ("%", " %", "percentage", " percentage", " pct")},
    # a bare list has no order: it lists solutions; the suite compares strings
    ("4, .1, 2", "0.1, 4, 2"): False,
    ("4, 10, -2", "10, 4, -2"): False,
    # a unit is left out by the reference
    ("10", "10cm"): False,
    # unreduced fractions are equal numbers
    ("\\frac{1}{2}", "\\frac{2}{4}"): False,
    # suites that want an announced answer: our setting `marked`
    ("34", "work mentions 34"): False,
    ("\\frac{63}{400}", "Correct answer \\frac{63}{400} but completely missing reasoning content"): False,
    # suites that take the first of two answers, or the first line
    ("\\boxed{42}", "<answer>42</answer> Some text <answer>100</answer>"): True,
    ("5", "11\n5/6"): True,
    ("5", "11\r\n5/6"): True,
    ("foo", "foo bar"): True,
    ("32", "28 + 32 = 60%"): True,
    # a TeX parser that reads no line break inside $...$
    ("$9$", "Answer $ \n 9 \n $"): False,
    # two digits are no approximation of 1/3
    ("$(\\begin{pmatrix}\\frac{1}{3}\\\\ \\frac{1}{5} \\end{pmatrix})$", "$\\begin{pmatrix}0.33\\\\0.2 \\end{pmatrix}$"): True,
    # references that are broken TeX or empty: unjudged
    ("$\\\\boxed{35 cm} ++++++ \\\\boxed{4}$", "${35 cm,4}$"): True,
    ("\\\\boxed{W(n) = 1 \\\\text{ and } W(n) = -1", "W(x)=1orW(x)=-1"): True,
    ("", ""): True,
    # the suite reads the upright e as a unit and drops what stands before it
    ("$1 - \\frac{1}{\\mathrm{e}}$", "$1 + \\frac{1}{\\mathrm{e}}$"): True,
}
"""Cases of other suites that we read differently, with what the suite expects; each group says why."""


@pytest.mark.parametrize(
    ("response", "answer", "value", "reason"),
    [
        ("<think>a</think> <answer> 1,234 </answer>", "1234", 1.0, "equal (answer tag)"),
        ("So \\boxed{x+1}", "1+x", 1.0, "equal (boxed)"),
        ("So \\boxed{\\sum_{k=1}^{5} k}", "15", 1.0, "equal by algebra (boxed)"),
        ("So \\boxed{5}", "6", 0.0, "wrong: 5, not 6 (boxed)"),
        ("<think>\\boxed{6}", "6", 0.0, "truncated: no answer found: thoughts not closed"),
        ("I do not know.", "6", 0.0, "unparsable: I do not know (last line)"),
        ("I do not know. There are many ways to read this question.", "6", 0.0, "no answer found"),
        ("The answer is blue.", "6", 0.0, "unparsable: blue (said)"),
        ("So \\boxed{6}", "", None, "bad reference: empty"),
        ("So \\boxed{6}", "\\frac{}{2k}!", None, "bad reference: \\frac{}{2k}!"),
        ("So \\boxed{42}", "40 + 2 = 42\n#### 42", 1.0, "equal (boxed)"),
        ("__import__('os').system('true') or 0", "0", 0.0, "unparsable: __import__('os').system('true') or 0 (last line)"),
    ],
)
def test_verdict_and_reason(response: str, answer: str, value: float | None, reason: str) -> None:
    score = answer_matches(response, answer)
    assert (score.value, score.reason) == (value, reason)


SENTENCE = "All swans of the northern lakes are white, and the rest are black."


@pytest.mark.parametrize(
    ("reply", "answer", "value", "reason"),
    [
        (SENTENCE, SENTENCE, 1.0, "equal (last line)"),
        ("**" + SENTENCE.upper() + "**<|im_end|>", SENTENCE, 1.0, "equal (last line)"),
        ("There are 3 lakes.\n\n" + SENTENCE, SENTENCE, 1.0, "equal (last line)"),
        ("- all swans of the northern lakes are white\n- and the rest are black", SENTENCE, 1.0, "equal (whole reply)"),
        ("Paris.", "Paris", 1.0, "equal (last line)"),
        ("It is Paris.", "Paris", 1.0, "equal (last line)"),
        ("So it's **Paris**.", "Paris", 1.0, "equal (last line)"),
        ("We went through 3 towns.\nParis.", "Paris", 1.0, "equal (last line)"),
    ],
)
def test_the_words_of_the_reference_and_no_other_are_the_answer(reply: str, answer: str, value: float, reason: str) -> None:
    score = answer_matches(f"<think>\nhm\n</think>\n\n{reply}", answer)
    assert (score.value, score.reason) == (value, reason)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("It may be Paris.", "Paris"),
        ("It is Paris or London.", "Paris"),
        ("It is not Paris.", "Paris"),
        ("I doubt that it is Paris.", "Paris"),
        ("Which towns are there? I have thought about it for long.\nLondon\nParis", "Paris"),
        ("- London.\n- Paris.", "Paris"),
        ("It is 5.", "-5"),
        ("It is so. 5 remainder -2.", "5 remainder 2"),
    ],
)
def test_the_words_of_the_reference_among_others_are_none(reply: str, answer: str) -> None:
    assert answer_matches(reply, answer).value == 0.0


def test_a_sentence_that_nothing_announces_is_unjudged_unless_only_announced_answers_count() -> None:
    for reply in ("There are black swans too.", "Many swans are white.\nBut those of the south are black, and I have seen 5 of them."):
        assert answer_matches(reply, SENTENCE).value is None
        assert answer_matches(reply, SENTENCE, marked=True).value == 0.0
        assert answer_matches(reply, SENTENCE, "length").reason.startswith("truncated")
    assert answer_matches("The answer is: all swans are white.", SENTENCE).value == 0.0
    assert answer_matches("<think>hm</think>", SENTENCE).reason == "no answer found: nothing after the thoughts"


def test_a_response_that_ran_out_of_tokens_is_truncated_unless_it_had_boxed_its_answer() -> None:
    assert answer_matches("so far 6 and then", "6", "length").reason == "truncated"
    assert answer_matches("nothing yet", "6", "length").reason.startswith("truncated")
    assert answer_matches("It is \\boxed{6}. Let me", "6", "length").value == 1.0


def test_only_announced_answers_count_where_the_setting_says_so() -> None:
    assert answer_matches("That makes 6", "6").value == 1.0
    assert answer_matches("That makes 6", "6", marked=True).value == 0.0


def test_rows_that_need_no_algebra_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pairs: list[tuple[str, str]], **_: object) -> list[str]:
        assert not pairs, "algebra was asked for"
        return []

    monkeypatch.setattr(filters.final_answers.equality, "formulas_equal", refuse)
    rows = pl.DataFrame({"response": ["<answer>12</answer>", "\\boxed{1/2}", "no"], "answer": ["12", "0.5", "77"]})
    assert answer_matches.score(rows).struct.field("value").to_list() == [1.0, 1.0, 0.0]


def test_a_row_without_a_reference_is_unjudged_and_the_rest_is_scored() -> None:
    rows = pl.DataFrame(
        {"response": ["\\boxed{1}", None, "\\boxed{2}"], "answer": ["1", "1", None], "finish_reason": ["stop", None, "stop"]}
    )
    assert answer_matches.score(rows).struct.field("value").to_list() == [1.0, None, None]


def test_the_scorer_travels_by_name() -> None:
    assert pickle.loads(pickle.dumps(answer_matches.with_(marked=True))) == answer_matches.with_(marked=True)


def test_the_cases_of_other_suites_are_read_as_they_read_them(shared_data: Path) -> None:
    cases = [row for row in json_lines(shared_data / "equiv_triples.jsonl") if isinstance(row["gold"], str)]
    scores = answer_matches.score(pl.DataFrame({"response": [c["prediction"] for c in cases], "answer": [c["gold"] for c in cases]}))
    differ = {
        (case["gold"], case["prediction"]): case["expected"]
        for case, score in zip(cases, scores, strict=True)
        if score["value"] != float(case["expected"])
    }
    assert {pair: expected for pair, expected in differ.items() if pair not in DISPUTED} == {}


def test_eight_rollouts_of_a_problem_share_their_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    ask = filters.final_answers.equality.formulas_equal

    def counted(pairs: list[tuple[str, str]], *, deadline: float, remember: bool) -> list[str]:
        asked.append(len(pairs))
        return ask(pairs, deadline=deadline, remember=remember)

    monkeypatch.setattr(filters.final_answers.equality, "formulas_equal", counted)
    rows = pl.DataFrame({"response": ["\\boxed{\\sum_{k=1}^{7} k}"] * 8, "answer": ["28"] * 8})
    assert answer_matches.score(rows).struct.field("value").to_list() == [1.0] * 8
    assert answer_matches.score(rows).struct.field("value").to_list() == [1.0] * 8
    assert [count for count in asked if count] == [1]


def test_it_scores_from_a_thread_and_inside_an_event_loop() -> None:
    async def both() -> list[float | None]:
        work = [asyncio.to_thread(answer_matches, f"\\boxed{{\\sum_{{k=1}}^{{{n}}} k}}", str(n * (n + 1) // 2)) for n in (11, 12)]
        return [score.value for score in await asyncio.gather(*work)]

    assert asyncio.run(both()) == [1.0, 1.0]


def test_a_summary_is_a_response_without_thoughts() -> None:
    rows = pl.DataFrame({"summary": ["The answer is **12**."], "answer": ["12"]})
    assert answer_matches.score(rows.rename({"summary": "response"})).struct.field("value").to_list() == [1.0]


def test_a_reference_may_be_a_number_or_a_list_of_parts() -> None:
    assert answer_matches("\\boxed{12}", 12).value == 1.0
    assert answer_matches("\\boxed{2, 1}", ["1", "2"]).value == 1.0
    rows = pl.DataFrame({"response": ["\\boxed{1}", "\\boxed{0.5}"], "answer": [1.0, 0.5]})
    assert answer_matches.score(rows).struct.field("value").to_list() == [1.0, 1.0]
