"""Servers that actors start on two real Ray nodes (a stand-in for vLLM; the real one is in tests/integration/vllm)."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dataengine.inference.test_vllm import BASE
from tests.integration.ray import cluster as clusters
from tests.integration.ray.cluster import REPOSITORY, Cluster
from tests.integration.ray.drivers import data_files, finished, start, stored_keys, wait_until

pytestmark = [
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'r1-dataengine[ray]'"),
    pytest.mark.skipif(not clusters.can_hide(), reason="no mount namespaces here: the second node cannot be kept from seeing our files"),
]


@pytest.fixture(scope="module")
def base(place: Path) -> Path:
    """A model whose name tells its servers from all others."""
    return Path(shutil.copytree(BASE, place / f"base-{os.getpid()}"))


@pytest.fixture(scope="module")
def made_here(place: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run on this machine makes."""
    root = place / "served-local"
    finished(start("served", root, model=base, python=interpreter(tmp_path_factory.mktemp("local"), place)), root)
    return data_files(root)


def interpreter(folder: Path, place: Path) -> Path:
    """An interpreter whose vLLM is the stand-in; on the driver's node it is told how to behave in `here`, on the other one in `there`."""
    for name in ("here", "there"):
        (folder / name).mkdir(exist_ok=True)
    program = folder / "python"
    stand_in = REPOSITORY / "tests" / "dataengine" / "inference" / "fake_vllm.py"
    tell = f'if [ -e "{place}/seen" ]; then export FAKE_VLLM="{folder}/here"; else export FAKE_VLLM="{folder}/there"; fi'
    program.write_text(f'#!/bin/sh\n{tell}\nshift 2\nexec {sys.executable} {stand_in} "$@"\n')
    program.chmod(0o755)
    (place / "seen").touch()
    return program


def held(*servers: Path) -> list[Path]:
    """These servers make forty responses and wait, however late the other node comes: no node finishes alone. The files that say so."""
    files = [each / "wait-after" for each in servers]
    for file in files:
        file.write_text("40")
    return files


def let_go(files: list[Path]) -> None:
    for file in files:
        file.unlink()


def servers() -> list[int]:
    """The processes of our model's servers, wherever they were left."""
    return [pid for pid, command in clusters.commands() if f"--served-model-name base-{os.getpid()} " in command]


def wait_for(true: Callable[[], bool], *, seconds: float = 300) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.2)
    return true()


def test_servers_on_the_nodes_end_with_their_driver_and_the_next_run_goes_on(
    cluster: Cluster, place: Path, tmp_path: Path, base: Path, made_here: dict[str, bytes]
) -> None:
    there, python = place / "served-ray", interpreter(tmp_path, place)
    waits = held(tmp_path / "here", tmp_path / "there")
    process = start("served", there, address=cluster.with_both().address, model=base, python=python)
    wait_until(
        lambda: (place / "served-ray.log").read_text().count("is there: vllm") == 2 and len(stored_keys(there)) >= 20, process, there
    )
    process.kill()
    process.wait()
    before = stored_keys(there)
    assert before
    assert wait_for(lambda: not servers()), "a dying worker of Ray kills its own children, and they have children, too"
    let_go(waits)
    finished(start("served", there, address=cluster.address, model=base, python=python), there)
    keys = stored_keys(there)
    assert set(before) <= set(keys)
    assert len(keys) == len(set(keys))
    assert data_files(there) == made_here
    assert wait_for(lambda: not servers())


def test_a_node_without_the_interpreter_is_named_and_the_other_does_the_work(
    cluster: Cluster, place: Path, base: Path, made_here: dict[str, bytes]
) -> None:
    root, folder = place / "missing", place / "hidden"
    folder.mkdir()
    python = interpreter(folder, place)
    waits = held(folder / "here")
    process = start("served", root, address=cluster.with_both().address, model=base, python=python)
    wait_until(lambda: "the others go on" in (place / "missing.log").read_text(), process, root)
    let_go(waits)
    said = finished(process, root)
    warning = next(line for line in said.splitlines() if "the others go on" in line)
    assert f"there is no interpreter '{python}'" in warning
    named = warning.partition(", node ")[2][:8]
    assert [named in line for line in said.splitlines() if "is there: vllm" in line] == [False]
    assert data_files(root) == made_here


def test_an_interpreter_that_no_node_has_is_the_users_mistake(cluster: Cluster, place: Path, base: Path) -> None:
    root = place / "nowhere"
    process = start("served", root, address=cluster.with_both().address, model=base, python=Path("/nowhere/python"))
    assert process.wait() == 1
    last = (place / "nowhere.log").read_text()
    assert f"ValueError: none of the 2 engines of {base.name} can work." in last
    assert "there is no interpreter '/nowhere/python': give the python of an environment that has vllm with --vllm.python" in last


def test_a_node_whose_server_dies_over_everything_is_left_out(
    cluster: Cluster, place: Path, tmp_path: Path, base: Path, made_here: dict[str, bytes]
) -> None:
    root, python = place / "dying", interpreter(tmp_path, place)
    (tmp_path / "there" / "die-always").write_text("1")  # the first token is asked for to see whether it is a server of vLLM
    waits = held(tmp_path / "here")
    process = start("served", root, address=cluster.with_both().address, model=base, python=python)
    wait_until(lambda: "the others go on" in (place / "dying.log").read_text(), process, root)
    let_go(waits)
    assert "died 2 times in a row without a response between" in finished(process, root)
    assert data_files(root) == made_here
