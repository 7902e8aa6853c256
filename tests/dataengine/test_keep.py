from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dataengine import shards
from dataengine.keep import keep
from dataengine.run import run
from dataengine.score import Score, batch_scorer, scorer
from dataengine.sources import rows
from dataengine.step import Step


@scorer
def share(answer: str) -> Score:
    return Score(None if answer == "?" else float(answer), f"says {answer}")


@batch_scorer(together=True)
def first_of_its_kind(answer: pl.Series) -> list[Score]:
    return [Score(float(first), "seen") for first in answer.is_first_distinct()]


def data() -> Step:
    return rows([{"question": f"row {n}", "answer": answer} for n, answer in enumerate(["0", "0.5", "1", "?"])])


@pytest.mark.parametrize(
    ("at_least", "unjudged", "expected"), [(1.0, False, ["1"]), (0.5, False, ["0.5", "1"]), (0.5, True, ["0.5", "1", "?"])]
)
def test_the_bar_splits_and_the_unjudged_are_a_choice(tmp_path: Path, at_least: float, unjudged: bool, expected: list[str]) -> None:  # noqa: FBT001  # parametrized
    folder = run(keep(data(), share, at_least=at_least, unjudged=unjudged), tmp_path)
    assert shards.read(folder)["answer"].to_list() == expected
    assert len(shards.read(folder, shards.REJECTED)) == 4 - len(expected)


def test_nothing_is_lost_and_what_is_dropped_says_why(tmp_path: Path) -> None:
    folder = run(keep(data(), share), tmp_path)
    dropped = shards.read(folder, shards.REJECTED)
    assert sorted([*shards.read(folder)["prompt_id"], *dropped["prompt_id"]]) == sorted(shards.read(run(data(), tmp_path))["prompt_id"])
    assert dict(zip(dropped["answer"], dropped["dropped_because"], strict=True)) == {
        "0": "says 0",
        "0.5": "says 0.5",
        "?": "unjudged: says ?",
    }
    assert set(dropped["dropped_by"]) == {"share"}
    assert set(shards.read(folder).columns) < set(dropped.columns)


def test_a_bar_that_float32_rounds_still_keeps_its_own_value(tmp_path: Path) -> None:
    some = rows([{"question": "q", "answer": "0.1"}])
    assert len(shards.read(run(keep(some, share, at_least=0.1), tmp_path))) == 1


def test_a_step_that_drops_everything_still_opens(tmp_path: Path) -> None:
    folder = run(keep(keep(data(), share), share.with_(), name="again"), tmp_path)
    nothing = run(keep(rows([{"question": "q", "answer": "0"}]), share), tmp_path)
    assert len(shards.read(folder)) == 1
    assert shards.read(nothing).schema["share"] == pl.Struct({"value": pl.Float32, "reason": pl.String})


def test_a_bar_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(ValueError, match="lies in"):
        keep(data(), share, at_least=95)


def test_a_scorer_that_compares_rows_with_each_other_is_refused_where_shards_part_them() -> None:
    with pytest.raises(ValueError, match="compares rows with each other, and a step sees one shard at a time"):
        keep(data(), first_of_its_kind)
