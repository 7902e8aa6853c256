"""What people said of the rows, as tables of the card: who answered, how far they agree, and how often filters were wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


def review_lines(road: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[str]:
    """Markdown for every review on the road (the notes of annotation's `reviewed`); nothing where there was none."""
    for _, manifest in road:
        notes = manifest["notes"]
        if notes.get("against"):
            yield from ("", f"## People against filters, in `{manifest['name']}`", "")
            yield from (f"- {line}" for line in against_lines(notes["against"]))
        if "filter_errors" not in notes:
            continue
        yield from ("", f"## People's review `{manifest['name']}`", "")
        yield from _people(notes["reviewed"])
        yield from _agreement(notes["agreement"])
        yield from _errors(notes["filter_errors"])


def against_lines(notes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What people let pass that a filter would not (the notes of annotation's `judged_again`), a line for each verdict and scorer."""
    for each in notes:
        yield f"{each['rows']:,} rows that people {each['people']} fail {each['scorer']} as they are now, first {each['first']}"


def _people(told: Mapping[str, Any]) -> Iterator[str]:
    by = told["by"]
    became = ", ".join(f"{count:,} {state}" for state, count in told["outcome"].items())
    yield f"{told['done']:,} of {told['asked']:,} asked rows were answered (guidelines `{told['guideline']}`): {became}."
    if told["different_edits"]:
        yield f"In {told['different_edits']:,} rows two people edited the same text differently: the latest was taken (`answers` has both)."
    yield from ("", "| annotator | answers | keep | fix | discard | seconds an answer |", "|---|" + "---:|" * 5)
    for annotator, did in by.items():
        counts = " | ".join(f"{did.get(verdict, 0):,}" for verdict in ("answers", "keep", "fix", "discard"))
        each = f"{did['seconds'] / did['answers']:,.0f}" if did["seconds"] is not None else "not measured"
        yield f"| {_cell(annotator)} | {counts} | {each} |"


def _agreement(agreement: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", "| question | people and | rows | say the same | Krippendorff's alpha | 95 % | |", "|---|---|---:|---:|---:|---|---|")
    for each in agreement:
        alpha = "" if each["alpha"] is None else f"{each['alpha']:.2f}"
        between = "each other" if each["between"] == "people" else f"`{each['between']}`"
        shown = f"{each['items']:,} | {_share(each['same'])} | {alpha} | {_interval(each, '.2f')} | {_cell(each['note'])}"
        yield f"| {each['question']} | {between} | {shown} |"


def _errors(errors: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", "| filter | error | rows | answered | estimated share wrong | 95 % | speaks of |", "|---|---|---:|---:|---:|---|---:|")
    for each in errors:
        counts = f"{each['rows']:,} | {each['asked']:,} | {_share(each['rate'])} | {_interval(each, '.1%')}"
        yield f"| {each['of']} | {each['error']} | {counts} | {each['covered']:.0%} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _share(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1%}"


def _interval(each: Mapping[str, Any], form: str) -> str:
    return "" if each["low"] is None else f"{each['low']:{form}} to {each['high']:{form}}"
