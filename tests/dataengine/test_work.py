"""What a person is told while workers land nothing."""

from __future__ import annotations

import re
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from dataengine import work
from dataengine.machine import Machine
from dataengine.work import Work


def test_silence_is_told_in_seconds_since_the_last_shard_with_those_that_are_worked_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(work, "SECONDS_OF_SILENCE", 1.0)
    made = Work(name="keep", folder=Path(), root=Path(), inputs={}, settings={}, machine=Machine(workers=2))
    asked = {Future[None](): Path(f"{number}.parquet") for number in range(4)}
    futures = list(asked)
    for each in futures[:3]:  # a pool marks those that its workers will take next
        each.set_running_or_notify_cancel()
    for each in futures:
        threading.Timer(2.6, each.set_result, [None]).start()
    assert sorted(map(id, made._as_they_end(asked))) == sorted(map(id, futures))
    told = re.findall(r"keep: nothing done for (\d+) s; under way: (.*)", capsys.readouterr().err)
    assert [(int(seconds) >= least, which) for (seconds, which), least in zip(told, (1, 2), strict=False)][:2] == [
        (True, "0.parquet, 1.parquet"),
        (True, "0.parquet, 1.parquet"),
    ]
