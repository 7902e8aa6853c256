"""A folder of ours for a person: what it is, where it comes from, how many rows, and the first of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataengine import shards
from dataengine.explain import Trace, scores
from dataengine.funnel import funnel, rejections

WIDTH = 600
"""Characters of one value shown before it is cut (and said to be cut)."""
STRETCH = 80
"""Characters shown of a stretch that a scorer points at."""


def folder_text(folder: Path, *, rows: int) -> Iterator[str]:
    """The lines of `dataengine show DIR`."""
    manifest = shards.read_manifest(folder)
    yield f"{folder.name}  ({manifest['made_by']})"
    yield f"settings: {json.dumps(manifest['settings'], ensure_ascii=False)}"
    for key, before in manifest["inputs"].items():
        yield f"from {key}: {before}"
    if manifest["rows"] is None:
        yield "files: " + ", ".join(f"{each['file']} ({each['bytes']:,} bytes)" for each in manifest["files"])
        return
    yield f"rows: {manifest['rows']:,}, rejected: {manifest['rejected']:,}"
    for row in rejections(folder).iter_rows(named=True):
        yield f"  {row['rows']:>8,}  {row['dropped_by']}: {row['dropped_because']}"
    yield "road:"
    for line in funnel(folder, folder.parent):
        yield f"  {line['folder']:<40} made {line['made']:>9,}  kept {line['kept']:>9,}"
    if manifest["notes"]:
        yield f"notes: {json.dumps(manifest['notes'], ensure_ascii=False)}"
    frame = shards.scan(folder).head(rows).collect()
    yield f"columns: {', '.join(f'{name} {dtype}' for name, dtype in frame.schema.items())}"
    for number, row in enumerate(frame.iter_rows(named=True)):
        yield f"--- row {number}"
        yield from row_text(row)


def row_text(row: dict[str, Any]) -> Iterator[str]:
    """One row, a line per column that has a value."""
    judged = scores(row)
    for name, value in row.items():
        if value is None or name in judged:
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        cut = f" ... ({len(text):,} characters)" if len(text) > WIDTH else ""
        yield f"{name}: {text[:WIDTH]}{cut}"
    for name, score in judged.items():
        yield f"{name}: {'unjudged' if score['value'] is None else format(score['value'], '.3g')} ({score['reason']})"


def trace_text(traces: list[Trace]) -> Iterator[str]:
    """The lines of `dataengine explain DIR ID`: one per step, then the row as it was last seen."""
    for at in traces:
        verdicts = ", ".join(f"{name} {score['value']}: {score['reason']}" for name, score in scores(at.row).items())
        what = "kept" if at.kept else f"dropped by {at.row.get('dropped_by')}: {at.row.get('dropped_because')}"
        yield f"{at.folder}  {at.row_id}  {what}" + (f"  [{verdicts}]" if verdicts else "")
        for name, stretches in at.findings.items():
            yield from (f"    {name}: {_finding_text(stretch)}" for stretch in stretches)
    yield "--- as it was last seen"
    yield from row_text(traces[-1].row)


def _finding_text(stretch: dict[str, Any]) -> str:
    known = ", ".join(f"{key} {value}" for key, value in stretch.items() if key not in ("start", "end", "text"))
    return f"{stretch['start']}:{stretch['end']} {stretch['text'][:STRETCH]!r} ({known})"
