"""What every place where people answer promises, whatever is behind it: the built-in store, Argilla, files.

A test module makes a `Desk` of its place and runs the laws over it:

    @pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
    def test_the_store_is_a_place_where_people_answer(law: Law, tmp_path: Path) -> None:
        law(Desk(...))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from annotation.answer import Answer
from annotation.item import Finding, Item, Said
from annotation.questions import Questions
from annotation.reviews import Reviews

QUESTIONS = Questions(guidelines="Judge the thoughts, not the model.")
OTHERS = Questions(guidelines="Judge otherwise.")
ALICE, BOB, CAROL = "alice", "bob", "carol"
"""People who may answer in every place."""
HOSTILE = (
    "<think>\nif x<y and a>b then &amp; &lt;b&gt; </think>\n\n  two  spaces\ttab \n\n\n",
    "😀👩‍👩‍👧 \U0001f1e9\U0001f1ea e\u0301 中文，\u200b\ufeff\u2028 \\boxed{\\frac{1}{2}} $x_1$ `code` ~~~~~\n",
    "]]> <!-- ' \" \\ \\n %s {{ }} ␛0; ␛000G; \x1b[31m \x7f\x80 |special_token|\n",
    '<tool_call>{"name": "f", "arguments": {"a": "<b>"}}</tool_call> <img src=x onerror=alert(1)> javascript:',
)
UNSENDABLE = ("a\0b", "half \ud83d here", "\udc00\ud800", "␛0000; and \0 and ␛", "pair \ud83d\ude00 of halves")
"""What a server may refuse; a text that was given elsewhere holds it all the same."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A place, empty, and how people get at it."""

    place: Reviews
    answer: Callable[[Item, str, str, Mapping[str, Any]], None]
    """`answer(item, annotator, status, values)` through the place's own door, over what they said before."""
    again: Callable[[], Reviews]
    """The same place as the next process finds it."""


Law = Callable[[Desk], None]


def an_item(number: int, *, reasoning: str = "I add.", wanted: int = 1) -> Item:
    """A rollout with a mark and two scores; `number` makes the row."""
    return Item(
        row_id=f"row{number}",
        prompt=f"{number}<{number + 1} & what is 1+{number}?",
        reasoning=reasoning,
        summary="It is \\boxed{2}.",
        answer="2",
        why="unjudged",
        rank=number,
        wanted=wanted,
        metadata={"domain": "math", "language": "en", "response_tokens": 10 + number, "pass_rate": 0.25, "model": "a/model-7b"},
        said=(Said(scorer="language_share", value=0.5, reason="zh"), Said(scorer="is_right", value=None, reason="no reference")),
        findings=(Finding(field="reasoning", start=0, stop=min(2, len(reasoning)), scorer="language_share", note="zh in an en text"),),
    )


def words(place: Reviews) -> dict[tuple[str, str], tuple[str, dict[str, Any]]]:
    """What stands: for every item and annotator the status and what was said; each once."""
    every = list(place.answers())
    found = {(each.item_id, each.annotator): (each.status, _plain(each.values)) for each in every}
    assert len(found) == len(every), "an answer came twice"
    return found


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, [], ())}


def an_answer(item: Item, annotator: str = ALICE, *, status: str = "submitted", **values: Any) -> Answer:
    """An answer that was given elsewhere, long ago."""
    return Answer(item_id=item.item_id, annotator=annotator, status=status, values=values, at="2026-01-02T03:04:05.678901Z", seconds=3.0)


def the_same_item_twice_is_one_item(desk: Desk) -> None:
    items = [an_item(number) for number in range(3)]
    first, second = desk.place.push(items[:2], QUESTIONS), desk.place.push(items, QUESTIONS)
    assert (first.new, first.same, second.new, second.same) == (2, 0, 1, 2)
    assert first.changed == second.changed == ()
    assert desk.place.push([], QUESTIONS).new == 0
    assert desk.place.progress().items == 3


def every_status_comes_back(desk: Desk) -> None:
    items = [an_item(number) for number in range(5)]
    desk.place.push(items, QUESTIONS)
    desk.answer(items[0], ALICE, "submitted", {"verdict": "keep", "readability": 5, "language": "en", "comment": "fine"})
    desk.answer(items[1], ALICE, "draft", {"readability": 2})
    desk.answer(items[2], ALICE, "discarded", {})
    desk.answer(items[3], ALICE, "discarded", {"verdict": "discard", "reasons": ["wrong", "unsafe"]})
    desk.answer(items[4], ALICE, "submitted", {"verdict": "discard", "reasons": ["other"]})
    assert words(desk.place) == {
        (items[0].item_id, ALICE): ("submitted", {"verdict": "keep", "readability": 5, "language": "en", "comment": "fine"}),
        (items[1].item_id, ALICE): ("draft", {"readability": 2}),
        (items[2].item_id, ALICE): ("discarded", {}),
        (items[3].item_id, ALICE): ("discarded", {"verdict": "discard", "reasons": ["wrong", "unsafe"]}),
        (items[4].item_id, ALICE): ("submitted", {"verdict": "discard", "reasons": ["other"]}),
    }


def edited_texts_come_back_to_the_byte(desk: Desk) -> None:
    items = [an_item(number, reasoning=text) for number, text in enumerate(HOSTILE)]
    desk.place.push(items, QUESTIONS)
    given = [{"verdict": "fix", "reasoning": f"{text} edited", "summary": text[::-1], "comment": text} for text in HOSTILE]
    for item, values in zip(items, given, strict=True):
        desk.answer(item, BOB, "submitted", values)
    assert words(desk.place) == {(item.item_id, BOB): ("submitted", values) for item, values in zip(items, given, strict=True)}


def the_latest_word_stands(desk: Desk) -> None:
    item = an_item(0)
    desk.place.push([item], QUESTIONS)
    for status, values in (
        ("draft", {"comment": "hm"}),
        ("submitted", {"verdict": "keep"}),
        ("discarded", {}),
        ("submitted", {"verdict": "fix", "summary": "2"}),
    ):
        desk.answer(item, ALICE, status, values)
        assert words(desk.place) == {(item.item_id, ALICE): (status, values)}


def what_was_taken_back_is_taken_back(desk: Desk) -> None:
    item = an_item(0)
    desk.place.push([item], QUESTIONS)
    desk.answer(item, ALICE, "submitted", {"verdict": "keep", "readability": 3, "comment": "good"})
    desk.answer(item, ALICE, "submitted", {"verdict": "keep"})
    assert words(desk.place) == {(item.item_id, ALICE): ("submitted", {"verdict": "keep"})}


def people_do_not_touch_each_other(desk: Desk) -> None:
    item = an_item(0, wanted=3)
    desk.place.push([item], QUESTIONS)
    said = {ALICE: ("submitted", {"verdict": "keep"}), BOB: ("discarded", {}), CAROL: ("draft", {"comment": "?"})}
    for annotator, (status, values) in said.items():
        desk.answer(item, annotator, status, values)
    assert words(desk.place) == {(item.item_id, annotator): word for annotator, word in said.items()}


def answers_given_elsewhere_move_along(desk: Desk) -> None:
    items = [an_item(number, reasoning=text) for number, text in enumerate((*HOSTILE, *UNSENDABLE))]
    given = [an_answer(item, verdict="fix", reasoning=f"{item.reasoning} edited", comment=item.reasoning) for item in items]
    given += [an_answer(items[0], BOB, status="draft", comment="half"), an_answer(items[1], BOB, status="discarded")]
    first = desk.place.push(items, QUESTIONS, answers=given)
    assert (first.new, first.answers) == (len(items), len(given))
    assert words(desk.place) == {(each.item_id, each.annotator): (each.status, dict(each.values)) for each in given}
    again = desk.place.push(items, QUESTIONS, answers=given)
    assert (again.new, again.same, again.answers) == (0, len(items), 0)
    assert len(words(desk.place)) == len(given)


def answers_move_along_to_items_that_were_there(desk: Desk) -> None:
    items = [an_item(number) for number in range(2)]
    desk.place.push(items, QUESTIONS)
    desk.answer(items[0], ALICE, "submitted", {"verdict": "keep"})
    given = [an_answer(items[0], BOB, verdict="discard"), an_answer(items[1], verdict="keep", readability=1)]
    assert desk.place.push(items, QUESTIONS, answers=given).answers == 2
    assert words(desk.place) == {
        (items[0].item_id, ALICE): ("submitted", {"verdict": "keep"}),
        (items[0].item_id, BOB): ("submitted", {"verdict": "discard"}),
        (items[1].item_id, ALICE): ("submitted", {"verdict": "keep", "readability": 1}),
    }


def an_old_answer_does_not_cover_a_newer_one(desk: Desk) -> None:
    item = an_item(0)
    desk.place.push([item], QUESTIONS)
    desk.answer(item, ALICE, "submitted", {"verdict": "keep"})
    desk.place.push([item], QUESTIONS, answers=[an_answer(item, verdict="discard")])
    assert words(desk.place) == {(item.item_id, ALICE): ("submitted", {"verdict": "keep"})}


def a_newer_answer_covers_an_older_one(desk: Desk) -> None:
    item = an_item(0)
    desk.place.push([item], QUESTIONS)
    desk.answer(item, ALICE, "submitted", {"verdict": "keep", "comment": "ok"})
    later = replace(an_answer(item, verdict="fix", summary="two"), at="2999-01-01T00:00:00.000000Z")
    assert desk.place.push([item], QUESTIONS, answers=[later]).answers == 1
    assert words(desk.place) == {(item.item_id, ALICE): ("submitted", {"verdict": "fix", "summary": "two"})}


def a_changed_row_is_asked_again(desk: Desk) -> None:
    old, other = an_item(0), an_item(1)
    desk.place.push([old, other], QUESTIONS)
    desk.answer(old, ALICE, "submitted", {"verdict": "keep"})
    new = replace(old, reasoning="I multiply.")
    pushed = desk.place.push([new, other], QUESTIONS)
    assert (pushed.new, pushed.same, pushed.changed) == (0, 1, ("row0",))
    assert words(desk.place) == {(old.item_id, ALICE): ("submitted", {"verdict": "keep"})}, "what was said of the former text is kept"
    standing = desk.place.progress()
    assert (standing.items, standing.done) == (2, 0), "and does not count"
    desk.answer(new, ALICE, "submitted", {"verdict": "discard"})
    assert words(desk.place)[new.item_id, ALICE] == ("submitted", {"verdict": "discard"})
    assert desk.place.progress().done == 1
    assert desk.place.push([new, other], QUESTIONS).changed == (), "it is said once"


def a_row_with_its_former_text_again_has_its_answers_again(desk: Desk) -> None:
    old = an_item(0)
    new = replace(old, summary="It is 3.")
    desk.place.push([old], QUESTIONS)
    desk.answer(old, BOB, "submitted", {"verdict": "keep"})
    assert desk.place.push([new], QUESTIONS).changed == ("row0",)
    assert desk.place.push([old], QUESTIONS).changed == ("row0",)
    standing = desk.place.progress()
    assert (standing.items, standing.done) == (1, 1)


def other_questions_are_refused_by_name(desk: Desk) -> None:
    item = an_item(0)
    desk.place.push([item], QUESTIONS)
    desk.answer(item, ALICE, "submitted", {"verdict": "keep"})
    with pytest.raises(ValueError, match=r"questions") as refused:
        desk.place.push([item], OTHERS)
    assert QUESTIONS.version in str(refused.value)
    assert OTHERS.version in str(refused.value)
    assert words(desk.place) == {(item.item_id, ALICE): ("submitted", {"verdict": "keep"})}


def progress_counts_what_can_be_used(desk: Desk) -> None:
    items = [an_item(0), an_item(1, wanted=2), an_item(2, wanted=2), an_item(3)]
    desk.place.push(items, QUESTIONS)
    desk.answer(items[0], ALICE, "submitted", {"verdict": "keep"})
    desk.answer(items[1], ALICE, "submitted", {"verdict": "keep"})
    desk.answer(items[2], ALICE, "discarded", {})
    desk.answer(items[2], BOB, "submitted", {"verdict": "fix", "summary": "2"})
    desk.answer(items[3], BOB, "draft", {"verdict": "keep"})
    standing = desk.place.progress()
    assert (standing.items, standing.done) == (4, 2)
    assert {name: {status: count for status, count in of.items() if count} for name, of in standing.annotators.items()} == {
        ALICE: {"submitted": 2, "discarded": 1},
        BOB: {"submitted": 1, "draft": 1},
    }


def answers_that_can_not_be_used_are_kept_and_do_not_count(desk: Desk) -> None:
    items = [an_item(number) for number in range(2)]
    desk.place.push(items, QUESTIONS)
    desk.answer(items[0], ALICE, "submitted", {"verdict": "fix", "reasoning": "  \n"})
    desk.answer(items[1], ALICE, "submitted", {"verdict": "fix", "reasoning": "I add </think> and add."})
    assert {word[1]["reasoning"] for word in words(desk.place).values()} == {"  \n", "I add </think> and add."}
    assert desk.place.progress().done == 0


def the_next_process_finds_everything(desk: Desk) -> None:
    items = [an_item(number) for number in range(3)]
    desk.place.push(items, QUESTIONS, answers=[an_answer(items[0], verdict="keep")])
    desk.answer(items[1], BOB, "submitted", {"verdict": "fix", "reasoning": HOSTILE[1]})
    before = words(desk.place)
    place = desk.again()
    assert words(place) == before
    assert len(before) == 2
    assert place.progress().items == 3
    assert place.push(items, QUESTIONS).same == 3


def an_answer_says_whose_and_of_which_questions(desk: Desk) -> None:
    item = an_item(0)
    desk.place.push([item], QUESTIONS)
    desk.answer(item, ALICE, "submitted", {"verdict": "keep"})
    (answer,) = desk.place.answers()
    assert (answer.item_id, answer.annotator, answer.guideline, answer.via) == (item.item_id, ALICE, QUESTIONS.version, desk.place.name)
    assert len(answer.at) == len("2026-01-02T03:04:05.678901Z")
    assert answer.at.endswith("Z")


LAWS: tuple[Law, ...] = (
    the_same_item_twice_is_one_item,
    every_status_comes_back,
    edited_texts_come_back_to_the_byte,
    the_latest_word_stands,
    what_was_taken_back_is_taken_back,
    people_do_not_touch_each_other,
    answers_given_elsewhere_move_along,
    answers_move_along_to_items_that_were_there,
    an_old_answer_does_not_cover_a_newer_one,
    a_newer_answer_covers_an_older_one,
    a_changed_row_is_asked_again,
    a_row_with_its_former_text_again_has_its_answers_again,
    other_questions_are_refused_by_name,
    progress_counts_what_can_be_used,
    answers_that_can_not_be_used_are_kept_and_do_not_count,
    the_next_process_finds_everything,
    an_answer_says_whose_and_of_which_questions,
)
