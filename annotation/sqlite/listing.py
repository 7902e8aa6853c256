"""A store as a list: which items there are, what they are filtered by, and how far one annotator is with each."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from annotation.questions import VERDICTS
from annotation.sqlite.narrow import FACETS, Narrow
from annotation.sqlite.packing import holdable
from annotation.sqlite.store import Store

MOST = 500
"""Rows of one page of the list."""
STATES = ("pending", "draft", "submitted", "discarded", "done")
"""How far an annotator is with an item. An answer that can not be used is like a draft: to be finished; `done`: others did it."""
MINE = """CASE WHEN answers.usable = 1 THEN answers.status
               WHEN answers.item_id IS NOT NULL OR drafts.item_id IS NOT NULL THEN 'draft'
               WHEN items.usable >= items.wanted THEN 'done' ELSE 'pending' END"""
WITH_MINE = """FROM items
    LEFT JOIN answers ON answers.item_id = items.item_id AND answers.annotator = ? AND answers.latest = 1
    LEFT JOIN drafts ON drafts.item_id = items.item_id AND drafts.annotator = ? AND drafts.latest = 1 AND drafts.body IS NOT NULL
    WHERE items.current = 1"""
COLUMNS = ("item_id", "row_id", "rank", "why", *FACETS[1:], "opening", "characters", "usable", "wanted")


def rows(store: Store, annotator: str, narrow: Narrow, *, status: str = "", offset: int = 0, limit: int = 100) -> dict[str, Any]:
    """One page of the list in the queue's order, how many rows match, and the facets."""
    if status not in ("", *STATES):
        raise ValueError(f"status is one of {', '.join(STATES)}, got {status!r}")
    where, values = narrow.sql()
    asked: list[Any] = [holdable(annotator)] * 2 + values
    if status:
        where, asked = f"{where} AND {MINE} = ?", [*asked, status]
    columns = ", ".join(f"items.{name}" for name in COLUMNS)
    page = f"SELECT {columns}, {MINE} {WITH_MINE}{where} ORDER BY items.rank, items.item_id LIMIT ? OFFSET ?"
    with store.database.reading() as db:
        (total,) = db.execute(f"SELECT count(*) {WITH_MINE}{where}", asked).fetchone()
        found = db.execute(page, [*asked, min(limit, MOST), offset]).fetchall()
    names = [{"opening": "prompt", "usable": "answers"}.get(name, name) for name in COLUMNS]
    return {"rows": [dict(zip([*names, "mine"], row, strict=True)) for row in found], "total": total, "facets": facets(store, annotator)}


def facets(store: Store, annotator: str) -> dict[str, dict[str, int]]:
    """How many items there are of each value of what they are filtered by."""
    with store.database.reading() as db:
        found = {
            name: dict(db.execute(f"SELECT {name}, count(*) FROM items WHERE current = 1 AND {name} <> '' GROUP BY {name}").fetchall())
            for name in FACETS
        }
    return {**found, "mine": _mine(store, annotator)}


def standing_of(store: Store, annotator: str) -> dict[str, Any]:
    """How many items the annotator has answered, begun and not begun, and the seconds spent."""
    with store.database.reading() as db:
        query = """SELECT coalesce(sum(seconds), 0) FROM answers JOIN items USING (item_id)
                   WHERE annotator = ? AND latest = 1 AND current = 1"""
        (seconds,) = db.execute(query, [holdable(annotator)]).fetchone()
    return {**_mine(store, annotator), "seconds": seconds}


def throughput(store: Store) -> dict[str, dict[str, Any]]:
    """For each annotator: answers, the time they took (median seconds; answers in an hour of it) and the verdicts."""
    with store.database.reading() as db:
        found = db.execute(
            """SELECT annotator, verdict, seconds FROM answers JOIN items USING (item_id)
               WHERE latest = 1 AND current = 1 AND answers.usable = 1 ORDER BY annotator"""
        ).fetchall()
    by: dict[str, list[tuple[str, float | None]]] = {}
    for annotator, verdict, seconds in found:
        by.setdefault(annotator, []).append((verdict, seconds))
    return {name: _pace(said) for name, said in by.items()}


def _pace(said: list[tuple[str, float | None]]) -> dict[str, Any]:
    timed = [seconds for _, seconds in said if seconds is not None]
    spent = sum(timed)
    verdicts: Mapping[str, int] = {each: sum(verdict == each for verdict, _ in said) for each in VERDICTS}
    return {
        "answers": len(said),
        "seconds": spent,
        "median_seconds": statistics.median(timed) if timed else None,
        "per_hour": 3600 * len(timed) / spent if spent else None,
        "verdicts": verdicts,
    }


def _mine(store: Store, annotator: str) -> dict[str, int]:
    with store.database.reading() as db:
        query = f"SELECT {MINE} AS mine, count(*) {WITH_MINE} GROUP BY mine"
        return dict.fromkeys(STATES, 0) | dict(db.execute(query, [holdable(annotator)] * 2).fetchall())
