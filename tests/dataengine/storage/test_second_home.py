"""Take the machine away anywhere: another one goes on from the store, and the end is the same to the byte."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dataengine import shards
from dataengine.errors import Stopped
from dataengine.inference.engine import Response, Sampling
from dataengine.inference.replay import ReplayEngine
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.storage import second_home, store_lock
from dataengine.storage import store as store_module
from dataengine.storage.responses import Responses
from dataengine.storage.second_home import SecondHome
from dataengine.storage.store import Store
from tests.dataengine import buckets, stored_road

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FIRST_PAUSE", 0.0001)
    monkeypatch.setattr(second_home, "SECONDS_BETWEEN_PIECES", 0.05)
    monkeypatch.setattr(store_lock, "SECONDS_TO_WATCH", 0.6)
    monkeypatch.setattr(store_lock, "SECONDS_TO_SETTLE", 0.05)


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    (tmp_path / "bucket").mkdir()
    return tmp_path / "bucket"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("undisturbed")
    run(stored_road.whole(), root, machine=Machine(workers=1))
    return data_files(root)


def data_files(root: Path) -> dict[str, bytes]:
    found = [path for path in sorted(root.glob("*-*/**/*")) if path.suffix in (".parquet", ".json")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found if path.parent.parent.name != "responses"}


def stored(bucket: Path) -> dict[str, bytes]:
    """What the bucket holds of finished folders."""
    objects = {path.name.replace("%2F", "/"): path.read_bytes() for path in bucket.iterdir()}
    return {name: content for name, content in objects.items() if name.endswith((".parquet", "/manifest.json"))}


def start(root: Path, bucket: Path, **how: str) -> subprocess.CompletedProcess[bytes]:
    code = f"from tests.dataengine.stored_road import main; main({str(root)!r}, 'buckets://{bucket}')"
    return subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env={**os.environ, **how}, capture_output=True, check=False)


def test_a_new_machine_finds_everything_and_makes_nothing(tmp_path: Path, bucket: Path, undisturbed: dict[str, bytes]) -> None:
    for root in (tmp_path / "first", tmp_path / "second"):
        run(stored_road.whole(), root, machine=Machine(workers=1, store=f"buckets://{bucket}"))
        assert data_files(root) == undisturbed
        assert stored(bucket) == undisturbed
    assert not (tmp_path / "second" / "runs.jsonl").exists(), "nothing was made there"
    assert not list(bucket.glob("*journal*"))
    assert not list(bucket.glob("lock*"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("attempt", range(3))
def test_machines_that_vanish_lose_nothing_that_was_put(tmp_path: Path, bucket: Path, undisturbed: dict[str, bytes], attempt: int) -> None:
    """Each machine is killed at some put, and its disk goes with it; one request in twenty fails as well."""
    draw = random.Random(attempt)
    for machine in range(3):
        done = start(tmp_path / "gone", bucket, BUCKETS_KILL=str(draw.randint(1, 24)), BUCKETS_FAIL="0.05")
        assert done.returncode == -signal.SIGKILL or machine > 1, done.stderr.decode()
        whole = [path.name.removesuffix("%2Fmanifest.json") for path in bucket.glob("*manifest.json")]
        for folder in whole:
            for each in json.loads((bucket / f"{folder}%2Fmanifest.json").read_bytes())["files"]:
                assert (bucket / f"{folder}%2F{each['file'].replace('/', '%2F')}").exists(), "a manifest lands last"
        shutil.rmtree(tmp_path / "gone", ignore_errors=draw.random() < 0.5)
    done = start(tmp_path / "last", bucket, BUCKETS_FAIL="0.05")
    assert done.returncode == 0, done.stderr.decode()
    assert data_files(tmp_path / "last") == undisturbed
    assert stored(bucket) == undisturbed
    assert len(keys_of(bucket)) == len(set(keys_of(bucket))) == stored_road.PROMPTS * stored_road.SAMPLES


def keys_of(bucket: Path) -> list[str]:
    """Keys of all responses in the bucket's logs."""
    pieces = [path.read_bytes() for path in sorted(bucket.glob("responses*.log*"))]
    return [json.loads(line[9:])["key"] for piece in pieces for line in piece.splitlines()]


def pieces_of(store: Store) -> list[str]:
    """Objects that logs of responses were put as."""
    return [name for name in store.sizes("responses") if ".log/" in name]


def wait_until(there: Callable[[], bool]) -> None:
    """Wait for what has to come by itself; who waits in vain is told so by what is asserted then."""
    end = time.monotonic() + 20
    while not there() and time.monotonic() < end:
        time.sleep(0.01)


ENGINE = ReplayEngine({}, model="m", revision="r")


def said(sample: int) -> Response:
    return Response(sample=sample, token_ids=[], text=f"text {sample}", logprobs=[], finish_reason="stop", prompt_tokens=1)


def test_responses_are_in_the_store_while_the_step_is_still_being_made(tmp_path: Path, bucket: Path) -> None:
    store = Store.at(f"buckets://{bucket}")
    here, there = tmp_path / "here", tmp_path / "there"
    with SecondHome(here, store) as home, Responses(here, revision="r", sampling=Sampling()) as responses:
        home.fetch_logs()
        for sample in range(3):
            responses.add("p", said(sample), seed=0, engine=ENGINE)
            wait_until(lambda wanted=sample + 1: len(pieces_of(store)) >= wanted)
            assert len(pieces_of(store)) == sample + 1, "each piece is put once"
        copied = tmp_path / "copied"
        shutil.copytree(bucket, copied)
    assert len(pieces_of(store)) == 3
    with SecondHome(there, Store.at(f"buckets://{copied}")) as home:
        home.fetch_logs()
    with Responses(there, revision="r", sampling=Sampling()) as responses:
        assert responses.missing("p", range(4)) == [3]


def test_a_log_that_became_parquet_leaves_the_store_after_its_parquet_came(tmp_path: Path, bucket: Path) -> None:
    store, folder = Store.at(f"buckets://{bucket}"), tmp_path / "root" / "responses" / "r"
    folder.mkdir(parents=True)
    (folder / "000000.log").write_bytes(b"a\nb\n")
    with SecondHome(tmp_path / "root", store) as home:
        home.fetch_logs()
        wait_until(lambda: bool(store.sizes("responses")))
        assert [name.partition(".log/")[0] for name in store.sizes("responses")] == ["responses/r/000000"]
        (folder / "000000.parquet").write_bytes(b"a b")
        (folder / "000000.log").unlink()
        wait_until(lambda: list(store.sizes("responses")) == ["responses/r/000000.parquet"])
        assert store.sizes("responses") == {"responses/r/000000.parquet": 3}


def test_a_log_that_becomes_parquet_while_it_is_put_stays_in_the_store_until_its_parquet_came(
    tmp_path: Path, bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, folder = Store.at(f"buckets://{bucket}"), tmp_path / "root" / "responses" / "r"
    folder.mkdir(parents=True)
    (folder / "000000.log").write_bytes(b"a\nb\n")
    monkeypatch.setattr(second_home, "SECONDS_BETWEEN_PIECES", 60.0)
    with SecondHome(tmp_path / "root", store) as home:
        home.fetch_logs()
        home._put_pieces()

        def packed_meanwhile(name: str, path: Path, sent: int) -> int:
            (folder / "000000.parquet").write_bytes(b"a b")
            path.unlink()
            raise FileNotFoundError(path)

        monkeypatch.setattr(home, "_put_end", packed_meanwhile)
        home._put_pieces()
        assert sum(store.sizes("responses").values()) == 4, "the pieces are still there"
        home._put_pieces()
        assert store.sizes("responses") == {"responses/r/000000.parquet": 3}


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two logs under `root`, which are put when the test says so, each in pieces of one line."""
    monkeypatch.setattr(second_home, "SECONDS_BETWEEN_PIECES", 60.0)
    monkeypatch.setattr(second_home, "PIECE", 8)
    paths = [tmp_path / "root" / "responses" / "r" / name for name in ("000000.log", "000001.log")]
    paths[0].parent.mkdir(parents=True)
    for path in paths:
        path.write_bytes(b"line 01\nline 02\n")
    return paths


def after_each_put(monkeypatch: pytest.MonkeyPatch, then: Callable[[list[str]], None]) -> list[str]:
    """The names of the objects put from now on; `then` is told them after each."""
    names: list[str] = []
    put = Store.put

    def noted(self: Store, name: str, content: bytes) -> None:
        put(self, name, content)
        if name.startswith("responses/"):
            names.append(name)
            then(names)

    monkeypatch.setattr(Store, "put", noted)
    return names


def test_a_log_that_grows_as_fast_as_it_is_put_holds_nothing_up(
    tmp_path: Path, bucket: Path, logs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def grows(names: list[str]) -> None:
        assert len(names) < 20, "it never ends"
        with logs[0].open("ab") as log:
            log.write(b"another\n")

    with SecondHome(tmp_path / "root", Store.at(f"buckets://{bucket}")) as home:
        home.fetch_logs()
        names = after_each_put(monkeypatch, grows)
        home._put(home._put_pieces).result()
        assert len(names) == 4, "the two lines of each log that were there when it was looked at"
        home._put(home._put_pieces).result()
        assert len(names) == 8, "the four that came meanwhile"


def test_a_log_that_is_written_without_a_pause_lets_others_through(
    tmp_path: Path, bucket: Path, logs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_home, "PIECE", 64 << 20)
    puts, stop = buckets.Buckets.pipe_file, threading.Event()

    def slower_than_a_line(self: buckets.Buckets, path: str, value: bytes, mode: str = "overwrite") -> None:
        time.sleep(0.05)
        puts(self, path, value, mode)

    def write() -> None:
        with logs[0].open("ab", buffering=0) as log:
            while not stop.wait(0.001):
                log.write(b"another\n")

    writes = threading.Thread(target=write)
    with SecondHome(tmp_path / "root", Store.at(f"buckets://{bucket}")) as home:
        home.fetch_logs()
        monkeypatch.setattr(buckets.Buckets, "pipe_file", slower_than_a_line)
        writes.start()
        try:
            home._put(home._put_pieces).result(timeout=20)
        finally:
            stop.set()
            writes.join()


def test_nothing_more_is_put_once_the_lock_is_lost(tmp_path: Path, bucket: Path, logs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    home = SecondHome(tmp_path / "root", Store.at(f"buckets://{bucket}"))

    def lose(names: list[str]) -> None:
        home._lock.lost = "another run is writing"

    names = after_each_put(monkeypatch, lose)
    with pytest.raises(Stopped, match="another run is writing"), home:
        home.fetch_logs()
    assert len(names) == 1


@pytest.mark.parametrize("left", ["journal", "shard"])
def test_a_run_whose_lock_is_lost_removes_nothing_either(tmp_path: Path, bucket: Path, left: str) -> None:
    """Neither the journal that a finished folder was left with, nor the manifest of a folder that misses a shard."""
    step = stored_road.whole()
    run(step, tmp_path / "first", machine=Machine(workers=1, store=f"buckets://{bucket}"))
    if left == "journal":
        (bucket / f"{step.folder}%2F{shards.JOURNAL}").write_bytes(b"")
    else:
        (bucket / f"{step.folder}%2F00000.parquet").unlink()
    there = sorted(bucket.iterdir())
    home = SecondHome(tmp_path / "second", Store.at(f"buckets://{bucket}"))
    home._lock.lost = "another run is writing"
    (tmp_path / "second" / step.folder).mkdir(parents=True)
    with pytest.raises(Stopped, match="another run is writing"), home:
        home.fetch(step, tmp_path / "second" / step.folder)
    assert [path for path in sorted(bucket.iterdir()) if path.name != store_lock.NAME] == there


@pytest.mark.parametrize("damage", ["flip a byte", "cut the end", "remove"])
def test_a_damaged_piece_costs_its_bad_lines_alone(
    tmp_path: Path, bucket: Path, damage: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_home, "SECONDS_BETWEEN_PIECES", 60.0)
    store = Store.at(f"buckets://{bucket}")
    with SecondHome(tmp_path / "here", store) as home, Responses(tmp_path / "here", revision="r", sampling=Sampling()) as responses:
        home.fetch_logs()
        for sample in range(9):
            responses.add("p", said(sample), seed=0, engine=ENGINE)
            if sample % 3 == 2:
                home._put_pieces()
    path = bucket / sorted(store.sizes("responses"))[1].replace("/", "%2F")
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:] if damage == "flip a byte" else content[:-5])
    if damage == "remove":
        path.unlink()
    for _ in range(2):  # the second time it is there already
        with SecondHome(tmp_path / "there", store) as home:
            home.fetch_logs()
        with Responses(tmp_path / "there", revision="r", sampling=Sampling()) as responses:
            lost = {"flip a byte": [3], "cut the end": [5], "remove": [3, 4, 5]}
            assert responses.missing("p", range(9)) == lost[damage]
        assert "is damaged" in capsys.readouterr().err


def test_half_a_line_is_never_put(tmp_path: Path, bucket: Path) -> None:
    store, log = Store.at(f"buckets://{bucket}"), tmp_path / "root" / "responses" / "r" / "000000.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"whole\nha")
    with SecondHome(tmp_path / "root", store) as home:
        home.fetch_logs()
    assert list(store.sizes("responses").values()) == [6]
    log.write_bytes(b"whole\nhalf\n")
    with SecondHome(tmp_path / "root", store) as home:
        home.fetch_logs()
    assert sorted(store.sizes("responses").values()) == [5, 6]


def test_a_disk_that_lost_its_last_second_gets_it_back(tmp_path: Path, bucket: Path) -> None:
    store, log = Store.at(f"buckets://{bucket}"), tmp_path / "root" / "responses" / "r" / "000000.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"first\nsecond\n")
    for left in (b"first\nsecond\n", b"first\nsec", b"", None):
        log.write_bytes(left) if left is not None else log.unlink()
        with SecondHome(tmp_path / "root", store) as home:
            home.fetch_logs()
        assert log.read_bytes() == b"first\nsecond\n"


def test_different_histories_are_refused(tmp_path: Path, bucket: Path) -> None:
    for root, line in (("one", b"said here\n"), ("two", b"said there\n")):
        log = tmp_path / root / "responses" / "r" / "000000.log"
        log.parent.mkdir(parents=True)
        log.write_bytes(line)
    with SecondHome(tmp_path / "one", Store.at(f"buckets://{bucket}")) as home:
        home.fetch_logs()
    with pytest.raises(ValueError, match="different histories"), SecondHome(tmp_path / "two", Store.at(f"buckets://{bucket}")) as home:
        home.fetch_logs()


@pytest.mark.parametrize("damage", ["flip a byte", "cut the end", "remove", "put another"])
@pytest.mark.parametrize("which", ["shard", "rejected", "manifest"])
def test_a_damaged_object_is_named_made_again_and_mended(
    tmp_path: Path, bucket: Path, undisturbed: dict[str, bytes], damage: str, which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(workers=1, store=f"buckets://{bucket}")
    run(stored_road.whole(), tmp_path / "first", machine=machine)
    name = {"shard": "00001.parquet", "rejected": "rejected%2F00001.parquet", "manifest": "manifest.json"}[which]
    path = bucket / f"{stored_road.whole().inputs['data'].folder}%2F{name}"
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    elif damage == "put another":
        path.write_bytes(b"{}")
    else:
        content[0] ^= 0x80
        path.write_bytes(content if damage == "flip a byte" else content[1:-3])
    run(stored_road.whole(), tmp_path / "second", machine=machine)
    if (which, damage) != ("manifest", "remove"):
        assert "made again" in capsys.readouterr().err
    assert data_files(tmp_path / "second") == undisturbed
    assert stored(bucket) == undisturbed


def test_a_root_that_was_finished_without_the_store_is_put_there(tmp_path: Path, bucket: Path, undisturbed: dict[str, bytes]) -> None:
    run(stored_road.whole(), tmp_path / "root", machine=Machine(workers=1))
    run(stored_road.whole(), tmp_path / "root", machine=Machine(workers=1, store=f"buckets://{bucket}"))
    assert stored(bucket) == undisturbed


def test_a_store_that_cannot_be_reached_stops_the_run_and_keeps_everything(
    tmp_path: Path, bucket: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    puts = buckets.Buckets.pipe_file

    def no_shards(self: buckets.Buckets, path: str, value: bytes, mode: str = "overwrite") -> None:
        if "sevens-" in path:
            raise ConnectionResetError("the line is cut")
        puts(self, path, value, mode)

    machine = Machine(workers=1, store=f"buckets://{bucket}")
    with monkeypatch.context() as cut:
        cut.setattr(buckets.Buckets, "pipe_file", no_shards)
        with pytest.raises(Stopped, match="kept in --root; run again when the store can be reached"):
            run(stored_road.whole(), tmp_path, machine=machine)
    run(stored_road.whole(), tmp_path, machine=machine)
    assert data_files(tmp_path) == stored(bucket) == undisturbed


def test_a_folder_of_a_nfs_server_can_be_the_store(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    for root in ("first", "second"):
        run(stored_road.whole(), tmp_path / root, machine=Machine(workers=1, store=str(tmp_path / "nfs")))
    assert data_files(tmp_path / "nfs") == data_files(tmp_path / "second") == undisturbed
    assert shards.is_finished(tmp_path / "nfs" / stored_road.whole().folder)
