"""Recorded model outputs as steps: the problems they answer, their responses once more, and what was published about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.card import card_text
from dataengine.columns import PROBLEM, RESPONSE, schema
from dataengine.generate import generate
from dataengine.inference.engine import Sampling
from dataengine.inference.replay import DEFAULTS, REASONS
from dataengine.inference.served_reply import THOUGHTS, message_text
from dataengine.lines import numbered_json_lines
from dataengine.names import nearest
from dataengine.references import answer_text, checks_text, is_nan
from dataengine.shards import write_atomically
from dataengine.sources import Content, frame, lacks_reference, of_our_types, prompt_id, types_of_others, warn_of_no_reference
from dataengine.step import Model, Step
from dataengine.templates import Template
from dataengine.work import Work, warn
from filters.answers import answer_matches

ASKED = Template(name="asked", text="{{ question }}")
"""The question as it stands: recordings are looked up by it."""

AS_RECORDED = Sampling(max_tokens=1_000_000)
"""Nothing is drawn: how the recordings were sampled is not known."""


NAMED = {
    "question": "problem",
    "answer": "gold",
    "response": "output",
    "reasoning": "thinking",
    "source": "dataset",
    "published": "verdict",
    "published_by": "verdict_by",
}
"""Our names to those that recordings use; a recording has the first three, and all that it says beside them is carried."""
NEEDED = ("question", "answer", "response")
TYPES = {"published": pl.Boolean(), **{name: pl.String() for name in ("published_by", "model", "response", "finish_reason")}}
"""Of columns that may be null in every row."""
TEXTS = ("question", "response", *THOUGHTS, "finish_reason", "model", "published_by")
WRITTEN = frozenset({*schema(RESPONSE), *NEEDED, "prompt_id", "messages", "recorded"}.difference(THOUGHTS, ("model", "finish_reason")))
"""Names of columns that are made here: what bears one and says something else becomes their_NAME."""
BY = ("prompt_id", "sample")
OF_THE_PROBLEM = ("prompt", "messages", "answer", "checks", "response", "finish_reason")
"""What a row of ours has from the problem and from the engine; the rest is as that very recording says."""


def recording_of(
    files: Sequence[Path], *, columns: Mapping[str, str] | None = None, constants: Mapping[str, str] | None = None, name: str = "recorded"
) -> Model:
    """What models said, in one folder of responses: prompt, sample, response with its thoughts, how it ended, the model, the `published`
    verdict and who decided it, and every other column as it stands.

    `columns` maps our names to the files' where they are other than NAMED; `constants` fills a column for every row.
    """
    settings = {"files": [Content(Path(file)) for file in files], "columns": dict(columns or {}), "constants": dict(constants or {})}
    return Model(name=name, make=_make_recorded, version="4", settings=settings)


def problems_of(recording: Model, *, name: str = "problems") -> Step:
    """The problems of a recording, once each; the column `recorded` counts their responses."""
    return Step(name=name, make=_make_problems, version="3", inputs={"data": recording})


def with_published(rollouts: Step, recording: Model, *, name: str = "rollouts-published") -> Step:
    """Replayed rollouts with the model that really said each, and the verdict that was published for it."""
    return Step(name=name, make=_make_published, version="2", inputs={"data": rollouts, "recording": recording})


def replayed(files: Sequence[Path], *, columns: Mapping[str, str] | None = None, constants: Mapping[str, str] | None = None) -> Step:
    """Every recorded response as a row of ours, with the verdict that was published for it."""
    said = recording_of(files, columns=columns, constants=constants)
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
    named = {**NAMED, **columns}
    found: list[dict[str, Any]] = []
    unasked: list[dict[str, Any]] = []
    missing = set(columns.values())
    for file in (content.path for content in work.settings["files"]):
        for number, raw in numbered_json_lines(file):
            missing -= raw.keys()
            known = {"model": file.name, "source": file.name, "source_row": number - 1}
            row = _recorded(raw, named, work.settings["constants"], where=f"{file}, line {number}")
            if row is None:
                unasked.append({**known, "raw_line": json.dumps(raw, ensure_ascii=False)})
            else:
                found.append(row | {name: value for name, value in known.items() if row.get(name) is None})
    if missing:
        raise ValueError(f"no recording has a column {min(missing)!r}: it is named in the mapping of columns, so look there")
    if not found:
        raise ValueError(f"the recordings have no rows with a {named['question']!r}: nothing to replay")
    if unasked:
        warn(
            f"{work.name}: {len(unasked):,} recordings have an empty {named['question']!r}, such as line {unasked[0]['source_row'] + 1} of "
            f"{unasked[0]['source']}; they are in {work.folder.name}/{shards.REJECTED}"
        )
        reason = {"dropped_by": work.name, "dropped_because": f"an empty {named['question']!r}: nobody was asked anything"}
        work.land(f"{shards.REJECTED}/00000.parquet", pl.DataFrame([{**row, **reason} for row in unasked]))
    rows = frame(found, {**types_of_others(found), **TYPES})
    work.land("00000.parquet", rows.with_columns(sample=pl.int_range(pl.len(), dtype=pl.Int32).over("prompt_id")))


def _recorded(raw: Mapping[str, Any], named: Mapping[str, str], constants: Mapping[str, str], *, where: str) -> dict[str, Any] | None:
    """One recorded response in our columns, None where nobody was asked anything; ValueError names the place of what cannot be one."""
    if absent := [named[ours] for ours in NEEDED if named[ours] not in raw]:
        raise ValueError(f"{where} has no {absent[0]!r}; it has {', '.join(raw)}. {nearest(absent[0], raw)}")
    said = {name: None if is_nan(value) else value for name, value in raw.items()}
    others = {f"their_{name}" if name in WRITTEN else name: value for name, value in said.items() if name not in named.values()}
    told = {ours: said.get(theirs) for ours, theirs in named.items() if ours in NEEDED or said.get(theirs) is not None}
    row = {**others, **told, **constants}
    ours = {name: _text(row.pop(name, None), named.get(name, name), where) for name in TEXTS}
    if not (ours["question"] or "").strip():
        return None
    messages = [{"role": "user", "content": ours.pop("question")}]
    answer, checks, published = (row.pop(name, None) for name in ("answer", "checks", "published"))
    if not isinstance(published, bool | None):
        raise ValueError(f"{where}: {named['published']!r} is {published!r}; a verdict is true, false or null: write one of them")
    thoughts = {name: ours.pop(name) for name in THOUGHTS}
    return {
        **of_our_types(row),
        **{name: value for name, value in ours.items() if value is not None},
        "prompt": ASKED.render(messages),
        "prompt_id": prompt_id(messages),
        "messages": messages,
        "answer": answer_text(answer),
        "checks": checks_text(checks),
        "response": message_text({**thoughts, "content": ours["response"]}),
        "finish_reason": _ended(ours["finish_reason"], where),
        "published": published,
    }


def _text(value: Any, name: str, where: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"{where}: {name!r} is {str(value)[:60]!r}, a {type(value).__name__}; wanted is a text: write it as one")


def _ended(said: str | None, where: str) -> str:
    """Our word for how a response ended; nobody said: as models do."""
    word = (said or DEFAULTS["finish_reason"]).strip().lower()
    if word not in REASONS:
        raise ValueError(
            f"{where}: the finish_reason {said!r} says nothing about how the response ended: leave the line out, or put one of ours "
            f"in its place. {nearest(word, REASONS)}"
        )
    return REASONS[word]


def _make_problems(work: Work) -> None:
    first = pl.col([name for name in schema(PROBLEM) if name != "prompt_id"]).drop_nulls().first()
    answers = pl.col("answer").drop_nulls()
    rows = work.rows().group_by("prompt_id", maintain_order=True).agg(first, answers=answers.unique(maintain_order=True), recorded=pl.len())
    _warn_of_other_answers(rows, work)
    bare = sum(map(lacks_reference, rows.select("answer", "checks").iter_rows(named=True)))
    warn_of_no_reference(work, bare, of=len(rows), source="the recordings")
    work.land("00000.parquet", rows.drop("answers"))


def _warn_of_other_answers(rows: pl.DataFrame, work: Work) -> None:
    """Names the problems of which the recordings disagree what is right; 25 and 025 are the same."""
    several = rows.filter(pl.col("answers").list.len() > 1)
    pairs = several.select(
        "prompt_id",
        question=pl.col("messages").list.first().struct["content"],
        answer=pl.col("answers").list.first(),
        other=pl.col("answers").list.slice(1),
    ).explode("other")
    pairs = pairs.with_columns(response=pl.lit("\\boxed{") + pl.col("other") + "}")
    differ = pairs.filter(answer_matches.score(pairs).struct.field("value").fill_null(0.0) < 1.0)
    for question, one, other in differ.head(1).select("question", "answer", "other").iter_rows():
        warn(
            f"{work.name}: {differ['prompt_id'].n_unique():,} recorded problems stand there with more than one answer, such as "
            f"{question[:60]!r} with {one!r} and {other!r}; the first one counts, for all their responses. Leave out the wrong lines"
        )


def _make_published(work: Work) -> None:
    known = shards.read(work.inputs["recording"]).drop(OF_THE_PROBLEM)
    for path in shards.shard_paths(work.inputs["data"]):
        if path.name not in work.landed:
            rows = pl.read_parquet(path)
            rows = rows.drop([name for name in known.columns if name in rows.columns and name not in BY])
            work.land(path.name, rows.join(known, on=BY, how="left", maintain_order="left"))
