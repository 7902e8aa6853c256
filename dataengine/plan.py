"""What a run would do, without doing it: steps, folders, rows, the first prompt and the tokens asked for at most."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from dataengine import shards
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.sources import head
from dataengine.step import Model, Step, ancestors, rebuilt


def is_source(step: Step) -> bool:
    """Whether a step makes rows out of nothing but its settings."""
    return not step.inputs and not isinstance(step, Model)


def limited(step: Step, rows: int) -> Step:
    """The same road with `rows` rows at most from every source."""
    if rows < 1:
        raise ValueError(f"--limit wants at least one row, got {rows}")
    return rebuilt(step, lambda at: head(at, rows) if is_source(at) else at)


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
        if not there and "samples" in at.settings and "template" in at.settings:
            yield from _asked(at, root)


def _asked(step: Step, root: Path) -> Iterator[str]:
    """The first prompt of a step that asks a model, and how much it asks for at most."""
    problems = next(iter(step.inputs.values()))
    for each in step.inputs.values():
        problems = each if not isinstance(each, Model) else problems
    if shards.is_finished(problems.place(root)):
        rows = shards.read(problems.place(root))
    elif all(is_source(at) or at.name == problems.name for at in ancestors(problems)):
        with tempfile.TemporaryDirectory() as folder:
            rows = shards.read(run(problems, folder, machine=Machine(workers=1)))
    else:
        yield f"         its prompts come from {problems.folder}, which is not there yet"
        return
    samples, most = step.settings["samples"], step.settings["sampling"].max_tokens
    count = rows[samples].sum() if isinstance(samples, str) else len(rows) * samples
    yield f"         {len(rows):,} prompts, {count:,} responses, at most {count * most:,} tokens; the first prompt:"
    for line in step.settings["template"].render(rows["messages"].to_list()[0]).splitlines():
        yield f"         | {line}"
