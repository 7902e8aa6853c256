"""The way home: rows come back with what people said of them, and nothing that a person discarded goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from annotation.agreement import agreement
from annotation.answer import TEXTS, Answer
from annotation.filter_errors import filter_errors
from annotation.gathered import answers_in, file_of, gather
from annotation.items import asked_item, parts_of, questions_of, told_apart
from annotation.outcome import WAITING, Outcome, columns_of, outcome_of, said
from annotation.population import population
from annotation.questions import Questions
from annotation.tally import Tally
from dataengine import shards
from dataengine.columns import REVIEWED, schema
from dataengine.errors import WaitsForPeople
from dataengine.lines import whole
from dataengine.shards import REJECTED
from dataengine.step import Step
from dataengine.work import Work, warn

ANSWERS = ".answers"
"""Where the answers are gathered, in the folder that is made."""
PEOPLE, ITSELF = "people", "reviewed"
"""Who drops a row: people, or this step a row that nobody was asked about."""
NOT_YET = "not answered yet"


def reviewed(asked: Step, *, enough: float = 1.0, round: int = 1, name: str = "reviewed") -> Step:
    """The rows of a queue with what people said (columns REVIEWED) and their edits, read from the queue's store of answers.

    WaitsForPeople until an `enough` share of the asked rows is done: has as many usable answers as the queue wants. Then: a row that
    anybody discarded lies in rejected/; keep and fix let a row pass, also one that the bars rejected or could not judge; a fix brings
    the edited texts (of several edits of one text the latest; `human` says whose is passed over, `answers` has all), and `response` is
    written anew in the queue's form. Rows that nobody was asked about pass with `human` null, or with what people said in an earlier
    review. Rows that are asked and not done lie in rejected/, and so do rows without thoughts or without a summary where the questions
    want both parts. Scores in the row are still those of the text before: score again where
    the edited text is to be judged.

    `round` is part of the fingerprint: raise it to take in what was answered since.
    """
    if not 0.0 <= enough <= 1.0:
        raise ValueError(f"enough is the share of asked rows that must be answered and lies in [0, 1], got {enough}")
    if round < 1:
        raise ValueError(f"round counts how often answers are taken in, from 1, got {round}")
    return Step(name=name, make=_make, inputs={"asked": asked}, settings={"enough": enough, "round": round})


def _make(work: Work) -> None:
    folder: Path = work.inputs["asked"]
    if "questions" not in shards.read_manifest(folder)["settings"]:
        raise ValueError(f"{folder.name} is no queue: reviewed takes the step that queue(...) returns")
    gathered = work.folder / ANSWERS
    superseded = gather(folder, gathered, again=not work.landed)
    tally = Tally(questions=questions_of(folder), superseded=superseded)
    for path in shards.shard_paths(folder):
        tally.add(pl.read_parquet(path), answers_in(file_of(gathered, path.name)))
    enough = work.settings["enough"]
    if tally.done < tally.needed(enough):
        shutil.rmtree(gathered)
        raise WaitsForPeople(tally.waiting(folder, enough=enough))
    for line in tally.strange():
        warn(line)
    said = {path.name: file_of(gathered, path.name) for path in shards.shard_paths(folder)}
    work.each_shard(_go_home, "asked", given={shard: {"answers": file, "questions": tally.questions} for shard, file in said.items()})
    rows = population(folder)
    work.notes["reviewed"] = tally.notes()
    work.notes["agreement"] = [asdict(each) for each in agreement(tally.counted, rows)]
    work.notes["filter_errors"] = [asdict(each) for each in filter_errors(tally.counted, rows)]
    shutil.rmtree(gathered)


def _go_home(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """One shard: what people said of each row, its texts as they left them, and whether it goes on."""
    questions: Questions = settings["questions"]
    answers = answers_in(settings["answers"])
    home = [_home(row, answers.get(row["item_id"], []), questions) for row in rows.iter_rows(named=True)]
    made = {name: [each[name] for each in home] for name in home[0]} if home else {}
    types = {**schema(REVIEWED), **dict.fromkeys(("response", "reasoning", "summary", "because"), pl.String)}
    columns = [pl.Series(name, made.get(name, []), dtype=dtype) for name, dtype in types.items()]
    done = rows.drop("findings", strict=False).with_columns(columns)
    goes_on = pl.col("because").is_null()
    by = pl.when(pl.col("rank").is_null()).then(pl.lit(ITSELF)).otherwise(pl.lit(PEOPLE))
    dropped = done.filter(~goes_on).with_columns(dropped_by=by, dropped_because=pl.col("because"))
    return {"": done.filter(goes_on).drop("because"), REJECTED: dropped.drop("because")}


def _home(row: Mapping[str, Any], answers: Iterable[Answer], questions: Questions) -> dict[str, Any]:
    """The new columns of one row; `because` says why it does not go on."""
    if row["rank"] is None:
        return _unasked(row, questions)
    item = asked_item(row, questions.form)
    outcome = outcome_of(answers, item, questions)
    goes_on = (because := _because(outcome)) is None
    texts = _written(row, outcome.texts, questions) if goes_on else {name: row.get(name) for name in ("response", *TEXTS)}
    return {**texts, **columns_of(outcome, item), "raw_response": row.get("raw_response") or row.get("response"), "because": because}


def _unasked(row: Mapping[str, Any], questions: Questions) -> dict[str, Any]:
    """The same of a row that nobody was asked about: what people said in an earlier review stays."""
    before = {name: row.get(name) for name in (*schema(REVIEWED), "response", *TEXTS)}
    parts: dict[str, str] = dict(zip(TEXTS, parts_of(row, questions.form), strict=True))
    try:
        texts = _written(row, parts, questions)
    except ValueError:  # a token stands in a part, and nobody was asked to take it out: the row stays as it was
        texts = {}
    if texts and texts["response"] != row.get("response"):
        texts["raw_response"] = row.get("raw_response") or row.get("response")
    lacking = [name for name in TEXTS if questions.both and not parts[name].strip()]
    because = f"the {' and the '.join(lacking)} is empty, and the set wants both parts" if lacking else None
    return {**before, **texts, "because": because}


def _written(row: Mapping[str, Any], parts: Mapping[str, str], questions: Questions) -> dict[str, str | None]:
    """response, reasoning and summary of a row that goes on: in the queue's form where it has both parts.

    Else nothing is put around what is there: an answer without thoughts stays one, a response that is not told apart too.
    """
    reasoning, summary = (parts[name] for name in TEXTS)
    if reasoning.strip() and summary.strip():
        return {"response": questions.form.write(reasoning, summary), "reasoning": reasoning, "summary": summary}
    if (reasoning, summary) == parts_of(row, questions.form):
        return {name: row.get(name) for name in ("response", *TEXTS)}
    if (row.get("reasoning"), row.get("summary")) == (None, None) and told_apart(row.get("response") or "", questions.form) is None:
        return {"response": reasoning, "reasoning": None, "summary": None}
    response = questions.form.write(reasoning, "") if reasoning else summary
    return {"response": response, "reasoning": reasoning or None, "summary": summary or None}


def _because(outcome: Outcome) -> str | None:
    """Why the row does not go on; None where it does."""
    if outcome.state == WAITING:
        unusable = (f"; {annotator}'s answer can not be used: {why[0]}" for annotator, why in sorted(outcome.problems.items()))
        return whole("".join([NOT_YET, *unusable]))
    return said(outcome) if outcome.state == "discard" else None
