"""A scorer that hangs over a row leaves that row unjudged, wherever shards are judged, and everything else is as it was."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl
import pytest

from dataengine import deadline, shards, work
from dataengine.errors import Stopped
from dataengine.keep import Bar, keep, score
from dataengine.machine import Machine
from dataengine.rescore import rescore
from dataengine.run import run
from dataengine.score import Scorer, scorer
from dataengine.step import Step
from dataengine.work import Work
from tests.dataengine import hanging

TIMEOUT = "timeout after 0.1 s"


def made(making: Work) -> None:
    for number, responses in enumerate(making.settings["shards"]):
        ids = [f"{number}-{row}" for row in range(len(responses))]
        making.land(f"{number:05d}.parquet", pl.DataFrame({"prompt_id": ids, "row_id": ids, "sample": 0, "response": responses}))


def data(*responses: Sequence[str]) -> Step:
    return Step(name="made", make=made, settings={"shards": [list(each) for each in responses]})


def scores(scorer: Scorer, *responses: str) -> list[dict[str, Any]]:
    """The scores after a first call, in which scorers may load what they want."""
    scorer.score(pl.DataFrame({"response": ["first"]}))
    return scorer.score(pl.DataFrame({"response": responses})).to_list()


@pytest.mark.parametrize("how", ["loop", "regex", "stubborn", "system"])
@pytest.mark.parametrize("judge", [hanging.row_by_row, hanging.together, hanging.through_another], ids=lambda judge: judge.name)
def test_a_row_over_which_a_scorer_hangs_is_unjudged_and_its_neighbours_are_judged(judge: Scorer, how: str) -> None:
    assert scores(judge, "one", how, "three") == [
        {"value": 1.0, "reason": "read one"},
        {"value": None, "reason": TIMEOUT},
        {"value": 1.0, "reason": "read three"},
    ]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("judge", [hanging.row_by_row, hanging.together], ids=lambda judge: judge.name)
def test_steps_go_on_over_rows_that_hang_here_and_in_worker_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], judge: Scorer, workers: int
) -> None:
    monkeypatch.setattr(work, "ROWS_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(work, "SECONDS_OF_SILENCE", 0.05)
    fine = [f"row {number}" for number in range(40)]
    given = data(["first", *fine, "loop"], ["regex", *fine])
    judged: dict[str, Step] = {"kept": keep(given, judge), "scored": score(given, [judge]), "again": rescore(given, [Bar(scorer=judge)])}
    for name, step in judged.items():
        folder = run(step, tmp_path, machine=Machine(workers=workers))
        part = "" if name == "scored" else shards.REJECTED
        found = shards.read(folder, part).filter(pl.col(judge.name).struct.field("value").is_null())
        assert sorted(found["response"]) == ["loop", "regex"], name
        assert found[judge.name].struct.field("reason").unique().to_list() == [TIMEOUT], name
        if part:
            assert found["dropped_because"].unique().to_list() == [f"unjudged: {TIMEOUT}"]
    told = re.search(r"nothing done for \d+ s; under way: 00000\.parquet, 00001\.parquet\n", capsys.readouterr().err)
    assert bool(told) == (workers == 2)


def test_many_rows_that_hang_stop_the_run_with_the_scorers_name_before_the_last_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Stopped, match=r"row_by_row failed on 11 of 41 rows, first: timeout after 0.1 s.*longer deadline"):
        run(keep(data(["fine", *(["loop"] * 40)]), hanging.row_by_row), tmp_path, machine=Machine(workers=1))
    assert "row_by_row took more than 0.1 s over row 2 of 41 (row_id 0-1)" in capsys.readouterr().err


def test_many_rows_are_judged_together_for_longer_than_one_and_then_in_parts() -> None:
    rows = [f"row {number}" for number in range(40)]
    assert scores(hanging.heavy, *rows) == [{"value": 1.0, "reason": f"read {row}"} for row in rows]


def test_one_row_of_a_process_may_take_longer_for_models_are_loaded_over_it_be_it_the_first_or_not() -> None:
    found = hanging.loads_late.score(pl.DataFrame({"response": ["", "one", "two"]}))
    assert [row["value"] for row in found] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("judge", "row", "said"),
    [
        (hanging.row_by_row, "sleep", "read sleep"),
        (hanging.in_a_thread, "busy", "read busy"),
        (hanging.with_an_alarm, "loop", "its own alarm"),
    ],
)
def test_waiting_costs_no_time_and_scorers_may_have_threads_and_alarms(judge: Scorer, row: str, said: str) -> None:
    assert [each["reason"] for each in scores(judge, "one", row)] == ["read one", said]


def test_whoever_has_the_signal_already_keeps_it() -> None:
    def profile(_number: int, _frame: FrameType | None) -> None: ...

    before = signal.signal(signal.SIGVTALRM, profile)
    try:
        assert scores(hanging.row_by_row, "one")[0]["value"] == 1.0
        assert signal.getsignal(signal.SIGVTALRM) is profile
    finally:
        signal.signal(signal.SIGVTALRM, before or signal.SIG_DFL)


def test_a_scorer_judges_in_any_thread() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(scores(hanging.row_by_row, "one", "two")))
    thread.start()
    thread.join()
    assert [row["value"] for row in found] == [1.0, 1.0]


def test_a_row_that_takes_long_by_the_clock_on_the_wall_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deadline, "SECONDS_OF_SILENCE", 0.1)
    scores(hanging.row_by_row, "one", "sleep")
    assert "row_by_row: at row 2 of 2 for " in capsys.readouterr().err


def test_a_deadline_is_no_part_of_what_a_fingerprint_knows() -> None:
    longer = scorer(deadline=600.0)(hanging.row_by_row.function)
    assert longer.identity() == hanging.row_by_row.identity()
    assert longer.with_().deadline == 600.0
    with pytest.raises(ValueError, match="more than 0"):
        scorer(deadline=0.0)(hanging.row_by_row.function)
