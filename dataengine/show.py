"""A folder of ours for a person: what it is, where it comes from, how many rows, and the first of them."""

from __future__ import annotations

import itertools
import json
import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dataengine import shards
from dataengine.columns import RESPONSE, schema
from dataengine.explain import TEXTS, Trace, bars_of, scorers_of, scores
from dataengine.inference.replay import REPLAYED
from dataengine.reporting.funnel import funnel, rejections
from dataengine.run import LOCK
from dataengine.storage.lock import Holder

WIDTH = 600
"""Characters of one value shown before it is cut (and said to be cut)."""
STRETCH = 80
"""Characters shown of a stretch that a scorer points at."""
MOST_PLACES = 8
"""Rows of one prompt in one folder that are told one by one; more are counted."""
NOTED_IN_A_LINE = 6
RESPONSE_NAMES = tuple(schema(RESPONSE))


def folder_text(folder: Path, *, rows: int) -> Iterator[str]:
    """The lines of `dataengine show DIR`."""
    _refuse_unfinished(folder)
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


def _refuse_unfinished(folder: Path) -> None:
    """ValueError on a folder of ours that has no manifest yet, with who makes it."""
    lock = folder / LOCK
    if shards.is_finished(folder) or not (lock.is_file() or (folder / shards.JOURNAL).is_file()):
        return
    holder = Holder.of(lock.read_bytes()) if lock.is_file() else None
    who = f"{holder} makes it right now" if holder and _lives(holder) else "nobody on this machine makes it right now"
    raise ValueError(f"{folder} is not finished yet, and {who}: the command that began it goes on with it; show it when that has ended")


def _lives(holder: Holder) -> bool:
    """Whether a process is still there; of another machine's that is taken for granted."""
    try:
        if holder.host == socket.gethostname():
            os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


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
    """The lines of `dataengine explain DIR ID`: what each folder did with the row and what became known of it there; then the row."""
    known: set[str] = set()
    for folder, group in itertools.groupby(traces, key=lambda at: at.folder):
        together = list(group)
        for at in (at for at in together if at.record):
            yield f"{folder}  {at.record}"
            yield from (f"    {line}" for line in _noted(at.row))
        places = [at for at in together if not at.record]
        if len(places) > MOST_PLACES:
            yield f"{folder}  {len(places)} responses to {places[0].row['prompt_id']}"
            yield from _summed(places)
            continue
        for at in places:
            yield f"{folder}  {at.row_id}  {_what_happened(at)}"
            yield from (f"    {line}" for line in _news(at, known))
            for name, stretches in at.findings.items():
                yield from (f"    {name}: {_finding_text(stretch)}" for stretch in stretches)
        known |= set().union(*(at.row for at in places))
    last = next(at for at in reversed(traces) if not at.trained and not at.record)
    yield f"--- as it was last seen, in {last.folder}"
    yield from row_text(last.row)


def _what_happened(at: Trace) -> str:
    if at.trained:
        return "trained on it" if "sample" in at.row else "trained on its prompt"
    return "kept" if at.kept else f"dropped by {at.row.get('dropped_by')}: {at.row.get('dropped_because')}"


def _noted(row: dict[str, Any]) -> Iterator[str]:
    """What a step noted of a prompt or a row, a line for every few columns."""
    said = [f"{name} {_short(value)}" for name, value in row.items() if value is not None and name not in ("row", *RESPONSE_NAMES)]
    yield from (", ".join(said[start : start + NOTED_IN_A_LINE]) for start in range(0, len(said), NOTED_IN_A_LINE))


def _summed(places: list[Trace]) -> Iterator[str]:
    for what, count in Counter(_what_happened(at) for at in places).most_common(MOST_PLACES):
        ids = [at.row_id for at in places if _what_happened(at) == what]
        yield f"    {count:>6,}  {what}  ({', '.join(ids[:3])}{' ...' if count > 3 else ''})"


def _news(at: Trace, known: set[str]) -> Iterator[str]:
    """What is first known of a row in this folder: its source, who said it and how, verdicts and who gave them, its bucket."""
    row, settings = at.row, at.manifest["settings"]
    if at.trained:
        yield f"settings: {_short(json.dumps(settings, ensure_ascii=False))}"
        return
    news = {name for name, value in row.items() if name not in known and value is not None}
    if "source" in news:
        yield f"source: {row['source']}{_place(row, settings)}, licence {row.get('license') or 'not said'}"
    if news & {"response", "sample", "engine"}:
        yield from _answered(row)
    judged, versions, bars = scores(row), scorers_of(at.manifest), bars_of(at.manifest)
    for name in (name for name in judged if name not in known or name in versions):
        value = "unjudged" if judged[name]["value"] is None else format(judged[name]["value"], ".3g")
        by, bar = versions.get(name), f", at least {bars[name]}" if name in bars else ""
        yield f"{name} {value}: {judged[name]['reason']}" + (f"  ({by['scorer']}, version {by['version']}{bar})" if by else "")
    said = {"source", "source_row", "recorded_in", "license", "dropped_by", "dropped_because", *RESPONSE_NAMES, *TEXTS, *judged}
    if others := [f"{name} {_short(row[name])}" for name in row if name in news - said and name != "prompt_id"]:
        yield ", ".join(others)


def _place(row: dict[str, Any], settings: Mapping[str, Any]) -> str:
    """Where in its file a row stands; of a recording the line, as its source is another than the file."""
    if row.get("source_row") is None:
        return ""
    if row.get("recorded_in"):
        return f", line {row['source_row'] + 1} of {row['recorded_in']}"
    return f", row {row['source_row']} of {settings.get('file') or settings.get('dataset') or 'the source'}"


def _answered(row: dict[str, Any]) -> Iterator[str]:
    """Who said a response and how, as far as it is known; a replay answers for many models, and drew nothing."""
    engine = row.get("engine") or ""
    replayed = engine.startswith(REPLAYED)
    said_by = {} if replayed else {" of ": row.get("model"), ", revision ": row.get("model_revision")}
    yield f"response: sample {row.get('sample')}" + "".join(f"{word}{fact}" for word, fact in {**said_by, ", by ": engine}.items() if fact)
    if row.get("finish_reason"):
        tokens = row.get("response_tokens")
        yield f"finished: {row['finish_reason']}" + ("" if tokens is None or (replayed and not tokens) else f" after {tokens} tokens")
    if row.get("sampling"):
        yield f"sampling: {row['sampling']}" + ("" if row.get("seed") is None else f", seed {row['seed']}")


def _short(value: Any) -> str:
    text = format(value, ".4g") if isinstance(value, float) else str(value)
    return text if len(text) <= STRETCH * 2 else f"{text[: STRETCH * 2]} ..."


def _finding_text(stretch: dict[str, Any]) -> str:
    known = ", ".join(f"{key} {value}" for key, value in stretch.items() if key not in ("start", "end", "text"))
    return f"{stretch['start']}:{stretch['end']} {stretch['text'][:STRETCH]!r} ({known})"
