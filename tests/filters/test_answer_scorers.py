"""The scorers of numbers, choices, words and sets, and of references: cases, settings, bad input, and what no formatting may change."""

from __future__ import annotations

import pickle
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.score import Score, Scorer
from filters.answers import answer_matches
from filters.check_reference import bad_references, check_reference
from filters.choice_matches import choice_matches
from filters.find import find
from filters.number_matches import number_matches
from filters.set_matches import set_matches
from filters.text_matches import text_matches

MATCHES = (answer_matches, number_matches, choice_matches, text_matches, set_matches)


@pytest.mark.parametrize(
    ("response", "answer", "value"),
    [
        ("the answer is 3 5/6", "23/6", 1.0),
        ("\\boxed{１２％}", "0.12", 1.0),
        ("答案是三十五", "35", 1.0),
        ("\\boxed{150 cm}", "1.5 m", 1.0),
        ("\\boxed{2^{10}}", "1024", 1.0),
        ("\\boxed{6!}", "720", 1.0),
        ("The answer is 6!", "6", 1.0),
        ("\\boxed{6!}", "6", 0.0),
        ("\\boxed{x}", "5", 0.0),
        ("\\boxed{5}", "blue", None),
        ("\\boxed{9^{9^{9^9}}}", "42", None),
        ("\\boxed{" + "7" * 100_000 + "}", "42", None),
    ],
)
def test_numbers(response: str, answer: str, value: float | None) -> None:
    assert number_matches(response, answer).value == value


def test_tolerances_of_numbers_are_settings() -> None:
    assert number_matches("#### 101", "100").value == 0.0
    assert number_matches("#### 101", "100", relative=0.01).value == 1.0
    assert number_matches("#### 101", "100", absolute=0.5).value == 0.0
    assert number_matches("#### 0.333", "1/3", absolute=0.001).value == 1.0


@pytest.mark.parametrize(
    ("response", "answer", "value"),
    [
        ("\\boxed{\\text{(C)}}", "C", 1.0),
        ("the answer is option c", "(C)", 1.0),
        ("【答案】 D <eoa>", "D", 1.0),
        ("Answer: D and B", "BD", 1.0),
        ("Answer: A, B", "A", 0.0),
        ("The answer is none of these", "A", 0.0),
        ("\\boxed{A}", "12", None),
        ("因此，选项B正确。", "B", 1.0),
        ("Answer: B", "B. Paris", 1.0),
    ],
)
def test_choices(response: str, answer: str, value: float | None) -> None:
    assert choice_matches(response, answer).value == value


def test_a_part_of_the_right_options_earns_its_share_only_where_the_setting_says_so() -> None:
    assert choice_matches("故选AC", "ACD").value == 0.0
    assert choice_matches("故选AC", "ACD", partial=True).value == pytest.approx(2 / 3)
    assert choice_matches("故选AB", "ACD", partial=True).value == 0.0


@pytest.mark.parametrize(
    ("response", "answer", "value"),
    [
        ("<answer>Łódź</answer>", "łódź", 1.0),
        ("<answer>\\text{Evelyn}</answer>", "evelyn", 1.0),
        ("<answer>ＡＢＣ</answer>", "abc", 1.0),
        ("<answer>New  York</answer>", "New York", 1.0),
        ("<answer>listen</answer>", "silent", 0.0),
        ("<answer>in Paris, France</answer>", "Paris", 0.0),
        ("<answer>0.5</answer>", "1/2", 0.0),
        ("<answer>x</answer>", "...", None),
    ],
)
def test_words(response: str, answer: str, value: float | None) -> None:
    assert text_matches(response, answer).value == value


def test_where_the_words_stand_and_what_counts_are_settings() -> None:
    assert text_matches("<answer>in Paris, France</answer>", "Paris", where="anywhere").value == 1.0
    assert text_matches("<answer>Paris, France</answer>", "Paris", where="beginning").value == 1.0
    assert text_matches("<answer>paris</answer>", "Paris", case=True).value == 0.0
    assert text_matches("<answer>The Who</answer>", "Who", articles=True).value == 0.0


@pytest.mark.parametrize(
    ("response", "answer", "value"),
    [
        ("<answer>(2, 1)</answer>", "{1, 2}", 1.0),
        ("<answer>2 \\pm \\sqrt{3}</answer>", "2-\\sqrt3, 2+\\sqrt3", 1.0),
        ('<answer>["b", "a"]</answer>', "a, b", 1.0),
        ("<answer>1, 1, 2</answer>", "1, 2", 1.0),
        ("<answer>1, 2</answer>", "1, 2, 3", 0.0),
        ("<answer>7</answer>", "{7}", 1.0),
        ("<answer>x = 1 or x = 2</answer>", "2, 1", 1.0),
        ("<answer>1, 9^{9^{9^9}}</answer>", "1, 2", None),
        (f"<answer>{', '.join(map(str, range(100)))}</answer>", "1, 2", None),
    ],
)
def test_sets(response: str, answer: str, value: float | None) -> None:
    assert set_matches(response, answer).value == value


def test_order_and_shares_of_sets_are_settings() -> None:
    assert set_matches("<answer>2, 1</answer>", "1, 2", ordered=True).value == 0.0
    assert set_matches("<answer>1, 2, 3</answer>", "1, 2, 4", ordered=True, partial=True).value == pytest.approx(0.5)
    assert set_matches("<answer>1, 2</answer>", "1, 2, 3", partial=True).value == pytest.approx(2 / 3)


def test_a_bad_reference_is_listed_and_judges_nobody() -> None:
    golds = ["42", "\\frac{}{2k(-k)!}", "", "x+1", "\\boxed{}", "n-\\lfloor/2\\rfloor"]
    assert set(bad_references(golds)) == {"\\frac{}{2k(-k)!}", "", "\\boxed{}", "n-\\lfloor/2\\rfloor"}
    scores = check_reference.score(pl.DataFrame({"answer": golds}))
    assert scores.struct.field("value").to_list() == [1.0, None, None, 1.0, None, None]
    same = answer_matches("\\boxed{\\frac{}{2k(-k)!}}", "\\frac{}{2k(-k)!}")
    assert (same.value, same.reason) == (None, "bad reference: \\frac{}{2k(-k)!}")


HOSTILE = {
    "empty": "",
    "a megabyte": "a" * 1_000_000,
    "a megabyte of boxes": "\\boxed{" * 140_000,
    "NUL": "4\x002",
    "a lone surrogate": "\ud80042",
    "right to left": "\u202e42\u202c",
    "braces": "{" * 3_000 + "1" + "}" * 3_000,
    "digits": "7" * 100_000,
    "code": "__import__('os').system('true') or 42",
    "more code": "().__class__.__bases__[0].__subclasses__()",
    "a tower": "9^{9^{9^{9}}}",
    "a matrix": "\\begin{pmatrix}" + "\\\\".join("&".join("1" for _ in range(60)) for _ in range(60)) + "\\end{pmatrix}",
}


@pytest.mark.parametrize("scorer", MATCHES, ids=lambda scorer: scorer.name)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_bad_input_gets_a_reason_within_the_deadline(scorer: Scorer, text: str) -> None:
    begun = time.process_time()
    for response, answer in ((f"\\boxed{{{text}}}", "42"), (text, "42"), ("\\boxed{42}", text)):
        score = scorer(response, answer)
        assert isinstance(score, Score)
        assert score.reason
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("scorer", MATCHES, ids=lambda scorer: scorer.name)
def test_rows_without_response_or_reference_are_unjudged(scorer: Scorer) -> None:
    rows = pl.DataFrame({"response": ["\\boxed{1}", None, "\\boxed{1}"], "answer": ["1", "1", None]})
    assert scorer.score(rows).struct.field("value").to_list()[1:] == [None, None]


@pytest.mark.parametrize("scorer", [*MATCHES, check_reference], ids=lambda scorer: scorer.name)
def test_every_scorer_is_found_by_name_and_travels(scorer: Scorer) -> None:
    assert find(scorer.name) == scorer
    assert pickle.loads(pickle.dumps(scorer)) == scorer


ANSWERS = st.one_of(
    st.integers(min_value=-999, max_value=999).map(str),
    st.fractions(max_denominator=50).map(str),
    st.decimals(min_value=-99, max_value=99, places=2).map(str),
    st.sampled_from(["A", "BD", "yes", "Paris", "x+1", "\\frac{1}{2}", "(1, 2)", "\\{1, 2\\}", "1, 2", "[0, 1)", "\\sqrt{2}", "50\\%"]),
)


@settings(max_examples=80, deadline=None)
@given(gold=ANSWERS, said=ANSWERS)
def test_an_answer_matches_itself_and_matching_is_symmetric(gold: str, said: str) -> None:
    assert answer_matches(f"\\boxed{{{gold}}}", gold).value == 1.0
    assert answer_matches(f"\\boxed{{{said}}}", gold).value == answer_matches(f"\\boxed{{{gold}}}", said).value
    assert set_matches(f"\\boxed{{{said}}}", gold).value == set_matches(f"\\boxed{{{gold}}}", said).value
    assert text_matches(f"\\boxed{{{said}}}", gold).value == text_matches(f"\\boxed{{{gold}}}", said).value


@settings(max_examples=60, deadline=None)
@given(
    gold=ANSWERS, said=ANSWERS, frame=st.sampled_from(["  {} ", "$ {} $", "\\( {} \\)", "\\text{{{}}}", "{}.", "**{}**", "\u200b{}\u200e"])
)
def test_white_space_and_formatting_change_no_verdict(gold: str, said: str, frame: str) -> None:
    plain = answer_matches(f"<answer>{said}</answer>", gold).value
    assert answer_matches(f"<answer>{frame.format(said)}</answer>", gold).value == plain


@settings(max_examples=60, deadline=None)
@given(response=st.text(max_size=80), answer=st.text(max_size=20))
def test_no_text_raises(response: str, answer: str) -> None:
    for scorer in (number_matches, choice_matches, text_matches):
        assert scorer(response, answer).reason
