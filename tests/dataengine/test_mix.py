from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from dataengine import shards
from dataengine.keep import keep
from dataengine.mix import Quota, mix
from dataengine.run import run
from dataengine.sources import rows
from dataengine.step import Step
from tests.dataengine.test_keep import share

DOMAINS = ("math", "code")


def part(count: int, *, name: str = "reasoning") -> Step:
    return rows([{"question": f"{name} {n}", "answer": "1", "domain": DOMAINS[n % 2]} for n in range(count)], name=name)


def mixed(tmp_path: Path, parts: dict[str, Step], quotas: Sequence[Quota], *, seed: int = 0) -> pl.DataFrame:
    return shards.read(run(mix(parts, quotas, seed=seed), tmp_path))


def test_quotas_are_met_exactly_and_the_rest_is_rejected(tmp_path: Path) -> None:
    quotas = [Quota(part="a", rows=7, where={"domain": "math"}), Quota(part="a", rows=3, where={"domain": "code"}), Quota(part="b", rows=5)]
    step = mix({"a": part(100), "b": part(50, name="chat")}, quotas, seed=1)
    folder = run(step, tmp_path)
    counted = shards.read(folder).group_by("bucket").agg(rows=pl.len()).sort("bucket")
    assert counted.to_dict(as_series=False) == {"bucket": ["a/domain=code", "a/domain=math", "b"], "rows": [3, 7, 5]}
    assert len(shards.read(folder, shards.REJECTED)) == 150 - 15


def test_the_same_seed_gives_the_same_rows_in_the_same_order_and_another_seed_others(tmp_path: Path) -> None:
    quotas = [Quota(part="a", rows=20)]
    one, again, other = (
        mixed(tmp_path / where, {"a": part(100)}, quotas, seed=seed) for where, seed in (("one", 0), ("again", 0), ("other", 1))
    )
    assert one.equals(again)
    assert set(one["prompt_id"]) != set(other["prompt_id"])


def test_adding_rows_moves_few_of_those_chosen_before(tmp_path: Path) -> None:
    quotas = [Quota(part="a", rows=50)]
    before = set(mixed(tmp_path, {"a": part(100)}, quotas)["prompt_id"])
    after = set(mixed(tmp_path, {"a": part(110)}, quotas)["prompt_id"])
    assert len(before & after) >= 35


def test_a_shortage_is_reported_with_what_was_dropped_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = rows([{"question": f"q{n}", "answer": "1" if n < 4 else "0", "domain": "math"} for n in range(10)])
    step = mix({"a": keep(source, share)}, [Quota(part="a", rows=9, where={"domain": "math"})], seed=0)
    notes = shards.read_manifest(run(step, tmp_path))["notes"]
    assert notes["quotas"][0] | {"dropped_before": []} == {
        "bucket": "a/domain=math", "wanted": 9, "had": 4, "taken": 4, "short": 5, "dropped_before": [],
    }  # fmt: skip
    assert notes["quotas"][0]["dropped_before"][0]["rows"] == 6
    assert "wanted 9, had 4, short 5 (dropped before: 6 by share)" in capsys.readouterr().err


def test_a_shortage_stops_the_run_when_asked_to(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="short 1"):
        run(mix({"a": part(4)}, [Quota(part="a", rows=5)], seed=0, stop_when_short=True), tmp_path)


def test_a_quota_for_no_part_a_doubled_quota_and_a_missing_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the mix has a"):
        mix({"a": part(4)}, [Quota(part="b", rows=5)], seed=0)
    with pytest.raises(ValueError, match="ask for the same rows"):
        mix({"a": part(4)}, [Quota(part="a", rows=5), Quota(part="a", rows=2)], seed=0)
    with pytest.raises(ValueError, match="asks for the column 'subject'"):
        run(mix({"a": part(4)}, [Quota(part="a", rows=2, where={"subject": "x"})], seed=0), tmp_path)
