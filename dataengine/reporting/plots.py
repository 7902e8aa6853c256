"""Training curves as inline SVG: small, readable, and coloured by the page they stand in (light or dark)."""

from __future__ import annotations

import html
import io
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Run = Sequence[Mapping[str, Any]]
"""The lines of a metrics.jsonl: one mapping for each update."""

SERIES = 8
"""Colours the page has for lines (`--series-1` ...); more runs than that are dashed."""
WIDTH, HEIGHT = 5.2, 2.7
"""Inches of one plot; the page scales it to its column."""

INK, RULE = "#0a0b01", "#0a0b02"
"""Stand-ins that become the page's own colours when the SVG is written."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure of training to plot: `Metric(key="reward", title="reward")`."""

    key: str
    """Its name in metrics.jsonl; `scores.zero_format` is the entry of the mapping `scores`."""
    title: str
    note: str = ""
    share: bool = False
    """Whether it lies in [0, 1]: then the axis shows all of it, in percent."""


def points(run: Run, key: str) -> tuple[list[float], list[float]]:
    """(steps, values) of the updates that have a finite value; an update without `step` counts from 1."""
    found = [(each.get("step", number), _value(each, key)) for number, each in enumerate(run, start=1)]
    kept = [(float(step), float(value)) for step, value in found if value is not None and math.isfinite(value)]
    return [step for step, _ in kept], [value for _, value in kept]


def _value(update: Mapping[str, Any], key: str) -> float | None:
    value: Any = update
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def found_metrics(runs: Mapping[str, Run]) -> list[Metric]:
    """What the trainers' figures say of learning: the reward, each scorer's average, length, cut-off responses, the loss."""
    updates = [update for run in runs.values() for update in run]
    scorers = dict.fromkeys(name for update in updates for name in update.get("scores", {}))
    return [
        Metric(key="reward", title="reward", note="average over the rollouts of an update"),
        *(Metric(key=f"scores.{name}", title=name.replace("_", " "), note="average over the rollouts", share=True) for name in scorers),
        Metric(key="response_tokens", title="response length", note="tokens per rollout"),
        Metric(key="truncated", title="cut off", note="rollouts that reached the token limit", share=True),
        Metric(key="loss", title="loss", note="per trained token"),
    ]


def smoothed(values: Sequence[float]) -> list[float]:
    """Centred moving average over about a tenth of the run; at the ends over the half of it that is there."""
    half = (len(values) + 10) // 20
    windows = (values[max(0, at - half) : at + half + 1] for at in range(len(values)))
    return [sum(window) / len(window) for window in windows]


def dashed(number: int) -> bool:
    """Whether the line of that run (from 0) is dashed, its colour being taken already."""
    return number >= SERIES


def curve(metric: Metric, runs: Mapping[str, Run]) -> str | None:
    """One plot of a metric against the training step, a line for each run in the order given; None where no run has it.

    The raw values are drawn faint behind their moving average. The colours are the page's variables.
    """
    found = {number: points(run, metric.key) for number, run in enumerate(runs.values())}
    if not any(steps for steps, _ in found.values()):
        return None
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.subplots()
    for number, (steps, values) in found.items():
        if steps:
            style: dict[str, Any] = {"color": f"#0a0c{number % SERIES + 1:02d}", "solid_capstyle": "round"}
            alone = "o" if len(steps) == 1 else None
            axes.plot(steps, values, linewidth=0.8, alpha=0.35, **style)
            axes.plot(steps, smoothed(values), linewidth=1.8, marker=alone, linestyle="--" if dashed(number) else "-", **style)
    _dress(axes, share=metric.share)
    out = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "dataengine"}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(out.getvalue(), label=f"{metric.title} against training step")


def _dress(axes: Axes, *, share: bool) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9.5, length=0, pad=5)
    axes.set_xlabel("training step", color=INK, fontsize=9.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    if share:
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _inline(svg: str, *, label: str) -> str:
    """The `<svg>` element alone: no names that could meet another plot's, the page's fonts and colours, its own size left open."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)[ >].*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sid="(?:figure|axes|patch|line2d|matplotlib\.axis|xtick|ytick|text)_\d+"', "", svg)
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r'\sxmlns(?::xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r"font-family: [^;\"]+; ", "", svg)
    svg = svg.replace(INK, "var(--ink-soft)").replace(RULE, "var(--rule)")
    svg = re.sub(r"#0a0c(\d\d)", lambda found: f"var(--series-{int(found[1])})", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(label)}"', 1)


def legend(runs: Mapping[str, Run]) -> list[tuple[str, int, bool]]:
    """(name, colour number, dashed) of every run, as `curve` draws them."""
    return [(name, number % SERIES + 1, dashed(number)) for name, number in zip(runs, itertools.count(), strict=False)]
