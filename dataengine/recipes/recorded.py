"""Recorded model outputs as steps: the problems they answer, their responses once more, and what was published about them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
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
from dataengine.sources import Content, aside, frame, lacks_reference, of_our_types, prompt_id, types_of_others, warn_of_no_reference
from dataengine.step import Model, Recording, Step
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
"""Our names to those that recordings use; a recording has the first three (or `checks` for an answer), and all that it says is carried."""
NEEDED = ("question", "answer", "response")
TYPES = {
    "sample": pl.Int32(),
    "published": pl.Boolean(),
    **{name: pl.String() for name in ("published_by", "model", "response", "finish_reason")},
}
"""Of columns that may be null in every row."""
TEXTS = ("question", "response", *THOUGHTS, "finish_reason", "model", "published_by")
MADE = ("prompt_id", "messages", "recorded", "recorded_in", "source_row")
WRITTEN = frozenset({*schema(RESPONSE), *NEEDED, *MADE}.difference(THOUGHTS, ("model", "finish_reason")))
"""Names of columns that are made here: what bears one and says something else becomes their_NAME."""
SHARD_ROWS, SHARD_TEXT = 5_000, 32 * 2**20
"""A shard of recordings is full with so many rows, or characters."""
BY = ("prompt_id", "sample")
OF_THE_PROBLEM = ("prompt", "messages", "answer", "checks", "response", "finish_reason")
"""What a row of ours has from the problem and from the engine; the rest is as that very recording says."""


def recording_of(
    files: Sequence[Path], *, columns: Mapping[str, str] | None = None, constants: Mapping[str, str] | None = None, name: str = "recorded"
) -> Model:
    """What models said, in one folder of responses: prompt, sample, response with its thoughts, how it ended, the model, the `published`
    verdict and who decided it, the file and line (`recorded_in`, `source_row`), and every other column as it stands.

    `columns` maps our names to the files' where they are other than NAMED; `constants` fills a column for every row. A column that bears
    a name which another one or a constant fills becomes their_NAME.
    """
    settings = {"files": [Content(Path(file)) for file in files], "columns": dict(columns or {}), "constants": dict(constants or {})}
    return Recording(name=name, make=_make_recorded, version="5", settings=settings)


def problems_of(recording: Model, *, name: str = "problems") -> Step:
    """The problems of a recording, once each; the column `recorded` counts their responses."""
    return Step(name=name, make=_make_problems, version="4", inputs={"data": recording})


def with_published(rollouts: Step, recording: Model, *, name: str = "rollouts-published") -> Step:
    """Replayed rollouts with the model that really said each, and the verdict that was published for it."""
    return Step(name=name, make=_make_published, version="3", inputs={"data": rollouts, "recording": recording})


def replayed(files: Sequence[Path], *, columns: Mapping[str, str] | None = None, constants: Mapping[str, str] | None = None) -> Step:
    """Every recorded response as a row of ours, with the verdict that was published for it."""
    said = recording_of(files, columns=columns, constants=constants)
    made = generate(problems_of(said), said, samples="recorded", template=ASKED, sampling=AS_RECORDED, name="rollouts")
    return with_published(made, said)


def card_with_agreement(mixed: Step, judged: Step, *, title: str, name: str) -> Step:
    """The card of a mix, and beside published verdicts those of `is_right`."""
    return Step(name=name, make=_make_card, version="2", inputs={"mix": mixed, "verdicts": judged}, settings={"title": title})


def agreement(rows: pl.DataFrame) -> pl.DataFrame:
    """Published verdict against ours by who published it: rows, agreements, the two kinds of difference, and what we left unjudged."""
    ours = pl.col("is_right").struct.field("value")
    by = pl.col("published_by") if "published_by" in rows.columns else pl.lit(None, dtype=pl.String)
    compared = rows.filter(pl.col("published").is_not_null()).with_columns(ours=ours >= 1.0, published_by=by.fill_null("not said"))
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
    lines = [f"| {' | '.join(table.columns)} |", "|---" + "|---:" * (table.width - 1) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in table.iter_rows()]
    lines = ["", "## Agreement with published verdicts", "", *(lines if len(table) else ["No verdict was published with these rows."])]
    text = "\n".join([*card_text(work.inputs["mix"], work.root, title=work.settings["title"]), *lines]) + "\n"
    for file in ("README.md", "summary.txt"):
        write_atomically(work.folder / file, lambda out: out.write(text.encode()))


def _make_recorded(work: Work) -> None:
    types = {**types_of_others(row for row, asked in _each(work.settings) if asked), **TYPES}
    samples: Counter[str] = Counter()
    unasked, shard, text, landed = list[dict[str, Any]](), list[dict[str, Any]](), 0, 0
    for row, asked in _each(work.settings):
        if not asked:
            unasked.append(row)
            continue
        shard.append({**row, "sample": samples[row["prompt_id"]]})
        samples[row["prompt_id"]] += 1
        text += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(shard) >= SHARD_ROWS or text >= SHARD_TEXT:
            work.land(f"{landed:05d}.parquet", frame(shard, types))
            shard, text, landed = [], 0, landed + 1
    if not samples:
        named = {**NAMED, **work.settings["columns"]}
        raise ValueError(f"the recordings have no rows with a {named['question']!r}: nothing to replay")
    if unasked:
        _set_aside(unasked, work)
    if shard:
        work.land(f"{landed:05d}.parquet", frame(shard, types))


def _set_aside(unasked: Sequence[Mapping[str, Any]], work: Work) -> None:
    name = {**NAMED, **work.settings["columns"]}["question"]
    warn(
        f"{work.name}: {len(unasked):,} recordings have an empty {name!r}, such as line {unasked[0]['source_row'] + 1} of "
        f"{unasked[0]['recorded_in']}; they are in {work.folder.name}/{shards.REJECTED}"
    )
    reason = {"dropped_by": work.name, "dropped_because": f"an empty {name!r}: nobody was asked anything"}
    work.land(f"{shards.REJECTED}/00000.parquet", pl.DataFrame([{**row, **reason} for row in unasked]))


def _each(settings: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], bool]]:
    """(row, whether anybody was asked anything) of every recording; ValueError where a mapped column is in none."""
    named = {**NAMED, **settings["columns"]}
    missing, left = set(settings["columns"].values()), settings.get("most_rows")
    for file in (content.path for content in settings["files"]):
        for number, raw in islice(numbered_json_lines(file), left):
            missing -= raw.keys()
            place = {"recorded_in": file.name, "source_row": number - 1}
            row = _recorded(raw, named, settings["constants"], where=f"{file}, line {number}")
            if row is None:
                yield {"model": file.name, "source": file.name, **place, "raw_line": json.dumps(raw, ensure_ascii=False)}, False
            else:
                yield {**row, "model": row.get("model") or file.name, "source": row.get("source") or file.name, **place}, True
    if missing:
        raise ValueError(f"no recording has a column {min(missing)!r}: it is named in the mapping of columns, so look there")


def _recorded(raw: Mapping[str, Any], named: Mapping[str, str], constants: Mapping[str, str], *, where: str) -> dict[str, Any] | None:
    """One recorded response in our columns, None where nobody was asked anything; ValueError names the place of what cannot be one."""
    _check_needed(raw, named, where)
    row, origin = _told(raw, named, constants)
    ours = {name: _text(row.pop(name, None), origin.get(name, name), where) for name in TEXTS}
    if not (ours["question"] or "").strip():
        return None
    messages = [{"role": "user", "content": ours.pop("question")}]
    answer, checks, published = (row.pop(name, None) for name in ("answer", "checks", "published"))
    if not isinstance(published, bool | None):
        said = origin.get("published", "published")
        raise ValueError(f"{where}: {said!r} is {published!r}; a verdict is true, false or null: write one of them")
    thoughts = {name: ours.pop(name) or "" for name in reversed(THOUGHTS)}
    response = message_text({"reasoning": next(filter(str.strip, thoughts.values()), None), "content": ours["response"]})
    unsaid = {origin.get(name, name): text for name, text in thoughts.items() if text.strip() not in response}
    return {
        **of_our_types(row),
        **{aside(name, raw): text for name, text in unsaid.items()},
        **{name: value for name, value in ours.items() if value is not None},
        "prompt": ASKED.render(messages),
        "prompt_id": prompt_id(messages),
        "messages": messages,
        "answer": answer_text(answer),
        "checks": checks_text(checks),
        "response": response,
        "finish_reason": _ended(ours["finish_reason"], where),
        "published": published,
    }


def _told(raw: Mapping[str, Any], named: Mapping[str, str], constants: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """All that a recording says under our names, and from which column each of these comes; nothing is written over."""
    said = {name: None if is_nan(value) else value for name, value in raw.items()}
    origin = {ours: theirs for ours, theirs in named.items() if ours not in constants and (ours in NEEDED or said.get(theirs) is not None)}
    told = {ours: said.get(theirs) for ours, theirs in origin.items()} | dict(constants)
    used = {*origin.values(), *(theirs for theirs in named.values() if said.get(theirs) is None)}
    others = {aside(name, raw) if name in WRITTEN or name in told else name: said[name] for name in raw if name not in used}
    return {**others, **told}, origin


def _check_needed(raw: Mapping[str, Any], named: Mapping[str, str], where: str) -> None:
    """ValueError where a recording lacks a column that every one has; checks stand for an answer."""
    judged = raw.get(named.get("checks", "checks")) is not None
    absent = [ours for ours in NEEDED if named[ours] not in raw and not (ours == "answer" and judged)]
    for ours in absent:
        theirs = named[ours]
        way_out = nearest(theirs, raw) if theirs != NAMED[ours] else f"Name the column that holds it: --columns.{ours} THEIR_NAME"
        or_checks = ", and no 'checks' either" if ours == "answer" else ""
        raise ValueError(f"{where} has no {theirs!r} (the {ours}){or_checks}; it has {', '.join(raw)}. {way_out}")


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
    first = pl.col([*(name for name in schema(PROBLEM) if name != "prompt_id"), "recorded_in"]).drop_nulls().first()
    each = {name: pl.col(name).drop_nulls().unique(maintain_order=True) for name in ("answer", "checks")}
    known = shards.scan(work.inputs["data"]).group_by("prompt_id", maintain_order=True)
    rows = known.agg(first, answers=each["answer"], tests=each["checks"].len(), recorded=pl.len()).collect()
    _warn_of_other_answers(rows, work)
    bare = sum(map(lacks_reference, rows.select("answer", "checks").iter_rows(named=True)))
    warn_of_no_reference(work, bare, of=len(rows), source="the recordings")
    work.land("00000.parquet", rows.drop("answers", "tests"))


def _warn_of_other_answers(rows: pl.DataFrame, work: Work) -> None:
    """Names the problems of which the recordings disagree what is right; 25 and 025 are the same."""
    if tested := rows.filter(pl.col("tests") > 1).height:
        warn(f"{work.name}: {tested:,} recorded problems stand there with other checks as well; the first ones count, for all responses")
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
    known = shards.scan(work.inputs["recording"]).drop(OF_THE_PROBLEM)
    names = [name for name in known.collect_schema().names() if name not in BY]
    for path in shards.shard_paths(work.inputs["data"]):
        if path.name not in work.landed:
            rows = pl.read_parquet(path)
            said = known.filter(pl.col("prompt_id").is_in(rows["prompt_id"].unique().to_list())).collect()
            work.land(path.name, rows.drop(names, strict=False).join(said, on=BY, how="left", maintain_order="left"))
