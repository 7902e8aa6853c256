"""The launch files of docs/launch with stand-ins for what they call: flags, signals, ends of jobs. On Slurm: tests/integration/slurm."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dataengine.cli import VERBS
from tests.test_docs import help_of

ROOT = Path(__file__).resolve().parents[1]
LAUNCH = sorted((ROOT / "docs" / "launch").iterdir())
RAY = ROOT / "docs" / "launch" / "slurm_ray.sh"
SHELL = [path for path in LAUNCH if path.suffix == ".sh"]
STAND_INS = {
    "dataengine": 'echo run >> "$SAID"; while [ ! -e "$SAID.end" ]; do sleep 0.05; done; exit 3',
    "scontrol": 'case $1 in requeue) echo "requeue $2" >> "$SAID";; *) echo n1;; esac',
    "srun": "echo 127.0.0.1",
    "python": "cat > /dev/null; echo token",
}
"""What the files call, where there is no Slurm: the run ends with status 3 when it is told to."""
STARTED: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def no_job_outlives_its_test() -> Iterator[None]:
    yield
    while STARTED:
        process = STARTED.pop()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        process.stdout.close()
        process.wait()


def of_each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in paths])


def started(path: Path, folder: Path, *, seconds: int, ray: str = ":") -> subprocess.Popen[bytes]:
    """The file as Slurm runs it, `seconds` after its beginning; what its stand-ins were asked stands in folder/said."""
    (folder / "bin").mkdir()
    (folder / "bin" / "activate").write_text("")
    for name, lines in {**STAND_INS, "ray": ray}.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{lines}\n")
        (folder / "bin" / name).chmod(0o755)
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_NODELIST": "n1", "SLURM_CPUS_PER_TASK": "2", "SLURMD_NODENAME": "n1"}
    mine = {"HOME": str(folder), "VENV": str(folder), "SAID": str(folder / "said"), "SECONDS": str(seconds)}
    environment = {**job, **mine, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        ["bash", path],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    STARTED.append(process)
    return process


def wait_until_said(line: str, folder: Path) -> None:
    end = time.monotonic() + 120
    while not (folder / "said").exists() or line not in (folder / "said").read_text().splitlines():
        assert time.monotonic() < end, f"nobody said {line!r}"
        time.sleep(0.02)


def ended(process: subprocess.Popen[bytes], folder: Path) -> int:
    """The status of the job after its run has ended with 3."""
    (folder / "said.end").touch()
    process.communicate(timeout=120)
    return process.returncode


@of_each(SHELL)
def test_a_signal_queues_the_job_again_and_the_run_goes_on_until_it_is_ended(path: Path, tmp_path: Path) -> None:
    process = started(path, tmp_path, seconds=1000)
    wait_until_said("run", tmp_path)
    process.send_signal(signal.SIGUSR1)
    wait_until_said("requeue 7", tmp_path)
    assert process.poll() is None
    assert ended(process, tmp_path) == 3, "a quota that was not met is the job's end too"


@of_each(SHELL)
def test_a_job_whose_limit_is_minutes_is_not_queued_again_for_ever(path: Path, tmp_path: Path) -> None:
    process = started(path, tmp_path, seconds=0)
    wait_until_said("run", tmp_path)
    process.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    assert ended(process, tmp_path) == 3
    assert (tmp_path / "said").read_text() == "run\n"


def test_the_token_goes_with_the_job(tmp_path: Path) -> None:
    process = started(RAY, tmp_path, seconds=0)
    wait_until_said("run", tmp_path)
    token = tmp_path / ".ray" / "dataengine-7"
    assert token.stat().st_mode & 0o077 == 0
    ended(process, tmp_path)
    assert not token.exists()


def test_a_ray_that_does_not_start_is_tried_three_times_and_fails_the_job(tmp_path: Path) -> None:
    process = started(RAY, tmp_path, seconds=0, ray='echo "ray $1" >> "$SAID"; [ "$1" = stop ]')
    process.communicate(timeout=120)
    assert process.returncode == 1
    assert (tmp_path / "said").read_text().splitlines() == ["ray start", "ray stop"] * 3


def test_a_ray_that_starts_late_is_waited_for(tmp_path: Path) -> None:
    process = started(RAY, tmp_path, seconds=0, ray='[ "$1" = stop ] || mkdir "$SAID.once" || exit 0; [ "$1" = stop ]')
    wait_until_said("run", tmp_path)
    assert ended(process, tmp_path) == 3


@of_each(LAUNCH)
def test_every_flag_in_a_launch_file_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ").replace("\n    --", " --")
    commands = re.findall(r"(?<!#)\bdataengine ((?:run|size) .*)", text)
    assert commands, "a launch file starts a run"
    for each in commands:
        words = each.split()
        assert words[0] in VERBS
        for option in (word for word in words if word.startswith("--")):
            assert option in help_of(*words[:2]), f"{path.name}: there is no {option}"


def test_the_kubernetes_file_is_what_kuberay_takes() -> None:
    claim, settings, job = yaml.safe_load_all((ROOT / "docs" / "launch" / "kuberay.yaml").read_text(encoding="utf-8"))
    cluster = job["spec"]["rayClusterSpec"]
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert set(job["spec"]) <= {"entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "rayClusterSpec"}
    assert set(cluster) <= {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs"}
    pods = [cluster["headGroupSpec"]["template"]["spec"], *(group["template"]["spec"] for group in cluster["workerGroupSpecs"])]
    for pod in pods:
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]} == volumes
    assert pods[0]["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert pods[0]["volumes"][1]["configMap"]["name"] == settings["metadata"]["name"]
    mounted = {mount["mountPath"] for mount in pods[0]["containers"][0]["volumeMounts"]}
    assert mounted == {"/root-of-runs", "/settings"}
    assert job["spec"]["entrypoint"] == "bash /settings/run.sh"
    assert set(settings["data"]) == {"rejection.yaml", "run.sh"}


@pytest.mark.parametrize(("run", "job"), [(0, 0), (1, 1), (2, 2), (3, 0)])
def test_kubernetes_makes_no_new_clusters_for_a_quota_that_was_short(run: int, job: int, tmp_path: Path) -> None:
    _, settings, _ = yaml.safe_load_all((ROOT / "docs" / "launch" / "kuberay.yaml").read_text(encoding="utf-8"))
    (tmp_path / "dataengine").write_text(f"#!/bin/bash\nexit {run}\n")
    (tmp_path / "dataengine").chmod(0o755)
    done = subprocess.run(["bash", "-c", settings["data"]["run.sh"]], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False)
    assert done.returncode == job
