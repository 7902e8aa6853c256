"""Responses and answers say the same, whichever way they go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.answer import STATUSES, Answer
from annotation.argilla.responses import answer_of, moment, plain, response_of, same_word, why_it_stays
from annotation.questions import VERDICTS
from tests.annotation.argilla.test_escape import TEXTS
from tests.annotation.reviews_suite import QUESTIONS, an_answer, an_item

VALUES = st.fixed_dictionaries(
    {},
    optional={
        "verdict": st.sampled_from(VERDICTS) | st.none(),
        "readability": st.integers(1, 5) | st.none(),
        "language": st.sampled_from(QUESTIONS.languages),
        "reasons": st.lists(st.sampled_from(QUESTIONS.reasons), unique=True),
        "reasoning": TEXTS,
        "summary": TEXTS | st.none(),
        "comment": TEXTS,
    },
)


@given(VALUES, st.sampled_from(STATUSES))
def test_there_and_back_an_answer_says_the_same(values: dict[str, Any], status: str) -> None:
    answer = Answer(item_id="i", annotator="alice", status=status, values=values, guideline="g")
    said = {**response_of(answer, user_id="u", reasoning="r"), "updated_at": "2026-01-02T03:04:05"}
    back = answer_of(said, item_id="i", annotator="alice", guideline="g", reasoning="r")
    assert same_word(answer, back)
    assert back.values == plain(values)
    assert (back.at, back.via, back.seconds) == ("2026-01-02T03:04:05.000000Z", "argilla", None)


@pytest.mark.parametrize("values", [None, {}, {"verdict": None}, {"verdict": {"value": None}}])
def test_values_that_are_null_say_nothing(values: Any) -> None:
    said = {"status": "discarded", "values": values, "updated_at": "2026-01-02T03:04:05.1"}
    assert answer_of(said, item_id="i", annotator="a", guideline="g", reasoning="").values == {}


def test_marks_go_by_code_units_there_and_by_characters_here() -> None:
    answer = an_answer(an_item(0), verdict="keep", marks=[{"label": "code", "start": 1, "stop": 3}])
    said = response_of(answer, user_id="u", reasoning="😀ab")
    assert said["values"]["marks"] == {"value": [{"label": "code", "start": 2, "end": 4}]}
    back = answer_of({**said, "updated_at": "2026-01-01T00:00:00"}, item_id="i", annotator="a", guideline="g", reasoning="😀ab")
    assert back.values == answer.values


@pytest.mark.parametrize(
    ("status", "values", "why"),
    [
        ("submitted", {"verdict": "keep", "reasons": [], "language": None}, None),
        ("draft", {}, None),
        ("discarded", {"comment": "x"}, None),
        ("submitted", {"comment": "x"}, "without a verdict"),
        ("submitted", {"verdict": "maybe"}, "without a verdict"),
        ("draft", {"verdict": "maybe"}, "verdict is 'maybe'"),
        ("draft", {"readability": True}, "readability is True"),
        ("draft", {"readability": 6}, "readability is 6"),
        ("draft", {"language": "de"}, "language is 'de'"),
        ("draft", {"reasons": ["wrong", "wrong"]}, "reasons are"),
        ("draft", {"reasons": "wrong"}, "reasons are"),
        ("draft", {"comment": 3}, "comment is no text"),
        ("draft", {"steps": [1]}, "steps, which nobody asks"),
        ("draft", {"marks": [{"label": "mine", "start": 0, "stop": 1}]}, "marks"),
        ("draft", {"marks": "x"}, "marks"),
        ("draft", {"marks": [{"label": "code"}]}, "marks"),
        ("draft", {"marks": [{"label": "code", "start": -1, "stop": 2}]}, "marks"),
        ("draft", {"marks": [{"label": "code", "start": 0, "stop": 2}]}, None),
        ("draft", {"marks": [{"label": "code", "start": 6, "stop": 9}]}, "marks"),
    ],
)
def test_what_the_server_would_refuse_stays_at_home_and_it_is_said_why(status: str, values: dict[str, Any], why: str | None) -> None:
    found = why_it_stays(an_answer(an_item(0), status=status, **values), QUESTIONS, "😀😀 <b>")
    assert (found is None) if why is None else (found is not None and why in found)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("2026-11-21T15:00:00.123456", "2026-11-21T15:00:00.123456Z"),
        ("2026-11-21T15:00:00", "2026-11-21T15:00:00.000000Z"),
        ("2026-11-21T15:00:00Z", "2026-11-21T15:00:00.000000Z"),
        ("2026-11-21T17:00:00+02:00", "2026-11-21T15:00:00.000000Z"),
    ],
)
def test_times_are_utc_with_microseconds(there: str, here: str) -> None:
    assert moment(there) == here


def test_a_mark_that_the_server_counts_as_behind_the_text_stays_at_home() -> None:
    answer = an_answer(an_item(0), verdict="keep", marks=[{"label": "code", "start": 3, "stop": 4}])
    assert "behind" in (why_it_stays(answer, QUESTIONS, "😀😀😀😀") or "")
