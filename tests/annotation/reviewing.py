"""A real review server in a process of its own, people who answer over HTTP, and queues of any size: for tests and benchmarks."""

from __future__ import annotations

import http.client
import json
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from annotation.item import Item
from annotation.questions import Questions
from dataengine import shards
from dataengine.step import identity

REPOSITORY = Path(__file__).resolve().parents[2]
SHARD = 500
WORDS = "so we take the first root and check that it is 分 real, wait: x<y fails 😀 <b> & $\\frac{a}{b}$ then again".split()  # noqa: SIM905


def a_queue(root: Path, rows: int, *, characters: int = 2_000, wanted: int = 1, seed: int = 0) -> Path:
    """A finished queue of so many rows, each with thoughts of about so many characters."""
    folder, draw, files = root / f"queue-{rows}", random.Random(seed), []
    for number, start in enumerate(range(0, rows, SHARD)):
        made = [_row(place, draw, characters=characters, wanted=wanted) for place in range(start, min(start + SHARD, rows))]
        files.append(vars(shards.land(folder, f"{number:05d}.parquet", pl.DataFrame(made))))
    shards.write_manifest(folder, {"step": "queue", "settings": {"questions": identity(Questions())}, "files": files})
    return folder


def _row(place: int, draw: random.Random, *, characters: int, wanted: int) -> dict[str, Any]:
    lines = (" ".join(draw.choices(WORDS, k=40)) for _ in range(characters // 200 + 1))
    item = Item(row_id=f"{place:016x}", prompt=f"What is 1+{place}?", reasoning="\n\n".join(lines), summary=f"It is {place + 1}.")
    said = {name: getattr(item, name) for name in ("row_id", "item_id", "prompt", "reasoning", "summary")}
    facets = {"domain": ("math", "code", "stem")[place % 3], "language": "en", "standing": "kept", "why": ("unjudged", "kept")[place % 2]}
    return {**said, **facets, "rank": place, "wanted": wanted}


class Server:
    """`dataengine review` in a process; `links` are the annotators' addresses, `address` is (host, port)."""

    def __init__(self, folder: Path, annotators: Sequence[str], *, port: int = 0, more: Sequence[str] = ()) -> None:
        code = "import sys\nfrom dataengine.commands.review import command\ncommand(sys.argv[1:])"
        command = [sys.executable, "-c", code, str(folder), "--port", str(port), "--annotators", ",".join(annotators), *more]
        self.process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.links = dict(line.split() for line in self._lines())
        host, _, found = next(iter(self.links.values())).removeprefix("http://").partition("/")[0].rpartition(":")
        self.address = (host, int(found))

    def _lines(self) -> list[str]:
        """The links, which are printed at once; what the process said instead where it died."""
        assert self.process.stdout
        assert self.process.stderr
        if not select.select([self.process.stdout], [], [], 280)[0]:
            raise AssertionError("the server prints no links")
        if not (text := os.read(self.process.stdout.fileno(), 65536)):
            raise AssertionError(f"the server ended: {self.process.stderr.read().decode()}")
        return text.decode().splitlines()

    def token(self, annotator: str) -> str:
        """What stands in the annotator's link."""
        return self.links[annotator].partition("#token=")[2]

    def end(self, how: signal.Signals) -> str:
        """End it with a signal; what it said on stderr."""
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=60)
        return said.decode()


class Person:
    """One annotator's connection; every call gives (status, reply)."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self.connection = http.client.HTTPConnection(*address, timeout=60)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """One call; OSError or HTTPException where the server is gone."""
        sent = None if body is None else json.dumps(body).encode()
        self.connection.request(method, path, body=sent, headers=self.headers)
        reply = self.connection.getresponse()
        return reply.status, json.loads(reply.read())

    def close(self) -> None:
        """Let go of the connection; the next call opens another."""
        self.connection.close()
