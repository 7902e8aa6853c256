from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from annotation.answer import Answer, edited_texts, usable
from annotation.edits import applied, undone
from annotation.item import Item
from annotation.outcome import WAITING, columns_of, outcome_of, readability_of, said
from annotation.questions import Questions
from dataengine.columns import REVIEWED, schema
from dataengine.templates import Form
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


@given(st.lists(answers(), max_size=6, unique_by=lambda each: (each.annotator, each.at)))
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


def test_a_fix_beats_a_keep_and_the_latest_edit_of_a_text_the_others() -> None:
    sent = [answer(ITEM, "fix", by="ann", minute=3, summary="two"), answer(ITEM, by="bo", minute=9)]
    assert outcome_of(sent, ITEM, OURS).texts == {"reasoning": "One and one.", "summary": "two"}
    outcome = outcome_of([answer(ITEM, "fix", by="cy", minute=5, reasoning="1, 2.", summary="II"), *sent], ITEM, OURS)
    assert (outcome.state, outcome.conflicts) == ("fix", {"summary": ("ann",)})
    assert outcome.texts == {"reasoning": "1, 2.", "summary": "II"}
    assert said(outcome) == "fix, not as ann edited the summary"


def test_what_one_mended_in_the_thoughts_and_another_in_the_summary_go_on_together() -> None:
    sent = [answer(ITEM, "fix", by="ann", minute=1, reasoning="1, 2."), answer(ITEM, "fix", by="bo", minute=2, summary="two")]
    outcome = outcome_of(sent, ITEM, OURS)
    assert outcome.texts == {"reasoning": "1, 2.", "summary": "two"}
    assert (dict(outcome.conflicts), said(outcome)) == ({}, "fix")
    columns = columns_of(outcome, ITEM)
    assert {edit["field"] for edit in json.loads(columns["edits"])} == {"reasoning", "summary"}
    assert columns["reviewed_by"] == ["ann", "bo"]


def test_the_same_edit_by_two_people_is_no_conflict_nor_is_a_line_break_at_its_end() -> None:
    sent = [answer(ITEM, "fix", by=who, summary=text) for who, text in (("ann", "two"), ("bo", "two"), ("cy", "two\n"))]
    assert not outcome_of(sent, ITEM, OURS).conflicts


def test_of_two_words_of_one_moment_a_discard_counts_and_a_draft_does_not() -> None:
    def state(*sent: Answer) -> str:
        return outcome_of(sent, replace(ITEM, wanted=1), OURS).state

    keep, discard, draft = answer(ITEM), answer(ITEM, "discard"), answer(ITEM, status="draft")
    assert state(keep, discard) == state(discard, keep) == state(discard, draft) == "discard"
    assert state(keep, draft) == state(draft, keep) == "keep"


EDITS = st.one_of(st.none(), st.sampled_from(["One and one.", "One.\n\nAnd one!", "一", "two", "two\n"]))


@st.composite
def fixes(draw: st.DrawFn) -> Answer:
    """What people do send: edits of either text, keeps, discards, drafts, at moments that may be the same."""
    given = {name: text for name in ("reasoning", "summary") if (text := draw(EDITS)) is not None}
    verdict, status = draw(st.sampled_from(["keep", "fix", "fix", "discard"])), draw(st.sampled_from(["submitted"] * 4 + ["draft"]))
    values = given if verdict == "fix" else {}
    return answer(ITEM, verdict, by=draw(st.sampled_from(["ann", "bo", "cy"])), minute=draw(st.integers(0, 3)), status=status, **values)


@given(st.lists(fixes(), max_size=6), st.randoms(use_true_random=False))
def test_the_order_in_which_answers_come_changes_nothing(sent: list[Answer], shuffler: random.Random) -> None:
    shuffled = [*sent]
    shuffler.shuffle(shuffled)
    outcomes = [outcome_of(each, ITEM, OURS) for each in (sent, shuffled)]
    assert outcomes[0] == outcomes[1]
    assert columns_of(outcomes[0], ITEM) == columns_of(outcomes[1], ITEM)


TIGHT = Form(opening="|t|", closing="|t|", apart=False)
PIECES = st.text("|t ", min_size=1, max_size=4)


@given(PIECES, PIECES, st.lists(st.tuples(st.sampled_from(["ann", "bo", "cy"]), st.none() | PIECES, st.none() | PIECES), max_size=3))
def test_what_several_people_leave_can_always_be_written_and_read_again(thoughts: str, summary: str, said: list[tuple[Any, ...]]) -> None:
    item, questions = replace(ITEM, reasoning=thoughts, summary=summary, wanted=1), Questions(form=TIGHT)
    sent = [
        answer(item, "fix" if mended or summed else "keep", by=who, minute=n, reasoning=mended, summary=summed)
        for n, (who, mended, summed) in enumerate(said)
    ]
    outcome = outcome_of(sent, item, questions)
    if outcome.state in ("keep", "fix"):
        parts = outcome.texts["reasoning"], outcome.texts["summary"]
        assert TIGHT.read(TIGHT.write(*parts)) == parts


@given(st.lists(fixes(), max_size=6))
def test_nobodys_edit_is_lost_in_silence(sent: list[Answer]) -> None:
    """Of a row that goes on every edit that counts is in its text, or its author is named; and the edits lead to the text."""
    outcome = outcome_of(sent, ITEM, OURS)
    columns = columns_of(outcome, ITEM)
    if outcome.state not in ("keep", "fix"):
        return
    for name, text in outcome.texts.items():
        raw, edits = getattr(ITEM, name), [edit for edit in json.loads(columns["edits"] or "[]") if edit["field"] == name]
        assert applied(raw, edits) == text
        assert undone(text, edits) == raw
        for each in outcome.counted:
            if name in edited_texts(each.values, ITEM):
                taken = each.values[name].rstrip("\n") == text.rstrip("\n")
                assert taken != (each.annotator in outcome.conflicts.get(name, ()))
                assert taken or f"{each.annotator} " in columns["human"]["reason"]
        if all(name not in edited_texts(each.values, ITEM) for each in outcome.counted):
            assert text == raw
    assert [each["annotator"] for each in json.loads(columns["answers"] or "[]")] == [each.annotator for each in outcome.counted]


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
    assert [readability_of(answer(ITEM, readability=mark)) for mark in (1, 5, 4.0, 0, 6, True, "3", 2.5, None)] == [1, 5, 4, *[None] * 6]
