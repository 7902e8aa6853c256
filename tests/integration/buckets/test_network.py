"""The line to the bucket is cut or falls silent in the middle of a run, for a while or for good."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataengine.errors import Stopped
from dataengine.storage.store import Store
from tests.integration.buckets.conftest import Bucket, Run, Server, data_files

OUTAGE = 10.0


@pytest.fixture(autouse=True)
def mended(server: Server) -> Iterator[None]:
    yield
    server.wire.mend()


def test_a_line_that_is_cut_for_ten_seconds_costs_nothing_but_time(
    server: Server, bucket: Bucket, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    run = Run.start(tmp_path / "root", bucket, server.environment, slow=0.0002)
    run.until("[3/")
    server.wire.cut()
    time.sleep(OUTAGE)
    assert run.process.poll() is None, run.said()
    server.wire.mend()
    assert run.ended() == 0, run.said()
    assert data_files(tmp_path / "root") == bucket.finished() == undisturbed


def test_a_line_that_stays_cut_stops_the_run_and_everything_is_kept(
    server: Server, bucket: Bucket, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    run = Run.start(tmp_path / "root", bucket, server.environment, FIRST_PAUSE=0.01)
    run.until("[3/")
    server.wire.cut()
    assert run.ended() == 1, run.said()
    assert "Everything made so far is kept in --root; run again when the store can be reached" in run.said()
    assert "Traceback" not in run.said()
    server.wire.mend()
    again = Run.start(tmp_path / "root", bucket, server.environment)
    assert again.ended() == 0, again.said()
    assert data_files(tmp_path / "root") == bucket.finished() == undisturbed


def test_a_server_that_falls_silent_is_given_up_and_asked_again_later(
    server: Server, store: Store, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3fs.S3FileSystem.read_timeout", 0.3)
    monkeypatch.setattr("dataengine.storage.store.PATIENCE", 1.0)
    monkeypatch.setattr("dataengine.storage.store.SECONDS_OF_A_PUT", 1.0)
    (tmp_path / "file").write_bytes(b"content")
    requests = {
        "put a": lambda: store.put("a", b"content"),
        "put b": lambda: store.put_file("b", tmp_path / "file"),
        "create c": lambda: store.create("c", b"content"),
        "read a": lambda: store.read("a"),
        "fetch a": lambda: store.fetch("a", tmp_path / "fetched"),
        "list d": lambda: store.sizes("d"),
        "delete a": lambda: store.delete("a"),
    }
    server.wire.fall_silent()
    for what, request in requests.items():
        started = time.monotonic()
        with pytest.raises(Stopped, match=rf"did not {what} in \d attempts"):
            request()
        assert time.monotonic() - started < 30
    server.wire.mend()
    for request in requests.values():
        request()
    assert sorted(bucket.names()) == ["b", "c"]
