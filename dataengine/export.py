"""Rows of a folder in the shape of somebody else's trainer: streamed, whole or not at all, with a card and a way back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dataengine import shards
from dataengine.by_prompt import by_prompt
from dataengine.card import card_text
from dataengine.formats.known import WRITTEN, format_named
from dataengine.formats.own import OWN
from dataengine.formats.shape import CannotCarry, Format, response_of
from dataengine.formats.sharegpt import SHAREGPT
from dataengine.own_version import own_version
from dataengine.progress import Bar

ROWS_AT_ONCE = 500
"""Rows of long texts in memory at the same time."""
FILE_BYTES = 512 * 2**20
"""Text of one Parquet file, about."""
VERSION = "2"
"""Raised when the same folder gives other rows."""
UNREAD = ("prompt", "reasoning", "summary", "sampling")
"""Long columns of ours that no format of single responses or prompts has a place for."""
LLAMA_FACTORY = {
    "train": {"file_name": "train.jsonl", "formatting": "sharegpt", "columns": {"messages": "conversations", "system": "system"}},
}
"""dataset_info.json: `--dataset_dir OUT --dataset train` reads the folder."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What came of an export."""

    folder: Path
    rows: int
    left_out: Mapping[str, int]
    """Reason -> rows of ours that could not be carried."""
    truncated: int
    """Responses among the rows that were cut at max_tokens."""


def export(folder: Path, *, to: str, out: Path, title: str | None = None, rejected: bool = False) -> Exported:
    """The rows of a finished folder in the format `to`, as a new folder with a card and a manifest that leads back.

    Long texts pass through in bounded memory; `out` is there whole or not at all. `rejected` puts the dropped rows into a
    configuration of their own (format `hub` only). ValueError where `out` holds something else already.
    """
    form = format_named(to, WRITTEN)
    manifest = shards.read_manifest(folder)
    if rejected and form is not OWN:
        raise ValueError(f"only the format {OWN.name} carries rejected rows, and {to} was asked for")
    _check_columns(folder, form)
    said = f"{manifest['fingerprint']}\0{to}\0{rejected}\0{VERSION}"
    fingerprint = hashlib.blake2b(said.encode(), digest_size=16).hexdigest()
    if out.exists():
        return _there_already(out, fingerprint)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        made = _written(folder, form, unfinished, rejected=rejected)
        if not made.rows:
            why = "; ".join(f"{rows:,} rows: {reason}" for reason, rows in list(made.left_out.items())[:3]) or "it has no rows"
            raise ValueError(f"nothing of {folder} can be written as {to}: {why}")
        _finish(unfinished, folder, form, made, fingerprint=fingerprint, title=title or f"{manifest['name']} for {to}", out=out)
        unfinished.replace(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    shards.sync_folder(out.parent)
    return replace(made, folder=out)


def _there_already(out: Path, fingerprint: str) -> Exported:
    manifest = shards.read_manifest(out) if shards.is_finished(out) else {}
    if manifest.get("fingerprint") != fingerprint:
        raise ValueError(f"{out} holds something else: choose another --out, or remove it")
    notes = manifest["notes"]
    return Exported(folder=out, rows=manifest["rows"], left_out=notes["left_out"], truncated=notes["truncated"])


def _check_columns(folder: Path, form: Format) -> None:
    there = shards.scan(folder).collect_schema().names()
    wanted = ("messages",) if form.unit == "prompt" else ("messages", "response")
    missing = [name for name in wanted if name not in there] if form is not OWN else []
    if missing:
        hint = " Problems without responses go to verl, verifiers or trl-prompt." if missing == ["response"] else ""
        raise ValueError(f"{folder} has no column {missing[0]!r}, which {form.name} wants; it has {', '.join(there) or 'no rows'}.{hint}")


def _written(folder: Path, form: Format, into: Path, *, rejected: bool) -> Exported:
    """Write the data files and count."""
    left_out: Counter[str] = Counter()
    finished: Counter[str | None] = Counter()
    if form is OWN:
        rows = _copied(folder, into, "train") + (_copied(folder, into, shards.REJECTED, part=shards.REJECTED) if rejected else 0)
        kept = shards.scan(folder)
        if "finish_reason" in kept.collect_schema().names():
            finished.update(dict(kept.group_by("finish_reason").len().collect().iter_rows()))
    else:
        with Bar(f"export {form.name}", total=shards.read_manifest(folder)["rows"]) as bar:
            theirs = _theirs(_units(folder, form, into / ".spill"), form, left_out=left_out, finished=finished, bar=bar)
            rows = _parquet(into, theirs, form.schema) if form.schema is not None else _json_lines(into, theirs)
    return Exported(folder=into, rows=rows, left_out=dict(left_out.most_common()), truncated=finished["length"])


def _copied(folder: Path, into: Path, name: str, *, part: str = "") -> int:
    """Our shards as they are, under names that say which split they are."""
    rows = 0
    for number, path in enumerate(shards.shard_paths(folder, part)):
        shutil.copyfile(path, into / f"{name}-{number:05d}.parquet")
        rows += pq.read_metadata(path).num_rows
    return rows


def _units(folder: Path, form: Format, spill: Path) -> Iterator[list[dict[str, Any]]]:
    """The rows of ours that become one of theirs: each alone, the first of each prompt, or all responses to a prompt."""
    if form.unit == "responses":
        yield from by_prompt(shards.shard_paths(folder), spill=spill)
        return
    seen: set[str] = set()
    for path in shards.shard_paths(folder):
        columns = [name for name in pq.read_schema(path).names if name not in UNREAD]
        for row in (row for batch in shards.batches(path, columns) for row in batch.to_pylist()):
            if form.unit == "response":
                yield [row]
            elif row["prompt_id"] not in seen:
                seen.add(row["prompt_id"])
                yield [{**row, "number": len(seen) - 1}]


def _theirs(
    units: Iterable[list[dict[str, Any]]], form: Format, *, left_out: Counter[str], finished: Counter[str | None], bar: Bar
) -> Iterator[dict[str, Any]]:
    assert form.write is not None
    for unit in units:
        bar.advance(len(unit))
        rows = _answered(unit, left_out) if form.unit == "responses" else unit
        if not rows:
            continue
        try:
            yield form.write(rows)
        except CannotCarry as error:
            left_out[str(error)] += len(rows)
            continue
        if form.unit != "prompt":
            finished.update(row.get("finish_reason") for row in rows)


def _answered(unit: list[dict[str, Any]], left_out: Counter[str]) -> list[dict[str, Any]]:
    """The rows that have a response; the others are counted."""
    answered = []
    for row in unit:
        try:
            response_of(row)
        except CannotCarry as error:
            left_out[str(error)] += 1
        else:
            answered.append(row)
    return answered


def _parquet(into: Path, theirs: Iterable[dict[str, Any]], schema: Mapping[str, Any]) -> int:
    """train-00000.parquet and so on, each of bounded size; the number of rows."""
    arrow = pl.DataFrame(schema=schema).to_arrow().schema
    tables = (pa.Table.from_pylist(some, schema=arrow) for some in _some(theirs))
    rows, number = 0, 0
    while (first := next(tables, None)) is not None:
        rows += shards.land_tables(into, f"train-{number:05d}.parquet", arrow, _up_to(first, tables)).rows or 0
        number += 1
    return rows


def _some(theirs: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rows = iter(theirs)
    while some := list(islice(rows, ROWS_AT_ONCE)):
        yield some


def _up_to(first: pa.Table, more: Iterator[pa.Table]) -> Iterator[pa.Table]:
    size = first.nbytes
    yield first
    while size < FILE_BYTES and (table := next(more, None)) is not None:
        size += table.nbytes
        yield table


def _json_lines(into: Path, theirs: Iterable[dict[str, Any]]) -> int:
    """train.jsonl, a row at a time."""
    rows = 0

    def write(out: BinaryIO) -> None:
        nonlocal rows
        for row in theirs:
            out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            rows += 1

    shards.write_atomically(into / "train.jsonl", write)
    return rows


def _finish(into: Path, folder: Path, form: Format, made: Exported, *, fingerprint: str, title: str, out: Path) -> None:
    """The card, what LLaMA-Factory wants beside a ShareGPT file, and last the manifest."""
    card = card_text(folder, folder.parent, title=title, files=_splits(into), written=made.rows)
    lines = [*card, *_about(form, made)]
    _write_text(into / "README.md", "\n".join(lines) + "\n")
    if form is SHAREGPT:
        _write_text(into / "dataset_info.json", json.dumps(LLAMA_FACTORY, indent=1) + "\n")
    files = [shards.describe(into, path) for path in sorted(into.iterdir()) if not path.name.startswith(".")]
    before = os.path.relpath(folder.resolve(), out.parent.resolve())
    manifest = {
        "name": f"export-{form.name}",
        "fingerprint": fingerprint,
        "made_by": own_version(),
        "settings": {"to": form.name},
        "inputs": {"data": before},
        "rows": made.rows,
        "rejected": 0,
        "notes": {
            "from": {"folder": folder.name, "fingerprint": shards.read_manifest(folder)["fingerprint"]},
            "left_out": made.left_out,
            "truncated": made.truncated,
            "loses": form.loses,
        },
        "files": [asdict(each) for each in files],
    }
    shards.write_manifest(into, manifest)


def _splits(into: Path) -> dict[str, str]:
    """Configuration of the card -> its files."""
    found = {"default": "train.jsonl" if (into / "train.jsonl").exists() else "train-*.parquet"}
    return found | ({shards.REJECTED: f"{shards.REJECTED}-*.parquet"} if any(into.glob(f"{shards.REJECTED}-*")) else {})


def _about(form: Format, made: Exported) -> Iterator[str]:
    yield from ("", "## This export", "", f"Written as `{form.name}`.")
    if form.loses:
        yield f"Not carried: {form.loses}."
    yield from (f"{rows:,} rows left out: {reason}." for reason, rows in made.left_out.items())
    if made.truncated:
        yield f"{made.truncated:,} responses are truncated (finish reason `length`)."


def _write_text(path: Path, text: str) -> None:
    shards.write_atomically(path, lambda out: out.write(text.encode()))
