"""Tests with the real client of S3 (s3fs) against moto's S3 server; `.ci/buckets` makes an environment that has both."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dataengine.machine import Machine
from dataengine.run import run
from dataengine.storage import store as store_module
from dataengine.storage.store import Store
from tests.dataengine import stored_road
from tests.integration.buckets.wire import Wire

REPOSITORY = Path(__file__).resolve().parents[3]
ALLOWED = {"AWS_ACCESS_KEY_ID": "a key", "AWS_SECRET_ACCESS_KEY": "a secret", "AWS_DEFAULT_REGION": "us-east-1"}
NOWHERE_ELSE = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
"""Neither this machine's credentials nor its cloud's have a say."""
NUMBERS = itertools.count()


@dataclass(frozen=True)
class Server:
    """A running moto: its own address, and the wire through which clients reach it."""

    url: str
    wire: Wire

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to get there."""
        return {**ALLOWED, **NOWHERE_ELSE, "AWS_ENDPOINT_URL": self.wire.url}


class Bucket:
    """A bucket of its own for each test, seen directly at the server, past the client that is tested."""

    def __init__(self, server: Server, dialect: str = "plain") -> None:
        import boto3  # pyright: ignore[reportMissingImports]

        self.server, self.name = server, f"{dialect}-{next(NUMBERS)}"
        names = {"aws_access_key_id": "tests", "aws_secret_access_key": "tests", "region_name": "us-east-1"}
        self._s3 = boto3.client("s3", endpoint_url=server.url, **names)
        self._s3.create_bucket(Bucket=self.name)

    @property
    def address(self) -> str:
        """For --store."""
        return f"s3://{self.name}/home"

    def names(self) -> list[str]:
        """All objects."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix="home/")
        return [each["Key"].removeprefix("home/") for page in pages for each in page.get("Contents", [])]

    def read(self, name: str) -> bytes:
        """One object."""
        return self._s3.get_object(Bucket=self.name, Key=f"home/{name}")["Body"].read()

    def write(self, name: str, content: bytes) -> None:
        """In the place of whatever was there."""
        self._s3.put_object(Bucket=self.name, Key=f"home/{name}", Body=content)

    def delete(self, name: str) -> None:
        """Gone."""
        self._s3.delete_object(Bucket=self.name, Key=f"home/{name}")

    def remove(self) -> None:
        """All objects, and the bucket."""
        for name in self.names():
            self.delete(name)
        try:
            self._s3.delete_bucket(Bucket=self.name)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "BucketNotEmpty":
                raise
            self.remove()  # something was put meanwhile

    def finished(self) -> dict[str, bytes]:
        """Every file of the steps' folders."""
        return {name: self.read(name) for name in self.names() if name.endswith((".parquet", "/manifest.json"))}

    def whole(self) -> bool:
        """Whether every manifest is followed by nothing: all that it lists is there, as it says."""
        there = self.finished()
        folders = {name.removesuffix("/manifest.json"): json.loads(there[name]) for name in there if name.endswith("/manifest.json")}
        return all(
            hashlib.blake2b(there[f"{folder}/{each['file']}"], digest_size=16).hexdigest() == each["blake2b"]
            for folder, manifest in folders.items()
            for each in manifest["files"]
        )

    def responses(self) -> list[str]:
        """Keys of all that is in the logs of responses."""
        pieces = [self.read(name) for name in sorted(self.names()) if name.startswith("responses/") and ".log/" in name]
        return [json.loads(line[9:])["key"] for piece in pieces for line in piece.splitlines()]


STARTED: list[subprocess.Popen[bytes]] = []
"""Every run of a test, so that none outlives one that fails."""


@dataclass(frozen=True)
class Run:
    """A run in a process of its own; what it says goes to ROOT.log."""

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, root: Path, bucket: Bucket | str, environment: dict[str, str], **settings: Any) -> Run:
        """`settings` as `road.main` takes them."""
        address = bucket if isinstance(bucket, str) else bucket.address
        command = [sys.executable, "-m", "tests.integration.buckets.road", str(root), address, json.dumps(settings)]
        log = root.with_suffix(".log")
        cleared = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with log.open("wb") as said:
            process = subprocess.Popen(command, cwd=REPOSITORY, env={**cleared, **environment}, stdout=said, stderr=said)
        STARTED.append(process)
        return cls(process, log)

    def said(self) -> str:
        """All that it has said so far."""
        return self.log.read_text(encoding="utf-8")

    def until(self, words: str, *, seconds: float = 120) -> None:
        """Wait until it says so."""
        end = time.monotonic() + seconds
        while words not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.01)

    def stands_still(self, *, seconds: float = 120) -> None:
        """Wait until it has stopped itself (SIGSTOP)."""
        end = time.monotonic() + seconds
        while Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2][:1] != "T":
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.01)

    def kill(self) -> bool:
        """Without warning; whether it was still at work."""
        self.process.kill()
        return self.process.wait() == -signal.SIGKILL

    def ended(self) -> int:
        """Its status."""
        return self.process.wait(240)


def end_all() -> None:
    """Kill what still runs."""
    while STARTED:
        process = STARTED.pop()
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def no_run_outlives_its_test() -> Iterator[None]:
    yield
    end_all()


def data_files(root: Path) -> dict[str, bytes]:
    """Every file of the steps' folders under a root."""
    found = [path for path in sorted(root.glob("*-*/**/*")) if path.suffix in (".parquet", ".json")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests; what they do to its wire they mend again."""
    if missing := [name for name in ("s3fs", "moto") if importlib.util.find_spec(name) is None]:
        pytest.skip(f"no {' and no '.join(missing)} here: .ci/buckets makes an environment that has them")
    folder = tmp_path_factory.mktemp("moto")
    command = [sys.executable, "-m", "tests.integration.buckets.server", str(folder / "port")]
    with (folder / "log").open("wb") as said:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=said, stderr=said)
    try:
        port = _port(folder / "port", process)
        wire = Wire(port)
        _wait_for(f"http://127.0.0.1:{port}/moto-api/", process)
        yield Server(f"http://127.0.0.1:{port}", wire)
        wire.close()
    finally:
        process.terminate()
        process.wait(30)


def _port(told: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that the server took, once it has told."""
    end = time.monotonic() + 60
    while not told.exists():
        assert process.poll() is None, "the server did not start"
        assert time.monotonic() < end, "the server does not tell its port"
        time.sleep(0.05)
    return int(told.read_text())


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10):
            return
        assert process.poll() is None, "the server did not start"
        assert time.monotonic() < end, "the server does not answer"
        time.sleep(0.1)


@pytest.fixture(autouse=True)
def reached(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients in this process reach the server as well, and do not wait long."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(store_module, "FIRST_PAUSE", 0.01)


@pytest.fixture
def bucket(server: Server) -> Bucket:
    """An empty one."""
    return Bucket(server)


@pytest.fixture
def store(bucket: Bucket) -> Store:
    """What is in it, as we see it."""
    return Store.at(bucket.address)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The folders of a run without a store."""
    root = tmp_path_factory.mktemp("undisturbed")
    run(stored_road.whole(), root, machine=Machine(workers=1))
    return data_files(root)
