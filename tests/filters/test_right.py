from __future__ import annotations

import json

import polars as pl
import pytest

from dataengine.score import Score
from filters.answers import answer_matches
from filters.right import is_right

PROGRAM = "```python\nprint(int(input()) * 2)\n```"
TESTS = json.dumps({"inputs": ["4"], "outputs": ["8"]})
NO_COMMA = json.dumps({"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]})


def test_every_row_goes_to_the_verifier_its_reference_is_written_for() -> None:
    rows = pl.DataFrame(
        {
            "response": ["\\boxed{4}", "\\boxed{4}", "one two", "one, two", "hello", None],
            "answer": ["4", "5", None, None, None, "4"],
            "checks": [None, None, NO_COMMA, NO_COMMA, None, None],
            "finish_reason": ["stop"] * 6,
        },
        schema_overrides={"checks": pl.String},
    )
    found = is_right.score(rows).to_list()
    assert [each["value"] for each in found] == [1.0, 0.0, 1.0, 0.0, None, None]
    kinds = [each["reason"].split(":")[0] for each in found]
    assert kinds == ["answer_matches"] * 2 + ["follows_instructions"] * 2 + ["nothing to judge by", "no response"]


@pytest.mark.parametrize("empty", ["", "[]", "{}", "null"])
def test_empty_checks_do_not_hide_the_answer(empty: str) -> None:
    assert is_right("\\boxed{4}", "4", empty).value == 1.0
    assert is_right("\\boxed{4}", None, empty).reason == "nothing to judge by: neither checks nor an answer"


@pytest.mark.usefixtures("any_walls")
def test_programs_run_in_the_sandbox() -> None:
    rows = pl.DataFrame({"response": [PROGRAM, PROGRAM.replace("2", "3")], "checks": [TESTS] * 2, "answer": ["8", "8"]})
    assert [each["value"] for each in is_right.score(rows).to_list()] == [1.0, 0.0]


ROLES = "Oliver is a knight, Lily is a knave, Logan is a knight, Chloe is a knave, and Jackson is a knight."


@pytest.mark.parametrize(
    ("summary", "value"),
    [
        (ROLES, 1.0),
        ("1. Oliver: knight\n2. Lily: knave\n3. Logan: knight\n4. Chloe: knave\n5. Jackson: knight", 1.0),
        (ROLES.replace("Lily is a knave", "Lily is a knight"), 0.0),
        ("I do not know.", 0.0),
    ],
)
def test_a_reference_that_names_roles_is_read_by_its_own_verifier(summary: str, value: float) -> None:
    found = is_right(f"<think>\nhm\n</think>\n\n{summary}", ROLES)
    assert (found.value, found.reason.split(":")[0]) == (value, "knights_and_knaves")


def test_truncated_is_neither_right_nor_wrong() -> None:
    rows = pl.DataFrame({"response": ["\\boxed{4}"], "answer": ["4"], "finish_reason": ["length"]})
    assert is_right.score(rows).to_list() == [{"value": None, "reason": "truncated: the tokens ran out"}]


def test_one_row_at_a_time_says_the_same() -> None:
    alone = answer_matches("\\boxed{3}", "4")
    assert is_right("\\boxed{3}", "4") == Score(alone.value, f"answer_matches: {alone.reason}")


def test_a_new_version_of_a_verifier_is_a_new_version_of_it() -> None:
    assert f"answer_matches {answer_matches.version}" in is_right.version
