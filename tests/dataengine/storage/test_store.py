from __future__ import annotations

import errno
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from dataengine.errors import Stopped
from dataengine.storage import store as store_module
from dataengine.storage.store import Store
from tests.dataengine import buckets


@pytest.fixture(params=["buckets", "memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    address = {"buckets": f"buckets://{tmp_path}", "memory": "memory://prefix", "folder": f"{tmp_path}/prefix"}[request.param]
    yield Store.at(address)
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FIRST_PAUSE", 0.0001)


def test_what_is_put_is_read_listed_fetched_and_deleted(store: Store, tmp_path: Path) -> None:
    local = tmp_path / "local" / "file"
    local.parent.mkdir()
    local.write_bytes(b"from a file")
    store.put("a/b/one", b"first")
    store.put("a/b/one", b"second")
    store.put_file("a/two", local)
    store.put("ab", b"a name that only begins alike")
    assert store.read("a/b/one") == b"second"
    assert store.sizes("a") == {"a/b/one": 6, "a/two": 11}
    assert store.fetch("a/b/one", tmp_path / "here" / "one")
    assert (tmp_path / "here" / "one").read_bytes() == b"second"
    store.delete("a/b/one")
    store.delete("a/b/one")
    assert store.read("a/b/one") is None
    assert not store.fetch("a/b/one", tmp_path / "there")
    assert store.sizes("a") == {"a/two": 11}
    assert store.sizes("nothing") == {}


def test_an_object_is_created_once(store: Store) -> None:
    assert store.create("lock", b"mine")
    assert not store.create("lock", b"yours")
    assert store.read("lock") == b"mine"


def test_an_object_is_replaced_where_it_is_still_what_is_wanted(store: Store) -> None:
    def mine(found: bytes | None) -> bool:
        return found == b"mine"

    assert not store.replace("lock", b"mine again", where=mine, within=60)
    assert store.read("lock") is None
    store.put("lock", b"mine")
    assert store.replace("lock", b"mine again", where=mine, within=60)
    assert not store.replace("lock", b"mine", where=mine, within=60)
    assert store.read("lock") == b"mine again"


def test_what_is_to_be_replaced_is_looked_at_before_each_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, puts = Store.at(f"buckets://{tmp_path}"), buckets.Buckets.pipe_file
    store.put("lock", b"mine")

    def another_comes_first(self: buckets.Buckets, path: str, value: bytes, mode: str = "overwrite") -> None:
        puts(self, path, b"another's", mode)
        raise ConnectionResetError("the bucket hung up")

    monkeypatch.setattr(buckets.Buckets, "pipe_file", another_comes_first)
    assert not store.replace("lock", b"mine again", where=lambda found: found == b"mine", within=60)
    assert store.read("lock") == b"another's"


@pytest.mark.parametrize("kind", ["buckets", "folder"])
def test_of_many_that_create_at_once_one_succeeds(kind: str, tmp_path: Path) -> None:
    address = f"buckets://{tmp_path}" if kind == "buckets" else f"{tmp_path}"
    won: list[int] = []
    ready = threading.Barrier(8)

    def create(number: int) -> None:
        ready.wait()
        if Store.at(address).create("lock", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b"%d" % number for number in won] == [Store.at(address).read("lock")]


def test_a_store_that_fails_half_the_time_does_what_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "TIMES", 40)
    monkeypatch.setenv(buckets.FAILS, "0.5")
    random.seed(0)
    store = Store.at(f"buckets://{tmp_path}")
    for number in range(30):
        store.put(f"objects/{number}", b"%d" % number)
        assert store.create(f"locks/{number}", b"mine"), "an attempt that arrived and said nothing is still ours"
    assert len(store.sizes("objects")) == 30
    assert [store.read(f"objects/{number}") for number in range(30)] == [b"%d" % number for number in range(30)]


def test_a_store_out_of_reach_stops_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(buckets.FAILS, "1")
    with pytest.raises(Stopped, match=r"did not put a in 7 attempts.*kept in --root; run again"):
        Store.at(f"buckets://{tmp_path}").put("a", b"")


@pytest.mark.parametrize(
    ("said", "way_out"),
    [
        (PermissionError("403"), "Check the credentials"),
        (type("NoCredentialsError", (Exception,), {})("unable to locate credentials"), "Give credentials where the package looks"),
        (FileNotFoundError("the bucket does not exist"), "Make the bucket first"),
        (type("ParamValidationError", (Exception,), {})("invalid bucket name"), "Give s3://BUCKET/PREFIX"),
    ],
)
def test_what_asking_again_does_not_mend_is_said_at_once_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Exception, way_out: str
) -> None:
    asked: list[str] = []

    def refuse(self: object, path: str, value: bytes, mode: str = "overwrite") -> None:
        asked.append(path)
        raise said

    monkeypatch.setattr(buckets.Buckets, "pipe_file", refuse)
    with pytest.raises(ValueError, match=way_out):
        Store.at(f"buckets://{tmp_path}").create("a", b"")
    assert len(asked) == 1


@pytest.mark.parametrize("ignores", [False, True], ids=["says so in words of its own", "ignores it"])
def test_a_condition_that_is_not_met_is_known_by_what_lies_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignores: bool) -> None:  # noqa: FBT001 (pytest's)
    puts = buckets.Buckets.pipe_file

    def conditional(self: buckets.Buckets, path: str, value: bytes, mode: str = "overwrite") -> None:
        try:
            puts(self, path, value, "overwrite" if ignores else mode)
        except FileExistsError:
            raise OSError(errno.EINVAL, "At least one of the pre-conditions you specified did not hold") from None

    monkeypatch.setattr(buckets.Buckets, "pipe_file", conditional)
    store = Store.at(f"buckets://{tmp_path}")
    assert store.create("lock", b"mine")
    assert not store.create("lock", b"yours")
    assert store.read("lock") == b"mine"


def test_where_conditions_are_not_known_it_looks_first_and_writes_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    puts = buckets.Buckets.pipe_file

    def knows_none(self: buckets.Buckets, path: str, value: bytes, mode: str = "overwrite") -> None:
        if mode == "create":
            raise OSError(errno.ENOSYS, "a header you provided is not implemented")
        puts(self, path, value)

    monkeypatch.setattr(buckets.Buckets, "pipe_file", knows_none)
    store = Store.at(f"buckets://{tmp_path}")
    assert store.create("lock", b"mine")
    assert not store.create("lock", b"yours")


def test_a_store_that_was_given_up_is_asked_once_until_it_answers_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.at(f"buckets://{tmp_path}")
    with monkeypatch.context() as away:
        away.setenv(buckets.FAILS, "1")
        for attempts in (7, 1, 1):
            with pytest.raises(Stopped, match=f"in {attempts} attempts"):
                store.put("a", b"")
    store.put("a", b"")
    monkeypatch.setenv(buckets.FAILS, "1")
    with pytest.raises(Stopped, match="in 7 attempts"):
        store.put("a", b"")


def test_a_store_that_is_slow_to_fail_is_given_up_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "PATIENCE", 0.0)
    monkeypatch.setenv(buckets.FAILS, "1")
    with pytest.raises(Stopped, match="in 1 attempts"):
        Store.at(f"buckets://{tmp_path}").put("a", b"")


def test_a_file_that_is_gone_before_it_is_put_is_no_failure_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Store.at(f"buckets://{tmp_path}").put_file("a", tmp_path / "gone")


@pytest.mark.parametrize("address", ["s3:/bucket/prefix", "s4:bucket"])
def test_a_slip_in_an_address_makes_no_folder_of_that_name(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"names no bucket and no folder\. Give s3://BUCKET/PREFIX"):
        Store.at(address)


def test_an_address_that_nothing_opens_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="Give s3://BUCKET/PREFIX"):
        Store.at("s4://bucket/prefix")


def test_a_missing_package_is_named() -> None:
    try:
        import s3fs  # noqa: F401 # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(ValueError, match="pip install s3fs"):
            Store.at("s3://bucket/prefix")
    else:
        pytest.skip("s3fs is installed here")
