"""The shipped Slurm files on a real Slurm, submitted as a person would: their signals, their ends, a machine that is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ray.drivers import stored_keys
from tests.integration.ray.hold import held, let_go
from tests.integration.slurm.cluster import HOME, Slurm, why_not

REPOSITORY = Path(__file__).resolve().parents[3]
LAUNCH, BASE = REPOSITORY / "docs" / "launch", REPOSITORY / "dataengine" / "recipes" / "tiny_base" / "base"
HERE = ("--engine", "local", "--device", "cpu")
"""What follows the file's name: no GPU answers, whatever Slurm says."""
SECONDS = {"SECONDS": "1000"}
"""A shell takes this for the seconds that it has run: a job that has just begun does not queue itself again."""

pytestmark = [pytest.mark.timeout(3_600), pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is one")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of all machines: 60 sums, and settings that ask twelve times for each."""
    made = tmp_path_factory.mktemp("shared")
    sums = [(a, b, a % 7 + 1) for a in range(1, 21) for b in (3, 8, 15)]
    rows = [{"question": f"What is {a}+{b}+{c}?", "answer": str(a + b + c), "domain": "math"} for a, b, c in sums]
    (made / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {"problems": f"{HOME}/problems.jsonl", "model": str(BASE), "template": "question", "bars": {"language": 0.0}}
    (made / "rejection.yaml").write_text(json.dumps({**settings, "max_tokens": 60, "want": 12, "at_most": 12}))
    (made / "quotas.yaml").write_text("quotas: [{part: reasoning, rows: 100000}]\n")
    return made


@pytest.fixture(scope="module")
def slurm(shared: Path) -> Iterator[Slurm]:
    made = Slurm(shared)
    try:
        yield made
    finally:
        made.close()


def settings_of(root: str) -> dict[str, str]:
    return {"ROOT": f"{HOME}/{root}", "CONFIG": f"{HOME}/rejection.yaml"}


def kept(root: Path) -> dict[str, bytes]:
    """Every finished file, by its place under the root."""
    found = (path for path in root.glob("*-*/**/*.parquet") if "responses" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def in_the_middle(shared: Path) -> str:
    """An environment whose `dataengine` waits for the engines of all machines and then comes no further than sixty responses."""
    (shared / "held" / "bin").mkdir(parents=True)
    engines = f'python -m tests.integration.ray.held_engine {HOME}/hold "$@"'
    (shared / "held" / "bin" / "activate").write_text(f"source {sys.prefix}/bin/activate\ndataengine() {{ exec {engines}; }}\n")
    return f"{HOME}/held"


def test_a_signalled_job_queues_itself_again_goes_on_and_ends_as_the_run_does(slurm: Slurm, shared: Path) -> None:
    flags = ("--cpus-per-task=1", "--gpus-per-node=0")
    environment = {**settings_of("one"), **SECONDS}
    job = slurm.submit(LAUNCH / "slurm_one_machine.sh", *HERE, "--quotas", "quotas.yaml", flags=flags, environment=environment)
    slurm.wait_until(lambda: len(stored_keys(shared / "one")) >= 50, job=job)
    slurm.say("scancel", "--batch", "--signal=USR1", job)
    slurm.wait_until(lambda: slurm.known_of(job)["JobState"] == "PENDING", job=job)
    before = len(stored_keys(shared / "one"))
    assert before < 700, "it was signalled in the middle"
    slurm.say("scontrol", "update", f"jobid={job}", "starttime=now")
    ended = slurm.wait_for_end(job)
    assert (ended["JobState"], ended["ExitCode"], ended["Restarts"]) == ("FAILED", "3:0", "1"), slurm.log(job)
    assert "short: everything is made and kept" in slurm.log(job)
    assert "there already" in slurm.log(job)
    assert len(stored_keys(shared / "one")) == len(set(stored_keys(shared / "one"))) == 720
    assert slurm.left_over() == []


def test_a_run_on_two_machines_of_which_one_is_lost_makes_what_a_local_run_makes(slurm: Slurm, shared: Path) -> None:
    flags = ("--cpus-per-task=1", "--gpus-per-node=1")
    environment, hold = {**settings_of("two"), "VENV": in_the_middle(shared)}, held(shared / "hold")
    job = slurm.submit(LAUNCH / "slurm_ray.sh", *HERE, flags=flags, environment=environment)
    slurm.wait_until(lambda: ", n2, node " in slurm.log(job) and len(stored_keys(shared / "two")) >= 50, job=job)
    slurm.lose(2)
    assert len(stored_keys(shared / "two")) < 700, "it was lost in the middle"
    let_go(hold)
    ended = slurm.wait_for_end(job)
    assert (ended["JobState"], ended["ExitCode"], ended["Restarts"]) == ("COMPLETED", "0:0", "0"), slurm.log(job)
    assert "2 machines of 2" in slurm.log(job)
    assert "what it had not answered is asked again" in slurm.log(job)
    assert slurm.left_over() == []
    assert list((shared / ".ray").iterdir()) == [], "the token goes with the job"
    settings = json.loads((shared / "rejection.yaml").read_text()) | {"problems": str(shared / "problems.jsonl")}
    (shared / "here.yaml").write_text(json.dumps(settings))
    run = [sys.executable, "-m", "dataengine.cli", "run", "rejection", "--config", shared / "here.yaml", "--root", shared / "here", *HERE]
    subprocess.run(run, check=True, capture_output=True, cwd=REPOSITORY)
    assert kept(shared / "two") == kept(shared / "here")
    assert sorted(stored_keys(shared / "two")) == sorted(stored_keys(shared / "here"))
