"""What a run would do, without doing it: steps, folders, rows, the first prompt and the tokens asked for at most."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from dataengine import shards
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.sampling.spending_policy import Fixed
from dataengine.sources import head
from dataengine.step import Model, Recording, Step, ancestors, rebuilt


def is_source(step: Step) -> bool:
    """Whether a step makes rows out of nothing but its settings."""
    return not step.inputs and not isinstance(step, Model)


def limited(step: Step, rows: int) -> Step:
    """The same road with `rows` rows at most from every source."""
    if rows < 1:
        raise ValueError(f"--limit wants at least one row, got {rows}")
    return rebuilt(step, lambda at: at.limited(rows) if isinstance(at, Recording) else head(at, rows) if is_source(at) else at)


def plan(step: Step, root: Path) -> Iterator[str]:
    """The lines of `--dry-run`."""
    for at in ancestors(step):
        place = at.place(root)
        there = shards.is_finished(place) or (not at.inputs and isinstance(at, Model) and place.exists())
        rows = shards.read_manifest(place)["rows"] if shards.is_finished(place) else None
        known = f", {rows:,} rows" if rows is not None else ""
        yield f"{'there  ' if there else 'to make'}  {at.folder}{known}" + (
            f"  <- {', '.join(b.folder for b in at.inputs.values())}" if at.inputs else ""
        )
        if not there and "sampling" in at.settings and "template" in at.settings:
            yield from _asked(at, root)


def _asked(step: Step, root: Path) -> Iterator[str]:
    """The first prompt of a step that asks a model, and how much it asks for at most."""
    data = [each for each in step.inputs.values() if not isinstance(each, Model)]
    rewrites = "tries" in step.settings
    rows = _problems(data[0], root) if data and not rewrites else None
    if rows is None or rows.is_empty():
        of = f"; at most {step.settings['tries']} replies to each" if rewrites else ""
        yield f"         its prompts come from {data[0].folder if data else 'nowhere'}, which is not there yet{of}"
        return
    count, most = _responses(step, rows), step.settings["sampling"].max_tokens
    yield f"         {len(rows):,} prompts, at most {count:,} responses and {count * most:,} tokens; the first prompt:"
    first = _prompted(data[0], root)
    for line in step.settings["template"].render((rows if first is None else first)["messages"].to_list()[0]).splitlines():
        yield f"         | {line}"


def _prompted(data: Step, root: Path) -> pl.DataFrame | None:
    """The first problem as the steps before put it, where no model has to be asked for that; None where they leave none."""
    if shards.is_finished(data.place(root)) or is_source(data) or any(isinstance(at, Model) for at in ancestors(data)):
        return None
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        rows = shards.read(run(limited(data, 1), folder, machine=Machine(workers=1)))
    return None if rows.is_empty() else rows


def _problems(data: Step, root: Path) -> pl.DataFrame | None:
    """The rows that are asked about; where filters stand before them that have not run, those of the source; None if there are several."""
    if shards.is_finished(data.place(root)):
        return shards.read(data.place(root))
    sources = [at for at in ancestors(data) if is_source(at)]
    if len(sources) != 1:
        return None
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        return shards.read(run(sources[0], folder, machine=Machine(workers=1)))


def _responses(step: Step, rows: pl.DataFrame) -> int:
    """How many responses a step asks for at most."""
    if "spending" in step.settings:
        spending = step.settings["spending"]
        return len(rows) * (spending.samples if isinstance(spending, Fixed) else spending.at_most)
    samples = step.settings["samples"]
    return sum(rows[samples].to_list()) if isinstance(samples, str) else len(rows) * samples
