"""Two real Ray nodes, one killed in the middle: the folders are those of a local run, to the byte."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dataengine import roads
from tests.integration.ray import cluster as clusters
from tests.integration.ray.cluster import QUIET, REPOSITORY, Cluster

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'r1-dataengine[ray]'"),
    pytest.mark.skipif(not clusters.can_hide(), reason="no mount namespaces here: the second node cannot be kept from seeing our files"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the driver that the second node does not see."""
    return tmp_path_factory.mktemp("driver")


@pytest.fixture(scope="module")
def cluster(place: Path) -> Iterator[Cluster]:
    made = Cluster(hidden=place)
    yield made
    made.close()


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    return roads.saved_model(place / "model")


def start(what: str, root: Path, *, address: str = "", model: Path | None = None) -> subprocess.Popen[bytes]:
    code = f"from tests.integration.ray.slow_road import main; main({what!r}, {str(root)!r}, {address!r}, {str(model or '')!r})"
    with (root.parent / f"{root.name}.log").open("wb") as said:
        return subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, env={**os.environ, **QUIET}, stdout=said, stderr=said)


def finished(process: subprocess.Popen[bytes], root: Path) -> str:
    status = process.wait()
    said = (root.parent / f"{root.name}.log").read_text()
    assert status == 0, said
    return said


def wait_until(there: Callable[[], bool], process: subprocess.Popen[bytes], root: Path) -> None:
    while not there():
        assert process.poll() is None, (root.parent / f"{root.name}.log").read_text()
        time.sleep(0.05)


def data_files(root: Path) -> dict[str, bytes]:
    found = [path for path in sorted(root.glob("*-*/**/*")) if path.suffix in (".parquet", ".json") and "responses" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def stored_keys(root: Path) -> list[str]:
    lines = [line for path in sorted(root.glob("responses/*/*.log")) for line in path.read_bytes().splitlines()]
    return [json.loads(line[9:])["key"] for line in lines if line.endswith(b"}")]


def test_shards_are_judged_on_both_nodes_and_one_may_be_lost(cluster: Cluster, place: Path) -> None:
    here, there = place / "shards-local", place / "shards-ray"
    finished(start("filtered", here), here)
    process = start("filtered", there, address=cluster.with_both().address)
    wait_until(lambda: len(list(there.glob("sevens-*/*.parquet"))) >= 3, process, there)
    cluster.kill_second()
    assert len(list(there.glob("sevens-*/*.parquet"))) < 10, "it was lost in the middle"
    finished(process, there)
    assert data_files(there) == data_files(here)


def test_verifiers_judge_on_both_nodes_and_one_may_be_lost(cluster: Cluster, place: Path) -> None:
    answers, log = place / "judged", place / "judged.log"
    process = start("judged", answers, address=cluster.with_both().address)
    wait_until(lambda: log.read_text().count("is there: 1 processes") == 2 and answers.read_bytes().count(b"\n") >= 40, process, answers)
    cluster.kill_second()
    assert answers.read_bytes().count(b"\n") < 380, "it was lost in the middle"
    finished(process, answers)
    judged = [json.loads(line) for line in answers.read_text().splitlines()]
    assert sorted(text for text, *_ in judged) == sorted(f"{number * 7919 % 100_003}" for number in range(400))
    assert all((value, reason) == (float("7" in text), f"{text.count('7')} sevens") for text, value, reason in judged)


def test_a_broken_scorer_stops_the_run_as_it_would_here(cluster: Cluster, place: Path) -> None:
    process = start("bad", place / "bad", address=cluster.with_both().address)
    assert process.wait() == 1
    assert "dataengine.errors.Stopped: broken failed on 500 of 500 rows" in (place / "bad.log").read_text()


def test_engines_and_verifiers_sample_on_both_nodes_and_one_may_be_lost(cluster: Cluster, place: Path, model: Path) -> None:
    here, there = place / "asked-local", place / "asked-ray"
    finished(start("asked", here, model=model), here)
    process = start("asked", there, address=cluster.with_both().address, model=model)
    log = place / "asked-ray.log"
    wait_until(lambda: log.read_text().count("is there: local") == 2 and len(stored_keys(there)) >= 20, process, there)
    cluster.kill_second()
    before = len(stored_keys(there))
    said = finished(process, there)
    assert before < 0.9 * len(stored_keys(here)), "it was lost in the middle"
    assert "what it had not answered is asked again" in said
    nodes = {line.rpartition(" ")[2] for line in said.splitlines() if "is there: local" in line}
    assert len(nodes) == 2, "the second node brought the model through the object store: it sees nothing of the driver's files"
    keys = stored_keys(there)
    assert len(keys) == len(set(keys))
    assert set(keys) == set(stored_keys(here))
    assert data_files(there) == data_files(here)
