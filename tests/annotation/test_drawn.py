from __future__ import annotations

from pathlib import Path
from typing import Any

from annotation.drawn import drawn
from annotation.items import items_of
from annotation.queue import queue
from dataengine import shards
from dataengine.dropped import never_dropped
from dataengine.keep import Bar
from dataengine.run import run
from tests.annotation.rows import everywhere, judge, responses, right, rollout


def rows(count: int) -> list[dict[str, Any]]:
    """Two of three were dropped once, half of these while the judge likes them."""
    told: dict[str, Any] = {"once_dropped_by": "right", "once_dropped_because": "wrong"}
    untold: dict[str, Any] = dict.fromkeys(told)
    return [rollout(n, **(told if n % 3 else untold), answer="wrong" if n % 3 == 1 else None) for n in range(count)]


def test_of_what_was_dropped_exactly_those_rows_are_drawn_that_the_queue_asks_about(tmp_path: Path) -> None:
    data = responses(rows(300))
    worth = run(drawn(data, [right, judge], audit=0.2, seed=3, name="worth"), tmp_path)
    bars = [Bar(scorer=right), Bar(scorer=never_dropped)]
    asked = run(queue(data, bars=bars, watched=[judge], compare=[("right", "judge")], audit=0.2, seed=3), tmp_path)
    dropped_once = {row["row_id"] for row in rows(300) if row["once_dropped_by"]}
    there = set(shards.read(worth)["row_id"])
    assert there & dropped_once == {item.row_id for item in items_of(asked)} & dropped_once
    assert 0 < len(there & dropped_once) < len(dropped_once)
    assert {row["row_id"] for row in rows(300)} - dropped_once <= there
    assert everywhere(worth) == sorted(row["row_id"] for row in rows(300))


def test_without_an_audit_and_scorers_to_compare_nothing_that_was_dropped_is_drawn(tmp_path: Path) -> None:
    worth = run(drawn(responses(rows(30)), [], audit=0.0, seed=0, name="worth"), tmp_path)
    assert shards.read(worth)["once_dropped_by"].null_count() == 10 == len(shards.read(worth))
    assert set(shards.read(worth, shards.REJECTED)["dropped_by"]) == {"drawn"}
