"""The engine `vllm` on a real Ray cluster: a real server on each of two nodes, one of which sees nothing of the driver's files."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.ray import cluster as clusters
from tests.integration.ray.cluster import QUIET, Cluster
from tests.integration.ray.drivers import STARTED, stored_keys
from tests.integration.ray.hold import held, let_go
from tests.integration.vllm.conftest import BASE, group

pytestmark = [
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'r1-dataengine[ray]'"),
    pytest.mark.skipif(not clusters.can_hide(), reason="no mount namespaces here: the second node cannot be kept from seeing our files"),
]

QUESTIONS = [f"What is {a} + {b}?" for a in range(10, 18) for b in (7, 19, 23, 41, 58)]
ASKED = ("--template", "question", "--max_tokens", "120", "--at_most", "32", "--workers", "1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the driver that the second node does not see, with the model and the problems."""
    folder = tmp_path_factory.mktemp("driver")
    shutil.copytree(BASE, folder / f"tiny-{os.getpid()}")
    problems = [{"question": question, "answer": "0", "domain": "math"} for question in QUESTIONS]
    (folder / "problems.jsonl").write_text("".join(json.dumps(each) + "\n" for each in problems))
    return folder


@pytest.fixture(scope="module")
def cluster(vllm_python: str, place: Path) -> Iterator[Cluster]:
    made = Cluster(hidden=place)
    try:
        yield made.with_both()
    finally:
        made.close()


def start(place: Path, root: str, *settings: str, hold: Path | None = None) -> subprocess.Popen[bytes]:
    """`dataengine run rejection` in the driver's folder, of the model that lies there; its engines are held in a folder if there is one."""
    model = f"tiny-{os.getpid()}"
    given = ["run", "rejection", "--root", root, "--problems", "problems.jsonl", "--model", model, *ASKED, *settings]
    program = ["-m", "tests.integration.ray.held_engine", str(hold)] if hold else ["-m", "dataengine.cli"]
    command = [sys.executable, *program, *given]
    with (place / f"{root}.log").open("ab") as said:
        STARTED.append(subprocess.Popen(command, cwd=place, env={**os.environ, **QUIET}, stdout=said, stderr=said))
    return STARTED[-1]


def on_ray(cluster: Cluster, python: str) -> list[str]:
    return ["--on", "ray", "--ray_address", cluster.address, "--engine", "vllm", "--vllm.python", python, "--vllm.sequences", "8"]


def wait_until(there: Callable[[], object], process: subprocess.Popen[bytes] | None, log: Path, *, seconds: float = 1_500) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert process is None or process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


def servers() -> dict[int, str]:
    """The process groups of our model's servers, and the address of each."""
    found = {}
    for pid, command in clusters.commands():
        port = re.search(r"--port (\d+)", command)
        if f"tiny-{os.getpid()} " in command and "guard.py" in command and port:
            with contextlib.suppress(ProcessLookupError):
                found[os.getpgid(pid)] = f"http://127.0.0.1:{port.group(1)}"
    return found


def tokens_of(address: str) -> float:
    """How many tokens a server has made; 0 where it does not answer yet."""
    try:
        metrics = urllib.request.urlopen(f"{address}/metrics", timeout=10).read().decode()
    except OSError:
        return 0
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("vllm:generation_tokens_total"))


def both_work() -> bool:
    """Whether two servers have made more tokens than are asked of a new one to see what it is."""
    found = servers()
    return len(found) == 2 and all(tokens_of(address) > 200 for address in found.values())


def data_files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.glob("*-*/**/*.parquet"))}


def test_servers_driver_and_node_are_killed_and_no_response_is_lost_or_stored_twice(
    cluster: Cluster, vllm_python: str, place: Path
) -> None:
    root, log = place / "ray", place / "ray.log"
    hold = held(place / "hold")
    first = start(place, "ray", *on_ray(cluster, vllm_python), hold=hold)
    wait_until(lambda: both_work() and len(stored_keys(root)) >= 20, first, log)
    let_go(hold)
    groups = servers()
    model = next(iter((root / "responses").iterdir())).name.split("-")[0]
    brought = f"/dataengine-models-{os.getuid()}/{model}/"
    theirs = [leader for leader in groups if any(brought in line for line in group(leader).values())]
    assert len(theirs) == 1, "the second node brought the model: it sees nothing of the driver's files"

    (ours,) = set(groups) - set(theirs)
    os.kill(next(pid for pid, line in group(ours).items() if "EngineCore" in line), signal.SIGKILL)
    wait_until(lambda: "a vLLM server is started again" in log.read_text(), first, log)
    cluster.kill_raylet_of_second()
    wait_until(lambda: not any(map(group, theirs)), first, log, seconds=60)
    alone = len(stored_keys(root))
    wait_until(lambda: len(stored_keys(root)) > alone + 20, first, log)
    groups |= servers()
    first.kill()
    first.wait()
    before = stored_keys(root)
    wait_until(lambda: not any(map(group, groups)) and not servers(), None, log, seconds=60)

    assert start(place, "ray", *on_ray(cluster, vllm_python)).wait() == 0, log.read_text()
    wait_until(lambda: not servers(), None, log, seconds=60)

    keys = stored_keys(root)
    assert len(keys) == len(set(keys))
    assert set(before) < set(keys), "the driver was killed in the middle"
    assert "what it had not answered is asked again" in log.read_text()
    (place / "local").mkdir()
    shutil.copytree(root / "responses", place / "local" / "responses")
    assert start(place, "local").wait() == 0, (place / "local.log").read_text()
    assert stored_keys(place / "local") == keys, "a local run has nothing more to ask"
    assert data_files(place / "local") == data_files(root)


def test_a_server_that_cannot_start_is_told_with_its_node_and_its_log(cluster: Cluster, vllm_python: str, place: Path) -> None:
    one_block = ["--vllm.arguments", '["--num-gpu-blocks-override","1"]']
    process = start(place, "small", *on_ray(cluster, vllm_python), *one_block)
    assert process.wait() == 2
    said = (place / "small.log").read_text()
    assert re.search(r"error: none of the \d engines of tiny-\d+ can work\. \S+, node [0-9a-f]{8}: a server of vLLM ended before", said)
    assert re.search(rf"All of it: \S+/dataengine-logs-{os.getuid()}/vllm-tiny-\d+-0\.\d+\.log", said)
    assert "No available memory for the cache blocks" in said, "the cause, which stands far above the end of the log"
    assert not servers()
