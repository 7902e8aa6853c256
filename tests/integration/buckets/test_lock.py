"""Two runs at once on one bucket: exactly one writes, and the other is told who."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from dataengine.storage import store_lock
from dataengine.storage.store import Store
from dataengine.storage.store_lock import NAME, StoreLock
from tests.integration.buckets.conftest import Bucket, Run, Server, data_files

DEAD = {"holder": {"host": "gone", "pid": 7, "user": "somebody", "since": "yesterday"}, "boot": "b", "token": "t", "signs": 3}


def test_of_runs_that_start_at_once_exactly_one_writes_and_the_others_are_told_who(
    server: Server, bucket: Bucket, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """The model of the one that writes says nothing before the others were told, however late they start."""
    goes_on = tmp_path / "goes-on"
    settings = {"hold": str(goes_on), "SECONDS_BETWEEN_SIGNS": 0.3}
    runs = [Run.start(tmp_path / f"{number}", bucket, server.environment, **settings) for number in range(3)]
    end = time.monotonic() + 120
    while sum(run.process.poll() is not None for run in runs) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    goes_on.touch()
    status = [run.ended() for run in runs]
    assert sorted(status) == [0, 2, 2], [run.said() for run in runs]
    winner = runs[status.index(0)]
    for run in runs:
        if run is not winner:
            assert f"another run is writing to {bucket.address} right now (process {winner.process.pid} of " in run.said()
    assert data_files(tmp_path / f"{status.index(0)}") == bucket.finished() == undisturbed
    assert NAME not in bucket.names()


def test_of_many_that_find_a_dead_holder_at_once_exactly_one_takes_over(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_lock, "SECONDS_TO_WATCH", 1.0)
    bucket.write(NAME, json.dumps(DEAD).encode())
    locks, told = [StoreLock(Store.at(bucket.address)) for _ in range(6)], []

    def take(lock: StoreLock) -> None:
        try:
            lock.take()
        except ValueError as error:
            told.append(str(error))
            locks.remove(lock)

    threads = [threading.Thread(target=take, args=[lock]) for lock in list(locks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(locks) == 1
    assert all(f"process {os.getpid()} of" in each for each in told)
    locks[0].give_back()
    assert NAME not in bucket.names()


def test_a_run_that_slept_while_its_lock_was_taken_over_writes_nothing_more(server: Server, bucket: Bucket, tmp_path: Path) -> None:
    times = {"SECONDS_TO_WATCH": 2.0, "SECONDS_BETWEEN_SIGNS": 3600.0}
    sleeps = Run.start(tmp_path / "sleeps", bucket, server.environment, prompts=500, slow=0.005, stand=True, **times)
    sleeps.stands_still()
    bucket.write(NAME, json.dumps(DEAD).encode())
    before = {name: bucket.read(name) for name in bucket.names()}
    assert any(".log/" in name for name in before)
    time.sleep(1.5)  # more than half the time that others watch: it has to look
    sleeps.process.send_signal(signal.SIGCONT)
    assert sleeps.ended() == 1, sleeps.said()
    assert "process 7 of somebody on gone, since yesterday" in sleeps.said()
    assert "This run stops here; what it made is kept in --root" in sleeps.said()
    assert sleeps.said().count("warning") <= 3, "it is not said again and again"
    assert {name: bucket.read(name) for name in bucket.names()} == before
