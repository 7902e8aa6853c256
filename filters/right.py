"""Is a response right, whatever kind of problem it answers? Each row goes to the verifier that its reference is written for."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from dataengine.references import checks_text
from dataengine.score import Score, Scorer, batch_scorer
from filters.answers import answer_matches
from filters.instructions import follows_instructions
from filters.knights_and_knaves import is_solution, knights_and_knaves
from filters.programs import passes_tests
from filters.puzzles import gym_score

VERIFIERS = (answer_matches, passes_tests, gym_score, follows_instructions, knights_and_knaves)


@batch_scorer(version=f"3 ({', '.join(f'{verifier.name} {verifier.version}' for verifier in VERIFIERS)})")
def is_right(
    response: pl.Series,
    answer: pl.Series | None = None,
    checks: pl.Series | None = None,
    finish_reason: pl.Series | None = None,
    *,
    timeout: float = 5.0,
    marked: bool = False,
) -> list[Score]:
    """1 where the verifier that fits the row says right, 0 where it says wrong, None where it cannot tell or the response was cut off.

    `checks` say which verifier it is where there are any, else the reference `answer` is compared.
    `timeout`: CPU seconds for one comparison, test case or puzzle. `marked`: only an announced answer counts as one. The reason begins with
    the verifier's name. A truncated response is neither right nor wrong here; as a reward's scorer the verifiers themselves give it 0.

    >>> is_right("So it is \\\\boxed{4}.", "4")
    Score(value=1.0, reason='answer_matches: equal (boxed)')

    | checks | answer | verifier |
    |---|---|---|
    | `{"task": ..., "entry": ...}` | any | `gym_score`, reasoning-gym's own; full marks are right |
    | `{"instruction_id_list": [...], "kwargs": [...]}` | any | `follows_instructions` |
    | any other JSON, or Python with asserts | any | `passes_tests`, in a sandbox |
    | none, or empty (`""`, `[]`, `{}`, `null`) | `42` | `answer_matches` |
    | none | `Zoey is a knight, and Ella is a knave.`: a role for each of two or more, and nothing else | `knights_and_knaves` |
    | none | none | none: unjudged |
    """
    blank = pl.Series([None] * len(response), dtype=pl.String)
    rows = pl.DataFrame(
        {
            "response": response,
            "answer": blank if answer is None else answer,
            "checks": blank if checks is None else checks,
            "finish_reason": blank if finish_reason is None else finish_reason,
        }
    ).with_row_index("row")
    cut = rows["finish_reason"].eq("length").fill_null(value=False).to_list()
    kinds = ["truncated" if cut[n] else kind_of(checks, answer) for n, checks, answer in rows.select("row", "checks", "answer").iter_rows()]
    found: dict[int, Score] = {}
    for kind in dict.fromkeys(kinds):
        chosen = rows.filter(pl.Series([each == kind for each in kinds], dtype=pl.Boolean))
        found.update(zip(chosen["row"].to_list(), _judged(kind, chosen, timeout=timeout, marked=marked), strict=True))
    return [found[row] for row in range(len(rows))]


def _judged(kind: str, rows: pl.DataFrame, *, timeout: float, marked: bool) -> Sequence[Score]:
    if kind == "truncated":
        return [Score(None, "truncated: the tokens ran out")] * len(rows)
    if kind == "nothing":
        return [Score(None, "nothing to judge by: neither checks nor an answer")] * len(rows)
    if kind == "answer_matches":
        return _named(answer_matches.with_(timeout=timeout, marked=marked), rows)
    if kind == "knights_and_knaves":
        return _named(knights_and_knaves, rows)
    if kind == "gym_score":
        return [_full_marks(score) for score in _named(gym_score.with_(timeout=timeout), rows)]
    if kind == "follows_instructions":
        return [_instructed(*row) for row in rows.select("response", "checks").iter_rows()]
    return _named(passes_tests.with_(timeout=timeout), rows)


def kind_of(checks: str | None, answer: str | None) -> str:
    """Name of the verifier that a row's reference is written for; "nothing" where it has none."""
    text = checks_text(checks)
    if text is None:
        return "nothing" if answer is None else "knights_and_knaves" if is_solution(answer) else "answer_matches"
    try:
        read = json.loads(text)
    except ValueError:
        return "passes_tests"
    if isinstance(read, dict) and {"task", "entry"} <= read.keys():
        return "gym_score"
    return "follows_instructions" if isinstance(read, dict) and {"instruction_id_list", "kwargs"} <= read.keys() else "passes_tests"


def _named(verifier: Scorer, rows: pl.DataFrame) -> list[Score]:
    scored = verifier.score(rows)
    return [Score(each["value"], f"{verifier.name}: {each['reason']}") for each in scored.to_list()]


def _instructed(response: str, checks: str) -> Score:
    asked = json.loads(checks)
    score = follows_instructions(response, asked["instruction_id_list"], asked["kwargs"])
    return Score(score.value, f"{follows_instructions.name}: {score.reason}")


def _full_marks(score: Score) -> Score:
    """Partial credit is not right."""
    return score if score.value is None else Score(float(score.value >= 1.0), score.reason)
