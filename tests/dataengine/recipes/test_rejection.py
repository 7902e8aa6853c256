"""Settings of the rejection recipe that go together, and those that nothing would hear."""

from __future__ import annotations

import json
from inspect import signature
from pathlib import Path

import pytest

from dataengine.cli import main
from dataengine.recipes.rejection import NOT_OF_RECORDINGS, rejection

RECORDINGS = ["--recordings+", "said.jsonl"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--problems", "p.jsonl"], "problems is given and model is not, and the tiny world's would not go with it: add --model"),
        (["--model", "served"], "model is given and problems is not, and the tiny world's would not go with it: add --problems FILE"),
        (["--columns.question", "problem"], "in the tiny world, where columns would say nothing"),
        (["--max_tokens", "5000", "--constants", '{"domain": "math"}'], "in the tiny world, where constants, max_tokens would say nothing"),
        (["--recordings", "[]"], "recordings is an empty list"),
        ([*RECORDINGS, "--want", "9", "--budget", "5"], "so want, budget would say nothing: leave out recordings, or --want, --budget"),
        (
            ["--scale", "0.01"],
            "scale multiplies quotas, and there are none, so it would say nothing: add --quotas FILE, or leave out --scale",
        ),
        ([*RECORDINGS, "--scale", "0.01"], "scale multiplies quotas, and there are none"),
        (
            [*RECORDINGS, "--bars.format", "0.1"],
            "recordings are asked for no tags, so bars.format would say nothing: leave out --bars.format",
        ),
        (
            ["--problems", "p.jsonl", "--model", "served", "--bars.format", "0.1"],
            "the template messages asks for no tags, so bars.format would say nothing: leave out --bars.format, or add --template r1_zero",
        ),
        ([*RECORDINGS, "--problems", "p.jsonl", "--model", "served"], "so problems, model would say nothing"),
    ],
)
def test_settings_that_nothing_would_hear_are_refused(
    given: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "rejection", *given, "--root", str(tmp_path / "runs"), "--dry-run"]) == 2
    assert said in capsys.readouterr().err


def test_an_engine_that_nobody_asks_is_refused_with_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "said.jsonl"
    file.write_text(json.dumps({"problem": "1+1?", "gold": "2", "output": "2"}) + "\n")
    road = ["run", "rejection", "--recordings+", str(file), "--root", str(tmp_path / "runs"), "--dry-run"]
    assert main([*road, "--engine", "vllm", "--vllm.python", "/a/python", "--slots", "4"]) == 2
    unheard = "--engine, --slots, --vllm.python"
    assert f"so {unheard} would say nothing: leave out recordings, or {unheard}\n" in capsys.readouterr().err
    assert main([*road, "--workers", "1"]) == 0
    assert main(["run", "rejection", "--engine", "local", "--root", str(tmp_path / "runs"), "--dry-run"]) == 0


def test_the_demonstration_and_recordings_with_what_they_hear_are_planned(tmp_path: Path) -> None:
    file = tmp_path / "said.jsonl"
    file.write_text(json.dumps({"problem": "1+1?", "gold": "2", "output": "2"}) + "\n")
    heard = ["--constants", '{"domain": "math"}', "--alike", "0.9", "--seed", "1", "--bars.language", "0.5", "--columns.answer", "gold"]
    for given in ([], ["--want", "1", "--seed", "3"], ["--recordings", json.dumps([str(file)]), *heard]):
        assert main(["run", "rejection", *given, "--root", str(tmp_path / "runs"), "--dry-run"]) == 0


def test_each_setting_of_asking_is_one_of_the_recipe() -> None:
    assert set(NOT_OF_RECORDINGS) <= signature(rejection).parameters.keys()
