from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotation.judged_again import judged_again
from dataengine import shards
from dataengine.card import card
from dataengine.run import run
from tests.annotation.rows import BARS, responses, rollout

KEEP, FIX = ({"human": {"value": 1.0, "reason": reason}, "reviewed_by": ["ann"]} for reason in ("keep", "fix"))
NOBODY: dict[str, Any] = {"human": {"value": None, "reason": None}, "reviewed_by": None}


def test_an_edit_that_makes_the_answer_wrong_is_said_and_stands_in_the_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Finding: it was scored after the review, and nobody was told."""
    wrong = {"answer": "another"}
    rows = [rollout(1, **wrong, **FIX), rollout(2, **wrong, **FIX), rollout(3, **wrong, **KEEP), rollout(4, **KEEP), rollout(5, **NOBODY)]
    step = judged_again(responses(rows), BARS, name="set")
    made = run(card(step, title="A set"), tmp_path)
    assert len(shards.read(step.place(tmp_path))) == 5
    fixed = f"2 rows that people fixed fail right as they are now, first {rows[0]['row_id']} by ann: 1 against another"
    kept = f"1 rows that people kept fail right as they are now, first {rows[2]['row_id']} by ann: 3 against another"
    said = capsys.readouterr().err
    for line in (fixed, kept):
        assert f"warning: set: {line}" in said
        assert f"- {line}" in (made / "README.md").read_text(encoding="utf-8")


def test_where_people_and_filters_agree_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = judged_again(responses([rollout(1, **KEEP), rollout(2, answer="another", **NOBODY)]), BARS, name="set")
    assert shards.read_manifest(run(step, tmp_path))["notes"]["against"] == []
    assert "warning" not in capsys.readouterr().err
