"""Queue and way home on nodes of a cluster that see no folder of the driver: what they read has to come with the shard."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotation.items import items_of
from annotation.queue import queue
from annotation.reviewed import ANSWERS, reviewed
from dataengine import shards, work
from dataengine.cluster import on_ray
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.step import Step
from tests.annotation.answers import answer, store_answers
from tests.annotation.rows import BARS, responses, rollouts
from tests.dataengine.cluster.hidden_nodes import HiddenNodes


def on_nodes(step: Step, root: Path, monkeypatch: pytest.MonkeyPatch, *, hidden: Path) -> Path:
    nodes = HiddenNodes(hidden)
    monkeypatch.setattr(work, "ROWS_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(on_ray, "connected", lambda _: nodes)
    folder = run(step, root, machine=Machine(workers=1, on="ray"))
    assert nodes.tasks == len(shards.shard_paths(folder)) > 1
    return folder


def asked() -> Step:
    return queue(responses(rollouts(20), shard_rows=7), bars=BARS, audit=1.0, overlap=0.0)


def test_a_queue_is_the_same_where_nodes_see_no_folder_of_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, root = run(asked(), tmp_path / "here"), tmp_path / "there"
    standing = run(asked().inputs["standing"], root)
    there = on_nodes(asked(), root, monkeypatch, hidden=standing)
    assert shards.read_manifest(there)["files"] == shards.read_manifest(here)["files"]


def test_answers_of_people_go_with_their_shard_to_nodes_that_see_no_folder_of_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = []
    for name in ("here", "there"):
        root, step = tmp_path / name, reviewed(asked())
        items = items_of(run(asked(), root))
        store_answers(run(asked(), root), [answer(item, "discard" if number % 3 else "keep") for number, item in enumerate(items)])
        hidden = root / step.folder / ANSWERS
        home.append(run(step, root) if name == "here" else on_nodes(step, root, monkeypatch, hidden=hidden))
    assert shards.read_manifest(home[1])["files"] == shards.read_manifest(home[0])["files"]
    assert shards.read(home[1], shards.REJECTED)["dropped_by"].to_list().count("people") > 5
