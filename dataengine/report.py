"""A report as one self-contained HTML page: stage table, training curves, funnel, samples to read, the road and its settings.

    Report(title="R1 in miniature", intro="...", sections=[Stages(rows=...), Curves(runs=..., metrics=...)]).write(path)

The page loads nothing from anywhere. Text of models is shown exactly as it is and never as HTML.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import jinja2

from dataengine.reporting.plots import Metric, Run, curve, found_metrics, legend
from dataengine.reporting.stage_graph import NODE_HEIGHT, Node, Picture, layout
from dataengine.reporting.stage_table import Figure, cell, figures
from dataengine.shards import write_atomically

FOLD_CHARACTERS, FOLD_LINES = 700, 14
"""A text longer than this is folded, and its first half of that is shown."""

TAGS = re.compile(r"(</?(?:think|answer|summary)>|\|special_token\|)")


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page; `kind` names the macro of the template that draws it."""

    kind: ClassVar[str]
    title: str
    note: str = ""
    """A sentence or two under the title."""

    @property
    def anchor(self) -> str:
        """What links within the page call it."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True, kw_only=True)
class Stages(Section):
    """The stage table; rows as `dataengine.reporting.stage_table.stage_table_text` takes them."""

    kind = "stages"
    title: str = "Stages"
    rows: Sequence[Mapping[str, Any]]

    @property
    def columns(self) -> dict[str, Figure]:
        """The figures in order."""
        return figures(self.rows)

    def cell(self, row: Mapping[str, Any], key: str) -> tuple[str, str]:
        """(value, error) as they are written."""
        return cell(row, key, self.columns[key].form)


@dataclass(frozen=True, kw_only=True)
class Curves(Section):
    """Training curves: one plot for each metric, one line for each run."""

    kind = "curves"
    title: str = "Training"
    runs: Mapping[str, Run]
    """Name of the run -> the lines of its metrics.jsonl (`read_metrics`)."""
    metrics: Sequence[Metric] = ()
    """None named: the reward, every scorer, length and loss, as far as the runs have them."""

    @property
    def legend(self) -> list[tuple[str, int, bool]]:
        """(name, colour number, dashed) of every run."""
        return legend(self.runs)

    @property
    def plots(self) -> Iterator[tuple[Metric, str]]:
        """Metrics that some run has, with their SVG."""
        return ((metric, svg) for metric in self.metrics or found_metrics(self.runs) if (svg := curve(metric, self.runs)))


@dataclass(frozen=True, kw_only=True)
class Funnel(Section):
    """What became of the rows of each step: `{"step": ..., "made": n, "kept": n, "rejected": {reason: n}}`, as `funnel` gives them."""

    kind = "funnel"
    title: str = "Data funnel"
    rows: Sequence[Mapping[str, Any]]
    most: int = 6
    """Reasons shown for each step; the others are folded."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A response to read, with what was said of it."""

    prompt: str
    response: str | None
    """The text exactly as it was; None where there is none."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Small facts beside it: the model, the row's id, its reference answer."""
    verdicts: Mapping[str, tuple[float | None, str]] = field(default_factory=dict)
    """Scorer -> (value, reason); None means that it could not be judged."""
    dropped: str = ""
    """Who dropped it and why; empty for a kept one."""

    def pieces(self, text: str) -> Iterator[tuple[str, bool]]:
        """The text in order, cut at its tags: (piece, whether it is a tag)."""
        return ((piece, at % 2 == 1) for at, piece in enumerate(TAGS.split(text)) if piece)

    @property
    def beginning(self) -> str | None:
        """What is shown of a response that is folded; None for one that is short enough to be shown whole."""
        text = self.response or ""
        lines = text.split("\n")
        if len(text) <= FOLD_CHARACTERS and len(lines) <= FOLD_LINES:
            return None
        return "\n".join(lines[: FOLD_LINES // 2])[: FOLD_CHARACTERS // 2]


def sample(row: Mapping[str, Any]) -> Sample:
    """A row of one of our folders, kept or rejected, as a sample to read."""
    asked = [message["content"] for message in row.get("messages") or [] if message["role"] == "user"]
    judged = {name: value for name, value in row.items() if isinstance(value, Mapping) and set(value) == {"value", "reason"}}
    row_id = row.get("prompt_id") if row.get("sample") is None else f"{row.get('prompt_id')}/{row['sample']}"
    facts = {"reference": row.get("answer"), "tokens": row.get("response_tokens"), "model": row.get("model"), "row": row_id}
    return Sample(
        prompt="\n\n".join(asked),
        response=row.get("response"),
        about={name: value for name, value in facts.items() if value is not None},
        verdicts={name: (value["value"], value["reason"]) for name, value in judged.items()},
        dropped=": ".join(str(row[name]) for name in ("dropped_by", "dropped_because") if row.get(name)),
    )


@dataclass(frozen=True, kw_only=True)
class Samples(Section):
    """Responses to read, kept or rejected."""

    kind = "samples"
    samples: Sequence[Sample]


@dataclass(frozen=True, kw_only=True)
class Road(Section):
    """The picture of which model and which data came from which."""

    kind = "road"
    title: str = "The road"
    nodes: Sequence[Node]

    @property
    def picture(self) -> Picture:
        """Where everything lies."""
        return layout(self.nodes)


@dataclass(frozen=True, kw_only=True)
class Audit(Section):
    """Seeds, settings and folders: `{"step": ..., "folder": ..., "settings": {...}}` for each step, for whoever wants to check."""

    kind = "audit"
    title: str = "Settings, seeds and folders"
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Report:
    """A page: title, a few words, figures that sum it up, and sections in order."""

    title: str
    intro: str = ""
    """Paragraphs, divided by empty lines."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Shown large at the top, such as `{"responses made": "21,504", "time": "13 min"}`."""
    sections: Sequence[Section]

    def html(self) -> str:
        """The whole page as text."""
        return _template().render(report=self)

    def write(self, path: Path) -> Path:
        """Write the page and return its path."""
        write_atomically(path, lambda out: out.write(self.html().encode()))
        return path


def read_metrics(model: Path) -> list[dict[str, Any]]:
    """The figures of every update of a training run, from its model folder; none where the model was not trained by us."""
    path = model / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@functools.cache
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["settings"] = lambda value: json.dumps(value, indent=1, ensure_ascii=False, default=str)
    return environment.get_template("report.html.jinja", globals={"box_height": NODE_HEIGHT})
