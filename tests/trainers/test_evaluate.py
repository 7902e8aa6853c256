"""The figures of an evaluation against hand counts and brute force."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine import shards
from dataengine.inference.engine import Sampling
from dataengine.run import run
from dataengine.score import SCORE, Score, scorer
from dataengine.step import Model
from dataengine.templates import Template
from tests.trainers.conftest import rows_step, sums
from trainers.evaluate import cons_at_k, evaluate, mean_score, pass_at_1, pass_at_k, summary


def frame(values: Sequence[Sequence[float | None]], answers: Sequence[Sequence[str | None]] | None = None) -> pl.DataFrame:
    """One prompt per inner list, one response per value."""
    rows = [
        {
            "prompt_id": f"p{p}",
            "sample": s,
            "right": {"value": value, "reason": ""},
            "extracted": answers[p][s] if answers else None,
            "finish_reason": "stop",
            "response_tokens": 10,
        }
        for p, group in enumerate(values)
        for s, value in enumerate(group)
    ]
    return pl.DataFrame(rows, schema_overrides={"right": SCORE, "extracted": pl.String})


def test_pass_at_1_is_the_mean_over_questions_with_the_error_of_clusters() -> None:
    found = pass_at_1(frame([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]]), "right")
    means = np.array([0.5, 1.0, 0.25])
    assert found.value == pytest.approx(means.mean())
    assert found.error == pytest.approx(means.std(ddof=1) / np.sqrt(3))
    assert found.prompts == 3


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 7))
def test_pass_at_k_is_the_share_of_k_subsets_with_a_correct_response(correct: list[bool], k: int) -> None:
    k = min(k, len(correct))
    subsets = list(itertools.combinations(correct, k))
    found = pass_at_k(frame([[float(c) for c in correct]]), "right", k=k)
    assert found.value == pytest.approx(sum(any(s) for s in subsets) / len(subsets))


@pytest.mark.parametrize("figure", [pass_at_k, cons_at_k])
def test_a_k_above_the_samples_drawn_is_refused_with_the_way_out(figure: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match=r"2 samples drawn.*draw more samples"):
        figure(frame([[1, 0, 1], [1, 0]]), "right", k=3)


def test_a_majority_beats_a_correct_minority_and_ties_go_to_the_answer_given_first() -> None:
    rows = frame(
        [[0, 1, 0, 1], [0, 0, 1, 0], [0, 1, 0, 1]],
        [["7", "8", None, "8"], ["5", "5", "6", "4"], ["3", "4", "3", "4"]],
    )
    assert cons_at_k(rows, "right", k=4).value == pytest.approx(1 / 3)
    assert cons_at_k(rows.sample(fraction=1.0, shuffle=True, seed=1), "right", k=4).value == pytest.approx(1 / 3)
    assert cons_at_k(rows, "right", k=2).value == 0.0


def test_unjudged_responses_are_in_no_figure_and_counted_apart() -> None:
    rows = frame([[1, None, 0], [None, None, None]], [["1", "1", "2"], ["1", "1", "1"]])
    assert pass_at_1(rows, "right").value == 0.5
    assert pass_at_k(rows, "right", k=3).value is None
    assert cons_at_k(rows, "right", k=3) == cons_at_k(rows.filter(pl.col("prompt_id") == "p0"), "right", k=3)
    assert mean_score(rows, "right").prompts == 1
    assert summary(rows, "right", ks=[2])["unjudged"] == 4


def test_a_question_from_two_sources_counts_once() -> None:
    rows = frame([[1, 0], [0, 0]])
    assert pass_at_1(pl.concat([rows, rows.head(2)]), "right") == pass_at_1(rows, "right")


@scorer
def has_digit(response: str) -> Score:
    """1 where any digit was written."""
    return Score(float(any(c.isdigit() for c in response)), "digit")


def last_character(response: str) -> str | None:
    """A stand-in for an extractor."""
    return response[-1:] or None


def test_an_evaluation_lands_scored_responses_with_its_figures_in_the_manifest(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    step = evaluate(
        Model.at(model_folder()),
        rows_step([{k: v for k, v in row.items() if k != "response"} for row in sums(6)]),
        has_digit,
        samples=4,
        sampling=Sampling(max_tokens=8),
        template=Template(name="bare", text="{{ question }}"),
        extract=last_character,
        ks=[2],
    )
    folder = run(step, tmp_path)
    rows, notes = shards.read(folder), shards.read_manifest(folder)["notes"]
    assert len(rows) == 24
    assert {"has_digit", "extracted"} <= set(rows.columns)
    assert notes["figures"]["pass@1"]["value"] == pytest.approx(notes["means"]["has_digit"]["value"])
    assert {"pass@2", "cons@2", "pass@4", "cons@4"} <= set(notes["figures"])
