"""Of runs on one store exactly one writes, whatever sleeps, is held up, or vanishes."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from dataengine.errors import Stopped
from dataengine.storage import store as store_module
from dataengine.storage import store_lock
from dataengine.storage.second_home import SecondHome
from dataengine.storage.store import Store
from dataengine.storage.store_lock import NAME, StoreLock
from tests.dataengine import buckets

OTHER = {"holder": {"host": "gone", "pid": 7, "user": "somebody", "since": "yesterday"}, "boot": "b", "token": "another", "signs": 3}


@pytest.fixture(autouse=True)
def signs_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FIRST_PAUSE", 0.0001)
    monkeypatch.setattr(store_lock, "SECONDS_BETWEEN_SIGNS", 3600.0)
    monkeypatch.setattr(store_lock, "SECONDS_TO_SETTLE", 0.05)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "bucket").mkdir()
    return Store.at(f"buckets://{tmp_path / 'bucket'}")


@pytest.fixture
def lock(store: Store) -> StoreLock:
    """Taken."""
    lock = StoreLock(store)
    lock.take()
    return lock


def says(store: Store) -> dict[str, object]:
    return json.loads(store.read(NAME) or b"{}")


def taken_over(store: Store) -> None:
    store.put(NAME, json.dumps(OTHER).encode())


def suspended(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """So much time passes that the monotonic clock does not see."""
    clock = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda which: clock(which) + (seconds if which == time.CLOCK_BOOTTIME else 0))


def test_the_second_run_on_a_store_is_told_who_holds_it(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_lock, "SECONDS_BETWEEN_SIGNS", 0.05)
    monkeypatch.setattr(store_lock, "SECONDS_TO_WATCH", 10.0)
    second = StoreLock(store)
    told = rf"another run is writing to .* \(process {os.getpid()} of .* since 20"
    with SecondHome(tmp_path / "one", store), pytest.raises(ValueError, match=told):
        second.take()
    lock = StoreLock(store)
    lock.take()
    lock.give_back()


def test_a_lock_of_another_machine_that_shows_no_life_is_taken_over(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_lock, "SECONDS_TO_WATCH", 0.6)
    taken_over(store)
    lock = StoreLock(store)
    lock.take()
    assert "process 7 of somebody on gone, since yesterday" in capsys.readouterr().err
    lock.give_back()
    assert store.read(NAME) is None


def test_a_run_whose_lock_was_taken_over_stops(store: Store, lock: StoreLock) -> None:
    taken_over(store)
    lock._sign()
    with pytest.raises(Stopped, match=r"process 7 of somebody on gone.*This run stops here"):
        lock.check()
    lock.give_back()
    assert says(store) == OTHER


def test_a_lock_that_another_run_took_over_unseen_is_left_to_it(store: Store, lock: StoreLock) -> None:
    taken_over(store)
    lock.give_back()
    assert says(store) == OTHER


def test_a_machine_that_was_suspended_looks_before_it_writes(store: Store, lock: StoreLock, monkeypatch: pytest.MonkeyPatch) -> None:
    lock.check()
    taken_over(store)
    suspended(monkeypatch, store_lock.SECONDS_TO_WATCH)
    with pytest.raises(Stopped, match="process 7 of somebody on gone"):
        lock.check()


def test_a_lock_that_somebody_removed_is_made_again(store: Store, lock: StoreLock, monkeypatch: pytest.MonkeyPatch) -> None:
    store.delete(NAME)
    suspended(monkeypatch, store_lock.SECONDS_TO_WATCH * 0.75)
    lock.check()
    assert says(store)["signs"] == 1
    lock.give_back()
    assert store.read(NAME) is None


def test_a_lock_that_is_gone_after_a_long_silence_stops_the_run(store: Store, lock: StoreLock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run may have taken it over, written, and ended."""
    store.delete(NAME)
    suspended(monkeypatch, store_lock.SECONDS_TO_WATCH)
    with pytest.raises(Stopped, match=r"lock\.json is gone \(it was removed, or .* after 60 s .*run again\. This run stops here"):
        lock.check()
    assert store.read(NAME) is None


def test_a_bucket_that_vanished_is_named(store: Store, lock: StoreLock, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_bucket(self: buckets.Buckets, path: str, value: bytes, mode: str = "overwrite") -> None:
        raise FileNotFoundError("the specified bucket does not exist")

    store.delete(NAME)
    monkeypatch.setattr(buckets.Buckets, "pipe_file", no_bucket)
    with pytest.raises(ValueError, match=r"bucket does not exist\. Make the bucket first"):
        lock._sign()


def test_a_sign_that_was_held_up_does_not_overwrite_who_took_over_meanwhile(
    store: Store, lock: StoreLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, looked, goes_on = buckets.Buckets.cat_file, threading.Event(), threading.Event()

    def held_up_once(self: buckets.Buckets, path: str, start: int | None = None, end: int | None = None) -> bytes:
        content = read(self, path, start, end)
        if threading.current_thread() is signs and not looked.is_set():
            looked.set()
            assert goes_on.wait(60)
        return content

    monkeypatch.setattr(buckets.Buckets, "cat_file", held_up_once)
    monkeypatch.setattr(store_lock, "SECONDS_TO_WATCH", 0.6)
    signs = threading.Thread(target=lock._sign)
    signs.start()
    assert looked.wait(60)
    second = StoreLock(store)
    second.take()
    goes_on.set()
    signs.join()
    with pytest.raises(Stopped, match="another run is writing"):
        lock.check()
    second.check()
    assert says(store)["token"] == second._said["token"]
    second.give_back()
