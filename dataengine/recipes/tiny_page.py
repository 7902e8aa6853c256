"""The end of the tiny road: one table of all models, the data funnel, and a page with the curves and rows to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataengine import shards
from dataengine.report import Curves, Funnel, Report, Road, Samples, Stages
from dataengine.reporting.funnel import folders_before, funnel
from dataengine.reporting.report_folder import READ, audit, road_nodes, some_samples, training_runs
from dataengine.reporting.stage_table import stage_table_text
from dataengine.shards import write_atomically
from dataengine.step import Model, Step
from dataengine.work import Work
from filters.reflection import reflection


@dataclass(frozen=True, kw_only=True)
class Stop:
    """One model of the road with its evaluation."""

    name: str
    model: Model
    evaluation: Step


def page(stops: Sequence[Stop], *, mixed: Step, seed: int, name: str) -> Step:
    """A folder with summary.txt and report.html; `mixed` is the data whose funnel is shown."""
    inputs = {
        "mix": mixed,
        **{f"eval-{stop.name}": stop.evaluation for stop in stops},
        **{f"model-{stop.name}": stop.model for stop in stops},
    }
    return Step(name=name, make=_make, inputs=inputs, settings={"models": [stop.name for stop in stops], "seed": seed})


INTRO = """The road of DeepSeek-R1 in a made-up world of bilingual arithmetic, walked by models of about a million parameters on two CPU
cores. Every stage is real: the same trainers, filters and engine as at full size.

The review queue of this demonstration was answered by a stated rule, not by people: those rows say reviewed_by: auto. The preference
reward of the last stage is a rule as well."""


def _make(work: Work) -> None:
    rows = [{"model": name, **_figures(work.inputs[f"eval-{name}"])} for name in work.settings["models"]]
    before = _all_before(work)
    lines = funnel(work.inputs["mix"], work.root)
    data = [folder for folder in folders_before(work.inputs["mix"], work.root) if shards.read_manifest(folder)["rows"] is not None]
    report = Report(
        title=f"R1 in the tiny world, seed {work.settings['seed']}",
        intro=INTRO,
        facts=_facts(lines, rows),
        sections=[
            Stages(rows=rows),
            Road(nodes=road_nodes([folder for folder in before if "eval-" not in folder.name])),
            Curves(runs=training_runs(before)),
            Funnel(rows=lines),
            Samples(title=f"{READ} rows of the mix", samples=some_samples([work.inputs["mix"]])),
            Samples(title=f"{READ} rows that were dropped", samples=some_samples(data, shards.REJECTED)),
            audit(before),
        ],
    )
    report.write(work.folder / "report.html")
    text = f"{stage_table_text(rows)}\n{_funnel_text(lines)}"
    write_atomically(work.folder / "summary.txt", lambda out: out.write(text.encode()))


def _figures(evaluation: Path) -> dict[str, Any]:
    """One line of the stage table, from an evaluation's notes."""
    notes = shards.read_manifest(evaluation)["notes"]
    figures, means = notes["figures"], notes["means"]
    votes = next(key for key in figures if key.startswith("cons@"))
    format_ = next(key for key in means if key.endswith("_format"))
    return {
        "accuracy": figures["pass@1"]["value"],
        "accuracy_se": figures["pass@1"]["error"],
        votes: figures[votes]["value"],
        "format": means[format_]["value"],
        "language": means["language_share"]["value"],
        "reflection": means["reflection"]["value"] * reflection.defaults["most"],
        "length": figures["response_tokens"],
        "truncated": figures["truncated"] / figures["responses"],
    }


def _all_before(work: Work) -> list[Path]:
    found = (before for folder in work.inputs.values() for before in folders_before(folder, work.root))
    return list(dict.fromkeys(found))


def _facts(lines: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    best = max(rows, key=lambda row: row["accuracy"] or 0.0)
    made = sum(line["made"] for line in lines if line["step"].startswith(("cold-", "rollouts", "talk-rollouts")) and not line["rejected"])
    return {"responses made": f"{made:,}", "rows in the mix": f"{lines[-1]['kept']:,}", "best pass@1": f"{100 * best['accuracy']:.1f} %"}


def _funnel_text(lines: Sequence[dict[str, Any]]) -> str:
    """The funnel for a terminal: each step with what it made and kept, and its three commonest reasons."""
    shown = [f"{'data':<28}{'made':>8}{'kept':>8}  rejected"]
    for line in lines:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in list(line["rejected"].items())[:3])
        shown.append(f"{line['step']:<28}{line['made']:>8,}{line['kept']:>8,}  {reasons}".rstrip())
    return "\n".join(shown) + "\n"
