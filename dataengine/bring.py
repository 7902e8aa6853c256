"""Rows that others made, brought into our columns: TRL, verl, verifiers, ShareGPT, OpenR1-Math, OpenMathReasoning, Llama-Nemotron."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.columns import RESPONSE, schema
from dataengine.formats.known import format_named, format_of
from dataengine.formats.shape import CannotCarry, Format, left_behind
from dataengine.inference.replay import REASONS
from dataengine.references import answer_text, checks_text
from dataengine.response_rows import SPLITS, row_id
from dataengine.shards import REJECTED
from dataengine.sources import (
    LEFT_BEHIND,
    Content,
    Numbered,
    fits,
    frame,
    hub_rows,
    of_our_types,
    prompt_id,
    rows_of,
    types_of_others,
    warn_of_left_behind,
)
from dataengine.step import Step
from dataengine.work import Work, warn

SHARD_ROWS = 5_000
"""Rows of a shard: with long responses some hundred megabytes in memory."""


def bring(
    file: str | Path,
    *,
    form: str | None = None,
    constants: Mapping[str, str] | None = None,
    parts: str = "r1",
    bad_lines: str = "stop",
    name: str = "brought",
) -> Step:
    """The rows of a Parquet, JSON or JSON lines file of a known format, in our columns; without `form` the columns say which it is.

    Formats with responses give response rows (a list of generations one row each), the others problems. `constants` fills a column
    for every row (`{"license": "mit"}`). What cannot be carried lies in rejected/ with its reason.
    """
    if form is not None:
        format_named(form)
    if bad_lines not in ("stop", "reject"):
        raise ValueError(f"bad_lines is 'stop' or 'reject', got {bad_lines!r}")
    settings = {"file": Content(Path(file)), "bad_lines": bad_lines}
    return _step(settings, form=form, constants=constants, parts=parts, name=name, make=_make_from_file)


def bring_from_hub(
    dataset: str,
    *,
    split: str = "train",
    subset: str | None = None,
    revision: str | None = None,
    form: str | None = None,
    constants: Mapping[str, str] | None = None,
    parts: str = "r1",
    name: str = "brought",
) -> Step:
    """As `bring`, for a Hub dataset or a local dataset folder, through `datasets`."""
    settings = {"dataset": dataset, "split": split, "subset": subset, "revision": revision}
    return _step(settings, form=form, constants=constants, parts=parts, name=name, make=_make_from_hub)


def _step(settings: dict[str, Any], *, form: str | None, constants: Mapping[str, str] | None, parts: str, name: str, make: Any) -> Step:
    if parts not in SPLITS:
        raise ValueError(f"parts is one of {', '.join(SPLITS)}; got {parts!r}")
    if wrong := [name for name, value in (constants or {}).items() if not fits(name, value)]:
        raise ValueError(f"the constant {wrong[0]}={(constants or {})[wrong[0]]!r} does not fit: the column {wrong[0]} holds no text")
    settings = {**settings, "form": form, "constants": dict(constants or {}), "parts": parts}
    return Step(name=name, make=make, settings=settings, version="3")


def _make_from_file(work: Work) -> None:
    path: Path = work.settings["file"].path
    bad: list[dict[str, Any]] = []
    _land(work, rows_of(path, bad if work.settings["bad_lines"] == "reject" else None), source=path.name, bad=bad)


def _make_from_hub(work: Work) -> None:
    ask = work.settings
    found = hub_rows(**{name: ask[name] for name in ("dataset", "split", "subset", "revision")})
    _land(work, lambda: enumerate(found), source=f"{ask['dataset']}:{ask['split']}", bad=[])


def _land(work: Work, given: Numbered, *, source: str, bad: list[dict[str, Any]]) -> None:
    """Land shards of rows and of what was refused, a bounded number of rows in memory."""
    kept, refused, landed = [], [], 0
    reasons: Counter[str] = Counter()
    types = types_of_others(row for row, _ in _read_all(given(), source=source, settings=work.settings, notes=work.notes))
    for row, why in _read_all(given(), source=source, settings=work.settings, notes=work.notes):
        if why is None:
            kept.append(row)
        else:
            reasons[why] += 1
            refused.append({**row, "dropped_by": work.name, "dropped_because": why})
        if max(len(kept), len(refused)) >= SHARD_ROWS:
            landed += _land_shard(work, landed, kept, refused, types)
            kept, refused = [], []
    refused += [{"source": source, "dropped_by": work.name, **line} for line in bad]
    if not landed and not kept:
        said = "; ".join(f"{count:,} rows: {why}" for why, count in reasons.most_common(3)) or "it is empty"
        raise ValueError(f"nothing of {source} can be carried over: {said}")
    if kept or refused:
        _land_shard(work, landed, kept, refused, types)
    warn_of_left_behind(work, source=source)
    for why, count in reasons.most_common(5):
        warn(f"{work.name}: {count:,} rows of {source} are not carried over: {why}")


def _land_shard(work: Work, number: int, kept: list[dict[str, Any]], refused: list[dict[str, Any]], types: Mapping[str, Any]) -> int:
    if refused:
        work.land(f"{REJECTED}/{number:05d}.parquet", frame(refused, types))
    work.land(f"{number:05d}.parquet", _typed(kept, types))
    return 1


def _typed(rows: list[dict[str, Any]], types: Mapping[str, Any]) -> pl.DataFrame:
    """Rows as a frame; columns of responses are there, and typed, where any row has a response."""
    made = frame(rows, types)
    if "response" not in made.columns:
        return made
    ours = schema(RESPONSE)
    typed = [pl.Series(name, [row.get(name) for row in rows], dtype=dtype) for name, dtype in ours.items()]
    return made.drop([name for name in ours if name in made.columns]).with_columns(typed)


def _read_all(
    given: Iterable[tuple[int, Mapping[str, Any]]], *, source: str, settings: Mapping[str, Any], notes: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], str | None]]:
    """(row, None) of what is carried over, (what there was, why not) of the rest."""
    form: Format | None = None
    counted: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for number, raw in given:
        if form is None:
            form = format_named(settings["form"]) if settings["form"] else format_of(list(raw), where=source)
            notes["form"] = form.name
        try:
            rows = [_finished(row, source=source, number=number, settings=settings) for row in form.read(raw)]
        except (CannotCarry, KeyError) as error:
            why = f"no column {error}" if isinstance(error, KeyError) else str(error)
            raw_line = json.dumps(dict(raw), ensure_ascii=False, default=str)
            yield {"source": source, "source_row": number, "raw_line": raw_line}, f"not {form.name}: {why}"
            continue
        left.update(left_behind(raw, joined=form.unit == "response"))
        for row in rows:
            seen = counted[row["prompt_id"]]
            counted[row["prompt_id"]] += 1
            if form.unit == "prompt" and seen:
                yield row, "the same prompt again"
            else:
                yield row if form.unit == "prompt" else _answered(row, sample=seen, parts=settings["parts"], counted=counted), None
    if left:
        notes[LEFT_BEHIND] = dict(left.most_common())


def _finished(row: dict[str, Any], *, source: str, number: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """One of our rows with its ids and what was said for all of them."""
    made = {**of_our_types(row), **settings["constants"]}
    ours, theirs = prompt_id(made["messages"]), made.get("prompt_id")
    made |= {"prompt_id": ours, **({"their_prompt_id": theirs} if theirs not in (None, ours) else {})}
    made["source"] = made.get("source") or source
    made["source_row"] = number if made.get("source_row") is None else made["source_row"]
    return {**made, "answer": answer_text(made.get("answer")), "checks": checks_text(made.get("checks"))}


def _answered(row: dict[str, Any], *, sample: int, parts: str, counted: Counter[str]) -> dict[str, Any]:
    """A response with its number, its parts and its id; the id it had elsewhere is kept beside.

    The id does not know the running number, so that rows added anywhere change no other row's id: it takes the number that the file
    gives, or 0, and of rows that are the same in all that it is made of, which of them it is.
    """
    was = {"was_row_id": row["row_id"]} if row.get("row_id") else {}
    reasoning, summary = SPLITS[parts](row["response"])
    number = sample if row.get("sample") is None else row["sample"]
    made = {**dict.fromkeys(schema(RESPONSE)), **row, **was, "sample": number, "reasoning": reasoning, "summary": summary}
    made["finish_reason"] = REASONS.get((made["finish_reason"] or "").lower(), made["finish_reason"])
    given = row.get("sample") or 0
    first = row_id({**made, "sample": given})
    again = counted[first]
    counted[first] += 1
    return {**made, "row_id": row_id({**made, "sample": f"{given}, again {again}"}) if again else first}
