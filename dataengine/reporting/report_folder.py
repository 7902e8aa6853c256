"""A report on any finished folder, from what lies on disk: its road, training curves, funnel, rows to read, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.report import Audit, Curves, Funnel, Report, Road, Sample, Samples, Section, read_metrics, sample
from dataengine.reporting.funnel import folders_before, funnel
from dataengine.reporting.stage_graph import Node

READ = 10
"""Samples of each kind on the page."""


def report_folder(folder: Path, *, title: str | None = None) -> Report:
    """Everything a person should see of a folder; the folders it was made from are looked for beside it."""
    before = list(folders_before(folder, folder.parent))
    if not before:
        shards.read_manifest(folder)  # says why the folder is none of ours
    sections: list[Section] = [
        Road(nodes=road_nodes(before)),
        Curves(runs=training_runs(before)),
        Funnel(rows=funnel(folder, folder.parent)),
        Samples(title=f"{READ} that were kept", samples=some_samples([folder])),
        Samples(title=f"{READ} that were dropped on the way", samples=some_samples(before, shards.REJECTED)),
        audit(before),
    ]
    return Report(title=title or folder.name, sections=sections)


def road_nodes(folders: Sequence[Path]) -> list[Node]:
    """A node for each folder, named after its step; two of one name bear their folders' names.

    What a folder was made from and is not among `folders`, such as a model that lay there already, is a node as well.
    """
    manifests = {folder.name: shards.read_manifest(folder) for folder in folders}
    names = [manifest["name"] for manifest in manifests.values()]
    shown = {place: each["name"] if names.count(each["name"]) == 1 else place for place, each in manifests.items()}
    for before in (before for manifest in manifests.values() for before in manifest["inputs"].values() if before not in shown):
        shown[before] = before if Path(before).name in names else Path(before).name
    nodes = [Node(name=shown[place], note="was there already") for place in shown if place not in manifests]
    for place, manifest in manifests.items():
        inputs = tuple(dict.fromkeys(shown[before] for before in manifest["inputs"].values()))
        is_data = manifest["rows"] is not None
        note = f"{manifest['rows']:,} rows" if is_data else ""
        nodes.append(Node(name=shown[place], inputs=inputs, kind="data" if is_data else "model", note=note))
    return nodes


def training_runs(folders: Sequence[Path]) -> dict[str, list[dict[str, Any]]]:
    """The figures of every training run among the folders, by the folder's step name."""
    runs = {shards.read_manifest(folder)["name"]: read_metrics(folder) for folder in folders}
    return {name: run for name, run in runs.items() if run}


def some_samples(folders: Sequence[Path], part: str = "", *, most: int = READ) -> list[Sample]:
    """A few rows with a response, spread over the folders and within each over all its rows, always the same ones."""
    found = [list(_spread_rows(folder, part, most)) for folder in folders]
    turns = [rows[turn] for turn in range(most) for rows in found if turn < len(rows)]
    return [sample(row) for row in turns[:most]]


def _spread_rows(folder: Path, part: str, most: int) -> Iterator[Mapping[str, Any]]:
    rows = shards.scan(folder, part)
    if "response" not in rows.collect_schema().names():
        return
    places = rows.select(pl.col("response").is_not_null().arg_true()).collect().to_series()
    chosen = places.gather_every(max(1, len(places) // most)).head(most).to_list()
    yield from rows.with_row_index("_place").filter(pl.col("_place").is_in(chosen)).drop("_place").collect().iter_rows(named=True)


def audit(folders: Sequence[Path]) -> Audit:
    """Each folder's settings, seeds among them, its inputs and its notes, as their manifests have them."""
    keys = ("made_by", "settings", "inputs", "rows", "rejected", "notes")
    manifests = [(folder, shards.read_manifest(folder)) for folder in folders]
    rows = [{"step": said["name"], "folder": folder.name, "settings": {key: said[key] for key in keys}} for folder, said in manifests]
    return Audit(rows=rows)
