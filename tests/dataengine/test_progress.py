"""What a person reads of work that is going on, where there is no terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.progress import Bar
from dataengine.sampling.spending import Fixed
from tests.dataengine.simulated import Simulated, made_with, sampled


@pytest.fixture(autouse=True)
def every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataengine.progress.SECONDS_BETWEEN_LINES", -1.0)


def test_what_was_there_is_told_and_is_no_part_of_the_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("sampled", total=2_000, unit="responses") as bar:
        bar.advance(1_200, there=True, right=7)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "  sampled: 1,200/2,000 responses (1,200 of them were there), 0/s right=7"


def test_of_work_that_is_all_new_nothing_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("scored", total=None) as bar:
        bar.advance(5)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("  scored: 5 rows, ")
    assert "there" not in last


def test_sampling_that_goes_on_says_how_many_responses_were_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_with(Simulated(), sampled(20, policy=Fixed(samples=2)), tmp_path)
    assert "were there" not in capsys.readouterr().err
    made_with(Simulated(), sampled(20, policy=Fixed(samples=3)), tmp_path)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("  sample: ")]
    assert lines[-1].startswith("  sample: 60 responses (40 of them were there), ")
