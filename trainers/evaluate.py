"""How good a model is: pass@1 with its standard error, unbiased pass@k, majority votes, and what could not be judged.

The figures are pure functions of a frame with one row per response: `prompt_id`, `sample`, a score {value, reason}, and for votes
the column `extracted`. A row whose score is null could not be judged: it is in no figure and is counted apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from dataengine.generate import generate
from dataengine.inference.engine import Sampling
from dataengine.score import Scorer
from dataengine.step import Model, Step
from dataengine.templates import Template
from dataengine.work import Work

Extract = Callable[[str], str | None]
"""From a whole response to its final answer in a form in which equal answers are equal texts, or None where there is none."""


@dataclass(frozen=True)
class Estimate:
    """A mean over questions: `Estimate(0.41, 0.023, 120)`."""

    value: float | None
    """None where no question could be judged."""
    error: float | None
    """Standard error over questions, the samples of one question being one cluster; None below two questions."""
    prompts: int
    """Questions it is over."""


def evaluate(
    model: Model,
    problems: Step,
    scorer: Scorer,
    *,
    samples: int,
    sampling: Sampling,
    template: Template,
    also: Sequence[Scorer] = (),
    parts: str = "r1",
    extract: Extract | None = None,
    ks: Sequence[int] = (),
    at_least: float = 1.0,
    name: str = "evaluate",
) -> Step:
    """`samples` responses to every problem with their scores; the manifest's notes hold the figures of `summary`.

    A response is correct where `scorer` gives it `at_least`; `also` is scored and averaged beside it. `ks` are the k of pass@k and
    cons@k (all samples are always among them); votes are on what the module-level function `extract` finds in the response, or on
    the summary as it stands. ValueError for a k above `samples`.
    """
    wanted = sorted({*ks, samples})
    _check_k(wanted[-1], samples)
    rollouts = generate(problems, model, samples=samples, template=template, sampling=sampling, parts=parts, name=f"{name}-rollouts")
    settings = {"scorer": scorer, "also": list(also), "ks": wanted, "at_least": at_least, "extract": extract and _Named(extract)}
    return Step(name=name, make=_make, inputs={"data": rollouts}, settings=settings)


def summary(rows: pl.DataFrame, score: str, *, ks: Sequence[int], at_least: float = 1.0) -> dict[str, Any]:
    """All figures of one score: pass@1, pass@k and cons@k as plain estimates, and what is counted apart."""
    value = rows[score].struct.field("value")
    figures: dict[str, Any] = {"pass@1": asdict(pass_at_1(rows, score, at_least=at_least))}
    for k in (k for k in ks if k > 1):
        figures[f"pass@{k}"] = asdict(pass_at_k(rows, score, k=k, at_least=at_least))
        figures[f"cons@{k}"] = asdict(cons_at_k(rows, score, k=k, at_least=at_least))
    return figures | {
        "responses": len(rows),
        "prompts": rows["prompt_id"].n_unique(),
        "unjudged": value.null_count(),
        "truncated": int((rows["finish_reason"] == "length").sum()),
        "too_long": int((rows["finish_reason"] == "prompt_too_long").sum()),
        "response_tokens": rows["response_tokens"].cast(pl.Float64).mean(),
    }


def mean_score(rows: pl.DataFrame, score: str) -> Estimate:
    """The mean value of a score, question by question."""
    return _over_prompts(_judged(rows, score).group_by("prompt_id", maintain_order=True).agg(pl.col("value").mean())["value"])


def pass_at_1(rows: pl.DataFrame, score: str, *, at_least: float = 1.0) -> Estimate:
    """The share of correct responses (1/k sum_i p_i, DeepSeek-R1 v2 D.1), question by question."""
    return pass_at_k(rows, score, k=1, at_least=at_least)


def pass_at_k(rows: pl.DataFrame, score: str, *, k: int, at_least: float = 1.0) -> Estimate:
    """The chance that one of k responses is correct, without bias: 1 - C(n - c, k) / C(n, k) (Chen et al. 2021, Eq. 1).

    A question of which unjudged responses leave fewer than k is left out. ValueError for a k above the samples drawn.
    """
    _check_k(k, _drawn(rows))
    counted = _judged(rows, score).group_by("prompt_id", maintain_order=True).agg(n=pl.len(), c=(pl.col("value") >= _bar(at_least)).sum())
    chances = [1 - math.comb(n - c, k) / math.comb(n, k) for _, n, c in counted.iter_rows() if n >= k]
    return _over_prompts(pl.Series(chances, dtype=pl.Float64))


def cons_at_k(rows: pl.DataFrame, score: str, *, k: int, at_least: float = 1.0) -> Estimate:
    """The share of questions whose most frequent answer among the first k samples is correct.

    Votes are the texts in the column `extracted`; a tie goes to the answer given first (the smallest sample number), and an answer is
    correct where its first judged response is. A question where nobody answers is wrong; one with no judged response is left out.
    """
    _check_k(k, _drawn(rows))
    first = rows.unique(["prompt_id", "sample"], keep="first").sort("sample").filter(pl.int_range(pl.len()).over("prompt_id") < k)
    values = first.with_columns(value=pl.col(score).struct.field("value")).sort("prompt_id", "sample")
    right = []
    for _, group in values.group_by("prompt_id", maintain_order=True):
        if group["value"].is_null().all():
            continue
        chosen = _majority(group["extracted"].to_list())
        votes = group.filter(pl.col("extracted") == chosen)["value"].drop_nulls() if chosen is not None else pl.Series(dtype=pl.Float32)
        right.append(float(len(votes) > 0 and votes[0] >= np.float32(at_least)))
    return _over_prompts(pl.Series(right, dtype=pl.Float64))


def _make(work: Work) -> None:
    work.each_shard(_judge)
    rows, settings = pl.concat([pl.read_parquet(work.folder / file) for file in sorted(work.landed)], how="diagonal_relaxed"), work.settings
    work.notes["figures"] = summary(rows, settings["scorer"].name, ks=settings["ks"], at_least=settings["at_least"])
    work.notes["means"] = {each.name: asdict(mean_score(rows, each.name)) for each in (settings["scorer"], *settings["also"])}


def _judge(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    scored = rows.with_columns(*(scorer.score(rows) for scorer in (settings["scorer"], *settings["also"])))
    if settings["extract"] is None:
        return {"": scored.with_columns(extracted=pl.col("summary").str.strip_chars())}
    found = [None if text is None else settings["extract"].function(text) for text in rows["response"]]
    return {"": scored.with_columns(extracted=pl.Series(found, dtype=pl.String))}


@dataclass(frozen=True)
class _Named:
    """A module-level function as a setting, known by its place."""

    function: Extract

    def identity(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}"


def _check_k(k: int, drawn: int) -> None:
    if not 1 <= k <= drawn:
        raise ValueError(
            f"k must lie between 1 and the {drawn} samples drawn of each question, got {k}: draw more samples, or ask for a smaller k"
        )


def _drawn(rows: pl.DataFrame) -> int:
    """Samples of the question that has fewest."""
    return int(rows.unique(["prompt_id", "sample"]).group_by("prompt_id").len()["len"].min() or 0)  # type: ignore[arg-type]


def _judged(rows: pl.DataFrame, score: str) -> pl.DataFrame:
    """One row per judged response with its `value`; a question that came from several sources counts once."""
    once = rows.unique(["prompt_id", "sample"], keep="first", maintain_order=True)
    return once.select("prompt_id", "sample", value=pl.col(score).struct.field("value")).drop_nulls("value")


def _bar(at_least: float) -> pl.Expr:
    return pl.lit(at_least, dtype=pl.Float32)


def _majority(answers: Sequence[str | None]) -> str | None:
    """The most frequent answer, the one given first among equals; None where nobody answers."""
    counts: dict[str, int] = {}
    for answer in answers:
        if answer is not None:
            counts[answer] = counts.get(answer, 0) + 1
    return max(counts, key=lambda answer: counts[answer]) if counts else None


def _over_prompts(values: pl.Series) -> Estimate:
    numbers = values.cast(pl.Float64).to_numpy()
    if not len(numbers):
        return Estimate(None, None, 0)
    error = float(numbers.std(ddof=1) / math.sqrt(len(numbers))) if len(numbers) > 1 else None
    return Estimate(float(numbers.mean()), error, len(numbers))
