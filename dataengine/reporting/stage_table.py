"""The stage table: models x figures with their errors, for a terminal, for markdown and for the report."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

ERROR = "_se"
"""`accuracy_se` is the standard error of `accuracy` and is shown beside it."""

NONE = "–"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """How one figure of a model is titled and written."""

    title: str
    form: Literal["share", "number", "count"]
    """share: in [0, 1], written in percent; number: two decimals; count: whole, with thousands marked."""
    meaning: str = ""


KNOWN = {
    "accuracy": Figure(title="accuracy %", form="share", meaning="pass@1: the average over problems and samples, ± its standard error"),
    "format": Figure(title="format %", form="share", meaning="responses that keep to the asked output format"),
    "language": Figure(title="language %", form="share", meaning="words of the thoughts that are in the language of the question"),
    "reflection": Figure(title="reflection", form="number", meaning="words such as “wait” or “等等” per response"),
    "length": Figure(title="length", form="count", meaning="tokens of a response"),
    "truncated": Figure(title="truncated %", form="share", meaning="responses cut off at the token limit"),
    "problems": Figure(title="problems", form="count"),
    "responses": Figure(title="responses", form="count"),
}


def figure(key: str, rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The known figure of that name; pass@k and cons@k are shares; of others the values decide."""
    if key in KNOWN:
        return KNOWN[key]
    if key.startswith("pass@"):
        return Figure(title=f"{key} %", form="share", meaning=f"problems solved by at least one of {key[5:]} samples")
    if key.startswith("cons@"):
        return Figure(title=f"{key} %", form="share", meaning=f"problems whose most frequent answer among {key[5:]} samples is right")
    whole = all(isinstance(row[key], int) for row in rows if row.get(key) is not None)
    return Figure(title=key.replace("_", " "), form="count" if whole else "number")


def figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """The figures of all rows in the order of their first appearance, without the names and the errors."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: figure(key, rows) for key in keys if key != "model" and not key.endswith(ERROR)}


def cell(row: Mapping[str, Any], key: str, form: str) -> tuple[str, str]:
    """(value, error) as they are written: `("41.3", "± 1.8")`; a figure that a model lacks is a dash."""
    value, error = row.get(key), row.get(f"{key}{ERROR}")
    if value is None:
        return NONE, ""
    scale, places = {"share": (100.0, 1), "number": (1.0, 2), "count": (1.0, 0)}[form]
    return f"{value * scale:,.{places}f}", "" if error is None else f"± {error * scale:.{max(places, 1)}f}"


def written(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Titles and cells of the whole table as text, the models' names first."""
    shown = figures(rows)
    cells = [[str(row["model"]), *(" ".join(cell(row, key, each.form)).strip() for key, each in shown.items())] for row in rows]
    return ["model", *(each.title for each in shown.values())], cells


def stage_table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table for a terminal, with bold titles where stdout is one and as plain text otherwise.

    A row is `{"model": "R1-Zero", "accuracy": 0.41, "accuracy_se": 0.018, "cons@16": 0.5, "language": None, ...}`.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    titles, cells = written(rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number else "left", no_wrap=True)
    for line in cells:
        table.add_row(*(Text(each) for each in line))
    terminal = sys.stdout.isatty()
    width = 20 + sum(max(len(line[at]) for line in [titles, *cells]) + 3 for at in range(len(titles)))
    out = io.StringIO()
    Console(file=out, force_terminal=terminal, no_color=not terminal, width=width).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")


def stage_table_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table as GitHub markdown, for the documents."""
    titles, cells = written(rows)
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *([each.replace("|", "\\|") for each in line] for line in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
