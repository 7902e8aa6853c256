from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from annotation.answer import Answer, usable
from annotation.edits import undone
from annotation.item import Item
from annotation.outcome import WAITING, columns_of, outcome_of, readability_of, said
from annotation.questions import Questions
from dataengine.columns import REVIEWED, schema
from tests.annotation.answers import answer

ITEM = Item(row_id="r", prompt="1+1?", reasoning="One and one.", summary="2", wanted=2)
OURS = Questions()
WORDS = st.sampled_from(["keep", "fix", "discard", None, "maybe"])
STRANGE = st.one_of(
    st.none(), st.text(st.characters(codec=None), max_size=8), st.integers(-1, 9), st.booleans(), st.lists(st.text(max_size=3), max_size=2)
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Whatever a tool may send."""
    values = {
        name: draw(STRANGE) for name in ("readability", "language", "reasoning", "summary", "reasons", "comment") if draw(st.booleans())
    }
    status = draw(st.sampled_from(["draft", "submitted", "discarded"]))
    who, minute = draw(st.sampled_from(["ann", "bo", "cy"])), draw(st.integers(0, 59))
    return replace(answer(ITEM, by=who, minute=minute), status=status, values={"verdict": draw(WORDS), **values})


@given(st.lists(answers(), max_size=6))
@example([answer(ITEM, "discard", comment="half a character \ud800", reasons=["\udfff"])])
def test_whatever_is_sent_a_discard_discards_and_only_enough_usable_answers_let_a_row_go_on(sent: list[Answer]) -> None:
    outcome = outcome_of(sent, ITEM, OURS)
    latest = {each.annotator: each for each in sorted(sent, key=lambda each: each.at)}.values()
    counted = [each for each in latest if usable(each, ITEM, OURS)]
    assert len(outcome.counted) == len(counted)
    if any(each.verdict == "discard" for each in counted):
        assert outcome.state == "discard"
    else:
        assert (outcome.state == WAITING) == (len(counted) < ITEM.wanted)
    columns = columns_of(outcome, ITEM)
    assert set(columns) == {column.name for column in REVIEWED} - {"raw_response"}
    assert len(json.loads(columns["answers"] or "[]")) == len(counted)
    assert len(pl.DataFrame([columns], schema={name: dtype for name, dtype in schema(REVIEWED).items() if name in columns})) == 1
    if outcome.state == "fix":
        for name, text in outcome.texts.items():
            edits = [edit for edit in json.loads(columns["edits"]) if edit["field"] == name]
            assert undone(text, edits) == getattr(ITEM, name)
            assert OURS.form.stray(text) is None
            assert text.strip()


def test_a_fix_beats_a_keep_and_the_latest_fix_the_others() -> None:
    sent = [answer(ITEM, "fix", by="ann", minute=3, summary="two"), answer(ITEM, by="bo", minute=9)]
    assert outcome_of(sent, ITEM, OURS).texts == {"reasoning": "One and one.", "summary": "two"}
    outcome = outcome_of([*sent, answer(ITEM, "fix", by="cy", minute=5, reasoning="1, 2.")], ITEM, OURS)
    assert (outcome.state, outcome.conflict) == ("fix", True)
    assert outcome.texts == {"reasoning": "1, 2.", "summary": "2"}


def test_the_same_edit_by_two_people_is_no_conflict() -> None:
    outcome = outcome_of([answer(ITEM, "fix", by=who, summary="two") for who in ("ann", "bo")], ITEM, OURS)
    assert not outcome.conflict


def test_an_answer_that_was_taken_back_does_not_count() -> None:
    sent = [answer(ITEM, "discard", minute=1), answer(ITEM, "keep", minute=2, status="draft"), answer(ITEM, by="bo")]
    assert outcome_of(sent, ITEM, OURS).state == WAITING


def test_what_is_wrong_with_an_answer_is_kept_for_the_message() -> None:
    outcome = outcome_of([answer(ITEM, "fix", summary="<think>")], ITEM, OURS)
    assert outcome.problems == {
        "ann": ["'<think>' stands in the edited summary: the tokens are put around the parts by themselves, take it out"]
    }
    assert not outcome.done


def test_discards_are_told_with_their_reasons_however_they_came() -> None:
    def told(**values: Any) -> str:
        return said(outcome_of([answer(ITEM, "discard", **values)], ITEM, OURS))

    assert told() == "discard: no reason given"
    assert told(reasons=["wrong", "unreadable"]) == "discard: wrong, unreadable"
    assert told(reasons="wrong") == "discard: no reason given"
    assert told(comment="see line 3") == "discard: no reason given (see line 3)"


def test_only_marks_are_marks() -> None:
    assert [readability_of(answer(ITEM, readability=mark)) for mark in (1, 5, 0, 6, True, "3", 2.5, None)] == [1, 5, *[None] * 6]
