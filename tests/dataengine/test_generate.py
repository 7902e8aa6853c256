from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dataengine import shards
from dataengine.columns import PROBLEM, RESPONSE, schema
from dataengine.generate import generate
from dataengine.inference.engine import Sampling
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.sources import rows
from dataengine.step import Model, Step
from dataengine.templates import QUESTION, Template
from dataengine.work import Work
from tests.dataengine import roads


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return roads.saved_model(tmp_path_factory.mktemp("model") / "model")


def made(step: Step, root: Path) -> pl.DataFrame:
    return shards.read(run(step, root, machine=Machine(workers=1, slots=16)))


def test_what_is_written_is_what_the_table_of_columns_says(model: Path, tmp_path: Path) -> None:
    found = made(roads.rollouts(model, prompts=3, samples=2, max_tokens=8), tmp_path)
    expected = {**schema(PROBLEM), **schema(RESPONSE)}
    assert dict(found.schema) == expected
    assert found["sample"].to_list() == [0, 1] * 3
    assert found["model_revision"].n_unique() == 1


def test_a_column_may_say_how_many_samples_each_problem_gets(model: Path, tmp_path: Path) -> None:
    problems = rows([{"question": f"{n}?", "wanted": n} for n in range(4)])
    settings = {"template": QUESTION, "sampling": Sampling(max_tokens=4)}
    found = made(generate(problems, Model.at(model), samples="wanted", **settings), tmp_path)
    assert found.group_by("wanted").agg(pl.len()).sort("wanted").rows() == [(1, 1), (2, 2), (3, 3)]
    with pytest.raises(ValueError, match="Did you mean 'wanted'"):
        made(generate(problems, Model.at(model), samples="wnted", **settings), tmp_path)


@pytest.mark.parametrize("wrong", [None, 1.5, -1, "two"])
def test_a_number_of_samples_that_is_none_is_refused_by_column_and_row(model: Path, tmp_path: Path, wrong: object) -> None:
    problems = rows([{"question": "1?", "wanted": wrong if isinstance(wrong, float | str) else 1}, {"question": "2?", "wanted": wrong}])
    step = generate(problems, Model.at(model), samples="wanted", template=QUESTION, sampling=Sampling(max_tokens=4))
    with pytest.raises(ValueError, match=r"samples='wanted': row [01] of the problems says .* a whole number, 0 or more"):
        made(step, tmp_path)


def test_an_empty_input_makes_an_empty_folder_with_its_columns(model: Path, tmp_path: Path) -> None:
    nothing = Step(name="nothing", make=_make_nothing)
    found = made(generate(nothing, Model.at(model), samples=2, template=QUESTION, sampling=Sampling(max_tokens=4)), tmp_path)
    assert found.height == 0
    assert dict(found.schema) == {**schema(PROBLEM), **schema(RESPONSE)}


def _make_nothing(work: Work) -> None:
    work.land("00000.parquet", pl.DataFrame(schema=schema(PROBLEM)))


def test_a_prefilled_beginning_is_part_of_the_prompt_and_of_the_recorded_response(model: Path, tmp_path: Path) -> None:
    template = Template(name="prefilled", text="{{ question }} ", prefill="<think>")
    found = made(
        generate(rows([{"question": "1+1?"}]), Model.at(model), samples=1, template=template, sampling=Sampling(max_tokens=4)), tmp_path
    )
    assert found["prompt"][0] == "1+1? <think>"
    assert found["response"][0].startswith("<think>")


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a model folder"):
        made(roads.rollouts(tmp_path), tmp_path / "runs")


def test_settings_that_make_no_sense_are_refused(model: Path) -> None:
    problems = rows([{"question": "1+1?"}])
    with pytest.raises(ValueError, match="at least 1"):
        generate(problems, Model.at(model), samples=0, template=QUESTION, sampling=Sampling())
    with pytest.raises(ValueError, match="parts is one of zero, r1"):
        generate(problems, Model.at(model), samples=1, template=QUESTION, sampling=Sampling(), parts="r2")
    with pytest.raises(ValueError, match="sampling wants"):
        Sampling(top_p=0)
