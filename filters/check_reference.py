"""Can a reference answer be read at all? A verifier has to accept it against itself before it may judge anybody by it."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dataengine.score import Score, batch_scorer
from filters.answers import reference, short
from filters.final_answers.equality import Pair, judged


@batch_scorer(version="1")
def check_reference(answer: pl.Series, *, timeout: float = 5.0) -> list[Score]:
    """1 where `answer_matches` can read the reference and finds it equal to itself, None where it cannot: no response is judged by it.

    Run it over the problems before a model is asked: `keep(problems, check_reference)` sets the bad ones aside with their reasons.

    >>> check_reference("\\\\frac{1}{2}"), check_reference("\\\\frac{}{2k(-k)!}").value
    (Score(value=1.0, reason='readable'), None)

    | answer | value | because |
    |---|---|---|
    | `x+1`, `(0, 1]`, `\\{1, 2\\}` | 1 | mathematics |
    | `C`, `Eiffel Tower`, `'abc'` | 1 | a choice, words, a value |
    | `... #### 42` | 1 | the answer inside a solution |
    | (nothing), `\\boxed{}` | none | bad reference: empty |
    | `\\frac{}{2}`, `n-\\lfloor/2\\rfloor` | none | bad reference: something is missing |
    """
    golds = [None if text is None else reference(text) for text in answer.to_list()]
    verdicts = iter(judged([Pair(gold, gold) for gold in golds if gold is not None], deadline=timeout))
    return [Score(None, "no answer") if gold is None else _score(gold, next(verdicts).kind) for gold in golds]


def _score(gold: str, kind: str) -> Score:
    if kind.startswith("equal"):
        return Score(1.0, "readable")
    if kind.startswith("bad reference: "):
        return Score(None, kind)
    return Score(None, f"bad reference: {short(gold)}" + ("" if kind == "bad reference" else f" ({kind})"))


def bad_references(answers: Iterable[str], *, timeout: float = 5.0) -> dict[str, str]:
    """The references that cannot be read, each with the reason."""
    unique = list(dict.fromkeys(answers))
    scores = check_reference.function(pl.Series("answer", unique, dtype=pl.String), timeout=timeout)
    return {answer: score.reason for answer, score in zip(unique, scores, strict=True) if score.value is None}
