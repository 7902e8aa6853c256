"""Does a response list the elements of the reference?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from dataengine.score import Score, batch_scorer
from filters.answers import reference, short, unanswered
from filters.final_answers.bare_answer import same_side
from filters.final_answers.equality import LONGEST_ANSWER, Pair, Verdict, judged
from filters.final_answers.extraction import final_answer
from filters.final_answers.lists import branches, distinct, split
from filters.final_answers.notation import normalise

MOST = 60
"""Elements of a set that are compared (ours); of larger ones every pair would have to be."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Two lists to compare, and where the second one stood."""

    wanted: list[str]
    said: list[str]
    place: str


@batch_scorer(version="1", instead={"response": "summary"})
def set_matches(
    response: pl.Series,
    answer: pl.Series,
    finish_reason: pl.Series | None = None,
    *,
    ordered: bool = False,
    partial: bool = False,
    marked: bool = False,
    timeout: float = 5.0,
) -> list[Score]:
    """1 where the final answer lists the elements of `answer` and no others, 0 where it does not, None where that could not be judged.

    Brackets do not count, nor does the order unless `ordered`; an element that is listed twice is one (unless `ordered`). Elements are
    compared as `answer_matches` compares answers. `partial`: the share of common elements among all (Jaccard). `marked` and `timeout`
    as in `answer_matches`.

    >>> set_matches("The solutions are \\\\boxed{x = 0.5} and \\\\boxed{x = -3}.", "{-3, 1/2}")
    Score(value=1.0, reason='same elements (boxed)')
    >>> set_matches("<answer>[2, 3, 5, 7, 9]</answer>", "2, 3, 5, 7", partial=True)
    Score(value=0.8, reason='4 of 4 elements, 1 other: 9 (answer tag)')

    | answer tag | answer | value | because |
    |---|---|---|---|
    | `(2, 1)` | `{1, 2}` | 1 | the order does not count; 0 with `ordered` |
    | `2 \\pm \\sqrt{3}` | `2-\\sqrt3, 2+\\sqrt3` | 1 | both branches |
    | `["b", "a"]` | `a, b` | 1 | quotes are spelling |
    | `1, 1, 2` | `1, 2` | 1 | said twice |
    | `1, 2` | `1, 2, 3` | 0 | one is missing; 0.67 with `partial` |
    | `7` | `{7}` | 1 | a set of one |
    """
    finished = finish_reason.to_list() if finish_reason is not None else [None] * len(response)
    scores: list[Score | None] = []
    rows: list[_Row] = []
    for said, wanted, finish in zip(response.to_list(), answer.to_list(), finished, strict=True):
        score, row = _read(said, wanted, finish, marked=marked, ordered=ordered)
        scores.append(score)
        rows += [row] if row else []
    verdicts = iter(judged([pair for row in rows for pair in _pairs(row, ordered=ordered)], deadline=timeout))
    left = iter(rows)
    return [score if score is not None else _score(next(left), verdicts, ordered=ordered, partial=partial) for score in scores]


def _read(
    said: str | None, wanted: object, finish_reason: str | None, *, marked: bool, ordered: bool
) -> tuple[Score, None] | tuple[None, _Row]:
    if said is None or wanted is None:
        return Score(None, "no response" if said is None else "no answer"), None
    gold = reference(wanted)
    found = final_answer(said, marked=marked)
    missing = unanswered(gold, found, finish_reason)
    if missing is not None:
        return missing, None
    if max(len(gold), len(found.text or "")) > LONGEST_ANSWER:
        return Score(None, f"timeout foreseen: an answer of {max(len(gold), len(found.text or '')):,} characters"), None
    ours, theirs = same_side(gold=normalise(gold), prediction=normalise(found.text or ""))
    row = _Row(_elements(ours, ordered=ordered), _elements(theirs, ordered=ordered), found.place)
    if max(len(row.wanted), len(row.said)) > MOST:
        return Score(None, f"timeout foreseen: sets of {len(row.wanted)} and {len(row.said)} elements"), None
    return None, row


def _elements(text: str, *, ordered: bool) -> list[str]:
    found = split(branches(text))
    parts = [text] if found is None else found[1]
    parts = [part.rsplit("=", 1)[-1].strip(" '\"") for part in parts]
    return parts if ordered else distinct(parts)


def _pairs(row: _Row, *, ordered: bool) -> list[Pair]:
    if ordered:
        return [Pair(a, b) for a, b in zip(row.wanted, row.said, strict=False)]
    return [Pair(a, b) for a in row.wanted for b in row.said]


def _score(row: _Row, verdicts: Iterator[Verdict], *, ordered: bool, partial: bool) -> Score:
    if ordered:
        found = [next(verdicts) for _ in zip(row.wanted, row.said, strict=False)]
        common = sum(verdict.value is True for verdict in found)
        others = row.said[len(row.wanted) :] + [b for b, verdict in zip(row.said, found, strict=False) if not verdict.value]
    else:
        table = [[next(verdicts) for _ in row.said] for _ in row.wanted]
        found = [verdict for line in table for verdict in line]
        taken = _matched([[verdict.value is True for verdict in line] for line in table])
        common = len(taken)
        others = [part for place, part in enumerate(row.said) if place not in taken]
    if common == len(row.wanted) == len(row.said):
        return Score(1.0, f"same elements ({row.place})")
    unjudged = next((verdict.kind for verdict in found if verdict.value is None), None)
    if unjudged and common < min(len(row.wanted), len(row.said)):
        return Score(None, unjudged)
    reason = f"{common} of {len(row.wanted)} elements"
    reason += f", {len(others)} other: {short(', '.join(others))} ({row.place})" if others else f" ({row.place})"
    return Score(common / (len(row.wanted) + len(row.said) - common) if partial else 0.0, reason)


def _matched(equal: Sequence[Sequence[bool]]) -> dict[int, int]:
    """Elements said, each with the wanted one it is: as many as can be matched one to one (augmenting paths)."""
    taken: dict[int, int] = {}

    def place(wanted: int, seen: set[int]) -> bool:
        for said, same in enumerate(equal[wanted]):
            if same and said not in seen:
                seen.add(said)
                if said not in taken or place(taken[said], seen):
                    taken[said] = wanted
                    return True
        return False

    for wanted in range(len(equal)):
        place(wanted, set())
    return taken
