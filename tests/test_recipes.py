"""Every shipped recipe, run; the tiny road whole, at its quick sizes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataengine import shards
from dataengine.cli import main
from dataengine.explain import trace, training_data
from dataengine.machine import Machine
from dataengine.recipes.find import find, shipped
from dataengine.recipes.recorded import agreement
from dataengine.recipes.rejection import rejection
from dataengine.recipes.tiny import tiny
from dataengine.recipes.tiny_base import tiny_base
from dataengine.run import run


def test_every_shipped_recipe_is_found_and_says_what_it_is() -> None:
    assert set(shipped()) == {"cold_start", "rejection", "tiny", "tiny_base"}
    assert all(find(name).__name__ == name and what for name, what in shipped().items())


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tiny(quick=True), tmp_path_factory.mktemp("tiny"), machine=Machine(workers=1))


@pytest.mark.timeout(900)
def test_the_tiny_road_runs_whole_and_ends_with_its_table_and_its_page(road: Path) -> None:
    said = (road / "summary.txt").read_text(encoding="utf-8")
    for model in ("base", "zero", "dev1", "dev2", "dev3", "r1", "student-distilled", "student-rl", "student-sft"):
        assert f"\n{model} " in said or f"\n {model} " in said, said
    assert "<h1" in (road / "report.html").read_text(encoding="utf-8")


@pytest.mark.timeout(900)
def test_the_last_model_is_explained_down_to_its_rows_and_a_row_up_to_its_source(road: Path) -> None:
    root = road.parent
    r1 = next(root.glob("r1-????????"))
    data = {folder.name.rsplit("-", 1)[0]: rows for folder, rows in training_data(r1)}
    assert {"questions-all", "mix"} <= set(data)
    row = shards.read(next(root.glob("mix-????????"))).row(0, named=True)
    places = trace(next(root.glob("mix-????????")), f"{row['prompt_id']}/{row['sample']}")
    assert places[-1].kept


@pytest.mark.timeout(900)
def test_the_cold_start_was_reviewed_by_the_stated_rule(road: Path) -> None:
    rows = shards.read(next(road.parent.glob("cold-start-????????")))
    assert rows["reviewed_by"].to_list() == [["auto"]] * len(rows)
    assert rows["response"].str.starts_with("<think>\n").all()


def test_recorded_outputs_become_a_mix_a_card_and_a_table_of_agreement(tmp_path: Path) -> None:
    said = [
        {"problem": "What is 1+1?", "gold": "2", "output": "It is \\boxed{2}.", "verdict": True, "verdict_by": "them", "model": "a"},
        {"problem": "What is 1+1?", "gold": "2", "output": "It is \\boxed{3}.", "verdict": True, "verdict_by": "them", "model": "b"},
        {"problem": "What is 2+2?", "gold": "4", "output": "The answer is 4.", "verdict": None, "verdict_by": None, "model": "a"},
    ]
    file = tmp_path / "said.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in said))
    folder = run(rejection(recordings=[str(file)]), tmp_path / "runs", machine=Machine(workers=1))
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "2 rows, made by" in card
    assert "| them | 2 | 1 | 0 | 1 | 0 |" in card
    verdicts = shards.read(next((tmp_path / "runs").glob("verdicts-????????")))
    assert agreement(verdicts)["rows"].to_list() == [2]
    assert verdicts["model"].to_list() == ["a", "b", "a"]
    assert "temperature" not in card, "whoever recorded knows how it was drawn, we do not"


def test_problems_become_a_mix_with_its_card_and_a_quota_that_is_short_is_status_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaked = "What is 1 plus 2 plus 3 plus 4 plus 5 plus 6 plus 7?"
    (tmp_path / "evaluation.jsonl").write_text(json.dumps({"question": leaked, "dataset": "held out", "id": "1"}) + "\n")
    (tmp_path / "quotas.yaml").write_text("quotas:\n  - {part: reasoning, rows: 5, where: {domain: math}}\n")
    road = ["run", "rejection", "--root", str(tmp_path), "--workers", "1", "--limit", "10", "--want", "1", "--at_most", "8"]
    command = [*road, "--evaluation", json.dumps([str(tmp_path / "evaluation.jsonl")]), "--quotas", str(tmp_path / "quotas.yaml")]
    assert main(command) == 0
    card = capsys.readouterr().out
    assert "5 rows, made by" in card
    assert "held out" in card
    rows = shards.read(next(tmp_path.glob("mix-????????")))
    assert rows["is_right"].struct.field("value").to_list() == [1.0] * 5
    assert main([*command, "--scale", "10"]) == 3
    assert "short" in capsys.readouterr().err


def test_the_base_models_are_made_by_their_recipe(tmp_path: Path) -> None:
    folder = run(tiny_base(steps=2), tmp_path, machine=Machine(workers=1))
    assert {path.parent.name for path in folder.rglob("model.safetensors")} == {"base", "student"}
