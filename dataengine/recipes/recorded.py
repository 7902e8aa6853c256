"""Recorded model outputs as steps: the problems they answer, their responses once more, and what was published about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dataengine import shards
from dataengine.card import card_text
from dataengine.generate import generate
from dataengine.inference.engine import Sampling
from dataengine.lines import json_lines
from dataengine.names import nearest
from dataengine.shards import write_atomically
from dataengine.sources import Content, frame, prompt_id
from dataengine.step import Model, Step
from dataengine.templates import Template
from dataengine.work import Work

ASKED = Template(name="asked", text="{{ question }}")
"""The question as it stands: recordings are looked up by it."""

AS_RECORDED = Sampling(max_tokens=1_000_000)
"""Nothing is drawn: how the recordings were sampled is not known."""


def recording_of(files: Sequence[Path], *, problem: str, answer: str, response: str, name: str = "recorded") -> Model:
    """What models said, in one folder of responses: prompt, sample, response, model, `published` verdict and who decided it."""
    columns = {"problem": problem, "answer": answer, "response": response}
    return Model(name=name, make=_make_recorded, settings={"files": [Content(Path(file)) for file in files], "columns": columns})


def problems_of(recording: Model, *, name: str = "problems") -> Step:
    """The problems of a recording, once each; the column `recorded` counts their responses."""
    return Step(name=name, make=_make_problems, version="2", inputs={"data": recording})


def with_published(rollouts: Step, recording: Model, *, name: str = "rollouts-published") -> Step:
    """Replayed rollouts with the model that really said each, and the verdict that was published for it."""
    return Step(name=name, make=_make_published, inputs={"data": rollouts, "recording": recording})


def replayed(files: Sequence[Path], *, problem: str, answer: str, response: str) -> Step:
    """Every recorded response as a row of ours, with the verdict that was published for it."""
    said = recording_of(files, problem=problem, answer=answer, response=response)
    made = generate(problems_of(said), said, samples="recorded", template=ASKED, sampling=AS_RECORDED, name="rollouts")
    return with_published(made, said)


def card_with_agreement(mixed: Step, judged: Step, *, title: str, name: str) -> Step:
    """The card of a mix, and beside published verdicts those of `answer_matches`."""
    return Step(name=name, make=_make_card, inputs={"mix": mixed, "verdicts": judged}, settings={"title": title})


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


def _make_card(work: Work) -> None:
    table = agreement(shards.read(work.inputs["verdicts"]))
    work.notes["agreement"] = table.to_dicts()
    lines = ["", "## Agreement with published verdicts", "", f"| {' | '.join(table.columns)} |", "|---" + "|---:" * (table.width - 1) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in table.iter_rows()]
    text = "\n".join([*card_text(work.inputs["mix"], work.root, title=work.settings["title"]), *lines]) + "\n"
    for file in ("README.md", "summary.txt"):
        write_atomically(work.folder / file, lambda out: out.write(text.encode()))


def _make_recorded(work: Work) -> None:
    columns = work.settings["columns"]
    found = []
    for file in (content.path for content in work.settings["files"]):
        for number, row in enumerate(json_lines(file), start=1):
            if absent := [theirs for theirs in columns.values() if theirs not in row]:
                raise ValueError(f"{file}, line {number} has no {absent[0]!r}; it has {', '.join(row)}. {nearest(absent[0], row)}")
            messages = [{"role": "user", "content": row[columns["problem"]]}]
            found.append(
                {
                    "prompt": ASKED.render(messages),
                    "prompt_id": prompt_id(messages),
                    "answer": None if row[columns["answer"]] is None else str(row[columns["answer"]]),
                    "response": row[columns["response"]],
                    "model": row.get("model") or file.name,
                    "source": row.get("dataset") or file.name,
                    "published": row.get("verdict"),
                    "published_by": row.get("verdict_by"),
                }
            )
    if not found:
        raise ValueError("the recordings have no rows: nothing to replay")
    rows = pl.DataFrame(found, infer_schema_length=None).with_columns(sample=pl.int_range(pl.len(), dtype=pl.Int32).over("prompt_id"))
    work.land("00000.parquet", rows)


def _make_problems(work: Work) -> None:
    rows = work.rows().group_by("prompt_id", maintain_order=True).agg(pl.col("prompt", "answer", "source").first(), recorded=pl.len())
    made = [{**row, "messages": [{"role": "user", "content": row.pop("prompt")}], "domain": "math"} for row in rows.iter_rows(named=True)]
    work.land("00000.parquet", frame(made))


def _make_published(work: Work) -> None:
    known = shards.read(work.inputs["recording"]).select("prompt_id", "sample", "model", "published", "published_by")
    for path in shards.shard_paths(work.inputs["data"]):
        if path.name not in work.landed:
            rows = pl.read_parquet(path).drop("model")
            work.land(path.name, rows.join(known, on=["prompt_id", "sample"], how="left", maintain_order="left"))
