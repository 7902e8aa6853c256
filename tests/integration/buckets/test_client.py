"""What the real client does with objects, and with servers that differ in conditional writes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dataengine.storage.store import Store
from tests.integration.buckets.conftest import Bucket, Server

TWO_PARTS = 120 << 20
"""Bytes that s3fs puts in pieces and fetches in pieces."""


def test_what_is_put_is_read_listed_fetched_and_deleted(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"from a file")
    store.put("a/b/one", b"first")
    store.put("a/b/one", b"second")
    store.put("a/with space, ü+%2F", b"")
    store.put_file("a/two", tmp_path / "file")
    store.put("ab", b"a name that only begins alike")
    assert store.sizes("a") == {"a/b/one": 6, "a/two": 11, "a/with space, ü+%2F": 0}
    assert sorted(bucket.names()) == ["a/b/one", "a/two", "a/with space, ü+%2F", "ab"]
    assert store.read("a/b/one") == b"second"
    assert store.fetch("a/two", tmp_path / "here" / "two")
    assert (tmp_path / "here" / "two").read_bytes() == b"from a file"
    for _ in range(2):
        store.delete("a/b/one")
    assert store.read("a/b/one") is None
    assert not store.fetch("a/b/one", tmp_path / "there")
    assert store.sizes("nothing") == {}


def test_more_objects_than_one_answer_lists_are_all_listed(store: Store, bucket: Bucket) -> None:
    for number in range(1_001):
        bucket.write(f"responses/r/000000.log/{number}", b"")
    assert len(store.sizes("responses")) == 1_001


def test_what_another_client_put_since_is_seen(store: Store, bucket: Bucket) -> None:
    store.put("a/one", b"1")
    assert store.sizes("a") == {"a/one": 1}
    bucket.write("a/two", b"22")
    bucket.write("a/one", b"333")
    assert store.sizes("a") == {"a/one": 3, "a/two": 2}
    assert store.read("a/one") == b"333"


def test_a_large_file_goes_up_in_parts_and_comes_down_whole(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    content = bytes(range(256)) * (TWO_PARTS // 256)
    (tmp_path / "large").write_bytes(content)
    store.put_file("large", tmp_path / "large")
    assert store.fetch("large", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == content


@pytest.mark.parametrize("dialect", ["plain", "unnamed", "conflicts", "ignores", "refuses"])
def test_an_object_is_created_once_whatever_the_server_makes_of_conditions(server: Server, dialect: str) -> None:
    bucket = Bucket(server, dialect)
    store = Store.at(bucket.address)
    assert store.create("lock", b"mine")
    assert store.create("lock", b"mine"), "asked again after an answer that was lost"
    assert not store.create("lock", b"yours")
    assert bucket.read("lock") == b"mine"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the others may wait long on a busy machine, and is still to ask again after a conflict."""
    monkeypatch.setattr("dataengine.storage.store.PATIENCE", 600.0)


def created_at_the_same_instant(bucket: Bucket) -> list[bytes]:
    """What those of eight put there who believe that it was theirs; none sees the object before all are about to write."""
    looked, reached, won = threading.Barrier(8), set[bytes](), list[bytes]()

    class LooksWithTheOthers(Store):
        def _create(self, name: str, content: bytes) -> None:
            if content not in reached:  # asked again after a conflict, it does not wait again
                reached.add(content)
                looked.wait(500)
            super()._create(name, content)

    def create(number: int) -> None:
        content = b"%d" % number
        if store.create("lock", content):
            won.append(content)

    store = LooksWithTheOthers.at(bucket.address)
    threads = [threading.Thread(target=create, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reached) == 8
    assert not looked.broken
    return won


@pytest.mark.usefixtures("patient")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("dialect", ["plain", "unnamed", "conflicts"])
def test_of_many_that_create_at_the_same_instant_one_succeeds(server: Server, dialect: str) -> None:
    """Only the condition tells them apart."""
    bucket = Bucket(server, dialect)
    assert created_at_the_same_instant(bucket) == [bucket.read("lock")]


@pytest.mark.usefixtures("patient")
@pytest.mark.timeout(600)
def test_where_a_server_ignores_conditions_all_that_create_at_the_same_instant_succeed(server: Server) -> None:
    """The proof that they meet at all: there, nothing tells them apart."""
    assert sorted(created_at_the_same_instant(Bucket(server, "ignores"))) == [b"%d" % number for number in range(8)]
