"""Two real Ray nodes, one killed in the middle: the folders are those of a local run, to the byte."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from tests.integration.ray import cluster as clusters
from tests.integration.ray.cluster import Cluster
from tests.integration.ray.drivers import data_files, finished, lines_of, start, stored_keys, wait_until
from tests.integration.ray.hold import held, let_go, nodes

pytestmark = [
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'r1-dataengine[ray]'"),
    pytest.mark.skipif(not clusters.can_hide(), reason="no mount namespaces here: the second node cannot be kept from seeing our files"),
]


def test_shards_are_judged_on_both_nodes_and_one_may_be_lost(cluster: Cluster, place: Path, tmp_path: Path) -> None:
    here, there, hold = place / "shards-local", place / "shards-ray", tmp_path / "hold"
    finished(start("filtered", here, held=hold), here)
    process = start("filtered", there, address=cluster.with_both().address, held=held(hold))
    wait_until(lambda: nodes(hold) == 2 and len(list(there.glob("sevens-*/*.parquet"))) >= 3, process, there)
    cluster.kill_second()
    assert len(list(there.glob("sevens-*/*.parquet"))) < 10, "it was lost in the middle"
    let_go(hold)
    finished(process, there)
    assert data_files(there) == data_files(here)


def test_verifiers_judge_on_both_nodes_and_one_may_be_lost(cluster: Cluster, place: Path, tmp_path: Path) -> None:
    answers, log, hold = place / "judged", place / "judged.log", held(tmp_path / "hold")
    process = start("judged", answers, address=cluster.with_both().address, held=hold)
    wait_until(lambda: log.read_text().count("is there: 1 processes") == 2 and lines_of(answers) >= 40, process, answers)
    wait_until(lambda: nodes(hold) == 2, process, answers)
    cluster.kill_second()
    assert lines_of(answers) < 380, "it was lost in the middle"
    let_go(hold)
    assert "what it had not answered is asked again" in finished(process, answers)
    judged = [json.loads(line) for line in answers.read_text().splitlines()]
    assert sorted(text for text, *_ in judged) == sorted(f"{number * 7919 % 100_003}" for number in range(400))
    assert all((value, reason) == (float("7" in text), f"{text.count('7')} sevens") for text, value, reason in judged)


def test_a_broken_scorer_stops_the_run_as_it_would_here(cluster: Cluster, place: Path) -> None:
    process = start("bad", place / "bad", address=cluster.with_both().address)
    assert process.wait() == 1
    assert "dataengine.errors.Stopped: broken failed on 500 of 500 rows" in (place / "bad.log").read_text()


def test_engines_and_verifiers_sample_on_both_nodes_and_one_may_be_lost(cluster: Cluster, place: Path, model: Path, tmp_path: Path) -> None:
    here, there, hold = place / "asked-local", place / "asked-ray", held(tmp_path / "hold")
    finished(start("asked", here, model=model), here)
    process = start("asked", there, address=cluster.with_both().address, model=model, held=hold)
    log = place / "asked-ray.log"
    wait_until(lambda: log.read_text().count("is there: local") == 2 and len(stored_keys(there)) >= 20, process, there)
    cluster.kill_second()
    before = len(stored_keys(there))
    let_go(hold)
    said = finished(process, there)
    assert before < 0.9 * len(stored_keys(here)), "it was lost in the middle"
    assert "what it had not answered is asked again" in said
    nodes = {line.rpartition(" ")[2] for line in said.splitlines() if "is there: local" in line}
    assert len(nodes) == 2, "the second node brought the model through the object store: it sees nothing of the driver's files"
    keys = stored_keys(there)
    assert len(keys) == len(set(keys))
    assert set(keys) == set(stored_keys(here))
    assert data_files(there) == data_files(here)
