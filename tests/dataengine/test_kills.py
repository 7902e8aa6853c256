"""Ten kills at random moments of main process, verifiers and server; `benchmarks/kills.py` does it a thousand times."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.kills import killing


@pytest.mark.timeout(1_200)
def test_ten_kills_lose_nothing_double_nothing_and_change_no_byte(tmp_path: Path) -> None:
    figures = list(killing(tmp_path, kills=10, seed=3))[-1]
    assert figures["kills"] >= 10
    wrong = ("lost", "duplicated", "wrong", "folders_that_differ", "failed", "orphans")
    assert {name: figures[name] for name in wrong} == dict.fromkeys(wrong, 0)
