"""The report of a finished folder shows what is on disk: every step, its rows kept and dropped, its settings."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from dataengine.keep import keep
from dataengine.mix import Quota, mix
from dataengine.reporting.report_folder import audit, report_folder, road_nodes, some_samples, training_runs
from dataengine.run import run
from dataengine.shards import REJECTED, land, write_manifest
from dataengine.step import Step
from tests.dataengine.test_keep import data, share


def kept() -> Step:
    return keep(data(), share, at_least=0.5)


def model_folder(root: Path, name: str, *, inputs: dict[str, str]) -> Path:
    """A trained model as it is on disk, without weights: the report reads its manifest and its figures."""
    folder = root / f"{name}-00000000"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text(json.dumps({"step": 1, "reward": 0.5, "scores": {"share": 0.25}}) + "\n")
    said = {
        "name": name,
        "made_by": "test",
        "settings": {"seed": 7},
        "inputs": inputs,
        "rows": None,
        "rejected": 0,
        "notes": {},
        "files": [],
    }
    write_manifest(folder, said)
    return folder


def test_the_page_shows_the_whole_road_of_a_model(tmp_path: Path) -> None:
    rows = run(mix({"kept": kept()}, [Quota(part="kept", rows=1)], seed=0), tmp_path)
    html = report_folder(model_folder(tmp_path, "Dev1", inputs={"data": rows.name, "base": "/models/tiny-base"})).html()
    for expected in (
        ">tiny-base</text>",
        ">Dev1</text>",
        "was there already",
        "reward against training step",
        "share against training step",
    ):
        assert expected in html
    assert "2 kept of 4, 50.0 %" in html
    assert "&#34;at_least&#34;: 0.5" in html


def test_nodes_of_one_name_bear_their_folders_names(tmp_path: Path) -> None:
    one, two = run(kept(), tmp_path), run(keep(data(), share, at_least=0.9), tmp_path)
    source = run(data(), tmp_path)
    nodes = road_nodes([source, one, two])
    assert {node.name for node in nodes} == {one.name, two.name, nodes[0].name}
    assert nodes[1].inputs == (nodes[0].name,)
    assert nodes[1].note == "2 rows"


def test_training_runs_are_those_with_figures(tmp_path: Path) -> None:
    model = model_folder(tmp_path, "zero", inputs={})
    assert list(training_runs([run(data(), tmp_path), model])) == ["zero"]


def test_samples_are_spread_over_folders_and_rows(tmp_path: Path) -> None:
    for name, count in (("a", 40), ("b", 1), ("c", 0)):
        responses = [None, *(f"{name}{number}" for number in range(count))]
        land(tmp_path / name, "rejected/00000.parquet", pl.DataFrame({"response": responses}, schema={"response": pl.String}))
    found = [each.response for each in some_samples([tmp_path / name for name in "abc"], REJECTED, most=5)]
    assert found == ["a0", "b0", "a8", "a16", "a24"]
    assert some_samples([tmp_path / "a"]) == [], "nothing was kept there"


def test_settings_and_seeds_are_there_for_audit(tmp_path: Path) -> None:
    section = audit([model_folder(tmp_path, "zero", inputs={})])
    assert section.rows[0]["settings"]["settings"] == {"seed": 7}


def test_a_folder_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder of ours"):
        report_folder(tmp_path)
