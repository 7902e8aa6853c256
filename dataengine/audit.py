"""How often is a scorer right? Its verdicts beside a column of true ones: confusion, error rates with intervals, disagreements to read."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import polars as pl

from dataengine.names import nearest
from dataengine.score import Scorer
from dataengine.score_file import scored_parts

Z = 1.959963984540054
"""Standard deviations of a normal distribution that hold 95 %."""

FALSE_POSITIVE, FALSE_NEGATIVE = "false positive", "false negative"
"""How a disagreement is called in the column `disagreement`."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What came of an audit; `text` is what a person reads."""

    scorer: str
    truth: str
    """Name of the column of true verdicts."""
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    unjudged_right: int
    """Rows that are right by the truth and that the scorer could not judge."""
    unjudged_wrong: int
    without_truth: int
    """Rows whose truth is null; they are counted and not scored."""
    disagreements: pl.DataFrame
    """The rows judged against the truth, all columns, with the score and `disagreement`."""
    places: pl.Series
    """Which rows these are, from 0."""
    unjudged: pl.Series
    """The scores of the unjudged rows."""

    @property
    def judged(self) -> int:
        """Rows with a truth and a score."""
        return self.true_positive + self.false_positive + self.true_negative + self.false_negative

    def rates(self) -> dict[str, tuple[int, int]]:
        """(errors or agreements, out of) under their names."""
        return {
            "agreement": (self.true_positive + self.true_negative, self.judged),
            "false positive rate": (self.false_positive, self.false_positive + self.true_negative),
            "false negative rate": (self.false_negative, self.false_negative + self.true_positive),
        }

    def text(self, *, read: int) -> str:
        """The tables, the reasons of disagreement, and `read` disagreements, taken from every reason in turn."""
        lines = [*self._confusion(), "", *(_rate(name, *counts) for name, counts in self.rates().items())]
        lines += _by_reason("disagreements by reason", self.disagreements[self.scorer], self.disagreements["disagreement"])
        lines += _by_reason("unjudged by reason", self.unjudged, pl.Series(["unjudged"] * len(self.unjudged), dtype=pl.String))
        shown = _in_turn(self.disagreements, self.scorer, read)
        rows = [(self.disagreements.row(at, named=True), f"row {self.places[at]}") for at in shown]
        lines += chain.from_iterable(_reading(row, place, scorer=self.scorer, truth=self.truth) for row, place in rows)
        return "\n".join(lines)

    def _confusion(self) -> list[str]:
        total = self.judged + self.unjudged_right + self.unjudged_wrong
        without = f", {self.without_truth:,} without" if self.without_truth else ""
        return [
            f"{self.scorer} against {self.truth}: {total:,} rows with a truth{without}",
            "",
            f"{'':16}{'judged right':>14}{'judged wrong':>14}{'unjudged':>14}",
            f"{'truth: right':16}{self.true_positive:>14,}{self.false_negative:>14,}{self.unjudged_right:>14,}",
            f"{'truth: wrong':16}{self.false_positive:>14,}{self.true_negative:>14,}{self.unjudged_wrong:>14,}",
        ]


def audit(scorer: Scorer, rows: pl.DataFrame, *, truth: str, bar: float = 1.0) -> Audit:
    """Score the rows that have a truth and compare; a score of at least `bar` counts as right.

    ValueError where the column `truth` is missing, holds anything but true, false and null (0 and 1 will do), or is null in every row.
    """
    if not 0.0 < bar <= 1.0:
        raise ValueError(f"the bar is {bar}: a score lies in [0, 1], and with a bar of 0 every row is right")
    verdicts = _verdicts(rows, truth)
    known = rows.filter(verdicts.is_not_null())
    true = verdicts.drop_nulls()
    scored = known.with_columns(scored_parts(scorer, known))
    value = scored[scorer.name].struct.field("value")
    right, unjudged = (value >= pl.Series([bar], dtype=pl.Float32)).fill_null(value=False), value.is_null()
    differs = ~unjudged & (right != true)

    def count(rows: pl.Series) -> int:
        return int(rows.sum())

    kind = pl.when(pl.col("disagreement")).then(pl.lit(FALSE_POSITIVE)).otherwise(pl.lit(FALSE_NEGATIVE))
    return Audit(
        scorer=scorer.name,
        truth=truth,
        true_positive=count(~unjudged & right & true),
        false_positive=count(~unjudged & right & ~true),
        true_negative=count(~unjudged & ~right & ~true),
        false_negative=count(~unjudged & ~right & true),
        unjudged_right=count(unjudged & true),
        unjudged_wrong=count(unjudged & ~true),
        without_truth=len(rows) - len(known),
        disagreements=scored.with_columns(right.alias("disagreement")).filter(differs).with_columns(kind.alias("disagreement")),
        places=verdicts.is_not_null().arg_true().filter(differs),
        unjudged=scored[scorer.name].filter(unjudged),
    )


def _verdicts(rows: pl.DataFrame, truth: str) -> pl.Series:
    if truth not in rows.columns:
        raise ValueError(f"--truth says {truth!r}, which the rows do not have. {nearest(truth, rows.columns)}")
    column = rows[truth]
    if column.dtype.is_numeric() and column.is_in([0, 1]).fill_null(value=True).all():
        column = column.cast(pl.Boolean)
    if column.null_count() == len(column):
        raise ValueError(f"the column {truth!r} is null in all {len(rows):,} rows: there is nothing to compare with")
    if column.dtype != pl.Boolean:
        example = column.drop_nulls()[0]
        raise ValueError(f"the column {truth!r} holds {column.dtype} ({str(example)[:40]!r}); a truth is true, false or null (or 1 and 0)")
    return column


def wilson(successes: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which stays inside [0, 1] and is of use for few rows and for none that err.

    >>> [round(end, 3) for end in wilson(0, 100)], [round(end, 3) for end in wilson(50, 100)]
    ([0.0, 0.037], [0.404, 0.596])
    """
    if not total:
        return 0.0, 1.0
    share, squared = successes / total, Z * Z
    middle = (share + squared / (2 * total)) / (1 + squared / total)
    half = Z / (1 + squared / total) * math.sqrt(share * (1 - share) / total + squared / (4 * total * total))
    return (middle - half if successes else 0.0), (middle + half if successes < total else 1.0)


def _rate(name: str, successes: int, total: int) -> str:
    if not total:
        return f"{name:20} no rows"
    low, high = wilson(successes, total)
    return f"{name:20}{successes / total:>8.2%}  ({low:.2%} to {high:.2%})  {successes:,} of {total:,}"


def kind_of_reason(reason: str) -> str:
    """What a reason is about, without the row's own numbers and words: `wrong: 5, not 6 (boxed)` -> `wrong (boxed)`."""
    head, _, rest = reason.partition(":")
    place = re.search(r"\([a-z# ]{1,40}\)$", rest)
    return re.sub(r"\d+(\.\d+)?", "N", f"{head} {place.group()}" if place else head)[:60]


def _by_reason(heading: str, scores: pl.Series, classes: pl.Series) -> list[str]:
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for class_, reason in zip(classes, scores.struct.field("reason"), strict=True):
        counted[class_, kind_of_reason(reason)] += 1
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return ["", f"{heading}:", *(f"{count:>9,}  {class_:15} {reason}" for (class_, reason), count in ordered[:20])] if ordered else []


def _in_turn(disagreements: pl.DataFrame, name: str, count: int) -> list[int]:
    """The place of the first row of every kind of disagreement, then the second of every kind, and so on."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    reasons = disagreements[name].struct.field("reason")
    for at, (class_, reason) in enumerate(zip(disagreements["disagreement"], reasons, strict=True)):
        groups[class_, kind_of_reason(reason)].append(at)
    turns = chain.from_iterable(zip_longest(*groups.values()))
    return [at for at in turns if at is not None][: max(count, 0)]


IDENTIFIERS = (("id",), ("prompt_id", "sample"), ("prompt_id",), ("task_id",), ("problem_id",))
"""Columns that name a row for a person, best first; where none is there, its place does."""

END_SHOWN = 300
"""Characters of the end of a response that are shown: answers stand there."""


def _reading(row: dict[str, Any], place: str, *, scorer: str, truth: str) -> list[str]:
    names: Sequence[str] = next((names for names in IDENTIFIERS if all(row.get(name) is not None for name in names)), ())
    called = "/".join(str(row[name]) for name in names) or place
    score = row[scorer]
    asked = next((row[key] for key in ("problem", "question", "prompt") if isinstance(row.get(key), str)), None)
    shown = [f"asks: {_line(asked, end=True)}"] if asked is not None else []
    shown += [f"{key}: {_line(row[key])}" for key in ("answer", "gold", "pred") if row.get(key) is not None]
    text = next((row[key] for key in ("response", "output", "completion") if isinstance(row.get(key), str)), None)
    return [
        "",
        f"{row['disagreement']}  {called}  ({truth}: {str(row[truth]).lower()})",
        f"    score {score['value']:.3g}: {_line(score['reason'])}",
        *(f"    {line}" for line in shown),
        *([f"    ends: {_line(text, end=True)}"] if text is not None else []),
    ]


def _line(value: Any, *, end: bool = False) -> str:
    text = re.sub(r"\s+", " ", str(value)[-4 * END_SHOWN :] if end else str(value)[: 4 * END_SHOWN]).strip()
    return text if len(text) <= END_SHOWN else f"...{text[-END_SHOWN:]}" if end else f"{text[:END_SHOWN]}..."
