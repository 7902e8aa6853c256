"""Recorded model outputs become a clean dataset: replay, verify, filter, mix, card, and the agreement with published verdicts."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataengine import shards
from dataengine.card import card_text
from dataengine.generate import generate
from dataengine.inference.engine import Sampling
from dataengine.keep import keep, score
from dataengine.mix import Quota, mix
from dataengine.recipes.recorded import ASKED, problems_of, recording_of, with_published
from dataengine.shards import write_atomically
from dataengine.step import Step
from dataengine.work import Work
from filters.answers import answer_matches
from filters.language import language_share
from filters.repetition import not_repetitive

AS_RECORDED = Sampling(max_tokens=1_000_000)
"""Nothing is drawn: how the recordings were sampled is not known."""


def rejection(
    recordings: list[str], *, problem: str = "problem", answer: str = "gold", response: str = "output", rows: int = 1_000, seed: int = 0
) -> Step:
    """Recorded outputs (JSONL files) through the whole funnel to a mix of `rows` rows, with a card and a table of agreement.

    `problem`, `answer` and `response` name the files' columns; `verdict` and `verdict_by`, where the files have them, are compared.
    """
    said = recording_of([Path(file) for file in recordings], problem=problem, answer=answer, response=response)
    made = generate(problems_of(said), said, samples="recorded", template=ASKED, sampling=AS_RECORDED, name="rollouts")
    judged = score(with_published(made, said), [answer_matches], name="verdicts")
    right = keep(judged, answer_matches, name="right")
    fluent = keep(right, not_repetitive, name="not-repetitive")
    one_language = keep(fluent, language_share, at_least=0.99, name="one-language")
    mixed = mix({"reasoning": one_language}, [Quota(part="reasoning", rows=rows)], seed=seed)
    return Step(name="rejection", make=_make, inputs={"mix": mixed, "verdicts": judged})


def agreement(rows: pl.DataFrame) -> pl.DataFrame:
    """Published verdict against ours by who published it: rows, agreements, the two kinds of difference, and what we left unjudged."""
    ours = pl.col("answer_matches").struct.field("value")
    compared = rows.filter(pl.col("published").is_not_null()).with_columns(ours=ours >= 1.0)
    return (
        compared.group_by("published_by", maintain_order=True)
        .agg(
            rows=pl.len(),
            agree=(pl.col("ours") == pl.col("published")).sum(),
            only_we_say_right=(pl.col("ours") & ~pl.col("published")).sum(),
            only_they_say_right=(~pl.col("ours") & pl.col("published")).sum(),
            unjudged=pl.col("ours").is_null().sum(),
        )
        .sort("rows", descending=True)
    )


def _make(work: Work) -> None:
    table = agreement(shards.read(work.inputs["verdicts"]))
    work.notes["agreement"] = table.to_dicts()
    lines = ["", "## Agreement with published verdicts", "", f"| {' | '.join(table.columns)} |", "|---" + "|---:" * (table.width - 1) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in table.iter_rows()]
    text = "\n".join([*card_text(work.inputs["mix"], work.root, title="Kept rows of recorded outputs"), *lines]) + "\n"
    for file in ("README.md", "summary.txt"):
        write_atomically(work.folder / file, lambda out: out.write(text.encode()))
