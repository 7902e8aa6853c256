"""The items of a queue's folder, or of any folder of responses, in the order in which people are asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from annotation.item import Finding, Item, Metadata, Said
from annotation.questions import Questions
from dataengine import shards
from dataengine.score import SCORE
from dataengine.templates import Form

HUMAN = "human"
"""The column of what people said: no scorer of the rollout."""
TOLD = ("domain", "language", "difficulty", "source", "license", "model", "finish_reason", "pass_rate", "standing")
"""Columns that people can filter by, beside the length and every scorer's value; `disagrees` and `part` of a mix stand in the row."""
TEXTS = ("reasoning", "summary", "response")
QUESTION = ("messages", "question", "problem", "prompt")
"""Where the question stands: the first of them that the row has filled; rows of one folder may differ in it."""
WINDOW_BYTES = 256 << 20
"""Text of the rows whose items are in memory at once, about."""


def items_of(folder: Path) -> Iterator[Item]:
    """The items of a finished folder: of a queue the asked rows by rank, of any other folder all rows that have a text, in their order.

    Rows without `row_id` are known by their content, and so are further rows of a row_id that was there; the same row twice is one item.
    ValueError where the folder is not finished, its rows have no text to read, or a queue's row is not what people were asked.
    """
    form, paths = questions_of(folder).form, shards.shard_paths(folder)
    if {"item_id", "rank"} <= _columns(folder, paths):
        yield from _by_rank(paths, form)
        return
    row_ids, seen = set[str](), set[str]()
    for row in (row for path in paths for row in _rows(path) if readable_text(row)):
        item = item_of(row, form, rank=len(seen))
        if item.row_id in row_ids and item.item_id not in seen:
            item = replace(item, row_id=f"{item.row_id}-{item.item_id}")
        if item.item_id not in seen:
            seen.add(item.item_id)
            row_ids.add(item.row_id)
            yield item


def questions_of(folder: Path) -> Questions:
    """The questions that a queue asks, as its manifest says; our own where the folder is no queue."""
    said = shards.read_manifest(folder)["settings"].get("questions")
    if said is None:
        return Questions()
    labels = {name: tuple(said[name]) for name in ("languages", "reasons")}
    return Questions(guidelines=said["guidelines"], form=Form(**said["form"]), both=said.get("both", False), **labels)


def asked_item(row: Mapping[str, Any], form: Form) -> Item:
    """The item of a queue's row; ValueError where it is not the one that people were asked about, whose answers would never be found."""
    item = item_of(row, form)
    if item.item_id != row["item_id"]:
        raise ValueError(
            f"row {item.row_id} of the queue is not what people are asked about: it is {item.item_id}, they have {row['item_id']}. "
            "The folder was changed, or made by another version of this program: delete it, and run again to make it anew "
            "(answers stay in reviews/ beside it, and count where the text is still the same)"
        )
    return item


def item_of(row: Mapping[str, Any], form: Form, *, rank: int | None = None) -> Item:
    """A row as people see it; `form` is the queue's (Questions.form)."""
    reasoning, summary = parts_of(row, form)
    answer = row.get("answer")
    return Item(
        row_id=str(row.get("row_id") or _content_id(row)),
        prompt=question_of(row),
        reasoning=reasoning,
        summary=summary,
        answer=None if answer is None else str(answer),
        why=row.get("why") or "all",
        rank=row["rank"] if rank is None else rank,
        wanted=row.get("wanted") or 1,
        metadata={**_metadata(row), "length": len(reasoning) + len(summary)},
        said=tuple(Said(scorer=name, value=said["value"], reason=said["reason"]) for name, said in scores_of(row).items()),
        findings=tuple(Finding(**found) for found in row.get("findings") or ()),
    )


def parts_of(row: Mapping[str, Any], form: Form) -> tuple[str, str]:
    """(reasoning, summary) as they are laid before people; a response that can not be told apart stands as the thoughts.

    >>> parts_of({"response": "<think>\\nI add.\\n</think>\\n\\n2"}, Form(opening="|t|", closing="|t|"))
    ('I add.', '2')
    """
    reasoning, summary = row.get("reasoning"), row.get("summary")
    if reasoning is None and summary is None:
        response = row.get("response") or ""
        return told_apart(response, form) or (response, "")
    return reasoning or "", summary or ""


def told_apart(response: str, form: Form) -> tuple[str, str] | None:
    """(reasoning, summary) of a response in `form`, or else in R1's; None where it is in neither.

    White space around the parts is left away, and the opening token may stand in the prompt.
    """
    for each in (form, Form()):
        reasoning, closed, summary = response.strip().removeprefix(each.opening).partition(each.closing)
        if closed and not any(map(each.stray, (reasoning, summary))):
            return reasoning.strip(), summary.strip()
    return None


def readable_text(row: Mapping[str, Any]) -> bool:
    """Whether there is anything to read."""
    parts = [row.get("reasoning"), row.get("summary")]
    return any(part.strip() for part in (parts if parts != [None, None] else [row.get("response")]) if part)


def question_of(row: Mapping[str, Any]) -> str:
    """The text of the user's message; the whole conversation, each message under its role, where there are several."""
    asked = next((row[name] for name in QUESTION if row.get(name)), "")
    if not isinstance(asked, list):
        return str(asked)
    spoken = [message for message in asked if message and message["role"] != "system"]
    if len(spoken) == 1:
        return spoken[0]["content"] or ""
    return "\n\n".join(f"{message['role']}:\n{message['content'] or ''}" for message in spoken)


def scores_of(row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What scorers said of the row, by their names."""
    return {
        name: {"value": said["value"], "reason": said["reason"] or ""}
        for name, said in row.items()
        if isinstance(said, dict) and set(said) == {"value", "reason"} and name != HUMAN and said["reason"] is not None
    }


def is_score(dtype: pl.DataType) -> bool:
    """Whether a column is a scorer's."""
    return isinstance(dtype, pl.Struct) and {field.name for field in dtype.fields} == {field.name for field in SCORE.fields}


def _metadata(row: Mapping[str, Any]) -> Metadata:
    told = {name: row[name] for name in TOLD if isinstance(row.get(name), str | int | float)}
    return {**told, **{name: round(said["value"], 6) for name, said in scores_of(row).items() if said["value"] is not None}}


def _content_id(row: Mapping[str, Any]) -> str:
    """What a row without row_id is known by."""
    said = [row.get("prompt_id") or question_of(row), row.get("sample"), *(row.get(name) for name in TEXTS)]
    return hashlib.blake2b(json.dumps(said).encode(), digest_size=8).hexdigest()


def _columns(folder: Path, paths: Sequence[Path]) -> set[str]:
    """Columns of the rows; ValueError where these have no text, or a text is no string (readers of files guess numbers)."""
    schemas = [pl.read_parquet_schema(path) for path in paths]
    columns = {name: None for schema in schemas for name in schema}
    if paths and not set(TEXTS) & set(columns):
        there = ", ".join(columns) or "no columns"
        raise ValueError(f"{folder.name} has no text to review: rows want response, or reasoning and summary; they have {there}")
    for name, dtype in (each for schema in schemas for each in schema.items()):
        if name in TEXTS and dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
            raise ValueError(f"the column {name} of {folder.name} holds {dtype}, and people review text: make it a column of strings")
    return set(columns)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for batch in shards.batches(path):
        yield from pl.DataFrame(batch).iter_rows(named=True)


def _by_rank(paths: Sequence[Path], form: Form) -> Iterator[Item]:
    """Rows lie in the order of the data: each pass over the shards brings a window of ranks that fits into memory."""
    asked = [pl.read_parquet(path, columns=["rank"])["rank"].drop_nulls() for path in paths]
    total, text = sum(map(len, asked)), sum(shards.text_bytes(path) for path in paths)
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    size = max(1, round(WINDOW_BYTES * rows / max(text, 1)))
    for start in range(0, total, size):
        stop = start + size
        there = [path for path, ranks in zip(paths, asked, strict=True) if ranks.is_between(start, stop - 1).any()]
        here = (pc.field("rank") >= start) & (pc.field("rank") < stop)
        found = [_shown(batch.filter(here)) for path in there for batch in shards.batches(path)]
        order = sorted((rank, part, place) for part, rows in enumerate(found) for place, rank in enumerate(rows["rank"]))
        yield from (asked_item(found[part].row(place, named=True), form) for _, part, place in order)


def _shown(rows: pa.RecordBatch) -> pl.DataFrame:
    """What an item is made of; the response only where parts are not told apart, as it is half of the memory.

    In Arrow, which copies: a column of polars that was filtered holds on to the whole text.
    """
    names = {"row_id", "item_id", "rank", "why", "wanted", "answer", "findings", "prompt_id", "sample", *QUESTION, *TEXTS, *TOLD}
    if any(name in rows.schema.names and not rows.column(name).null_count for name in ("reasoning", "summary")):
        names.discard("response")
    return pl.DataFrame(rows.select([each.name for each in rows.schema if each.name in names or pa.types.is_struct(each.type)]))
