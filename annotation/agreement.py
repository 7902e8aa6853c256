"""How far people agree with each other and with the scorers: Krippendorff's alpha for each question, with intervals.

Legend: _I item, _V value, _P different patterns of items, _B resample.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import krippendorff
import numpy as np
import polars as pl

from annotation.answer import Answer
from annotation.outcome import readability_of
from annotation.questions import VERDICTS

RESAMPLES = 1_000
PEOPLE = "people"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two sides agree in one question."""

    question: str
    """verdict | readability | language | edited; against a scorer: good"""
    between: str
    """`people`, or the scorer that people are compared with"""
    items: int
    """Rows that have something to compare."""
    answers: int
    """People's answers among them."""
    same: float | None
    """Share of the pairs that say the same, of a row as many as it has answers (as alpha counts), which by chance alone may be large; null
    where there is nothing to compare."""
    alpha: float | None
    """1: they agree; 0: as by chance; below: they contradict each other. Null where it is not defined, and `note` says why."""
    low: float | None
    """Lower end of its 95 % interval."""
    high: float | None
    """Upper end."""
    note: str = ""


def agreement(answers: Iterable[Answer], rows: pl.DataFrame | None = None, *, seed: int = 0) -> list[Agreement]:
    """People against people in every question, then people against each scorer of `rows` (annotation.population).

    `answers` are those that count (annotation.answer.usable), the latest of each annotator. Alpha is Krippendorff's (2011), ordinal for
    readability and else nominal, over all rows that two or more answered; against a scorer each answer is paired with the scorer's
    pass or fail, keep and fix being good. Intervals are percentiles of 1,000 resamples of rows (with all answers to a row together, as
    these are not independent). Which rows people saw shapes these numbers: a queue of disagreements makes scorers look worse than they
    are, and filter_errors is the one that weighs it out.
    """
    given = list(answers)
    found = []
    for question, values in _values(given).items():
        domain = _domain(question) or sorted({value for of in values.values() for value in of})
        counts_IV = [_counts(of, domain) for of in values.values() if len(of) > 1]
        coincidence_I = [np.outer(c, c) - np.diag(c) for c in counts_IV]
        scaled = [pairs / (counts.sum() - 1) for pairs, counts in zip(coincidence_I, counts_IV, strict=True)]
        level = "ordinal" if question == "readability" else "nominal"
        units = [counts[None] for counts in counts_IV]
        found.append(_agreement(question, PEOPLE, units, scaled, level=level, domain=domain, seed=seed))
    for scorer in [name for name, dtype in (rows.schema.items() if rows is not None else ()) if dtype == pl.Boolean]:
        assert rows is not None
        values = _values(given)["verdict"]
        sides = dict(rows.filter(pl.col("item_id").is_not_null()).select("item_id", scorer).drop_nulls().iter_rows())
        units = [_with_scorer(of, good=sides[item_id]) for item_id, of in values.items() if item_id in sides]
        pairs = [sum((np.outer(u, u) - np.diag(u) for u in each), start=np.zeros((2, 2))) for each in units]
        against = _agreement("good", scorer, units, pairs, level="nominal", domain=["no", "yes"], seed=seed)
        seen = {sides[item_id] for item_id in values if item_id in sides}
        constant = f"it {'passes' if seen == {True} else 'fails'} every answered row, so alpha can not be above 0"
        found.append(replace(against, note=constant) if len(seen) == 1 and against.alpha is not None else against)
    return found


def _values(answers: Sequence[Answer]) -> dict[str, dict[str, list[Any]]]:
    """For each question, what was said of each item."""
    found: dict[str, dict[str, list[Any]]] = {name: defaultdict(list) for name in ("verdict", "readability", "language", "edited")}
    for answer in answers:
        said = {"verdict": answer.verdict, "edited": {"keep": "no", "fix": "yes"}.get(answer.verdict or "")}
        mark, language = readability_of(answer), answer.values.get("language")
        said |= {"readability": str(mark) if mark else None, "language": language if isinstance(language, str) else None}
        for name, value in said.items():
            if value:
                found[name][answer.item_id].append(value)
    return found


def _domain(question: str) -> list[str]:
    """The values of a question in their order; none where only what was said tells them."""
    return {"verdict": [*VERDICTS], "readability": [*"12345"], "language": [], "edited": ["no", "yes"]}[question]


def _counts(values: Sequence[str], domain: Sequence[str]) -> np.ndarray:
    return np.array([sum(str(value) == known for value in values) for known in domain], dtype=float)


def _with_scorer(verdicts: Sequence[str], *, good: bool) -> np.ndarray:
    """A unit of two ratings for each answer: the person's, and the scorer's."""
    units = np.zeros((len(verdicts), 2))
    for row, verdict in enumerate(verdicts):
        units[row, int(verdict != "discard")] += 1
        units[row, int(good)] += 1
    return units


def _agreement(
    question: str,
    between: str,
    units_I: Sequence[np.ndarray],
    pairs_I: Sequence[np.ndarray],
    *,
    level: str,
    domain: Sequence[str],
    seed: int,
) -> Agreement:
    """`units_I`: of each item its units x values, as the library wants them; `pairs_I`: of each item its part of the coincidences."""
    answers = int(sum(units.sum() for units in units_I)) // (1 if between == PEOPLE else 2)
    known: Mapping[str, Any] = {"question": question, "between": between, "items": len(units_I), "answers": answers}
    if not units_I:
        note = "no row has two answers" if between == PEOPLE else "no answered row was judged by it"
        return Agreement(**known, same=None, alpha=None, low=None, high=None, note=note)
    pairs_IVV = np.stack(pairs_I)
    whole = pairs_IVV.sum(axis=0)
    same = float(np.trace(whole) / whole.sum())
    if len(units_I) < 2 or (whole.sum(axis=0) > 0).sum() < 2:
        note = (
            "a single row" if len(units_I) < 2 else f"everybody said {domain[int(whole.sum(axis=0).argmax())]!r} each time: nothing varies"
        )
        return Agreement(**known, same=same, alpha=None, low=None, high=None, note=f"alpha is not defined: {note}")
    units = np.concatenate(units_I)
    measure: Any = level
    alpha = float(krippendorff.alpha(value_counts=units, value_domain=list(range(units.shape[1])), level_of_measurement=measure))
    resampled = alphas(_resampled(pairs_IVV, seed=seed), level=level)
    resampled = resampled[np.isfinite(resampled)]
    low, high = np.percentile(resampled, [2.5, 97.5]).tolist() if len(resampled) > RESAMPLES // 2 else (None, None)
    note = "" if low is not None else "too few different rows for an interval"
    return Agreement(**known, same=same, alpha=alpha, low=low, high=high, note=note)


def _resampled(pairs_IVV: np.ndarray, *, seed: int) -> np.ndarray:
    """_BVV: coincidences of as many items drawn with replacement; items of one pattern are drawn together."""
    patterns_PV, counts_P = np.unique(pairs_IVV.reshape(len(pairs_IVV), -1), axis=0, return_counts=True)
    drawn_BP = np.random.default_rng(seed).multinomial(len(pairs_IVV), counts_P / counts_P.sum(), size=RESAMPLES)
    return (drawn_BP @ patterns_PV).reshape(RESAMPLES, *pairs_IVV.shape[1:])


def alphas(coincidences_BVV: np.ndarray, *, level: str) -> np.ndarray:
    """_B: alpha of each matrix of coincidences; NaN where nothing varies. The library has it for one at a time."""
    n_BV = coincidences_BVV.sum(axis=2)
    n_B = n_BV.sum(axis=1)
    expected_BVV = n_BV[:, :, None] * n_BV[:, None, :]
    difference = 1.0 - np.eye(n_BV.shape[1])[None]
    if level == "ordinal":
        upto_BV = np.cumsum(n_BV, axis=1) - n_BV / 2
        difference = (upto_BV[:, :, None] - upto_BV[:, None, :]) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - (n_B - 1) * (coincidences_BVV * difference).sum(axis=(1, 2)) / (expected_BVV * difference).sum(axis=(1, 2))
