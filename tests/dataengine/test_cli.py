"""Every command as a user types it, wrong ones included: a message and a status, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from dataengine import cli
from dataengine.cli import main

RECIPE = """
from dataengine.keep import keep
from dataengine.sources import rows
from filters.format import zero_format

def short(*, seed: int = 3, count: int = 5):
    '''A short road.'''
    made = [{"question": f"{n}+{seed}?", "answer": str(n + seed), "response": f"<think>x</think> <answer>{n}</answer>" if n else "x"}
            for n in range(count)]
    return keep(rows(made), zero_format)
"""


@pytest.fixture
def recipe(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    file = tmp_path / f"recipe_{abs(hash(request.node.name))}.py"
    file.write_text(RECIPE)
    return f"{file}:short"


def test_run_makes_shows_and_explains(tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "runs"
    assert main(["run", recipe, "--root", str(root), "--workers", "1", "--count", "4"]) == 0
    folder = Path(capsys.readouterr().out.split(" (3 rows)")[0])
    assert main(["show", str(folder), "--rows", "1"]) == 0
    assert "rows: 3, rejected: 1" in capsys.readouterr().out
    assert main(["report", str(folder), "--out", str(tmp_path / "page.html")]) == 0
    assert "page.html" in capsys.readouterr().out
    assert "no &lt;think&gt;" in (tmp_path / "page.html").read_text(encoding="utf-8")
    dropped = pl.read_parquet(folder / "rejected" / "00000.parquet")["prompt_id"][0]
    assert main(["explain", str(folder), dropped]) == 0
    assert "dropped by zero_format: no <think>" in capsys.readouterr().out


def test_a_dry_run_prints_the_plan_and_makes_nothing(tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", recipe, "--root", str(tmp_path / "runs"), "--dry-run"]) == 0
    assert "to make  keep-zero_format-" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_of_the_tiny_road_shows_its_first_prompt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "tiny", "--quick", "true", "--root", str(tmp_path), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "to make  tiny-" in said
    assert "prompts, " in said
    assert "| " in said


def test_a_limit_takes_the_first_rows_of_every_source(tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", recipe, "--root", str(tmp_path / "runs"), "--limit", "2"]) == 0
    assert "(1 rows)" in capsys.readouterr().out


def test_settings_come_from_a_file_and_flags_win(tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "settings.yaml").write_text("count: 9\nseed: 1\n")
    command = ["run", recipe, "--root", str(tmp_path / "runs"), "--config", str(tmp_path / "settings.yaml")]
    assert main(command) == 0
    assert "(8 rows)" in capsys.readouterr().out
    assert main([*command, "--count", "3"]) == 0
    assert "(2 rows)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["rum"], "no command 'rum'. Did you mean 'run'"),
        (["run", "tyni"], "no recipe 'tyni'. Did you mean 'tiny'"),
        (["run", "tiny", "--sed", "1"], "no setting 'sed'. Did you mean 'seed'"),
        (["run", "rejection", "--openai.urls+", "http://127.0.0.1:1/v1"], "give all of it at once, a list as JSON: --openai.urls '["),
        (["run", "rejection", "--openai.urls+=http://127.0.0.1:1/v1"], "With a + there are: "),
        (["run", "rejection", "--recording+", "f.jsonl"], "no setting 'recording+'. Did you mean 'recordings'"),
        (
            ["run", "rejection", "--recordings", "f.jsonl"],
            "error: recordings is a list: `--recordings+ f.jsonl` for each of its parts, or all at",
        ),
        (["run", "rejection", "--evaluation", "f.jsonl"], "all at once `--evaluation '[\"f.jsonl\"]'`\n"),
        (["run", "rejection", "--vllm.urls", "http://a:1"], "error: vllm.urls is a list: `--vllm.urls '[\"http://a:1\"]'`\n"),
        (["run", "tiny", "--seed", "x"], "Expected a <class 'int'>. Got value: x"),
        (["run"], "run wants a recipe first"),
        (["run", "nowhere.py:f"], "no recipe file"),
        (["score", "zero_fromat", "f.jsonl", "--out", "o.parquet"], "no scorer 'zero_fromat'. Did you mean 'zero_format'"),
        (["score", "zero_format", "nowhere.jsonl", "--out", "o.parquet"], "no file nowhere.jsonl"),
        (["show", "nowhere"], "nowhere has no manifest.json"),
    ],
)
def test_what_is_wrong_is_said_with_the_nearest_right_name(wrong: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(wrong) == 2
    assert said in capsys.readouterr().err


def test_a_flag_is_not_taken_by_its_first_letters(tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    for flag in (["--coun", "4"], ["--coun=4"]):
        assert main(["run", recipe, "--root", str(tmp_path / "runs"), *flag]) == 2
        assert "no setting 'coun'. Did you mean 'count'" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_file_is_scored_with_columns_by_their_own_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "rows.jsonl", tmp_path / "scored.parquet"
    file.write_text("".join(json.dumps({"output": text}) + "\n" for text in ("<think>a</think> <answer>3</answer>", "x", None)))
    assert main(["score", "zero_format", str(file), "--out", str(out), "--columns.response", "output"]) == 0
    assert "3 rows, 2 judged, mean 0.5000" in capsys.readouterr().out
    assert pl.read_parquet(out)["zero_format"].struct.field("value").to_list() == [1.0, 0.0, None]
    assert main(["score", "zero_format", str(file), "--out", str(out)]) == 2
    assert "zero_format wants the column 'response'; the rows have output" in capsys.readouterr().err


def test_rows_that_are_compared_with_each_other_are_scored_as_one(tmp_path: Path) -> None:
    texts = [f"row {number} speaks of {number * number} sheep and {number + 7} goats in its own way" for number in range(2_500)]
    rows = pl.DataFrame({"response": [*texts, texts[0]]})
    rows.write_parquet(tmp_path / "rows.parquet")
    assert main(["score", "not_near_duplicate", str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "scored.parquet")]) == 0
    assert pl.read_parquet(tmp_path / "scored.parquet")["not_near_duplicate"][-1]["value"] == 0.0


def test_the_list_names_recipes_and_scorers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    assert "tiny " in said
    assert "answer_matches" in said


def test_help_is_there_for_the_command_and_each_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "dataengine COMMAND" in capsys.readouterr().out
    for verb in ("run", "score"):
        assert main([verb, "--help"]) == 0
        assert f"dataengine {verb}" in capsys.readouterr().out
    for verb in ("run tiny", "report", "list", "show", "explain", "score zero_format"):
        with pytest.raises(SystemExit) as left:
            main([*verb.split(), "--help"])
        assert left.value.code == 0


def test_a_verb_ends_quietly_when_its_reader_goes(tmp_path: Path, recipe: str) -> None:
    assert main(["run", recipe, "--root", str(tmp_path), "--workers", "1"]) == 0
    folder = next(str(path) for path in tmp_path.glob("keep-*") if path.is_dir())
    dropped = pl.read_parquet(f"{folder}/rejected/00000.parquet")["prompt_id"][0]
    for command in (["list"], ["--help"], ["show", folder], ["explain", folder, dropped]):
        assert _without_reader(command) == (141, b""), command
    assert _without_reader(["show", "--help"])[1] == b""  # argparse's own, with a status of its own


def test_another_pipe_that_breaks_is_no_reader_that_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_a_server(_given: list[str]) -> int:
        raise BrokenPipeError("a socket of the run")

    monkeypatch.setattr(cli, "_command", lose_a_server)
    with pytest.raises(BrokenPipeError, match="a socket of the run"):
        main(["list"])


def _without_reader(command: list[str]) -> tuple[int, bytes]:
    """Status and standard error of a command whose output nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([sys.executable, "-m", "dataengine.cli", *command], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    return ended.returncode, ended.stderr
