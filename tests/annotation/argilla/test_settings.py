"""What a dataset asks: our questions in Argilla's words, and what is different where it asks others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from annotation.argilla.settings import differences, fields_wanted, fitting, metadata_wanted, questions_wanted
from annotation.questions import Questions
from tests.annotation.reviews_suite import QUESTIONS, an_item


def asked() -> list[dict[str, Any]]:
    return questions_wanted(QUESTIONS)


def test_only_the_verdict_must_be_answered_and_nothing_is_markdown() -> None:
    assert [each["name"] for each in asked() if each["required"]] == ["verdict"]
    assert not any(each["settings"].get("use_markdown") for each in (*asked(), *fields_wanted()))
    assert {each["name"] for each in asked()} == {
        "verdict",
        "readability",
        "language",
        "reasoning",
        "summary",
        "reasons",
        "comment",
        "marks",
    }


def test_what_the_server_adds_and_titles_make_no_difference() -> None:
    there = [{**each, "title": "x", "settings": {**each["settings"], "visible_options": None}} for each in asked()]
    there = [{**each, "settings": {**each["settings"], "allow_character_annotation": True}} for each in there]
    assert differences(there, asked()) == []


def test_every_other_difference_is_named() -> None:
    there = [each for each in asked() if each["name"] != "comment"] + [{"name": "mood", "required": False, "settings": {"type": "text"}}]
    there = [{**each, "required": True} if each["name"] == "summary" else each for each in there]
    ours = questions_wanted(Questions(languages=("en", "fr")))
    assert differences(there, ours) == [
        "it has 'mood', which is not ours",
        "it lacks 'comment'",
        "'language': options is ['en', 'zh', 'mixed', 'other'] there and ['en', 'fr'] here",
        "'summary': required is True there and False here",
    ]


def test_metadata_has_the_narrowest_type_that_holds_all() -> None:
    items = [replace(an_item(0), metadata={"a": value, "b": value, "c": 1, "shown": "no"}) for value in (1, 2.5)]
    items.append(replace(an_item(1), metadata={"b": "x", "c": 2}))
    kinds = {each["name"]: each["settings"]["type"] for each in metadata_wanted(items)}
    assert (kinds["a"], kinds["b"], kinds["c"], kinds["rank"], kinds["why"]) == ("float", "terms", "integer", "integer", "terms")
    assert "shown" not in kinds


@pytest.mark.parametrize(
    ("value", "kind", "fits"),
    [
        (1, "terms", "1"),
        (1, "float", 1.0),
        (2.0, "integer", 2),
        (2.5, "integer", None),
        ("x", "integer", None),
        ("x", None, "x"),
        (float("nan"), "float", None),
        (float("inf"), None, None),
    ],
)
def test_a_value_fits_or_is_left_out(value: Any, kind: str | None, fits: Any) -> None:
    assert fitting(value, kind) == fits
