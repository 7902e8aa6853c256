"""Kill the program anywhere: nothing is lost, nothing is made twice, and the end is the same to the byte."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataengine.generate import generate
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.step import Step
from tests.dataengine import roads

REPOSITORY = Path(__file__).resolve().parents[2]


def start(model: Path, root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.dataengine.roads", str(model), str(root)]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE)


def data_files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.glob("*-*/**/*"))
        if path.suffix in (".parquet", ".json")
    }


def stored_keys(root: Path) -> list[str]:
    lines = [line for path in sorted(root.glob("responses/*/*.log")) for line in path.read_bytes().splitlines()]
    return [json.loads(line[9:])["key"] for line in lines if line.endswith(b"}")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return roads.saved_model(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def undisturbed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    root = tmp_path_factory.mktemp("undisturbed")
    process = start(model, root)
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said
    seconds = [json.loads(line)["seconds"] for line in (root / "runs.jsonl").read_text().splitlines()]
    return data_files(root), sum(seconds)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("attempt", range(10))
def test_killed_at_random_moments_the_end_is_the_same_to_the_byte(
    model: Path, undisturbed: tuple[dict[str, bytes], float], tmp_path: Path, attempt: int
) -> None:
    expected, seconds = undisturbed
    with start(model, tmp_path) as process:
        assert process.stderr is not None
        while (line := process.stderr.readline()) and not line.startswith(b"[3/5]"):
            pass
        time.sleep(random.Random(attempt).uniform(0.0, 1.1) * seconds)
        process.send_signal(signal.SIGKILL)
    kept = set(stored_keys(tmp_path))
    process = start(model, tmp_path)
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said
    keys = stored_keys(tmp_path)
    assert len(keys) == len(set(keys)) == 160
    assert kept <= set(keys)
    assert data_files(tmp_path) == expected


def test_more_samples_ask_only_for_those_that_are_missing(model: Path, tmp_path: Path) -> None:
    for samples, stored in ((2, 80), (4, 160), (1, 160)):
        run(roads.rollouts(model, samples=samples), tmp_path, machine=Machine(workers=1, slots=16))
        assert len(stored_keys(tmp_path)) == stored


def test_a_changed_setting_makes_a_new_folder_and_new_responses(model: Path, tmp_path: Path) -> None:
    def hotter(step: Step) -> Step:
        settings = {**step.settings, "sampling": roads.Sampling(temperature=0.7, max_tokens=160, seed=3)}
        return generate(step.inputs["problems"], step.inputs["model"], **settings)  # pyright: ignore[reportArgumentType]  # it is one

    first = roads.rollouts(model, prompts=4)
    folders = {run(step, tmp_path, machine=Machine(workers=1, slots=16)) for step in (first, hotter(first))}
    assert len(folders) == 2
    assert len(stored_keys(tmp_path)) == 32


def test_a_damaged_response_is_named_and_made_again(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = roads.rollouts(model, prompts=4)
    folder = run(step, tmp_path, machine=Machine(workers=1, slots=16))
    before = data_files(tmp_path)
    log = next(tmp_path.glob("responses/*/*.log"))
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0x01
    log.write_bytes(content[:-5])
    for path in folder.iterdir():
        path.unlink()
    run(step, tmp_path, machine=Machine(workers=1, slots=16))
    said = capsys.readouterr().err
    assert "is damaged" in said
    assert "is half-written" in said
    assert data_files(tmp_path) == before


def test_a_prompt_longer_than_the_context_is_recorded_and_the_run_goes_on(model: Path, tmp_path: Path) -> None:
    from dataengine import shards
    from dataengine.sources import rows

    problems = rows([{"question": "1+1?"}, {"question": "long " * 2_000}, {"question": "2+2?"}])
    sampling = roads.Sampling(max_tokens=8)
    step = generate(problems, roads.Model.at(model), samples=2, template=roads.QUESTION, sampling=sampling)
    made = shards.read(run(step, tmp_path, machine=Machine(workers=1, slots=16)))
    assert made["finish_reason"].to_list()[2:4] == ["prompt_too_long"] * 2
    assert made["response"].is_null().to_list() == [False, False, True, True, False, False]


def test_a_full_disk_stops_with_a_clear_error_and_resumes(model: Path, undisturbed: tuple[dict[str, bytes], float], tmp_path: Path) -> None:
    """A real full disk: a tmpfs of 72 KB in a mount namespace of its own, made larger for the second run."""
    command = f"{sys.executable} -m tests.dataengine.roads {model} {tmp_path}/disk"
    script = f"""
        mount -t tmpfs -o size=72k tmpfs {tmp_path}/disk || exit 77
        {command} 2> {tmp_path}/first; echo $? > {tmp_path}/first_status
        ls -R {tmp_path}/disk > {tmp_path}/first_files
        mount -o remount,size=20m {tmp_path}/disk
        {command} 2> {tmp_path}/second; echo $? > {tmp_path}/second_status
        cp -r {tmp_path}/disk {tmp_path}/result
    """
    (tmp_path / "disk").mkdir()
    done = subprocess.run(["unshare", "--mount", "--map-root-user", "bash", "-c", script], cwd=REPOSITORY, capture_output=True, check=False)
    if done.returncode == 77 or b"unshare" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.decode()}")
    assert (tmp_path / "first_status").read_text() != "0\n"
    assert "What has landed is kept: free some space and run the same command again" in (tmp_path / "first").read_text()
    assert (tmp_path / "second_status").read_text() == "0\n", (tmp_path / "second").read_text()
    assert data_files(tmp_path / "result") == undisturbed[0]
