"""How often the filters are wrong, estimated from what people said of the rows that were drawn at random and of those asked outright."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from annotation.answer import Answer

CHAIN = "all bars"
Z = 1.959964
"""Standard errors of a 95 % interval."""


@dataclass(frozen=True, kw_only=True)
class FilterError:
    """One error rate of the filter chain, or of one scorer at its bar."""

    of: str
    """`all bars`, or the scorer."""
    error: str
    """`false keep`: people discard what passed; `false drop`: people keep or fix what failed."""
    rows: int
    """Rows that passed, or failed."""
    asked: int
    """Of these, rows that people answered."""
    rate: float | None
    """Estimated share of `rows` that is wrong; null where no answered row tells."""
    low: float | None
    """Lower end of its 95 % interval."""
    high: float | None
    """Upper end."""
    covered: float
    """Share of `rows` that the estimate speaks of: kinds of rows of which none was answered are left out."""
    note: str = ""


def filter_errors(answers: Iterable[Answer], rows: pl.DataFrame) -> list[FilterError]:
    """False keeps and false drops of the chain, then of each scorer, from `rows` (annotation.population) and the answers that count.

    Estimator: rows are parted into strata by what the queue asks for: kept, rejected, unjudged, and of each those where scorers do not
    agree. Within a stratum a keyed hash of row_id says who is asked and when, so whatever was answered of it is a simple random sample,
    be the stratum asked whole (disagreements) or in part (audits). A row's value is the share of its annotators who say the filter was
    wrong. The rate over the N rows in question is the stratified mean (Cochran 1977, ch. 5): sum over strata of N_s / N times the mean of
    the answered rows of s. So an audit of 5 % weighs as much as it stands for, and disagreements, which are asked with certainty, no more
    than theirs. The interval is Wilson's (1927) at the effective number of rows 1 / sum((N_s / N)**2 / n_s) (Kish 1965); it speaks of
    rows like these, so it has a width even where every row was asked. Assumes that people answer in the queue's order, or leave out
    rows for no reason that has to do with the filter's being right.
    """
    wrong = _discarded(answers)
    known = rows.with_columns(
        discarded=pl.col("item_id").replace_strict(wrong, default=None, return_dtype=pl.Float64),
        stratum=pl.concat_str(pl.col("standing"), pl.col("disagrees").is_not_null().cast(pl.String), separator=" "),
    )
    if known.is_empty():
        return []
    chain = known.with_columns(pl.col("standing").replace_strict({"kept": True, "rejected": False}, default=None).alias(CHAIN))
    scorers = [name for name, dtype in rows.schema.items() if dtype == pl.Boolean]
    return [_estimate(chain, name, passed=passed) for name in (CHAIN, *scorers) for passed in (True, False)]


def _discarded(answers: Iterable[Answer]) -> dict[str, float]:
    """For each item the share of its annotators who discard it."""
    said: dict[str, list[bool]] = defaultdict(list)
    for answer in answers:
        if answer.verdict:
            said[answer.item_id].append(answer.verdict == "discard")
    return {item_id: sum(each) / len(each) for item_id, each in said.items()}


def _estimate(rows: pl.DataFrame, name: str, *, passed: bool) -> FilterError:
    wrong = pl.col("discarded") if passed else 1 - pl.col("discarded")
    strata = (
        rows.filter(pl.col(name) == passed)
        .group_by("stratum")
        .agg(rows=pl.len(), asked=pl.col("discarded").count(), mean=wrong.mean())
        .sort("stratum")
    )
    total, told = int(strata["rows"].sum()), strata.filter(pl.col("asked") > 0)
    covered, asked = int(told["rows"].sum()), int(told["asked"].sum())
    said = {"of": name, "error": "false keep" if passed else "false drop", "rows": total, "asked": asked}
    if not asked:
        note = "no such row" if not total else "people answered none of them"
        return FilterError(**said, rate=None, low=None, high=None, covered=0.0, note=note)
    weights = [count / covered for count in told["rows"]]
    rate = sum(weight * mean for weight, mean in zip(weights, told["mean"], strict=True))
    effective = 1 / sum(weight**2 / count for weight, count in zip(weights, told["asked"], strict=True))
    low, high = wilson(rate, effective)
    missing = ", ".join(
        strata.filter(pl.col("asked") == 0)["stratum"].str.replace(" true", " where scorers differ").str.replace(" false", "")
    )
    note = f"nobody answered a row of: {missing}" if missing else ""
    return FilterError(**said, rate=rate, low=low, high=high, covered=covered / total, note=note)


def wilson(rate: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a share seen in `count` rows.

    >>> [round(end, 3) for end in wilson(0.0, 20)]
    [0.0, 0.161]
    """
    middle = rate + Z**2 / (2 * count)
    half = Z * math.sqrt(max(rate * (1 - rate), 0.0) / count + Z**2 / (4 * count**2))
    return max(0.0, (middle - half) / (1 + Z**2 / count)), min(1.0, (middle + half) / (1 + Z**2 / count))
