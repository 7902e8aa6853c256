"""GeneralPoints: both rules for face cards, formulas in JSON and in prose, and cards that are none."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from filters.general_points import card_values, general_points


def said(formula: str) -> str:
    return json.dumps({"cards": ["J", "5", "5", "A"], "number": [10, 5, 5, 1], "formula": formula})


def test_the_rule_for_face_cards_decides() -> None:
    ten, rank = general_points, general_points.with_(face_cards="11-13")
    for formula, values in (("(10-5)*5-1=24", (1.0, 0.0)), ("(11-5)*(5-1)=24", (0.0, 1.0))):
        assert (ten(said(formula), ["J", "5", "5", "A"]).value, rank(said(formula), ["J", "5", "5", "A"]).value) == values
    with pytest.raises(ValueError, match="face_cards is '10' or '11-13'"):
        general_points(said("1"), ["J"], face_cards="ten")


@pytest.mark.parametrize(
    ("card", "value"),
    [("A", 1), ("ace of spades", 1), ("10", 10), ("7♠", 7), ("♥K", 13), ("Q", 12), ("jack", 11), ("10H", 10), (13, 13), ("1", 1)],
)
def test_a_card_is_read_with_or_without_its_suit(card: Any, value: int) -> None:
    assert card_values([card], face_cards="11-13") == [value]
    assert card_values([card], face_cards="10") == [min(value, 10)]


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("6*4=24", "wrong: 4 is not given (formula)"),
        ("6*2*2", "wrong: 2 is not given (formula)"),
        ("6+6+6+6", "wrong: 6 is used too often (formula)"),
        ("6+1+3", "wrong: 13 is not used (formula)"),
        ("6+1+3+13", "wrong: 23, not 24 (formula)"),
        ("6+1+3+13=24", "wrong: 23, not 24 (formula)"),
        ("K+1+3+6", "unparsable: 'K' is no part of an expression (formula)"),
    ],
)
def test_wrong_formulas_say_what_is_wrong(formula: str, reason: str) -> None:
    verdict = general_points(said(formula), ["K", "6", "3", "A"], face_cards="11-13")
    assert (verdict.value, verdict.reason) == (0.0, reason)


@pytest.mark.parametrize(
    "response",
    [
        "<think>hm</think>\n```json\n{\n  'formula': '(10-5)*5-1'\n}\n```",
        "<answer>(10-5)*5-1 = 24</answer>",
        r"So \boxed{(10-5) \times 5 - 1}",
        said("1+1") + "\nNo, better:\n" + said("(10-5)*5-1=24"),
    ],
)
def test_the_last_formula_counts_wherever_it_stands(response: str) -> None:
    assert general_points(response, ["J", "5", "5", "A"]).value == 1.0


@pytest.mark.parametrize("cards", [[], None, ["Z"], ["14"], ["0"], "J5", [None], [["J"]]])
def test_cards_that_are_none_leave_the_row_unjudged(cards: Any) -> None:
    assert general_points(said("1"), cards).value is None
    assert general_points(said("1"), cards).reason == "bad reference: the cards cannot be read"


def test_it_scores_columns() -> None:
    rows = pl.DataFrame({"response": [said("(10-5)*5-1=24"), "<think>"], "cards": [["J", "5", "5", "A"]] * 2})
    assert general_points.score(rows).struct.field("value").to_list() == [1.0, 0.0]
    assert general_points.score(rows.with_columns(cards=pl.lit('["J","5","5","A"]'))).struct.field("value").to_list() == [1.0, 0.0]
