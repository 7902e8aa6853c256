from __future__ import annotations

from dataclasses import replace

import pytest

from annotation.answer import Answer, problems_of, usable
from annotation.item import Item
from annotation.questions import Questions
from dataengine.templates import Form

ITEM = Item(row_id="row", prompt="1+1?", reasoning="I add.", summary="2")
QUESTIONS = Questions(form=Form(opening="|t|", closing="|/t|"))


def submitted(**values: object) -> Answer:
    return Answer(item_id=ITEM.item_id, annotator="ann", status="submitted", values=values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "choose keep, fix or discard"),
        ({"verdict": "fix"}, "both are as they were"),
        ({"verdict": "keep", "summary": "3"}, "choose fix, or take the edit back"),
        ({"verdict": "fix", "reasoning": " \n"}, "the edited reasoning is empty"),
        ({"verdict": "fix", "reasoning": "\u200b\u200b"}, "the edited reasoning is empty"),
        ({"verdict": "fix", "summary": "2<|im_end|>"}, r"'<\|im_end\|>' stands in the edited summary at 1: whoever trains .* take it out"),
        ({"verdict": "fix", "summary": "<answer>2</answer>"}, "'<answer>' stands in the edited summary at 0"),
        ({"verdict": "fix", "reasoning": "I |/t| add."}, r"'\|/t\|' stands in the edited reasoning"),
        ({"verdict": "fix", "summary": "2\0"}, "a NUL character stands in the edited summary at 1"),
        ({"verdict": "fix", "summary": "\ud800"}, "half a character .* at 0"),
        ({"verdict": "keep", "readability": 6}, "readability is 1 to 5"),
        ({"verdict": "keep", "language": "xx"}, "language is one of"),
        ({"verdict": "discard", "reasons": ["dull"]}, "reasons are among"),
    ],
)
def test_what_can_not_be_used_is_named_with_the_way_out(values: dict[str, object], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert problems_of(submitted(**values), ITEM, QUESTIONS) == []


def test_a_discard_by_any_button_counts_whatever_else_it_says() -> None:
    pressed = Answer(item_id=ITEM.item_id, annotator="ann", status="discarded", values={"verdict": "keep", "summary": ""})
    assert pressed.verdict == "discard"
    assert usable(pressed, ITEM, QUESTIONS)


def test_an_enter_too_much_at_the_end_of_an_editor_is_no_edit() -> None:
    values = {"reasoning": f"{ITEM.reasoning}\n", "summary": f"{ITEM.summary}\r\n\n"}
    assert problems_of(submitted(verdict="keep", **values), ITEM, QUESTIONS) == []
    assert "both are as they were" in problems_of(submitted(verdict="fix", **values), ITEM, QUESTIONS)[0]


def test_a_row_without_a_summary_is_kept_only_where_one_part_is_enough() -> None:
    """Finding: a keep on it passed into a cold-start set."""
    bare, both = replace(ITEM, summary=" "), replace(QUESTIONS, both=True)
    lacking = ["the summary is empty, and the set wants both parts: choose fix and write it, or discard"]
    assert problems_of(submitted(verdict="keep"), bare, QUESTIONS) == []
    assert problems_of(submitted(verdict="keep"), bare, both) == lacking
    assert problems_of(submitted(verdict="fix", reasoning="I add twice."), bare, both) == lacking
    assert problems_of(submitted(verdict="fix", summary="It is 4."), bare, both) == []
    assert problems_of(submitted(verdict="discard"), bare, both) == []
