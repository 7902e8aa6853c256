"""Training curves: the right points, smoothed without a shift, coloured by the page."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.reporting.plots import SERIES, Metric, curve, dashed, found_metrics, legend, points, smoothed

REWARD = Metric(key="reward", title="reward <b>", share=True)


def test_updates_without_a_finite_value_are_left_out() -> None:
    run = [{"step": 5, "reward": 0.5}, {"step": 6, "reward": None}, {"step": 7}, {"step": 8, "reward": math.nan}, {"step": 9, "reward": 1}]
    assert points(run, "reward") == ([5.0, 9.0], [0.5, 1.0])


def test_scorers_are_found_in_the_figures() -> None:
    run = [{"step": 1, "reward": 0.5, "scores": {"zero_format": 0.25, "answer_matches": None}}, {"step": 2}]
    metrics = found_metrics({"R1-Zero": run, "SFT": [{"step": 1, "loss": 2.0}]})
    assert [metric.key for metric in metrics][:3] == ["reward", "scores.zero_format", "scores.answer_matches"]
    assert points(run, "scores.zero_format") == ([1.0], [0.25])
    assert points(run, "reward.nothing") == ([], [])


@given(st.lists(st.floats(-1e6, 1e6), max_size=100))
def test_smoothing_keeps_the_length_and_the_range(values: list[float]) -> None:
    found = smoothed(values)
    assert len(found) == len(values)
    assert all(min(values) - 1e-6 <= value <= max(values) + 1e-6 for value in found)


def test_smoothing_shifts_nothing() -> None:
    line = [float(value) for value in range(60)]
    assert smoothed(line)[10:50] == pytest.approx(line[10:50])


def test_the_colours_and_the_letters_are_the_page_s() -> None:
    svg = curve(REWARD, {f"run {n}": [{"step": 1, "reward": n / 10}, {"step": 2, "reward": 0.5}] for n in range(SERIES + 1)})
    assert svg is not None
    for colour in range(1, SERIES + 1):
        assert f"var(--series-{colour})" in svg
    assert "var(--ink-soft)" in svg
    assert "var(--rule)" in svg
    assert "font-family" not in svg
    assert "#0a0" not in svg
    assert 'aria-label="reward &lt;b&gt; against training step"' in svg


def test_a_single_update_is_drawn_and_no_update_is_not() -> None:
    assert curve(REWARD, {"a": [{"step": 1, "reward": 0.5}]})
    assert curve(REWARD, {"a": [], "b": [{"step": 1, "accuracy": 0.5}]}) is None


def test_more_runs_than_colours_are_dashed() -> None:
    names = legend({f"run {n}": [] for n in range(SERIES + 1)})
    assert names[0] == ("run 0", 1, False)
    assert names[SERIES] == (f"run {SERIES}", 1, True)
    assert not dashed(SERIES - 1)
