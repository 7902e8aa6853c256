"""Why is this row not in the mix, and which rows trained this checkpoint: the road behind a folder, read back from what is on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.funnel import folders_before
from dataengine.score import scorer_of


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What one step did with a row."""

    folder: str
    row: dict[str, Any]
    kept: bool
    """False where it lies in the folder's rejected/."""
    findings: dict[str, list[dict[str, Any]]]
    """For each scorer of this step that points at something: the stretches of text that cost the row its full score."""

    @property
    def row_id(self) -> str:
        """`prompt_id/sample`, or `prompt_id` of a problem."""
        sample = self.row.get("sample")
        return self.row["prompt_id"] if sample is None else f"{self.row['prompt_id']}/{sample}"


def trace(folder: Path, row_id: str) -> list[Trace]:
    """Every place of a row (`prompt_id` or `prompt_id/sample`) on the road to `folder`, first step first.

    ValueError where no folder of that road has ever seen it.
    """
    prompt_id, _, sample = row_id.partition("/")
    if sample and not sample.isdigit():
        raise ValueError(f"a row is named prompt_id or prompt_id/sample, got {row_id!r}")
    found = [place for before in folders_before(folder, folder.parent) for place in _places(before, prompt_id, sample)]
    if not found:
        roads = ", ".join(before.name for before in folders_before(folder, folder.parent)) or "none"
        raise ValueError(f"no row {row_id!r} on the road to {folder.name} (folders: {roads}). `dataengine show {folder}` prints some ids.")
    return found


def _places(folder: Path, prompt_id: str, sample: str) -> Iterator[Trace]:
    for part in ("", shards.REJECTED):
        rows = shards.scan(folder, part)
        columns = rows.collect_schema().names()
        if "prompt_id" not in columns:
            continue
        chosen = (
            rows.filter(pl.col("prompt_id").str.starts_with(prompt_id))
            if len(prompt_id) < 16
            else rows.filter(pl.col("prompt_id") == prompt_id)
        )
        if sample and "sample" in columns:
            chosen = chosen.filter(pl.col("sample") == int(sample))
        for row in chosen.collect().iter_rows(named=True):
            yield Trace(folder=folder.name, row=row, kept=not part, findings=_findings(folder, row))


def _findings(folder: Path, row: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    settings, scored = shards.read_manifest(folder)["settings"], scores(row)
    found = {}
    for identity in (settings.get("scorer"), *(settings.get("scorers") or ())):
        name = identity["scorer"].rpartition(".")[2] if isinstance(identity, dict) and "scorer" in identity else None
        if name in scored and (scored[name]["value"] or 0.0) < 1.0:
            with contextlib.suppress(ImportError, AttributeError, ValueError):  # a scorer that is not here any more: its reason remains
                found[name] = scorer_of(identity).findings(row)
    return {name: stretches for name, stretches in found.items() if stretches}


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
        found += [(path, rows)] if rows is not None else training_data(path) if key in ("base", "policy") else []
    return found
