"""Why is this row not in the mix, and which rows trained this checkpoint: the road of a row, read back from what is on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.reporting.funnel import folders_before
from dataengine.score import scorer_of
from dataengine.storage import row_index

TEXTS = ("messages", "prompt", "response", "reasoning", "summary")
"""Long columns: read once, from the last folder that has the row, and where a scorer points into them."""
ROWS = ("", shards.REJECTED)
"""The parts of a folder that hold rows."""
BEGUN_FROM = ("base", "policy")
"""The inputs that make a folder a trained model: what it began from."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What one step did with a row."""

    folder: str
    row: dict[str, Any]
    kept: bool
    """False where it lies in the folder's rejected/."""
    manifest: dict[str, Any]
    """What the folder says of itself: settings (scorers with their versions), inputs, who made it."""
    record: str = ""
    """The part of the folder that this is a note from (`prompts`, `hits`), where it is no row."""
    trained: bool = False
    """The folder is a model that was trained on this row (or, without responses of its own in the data, on its prompt)."""
    findings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """For each scorer of this step that points at something: the stretches of text that cost the row its full score."""

    @property
    def row_id(self) -> str:
        """The row's content hash, or `prompt_id/sample`, or `prompt_id` of a problem."""
        sample = self.row.get("sample")
        return self.row.get("row_id") or (self.row["prompt_id"] if sample is None else f"{self.row['prompt_id']}/{sample}")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The row, or all rows of the prompt, that somebody asked for."""

    prompt_id: str
    sample: int | None = None
    row_id: str | None = None


def trace(folder: Path, row_id: str) -> list[Trace]:
    """Every place of a row (`row_id`, `prompt_id`, `prompt_id/sample`, or the first digits of an id) on the road to a folder.

    First step first; a model's folder says whether it was trained on it. ValueError where no folder of the road has ever seen the row.
    """
    road = list(folders_before(folder, folder.parent))
    if not road:
        shards.read_manifest(folder)  # says why the folder is none of ours
    return _traced(road, row_id, where=f"on the road to {folder.name}")


def trace_everywhere(root: Path, row_id: str) -> list[Trace]:
    """Every place of a row in all finished folders under a root, first step first: which mixes and which models hold it."""
    ends = sorted(path.parent for path in root.glob(f"*/{shards.MANIFEST}"))
    if not ends:
        inside = sorted({path.parent.parent.relative_to(root).as_posix() for path in root.glob(f"*/*/{shards.MANIFEST}")})
        raise ValueError(f"no finished folder lies in {root}" + (f"; look into {', '.join(inside[:5])}" if inside else ""))
    road = list(dict.fromkeys(before for end in ends for before in folders_before(end, root)))
    return _traced(road, row_id, where=f"in any folder of {root}")


def _traced(road: Sequence[Path], row_id: str, *, where: str) -> list[Trace]:
    asked = _asked(road, row_id)
    if asked is None:
        there = ", ".join(folder.name for folder in road)
        raise ValueError(f"no row {row_id!r} {where} (folders: {there}). `dataengine show DIR` prints some ids.")
    found: list[Trace] = []
    for folder in road:
        found += _in_model(folder, found, asked) if is_model(folder) else _in_data(folder, asked)
    return _with_texts(road, found)


def _asked(road: Sequence[Path], text: str) -> Asked | None:
    """Who is meant, by the last folder that knows the id."""
    name, _, sample = text.partition("/")
    if sample and not sample.isdigit():
        raise ValueError(f"a row is named row_id, prompt_id or prompt_id/sample, got {text!r}")
    for folder in reversed(road):
        rows = [row for _, row in _rows(folder, [name], parts=ROWS, only=("prompt_id", "row_id", "sample"))]
        answers = {row["row_id"]: row for row in rows if (row.get("row_id") or "").startswith(name) and not sample}
        prompts = {row["prompt_id"] for row in rows if row["prompt_id"].startswith(name)}
        if len(answers) + len(prompts) > 1:
            several = sorted(answers | dict.fromkeys(prompts))
            raise ValueError(f"{name!r} begins {len(several)} ids in {folder.name}: {', '.join(several[:5])}. Give more digits.")
        if answers:
            ((known, row),) = answers.items()
            return Asked(prompt_id=row["prompt_id"], sample=row.get("sample"), row_id=known)
        if prompts:
            return Asked(prompt_id=prompts.pop(), sample=int(sample) if sample else None)
    return None


def _rows(
    folder: Path, ids: Sequence[str], *, parts: Sequence[str], only: Sequence[str] | None = None, without: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(part, row) of the rows with one of these ids; a key that only looks alike is left out."""
    places = [place for place in row_index.places(folder, ids) if place.part in parts]
    for place, row in row_index.rows_at(folder, places, only=only, without=without):
        if any((row.get(name) or "").startswith(wanted) for wanted in ids for name in row_index.IDS):
            yield place.part, row


def _in_data(folder: Path, asked: Asked) -> list[Trace]:
    """What was noted of the prompt or the row, and the row itself: by its row_id, or where rows have none yet by its prompt and number."""
    manifest = shards.read_manifest(folder)
    found = [*_rows(folder, [asked.prompt_id], parts=row_index.RECORDS)]
    if asked.row_id is not None and _has_row_ids(folder):
        found += _rows(folder, [asked.row_id], parts=ROWS, without=TEXTS)
    else:
        found += _rows(folder, [asked.prompt_id], parts=ROWS, without=TEXTS)
    return [
        Trace(
            folder=folder.name,
            row=row,
            kept=part != shards.REJECTED,
            manifest=manifest,
            record=part if part in row_index.RECORDS else "",
            findings=_findings(folder, manifest, row) if part in ROWS else {},
        )
        for part, row in found
        if _is_meant(row, asked)
    ]


def _is_meant(row: dict[str, Any], asked: Asked) -> bool:
    same_sample = asked.sample is None or row.get("sample") in (None, asked.sample)
    return same_sample and (asked.row_id is None or row.get("row_id") in (None, asked.row_id))


def _has_row_ids(folder: Path) -> bool:
    paths = [*shards.shard_paths(folder), *shards.shard_paths(folder, shards.REJECTED)]
    return bool(paths) and "row_id" in pl.scan_parquet(paths[0]).collect_schema().names()


def is_model(folder: Path) -> bool:
    """Whether a folder is a model that was trained by one of our steps."""
    return any(key in BEGUN_FROM for key in shards.read_manifest(folder)["inputs"])


def _in_model(folder: Path, found: Sequence[Trace], asked: Asked) -> list[Trace]:
    """A model was trained on what its data folders kept, less what it refused itself."""
    refused = _in_data(folder, asked)
    manifest = shards.read_manifest(folder)
    data = {Path(before).name for key, before in manifest["inputs"].items() if key not in BEGUN_FROM}
    out = {each.row_id for each in refused}
    given = [
        each for each in found if each.folder in data and each.kept and not each.trained and not each.record and each.row_id not in out
    ]
    return refused + [Trace(folder=folder.name, row=each.row, kept=True, manifest=manifest, trained=True) for each in given]


def scorers_of(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every scorer among a step's settings by its name: {"scorer": place of its code, "version": ..., "settings": ...}."""
    found = [each for each in _within(manifest["settings"]) if {"scorer", "version", "settings"} <= set(each)]
    return {each["scorer"].rpartition(".")[2]: dict(each) for each in found if isinstance(each["scorer"], str)}


def bars_of(manifest: Mapping[str, Any]) -> dict[str, float]:
    """What each scorer's value had to reach, by the scorer's name."""
    bars = [each for each in _within(manifest["settings"]) if isinstance(each.get("scorer"), Mapping) and "at_least" in each]
    return {each["scorer"]["scorer"].rpartition(".")[2]: each["at_least"] for each in bars}


def _within(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping inside of settings, the outermost first."""
    if isinstance(value, Mapping):
        yield value
    for inside in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _within(inside)


def _findings(folder: Path, manifest: dict[str, Any], row: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    judged = scores(row)
    found = {}
    for name, identity in scorers_of(manifest).items():
        if name in judged and (judged[name]["value"] or 0.0) < 1.0:
            with contextlib.suppress(ImportError, AttributeError, ValueError):  # a scorer that is not here any more: its reason remains
                scorer = scorer_of(identity)
                found[name] = scorer.findings({**row, **_texts(folder, row)}) if "findings" in vars(scorer.function) else []
    return {name: stretches for name, stretches in found.items() if stretches}


def _texts(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The long columns of one row."""
    same = ("row_id", "prompt_id", "sample")
    for _, each in _rows(folder, [row.get("row_id") or row["prompt_id"]], parts=ROWS, only=(*TEXTS, *same)):
        if all(each.get(name) == row.get(name) for name in same):
            return {name: value for name, value in each.items() if name in TEXTS}
    return {}


def _with_texts(road: Sequence[Path], found: Sequence[Trace]) -> list[Trace]:
    """Every place of the row that was seen last with its long texts, read once."""
    at = next(each for each in reversed(found) if not each.trained and not each.record)
    texts = _texts(next(folder for folder in road if folder.name == at.folder), at.row)
    question = {name: texts[name] for name in ("messages",) if name in texts}
    return [each if each.record else replace(each, row={**(texts if each.row_id == at.row_id else question), **each.row}) for each in found]


def scores(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The score columns of a row."""
    return {name: value for name, value in row.items() if isinstance(value, dict) and set(value) == {"value", "reason"}}


def training_data(model: Path) -> list[tuple[Path, int]]:
    """(folder, rows) of everything a checkpoint was trained on, its own data first.

    Follows the road back through the models it began from; ValueError where the folder was not made by us.
    """
    root = model.parent
    found: list[tuple[Path, int]] = []
    for key, before in shards.read_manifest(model)["inputs"].items():
        path = root / before
        if not shards.is_finished(path):
            continue
        rows = shards.read_manifest(path)["rows"]
        found += [(path, rows)] if rows is not None else training_data(path) if key in BEGUN_FROM else []
    return found
