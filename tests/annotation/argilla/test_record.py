"""An item as a record: what is shown, what is filled in, and what it can be filtered by."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.argilla.record import SUGGESTED, SUGGESTIBLE, digest, is_intact, item_in, record_of, suggestions_of
from annotation.argilla.record import fields_of as fields
from annotation.item import Finding, Item, Said
from tests.annotation.argilla.test_escape import TEXTS
from tests.annotation.reviews_suite import QUESTIONS, an_item

IDS = {name: f"id-of-{name}" for name in SUGGESTIBLE}
AGENT = re.compile(r"^[a-zA-Z0-9\-_:\.\/\s]*[a-zA-Z0-9][a-zA-Z0-9\-_:\.\/\s]*$")
"""What the server takes."""


def suggested(item: Item) -> dict[str, dict[str, Any]]:
    return suggestions_of(item, QUESTIONS, fields(item))


@given(TEXTS, TEXTS, TEXTS | st.none())
def test_the_text_behind_a_record_is_the_items(reasoning: str, summary: str, answer: str | None) -> None:
    item = Item(row_id="r\0", prompt=reasoning, reasoning=reasoning, summary=summary, answer=answer or None, wanted=3, rank=7, why="kept")
    record = record_of(item, questions=QUESTIONS, ids=IDS, kinds={}, suggest=SUGGESTED)
    assert item_in(json.loads(json.dumps(record))) == item
    assert is_intact(record)
    json.dumps(record).encode()


def test_a_record_that_was_written_over_is_known() -> None:
    record = record_of(an_item(0), questions=QUESTIONS, ids=IDS, kinds={}, suggest=SUGGESTED)
    assert is_intact(record)
    assert not is_intact({**record, "fields": {**record["fields"], "summary": "another"}})
    assert not is_intact({**record, "metadata": None})
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"})


def test_what_is_filled_in_is_the_raw_text_with_its_model_and_never_the_verdict_by_itself() -> None:
    item = replace(an_item(0), reasoning="<think> x<y &amp;")
    record = record_of(item, questions=QUESTIONS, ids=IDS, kinds={}, suggest=SUGGESTED)
    by_question = {each["question_id"]: each for each in record["suggestions"]}
    assert by_question["id-of-reasoning"]["value"] == "<think> x<y &amp;"
    assert by_question["id-of-reasoning"]["agent"] == "a/model-7b"
    assert "id-of-verdict" not in by_question
    assert "id-of-readability" not in by_question


def test_what_scorers_hold_against_a_rollout_is_suggested_with_their_names_and_scores() -> None:
    said = (
        Said(scorer="is_right", value=0.0, reason="4 is not 5"),
        Said(scorer="not_repetitive", value=0.25, reason="said 9 times"),
        Said(scorer="readable", value=1.0, reason="fine"),
        Said(scorer="language_share", value=1.0, reason="en"),
    )
    found = suggested(replace(an_item(0), said=said))
    assert found["reasons"] == {"value": ["wrong", "repetitive"], "agent": "is_right not_repetitive", "score": [1.0, 0.75]}
    assert found["language"] == {"value": "en", "agent": "language_share", "score": 1.0}
    assert found["verdict"] == {"value": "discard", "agent": "is_right", "score": 1.0}
    assert found["readability"] == {"value": 5, "agent": "readable", "score": 1.0}


def test_a_scorer_that_could_not_judge_suggests_nothing() -> None:
    found = suggested(replace(an_item(0), said=(Said(scorer="is_right", value=None, reason="no reference"),)))
    assert not {"verdict", "reasons", "language", "readability"} & set(found)


@given(st.text(max_size=300), st.floats(allow_nan=False))
def test_every_name_and_score_is_one_that_the_server_takes(name: str, value: float) -> None:
    said = (Said(scorer=name + "readable", value=value, reason=""), Said(scorer=name + "is_right", value=-value, reason=""))
    for each in suggested(replace(an_item(0), said=said, metadata={"model": name})).values():
        agent, score = each["agent"], each.get("score", 0.0)
        assert AGENT.match(agent)
        assert len(agent) <= 200
        assert all(0 <= one <= 1 for one in (score if isinstance(score, list) else [score]))


@pytest.mark.parametrize(
    ("scorer", "note", "label"),
    [
        ("language_share", "zh in an en text", "language"),
        ("not_repetitive", "said 4 times", "repetition"),
        ("readable", "code block", "code"),
        ("readable", "long paragraph", "paragraph"),
        ("own", "look here", "other"),
    ],
)
def test_a_mark_has_one_of_the_labels_that_the_dataset_was_made_with(scorer: str, note: str, label: str) -> None:
    finding = Finding(field="reasoning", start=0, stop=2, scorer=scorer, note=note)
    assert suggested(replace(an_item(0), findings=(finding,)))["marks"]["value"] == [{"start": 0, "end": 2, "label": label}]


def test_marks_beyond_the_text_or_of_nothing_are_left_out_and_one_that_is_said_twice_is_one() -> None:
    marks = [(0, 2), (0, 2), (3, 3), (5, 999), (40, 50), (-4, 1)]
    found = tuple(Finding(field="reasoning", start=start, stop=stop, scorer="own", note="n") for start, stop in marks)
    value = suggested(replace(an_item(0, reasoning="0123456789"), findings=found))["marks"]["value"]
    assert value == [
        {"start": 0, "end": 1, "label": "other"},
        {"start": 0, "end": 2, "label": "other"},
        {"start": 5, "end": 10, "label": "other"},
    ]
