"""What of Ray can be tried without a cluster; the rest is in tests/integration/ray."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from dataengine import shards
from dataengine.cluster.on_ray import _judge_shard, check_node, check_same, connected, made_with, said_of
from dataengine.machine import Machine
from tests.dataengine.test_score import has_letter


def halves(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    middle = settings["middle"]
    return {"": rows[:middle], "rejected": rows[middle:]}


def test_a_task_gives_the_bytes_that_a_local_run_would_write() -> None:
    rows = pl.DataFrame({"text": [f"text {number}" for number in range(1_000)]})
    same = (halves, {"middle": 3}, said_of({"middle": 3}), made_with())
    parts = _judge_shard(same, shards.packed(rows), {"middle": 400})
    assert [(part.name, part.rows) for part in parts] == [("rejected", 600), ("", 400)], (
        "what is given for one shard wins; the kept land last"
    )
    assert [part.shard for part in parts] == [shards.packed(rows[400:]), shards.packed(rows[:400])]
    assert pl.read_parquet(io.BytesIO(parts[1].shard)).equals(rows[:400])


def test_a_node_with_other_versions_is_refused() -> None:
    check_node(made_with())
    with pytest.raises(ValueError, match=r"has polars \S+ \(driver: 0\.1\): install the same versions on every node"):
        check_node({**made_with(), "polars": "0.1"})


def test_a_node_with_another_scorer_is_refused() -> None:
    settings = {"scorer": has_letter.with_(letter="7")}
    check_same(settings, said_of(settings))
    with pytest.raises(ValueError, match="another version of a scorer"):
        check_same(settings, said_of(settings).replace('"version": "7"', '"version": "8"'))


def test_an_address_of_a_client_is_refused_with_the_way_out() -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.raises(ValueError, match="with --ray_address auto"):
        connected(Machine(on="ray", ray_address="ray://head:10001"))
