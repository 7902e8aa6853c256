"""A few kills at random moments; `benchmarks/kills.py` does it a thousand times, `benchmarks/kills_of_steps.py` three hundred times."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import kills, kills_of_steps


@pytest.mark.timeout(1_200)
def test_ten_kills_of_main_process_verifiers_and_server_lose_nothing_double_nothing_and_change_no_byte(tmp_path: Path) -> None:
    figures = list(kills.killing(tmp_path, kills=10, seed=3))[-1]
    assert figures["kills"] >= 10
    assert {name: figures[name] for name in kills.WRONG} == dict.fromkeys(kills.WRONG, 0)


@pytest.mark.timeout(1_200)
def test_kills_of_the_steps_to_a_corpus_and_of_their_workers_change_no_byte_and_leave_nothing(tmp_path: Path) -> None:
    figures = list(kills_of_steps.killing(tmp_path, kills=6, seed=3, apart=200))[-1]
    assert figures["kills"] >= 6
    assert {name: figures[name] for name in kills_of_steps.WRONG} == dict.fromkeys(kills_of_steps.WRONG, 0)
