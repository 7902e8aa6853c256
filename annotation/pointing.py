"""Where scorers point, as stretches of the two texts that people see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from annotation.items import parts_of
from dataengine.score import Scorer
from dataengine.templates import Form

MOST = 400
"""Findings of one scorer in one row; a page full of marks tells a person no more."""


def findings_of(scorer: Scorer, row: Mapping[str, Any], form: Form) -> list[dict[str, Any]]:
    """What the scorer points at, as {field, start, stop, scorer, note} with code points of `reasoning` or `summary`.

    A finder says by `field` which text its start and end lie in (reasoning, summary or response); without it they lie in the thoughts,
    or in the response where there are none. What lies in the response is found again in the part that it belongs to.
    """
    try:
        found = scorer.findings(row)
    except Exception as error:  # the scorer boundary: a finder that fails must not cost the row its place
        return [{"field": "reasoning", "start": 0, "stop": 0, "scorer": scorer.name, "note": f"could not point: {error}"[:200]}]
    parts: dict[str, str] = dict(zip(("reasoning", "summary"), parts_of(row, form), strict=True))
    placed = [{**place, "scorer": scorer.name, "note": _note(each)} for each in found for place in _places(each, row, parts)]
    return placed[:MOST]


def _places(found: Mapping[str, Any], row: Mapping[str, Any], parts: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The stretch in the parts that people see; none where it lies between them."""
    field = found.get("field") or ("reasoning" if row.get("reasoning") else "response")
    start, stop = found["start"], found["end"]
    if field in parts:
        if parts[field][start:stop]:
            yield {"field": field, "start": start, "stop": min(stop, len(parts[field]))}
        return
    begin = 0
    for name, part in parts.items():
        at = (row.get("response") or "").find(part, begin) if part else -1
        if at >= 0:
            begin = at + len(part)
            low, high = max(start, at), min(stop, begin)
            if low < high:
                yield {"field": name, "start": low - at, "stop": high - at}


def _note(found: Mapping[str, Any]) -> str:
    """What it is, in a few words: the finder's own `note`, or whatever it knows of the stretch."""
    known = {name: value for name, value in found.items() if name not in ("start", "end", "text", "field", "note")}
    return found.get("note") or ", ".join(f"{name} {value}" for name, value in known.items())
