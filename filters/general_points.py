"""Do four playing cards make the target? GeneralPoints, with the rule for face cards that tells learning from memorising."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

from dataengine.score import Score, scorer
from filters.countdown import judge
from filters.final_answers.extraction import after_thoughts, final_answer

_RANK = re.compile(r"(?i)(?:of )?[♠♥♦♣♤♡♢♧]?\s*(10|[2-9]|1[1-3]|1|A|J|Q|K|ace|jack|queen|king)\s*(?:of \w+|[♠♥♦♣♤♡♢♧SHDC])?")
_NAMED = {"a": 1, "ace": 1, "j": 11, "jack": 11, "q": 12, "queen": 12, "k": 13, "king": 13}
_FORMULA = re.compile(r"""["']formula["']\s*:\s*["']([^"'\n]*)["']""")


@scorer
def general_points(response: str, cards: list[str], target: int = 24, *, face_cards: Literal["10", "11-13"] = "10") -> Score:
    """1 where the response's formula uses every card's value exactly once and equals `target`, else 0.

    The task of "SFT Memorizes, RL Generalizes" (arXiv 2501.17161): `face_cards="10"` counts J, Q and K as 10 (the rule in training),
    `"11-13"` as 11, 12 and 13 (the rule out of distribution); an ace is 1. `cards` are ranks (`"A"`, `"10"`, `"K"`, a suit may stand
    by), as a list or JSON text of one. The formula is the last `"formula": "..."` of the reply, else its final answer; it is read as
    in `countdown`.

    >>> general_points('{"cards": ["A","3","K","6"], "formula": "(K-A)"}', ["A", "3", "K", "6"]).reason
    "unparsable: 'K' is no part of an expression (formula)"
    >>> general_points('{"formula": "10+6*3-1-3=24"}', ["K", "6", "3", "A"]).reason
    'wrong: 3 is used too often (formula)'
    >>> [general_points('{"formula": "(11-5)*(5-1)=24"}', ["J", "5", "5", "A"], face_cards=rule).value for rule in ("10", "11-13")]
    [0.0, 1.0]

    | formula for J 5 5 A | `face_cards` | value | because |
    |---|---|---|---|
    | `(10-5)*5-1=24` | "10" | 1 | J is 10 |
    | `(10-5)*5-1=24` | "11-13" | 0 | 10 is not given: J is 11 |
    | `(11-5)*(5-1)` | "11-13" | 1 | |
    | `(J-5)*(5-1)` | "11-13" | 0 | unparsable: a formula holds numbers |
    """
    if face_cards not in ("10", "11-13"):
        raise ValueError(f"face_cards is '10' or '11-13', got {face_cards!r}")
    values = card_values(cards, face_cards=face_cards)
    if not values or not isinstance(target, int):
        return Score(None, f"bad reference: the {'target' if values else 'cards'} cannot be read")
    text, place = _formula(response)
    if text is None:
        return Score(0.0, place)
    value, reason = judge(text, values, target=Fraction(target))
    return Score(value, f"{reason} ({place})")


def card_values(cards: Any, *, face_cards: str) -> list[Fraction]:
    """The value of each card; none where one cannot be read."""
    if isinstance(cards, str):
        try:
            cards = json.loads(cards)
        except ValueError:
            return []
    if not isinstance(cards, Sequence) or isinstance(cards, str | bytes):
        return []
    ranks = [_rank(str(card)) for card in cards]
    return [Fraction(min(rank, 10) if face_cards == "10" else rank) for rank in ranks if rank] if all(ranks) else []


def _rank(card: str) -> int | None:
    match = _RANK.fullmatch(card.strip())
    if match is None:
        return None
    named = match.group(1).lower()
    return _NAMED.get(named) or int(named)


def _formula(response: str) -> tuple[str | None, str]:
    """(formula, where it stood), or (None, why there is none)."""
    reply, fault = after_thoughts(response)
    if fault:
        return None, fault
    if found := _FORMULA.findall(reply):
        return found[-1], "formula"
    answer = final_answer(response)
    return answer.text, answer.place
