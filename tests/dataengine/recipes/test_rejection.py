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
        (["--evaluation_columns.question", "stem"], "evaluation_columns names columns of evaluation sets, and there are none"),
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


@pytest.mark.parametrize("source", ["problems", "recordings", "tiny"])
def test_a_quota_for_a_column_that_no_row_will_have_is_refused_before_anything_is_made(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problems, said, quotas = tmp_path / "problems.jsonl", tmp_path / "said.jsonl", tmp_path / "quotas.yaml"
    problems.write_text('{"question": "1+1?", "answer": "2"}\n{"question": "1+2?", "answer": "3", "level": 2}\n')
    said.write_text('{"problem": "1+1?", "gold": "2", "output": "2"}\n{"problem": "1+2?", "gold": "3", "output": "3", "level": 2}\n')
    given = {"problems": ["--problems", str(problems), "--model", "served"], "recordings": ["--recordings+", str(said)], "tiny": []}[source]
    road = ["run", "rejection", *given, "--quotas", str(quotas), "--root", str(tmp_path / "runs"), "--dry-run"]

    def ends_with(where: str) -> int:
        quotas.write_text(f"quotas:\n  - {{part: reasoning, rows: 1, where: {where}}}\n")
        return main(road)

    assert ends_with("{domian: math}") == 2
    assert "asks for the column 'domian', and no row will have one. Did you mean 'domain'" in capsys.readouterr().err
    assert ends_with("{domain: math, cot: true, is_right: 1, language_share: '0.995..'}") == 0
    assert ends_with("{difficulty: 2}") == (0 if source == "tiny" else 2)
    assert ends_with("{level: 2}") == (2 if source == "tiny" else 0)
    assert ends_with("{pass_rate: '0.25..0.75'}") == (2 if source == "recordings" else 0)


def test_what_another_part_has_is_said_to_be_known_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "talk.jsonl").write_text('{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi"}]}\n')
    (tmp_path / "quotas.yaml").write_text("quotas:\n  - {part: general, rows: 1, where: {tone: kind}}\n")
    road = ["run", "rejection", "--more.general", str(tmp_path / "talk.jsonl"), "--quotas", str(tmp_path / "quotas.yaml")]
    assert main([*road, "--root", str(tmp_path / "runs"), "--dry-run"]) == 0
    assert "asks for tone: whether the part general has it shows when it is brought" in capsys.readouterr().err


def test_the_columns_of_evaluation_sets_can_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, said = tmp_path / "evaluation.jsonl", tmp_path / "said.jsonl"
    leaked = "What is 1 plus 2 plus 3 plus 4 plus 5 plus 6 plus 7?"
    file.write_text(json.dumps({"stem": leaked}) + "\n")
    told = {"output": "It is \\boxed{28}.", "verdict": True, "verdict_by": "them"}
    said.write_text(
        json.dumps({"problem": leaked, "gold": "28", **told}) + "\n" + json.dumps({"problem": "14+14?", "gold": "28", **told}) + "\n"
    )
    road = ["run", "rejection", "--recordings+", str(said), "--evaluation+", str(file), "--root", str(tmp_path / "runs"), "--workers", "1"]
    assert main(road) == 2
    assert "--evaluation_columns.question NAME" in capsys.readouterr().err
    assert main([*road, "--evaluation_columns.question", "stem"]) == 0
    assert "1 rows, made by" in capsys.readouterr().out


def test_each_setting_of_asking_is_one_of_the_recipe() -> None:
    assert set(NOT_OF_RECORDINGS) <= signature(rejection).parameters.keys()
