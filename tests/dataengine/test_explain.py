from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from dataengine import shards
from dataengine.cli import main
from dataengine.explain import trace, trace_everywhere, training_data
from dataengine.keep import keep, score
from dataengine.mix import Quota, mix
from dataengine.reporting.funnel import funnel
from dataengine.run import LOCK, run
from dataengine.score import Score, scorer
from dataengine.show import folder_text, trace_text
from dataengine.sources import rows
from dataengine.step import Model, Step
from dataengine.storage.lock import only_one
from dataengine.work import Work
from filters.language import language_share
from tests.dataengine.roads import rollouts, saved_model, short_of_e
from tests.dataengine.test_keep import data, share


def road(tmp_path: Path) -> Path:
    return run(mix({"kept": keep(data(), share, at_least=0.5)}, [Quota(part="kept", rows=1)], seed=0), tmp_path)


def test_every_row_of_the_source_is_explained_from_the_end_of_the_road(tmp_path: Path) -> None:
    end = road(tmp_path)
    for row in shards.read(run(data(), tmp_path)).iter_rows(named=True):
        places = trace(end, row["prompt_id"])
        assert places[0].kept
        last = places[-1]
        if row["answer"] in ("0", "?"):
            assert (last.kept, last.row["dropped_by"]) == (False, "share")
        else:
            assert last.folder == end.name


def test_a_row_that_nobody_saw_is_said_to_be_unknown(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no row 'abc'"):
        trace(road(tmp_path), "abc")


def test_the_funnel_counts_every_step(tmp_path: Path) -> None:
    lines = funnel(road(tmp_path), tmp_path)
    assert [(line["made"], line["kept"]) for line in lines] == [(4, 4), (4, 2), (2, 1)]
    assert lines[1]["rejected"] == {"says N": 1, "unjudged: says ?": 1}


def test_the_texts_name_folders_reasons_and_rows(tmp_path: Path) -> None:
    end = road(tmp_path)
    shown = "\n".join(folder_text(end, rows=2))
    assert "rows: 1, rejected: 1" in shown
    assert "more than the quota" in shown
    dropped = shards.read(run(keep(data(), share, at_least=0.5), tmp_path), shards.REJECTED)["prompt_id"][0]
    assert "dropped by share: says 0" in "\n".join(trace_text(trace(end, dropped)))


def test_a_folder_under_way_is_ours_and_says_who_makes_it(tmp_path: Path) -> None:
    now = pytest.raises(ValueError, match=rf"is not finished yet, and process {os.getpid()} of .* makes it right now: the command")
    with only_one(tmp_path / LOCK, doing="making it"), now:
        list(folder_text(tmp_path, rows=1))
    (tmp_path / shards.JOURNAL).touch()
    with pytest.raises(ValueError, match="is not finished yet, and nobody on this machine makes it right now: the command that began it"):
        list(folder_text(tmp_path, rows=1))


def test_a_scorer_points_at_the_stretches_that_cost_the_row_its_score(tmp_path: Path) -> None:
    texts = ["先加再减，得到十二。", "先加 and then we subtract the rest 得到十二。"]
    given = [{"question": f"请计算 {number}", "response": text} for number, text in enumerate(texts)]
    end = run(keep(rows(given), language_share), tmp_path)
    dropped = shards.read(end, shards.REJECTED).row(0, named=True)
    place = trace(end, dropped["prompt_id"])[-1]
    (stretch,) = place.findings["language_share"]
    assert dropped["response"][stretch["start"] : stretch["end"]] == stretch["text"] == "and then we subtract the rest"
    assert "    language_share: 3:32 'and then we subtract the rest' (language Latin, words 6)" in trace_text([place])
    kept = trace(end, shards.read(end)["prompt_id"][0])
    assert not kept[-1].findings


@scorer(version="7")
def says_something(response: str) -> Score:
    return Score(1.0, f"{len(response)} characters")


def trained_on(data: Step, *, refuse: int, base: Model | None = None, name: str = "student") -> Model:
    """A model as our trainers leave it: what it refused in rejected/, weights beside it."""
    inputs = {"base": base or Model(name="nothing", make=land_weights), "data": data}
    return Model(name=name, make=land_weights, inputs=inputs, settings={"epochs": 2, "refuse": refuse})


def land_weights(work: Work) -> None:
    if "data" in work.inputs:
        refused = work.rows().head(work.settings["refuse"]).with_columns(dropped_by=pl.lit(work.name), dropped_because=pl.lit("too long"))
        work.land("rejected/00000.parquet", refused)
    (work.folder / "weights.bin").write_bytes(b"w")


@pytest.fixture(scope="module")
def road_to_a_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(root, mix, student): a real road of rollouts, verdicts, a filter and a mix, and a model on it."""
    root = tmp_path_factory.mktemp("runs")
    made = rollouts(saved_model(tmp_path_factory.mktemp("model")), prompts=6, samples=12, max_tokens=24)
    kept = keep(score(made, [says_something], name="verdicts"), short_of_e)
    mixed = mix({"kept": kept}, [Quota(part="kept", rows=8)], seed=1)
    student = trained_on(mixed, refuse=2)
    return root, run(mixed, root), run(student, root)


def lines_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert main(["explain", *command]) == 0
    return capsys.readouterr().out


def test_a_row_is_walked_from_its_source_to_the_checkpoint(
    road_to_a_model: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root, end, student = road_to_a_model
    row = shards.read(end).row(-1, named=True)
    said = lines_of(capsys, str(root), row["row_id"])
    assert [line.split("-")[0] for line in said.splitlines() if "  kept" in line or "  trained" in line] == [
        "problems", "generate", "verdicts", "keep", "mix", "student",
    ]  # fmt: skip
    assert f"row {row['source_row']} of the source" in said
    assert f"sample {row['sample']} of {row['model']}, revision {row['model_revision']}, by {row['engine']}" in said
    assert f"seed {row['seed']}" in said
    assert "(tests.dataengine.test_explain.says_something, version 7)" in said
    assert f"bucket {row['bucket']}" in said
    assert f"{student.name}  {row['row_id']}  trained on it" in said
    assert row["response"][:20].split("\n")[0] in said


@pytest.mark.parametrize("name", ["{row_id}", "{prompt_id}/{sample}", "{row_id:.9}"])
def test_a_row_has_three_names_and_each_finds_it(road_to_a_model: tuple[Path, Path, Path], name: str) -> None:
    _, end, _ = road_to_a_model
    for row in shards.read(end).iter_rows(named=True):
        places = trace(end, name.format(**row))
        assert [place.folder.split("-")[0] for place in places] == ["problems", "generate", "verdicts", "keep", "mix"]
        assert {place.row["prompt_id"] for place in places} == {row["prompt_id"]}
        assert {place.row_id for place in places[1:]} == {row["row_id"]}
        assert places[-1].row == row


def test_a_model_says_which_rows_it_was_trained_on_and_why_not_on_others(
    road_to_a_model: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, end, student = road_to_a_model
    refused = set(shards.read(student, shards.REJECTED)["row_id"])
    taken, left = shards.read(end), shards.read(end, shards.REJECTED)
    for row in taken.iter_rows(named=True):
        trained = [place for place in trace(student, row["row_id"]) if place.trained]
        assert len(trained) == (0 if row["row_id"] in refused else 1)
    assert "was not trained on it" in lines_of(capsys, str(student), left["row_id"][0])
    assert "dropped by student: too long" in lines_of(capsys, str(student), refused.pop())
    assert training_data(student) == [(end, 8)]
    assert "8 rows" in lines_of(capsys, str(student))


def test_many_responses_of_one_prompt_are_counted_not_listed(
    road_to_a_model: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root, end, _ = road_to_a_model
    said = lines_of(capsys, str(root), shards.read(end)["prompt_id"][0])
    assert "12 responses to " in said
    assert len(said.splitlines()) < 80


def test_an_id_that_could_be_several_is_not_guessed(road_to_a_model: tuple[Path, Path, Path]) -> None:
    root, end, _ = road_to_a_model
    ids = sorted(shards.read(end)["row_id"])
    shared = next(digit for digit in "0123456789abcdef" if sum(each.startswith(digit) for each in ids) != 1)
    with pytest.raises(ValueError, match=r"Give more digits|no row"):
        trace_everywhere(root, shared)


def test_a_root_without_folders_says_where_there_are_some(road_to_a_model: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, end, _ = road_to_a_model
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / end.name).symlink_to(end)
    with pytest.raises(ValueError, match="look into runs"):
        trace_everywhere(tmp_path, "abc")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no finished folder lies in"):
        trace_everywhere(tmp_path / "empty", "abc")


def land_noted(work: Work) -> None:
    for path in shards.shard_paths(work.inputs["data"]):
        work.land(path.name, pl.read_parquet(path))
    rows = work.rows()
    asked = rows.select("prompt_id").unique(maintain_order=True).with_columns(asked=pl.lit(16), decided=pl.lit("given up: hard"))
    work.land("prompts/00000.parquet", asked)
    work.land("hits/00000.parquet", rows.head(1).select("row_id", "prompt_id", set=pl.lit("aime24"), span=pl.lit("how much is")))


def test_what_steps_noted_of_a_prompt_or_a_row_is_told_with_it(
    road_to_a_model: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root, end, _ = road_to_a_model
    noted = run(Step(name="noted", make=land_noted, inputs={"data": rows_of(end)}), root)
    first, *_, last = shards.read(noted)["row_id"]
    said = lines_of(capsys, str(noted), first)
    assert f"{noted.name}  prompts\n    prompt_id" in said
    assert "asked 16, decided given up: hard" in said
    assert "set aime24, span how much is" in said
    assert "aime24" not in lines_of(capsys, str(noted), last)


def rows_of(folder: Path) -> Step:
    """A finished folder of the root as an input."""
    from dataengine.step import ModelHere

    return ModelHere(name=folder.name, make=land_weights, settings={"folder": folder.name}, path=folder)
