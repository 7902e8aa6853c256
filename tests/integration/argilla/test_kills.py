"""Our own push and pull, killed at random moments and run again: nothing is lost or doubled, and every password opens its account."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
import urllib.parse
import urllib.request
from collections import Counter
from pathlib import Path

from annotation.answer import Answer
from annotation.sqlite.drafts import Draft
from annotation.sqlite.store import Store
from tests.annotation.reviewing import a_queue
from tests.annotation.reviews_suite import ALICE, BOB, words
from tests.integration.argilla.conftest import COMMAND, ROOT, Argilla
from tests.integration.argilla.people import Queue

ROWS, KILLS = 120, 5


def run(verb: str, folder: Path, queue: Queue, *more: str) -> subprocess.Popen[bytes]:
    """One of our commands in a process of its own."""
    named = ["--url", queue.server.url, "--dataset", queue.name, *more]
    environment = {**os.environ, "ARGILLA_API_KEY": queue.server.key()}
    return subprocess.Popen(
        [*COMMAND, verb, str(folder), *named], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def run_whole(verb: str, folder: Path, queue: Queue, *more: str) -> float:
    """To its end; seconds that it took."""
    started, process = time.monotonic(), run(verb, folder, queue, *more)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    return time.monotonic() - started


def run_until_done(verb: str, folder: Path, queue: Queue, *more: str, draw: random.Random) -> int:
    """Kills it at random moments, then lets it come to its end; returns how often it was at work when it was killed."""
    until_it_works, killed = run_whole("status", folder, queue), 0
    for _ in range(KILLS):
        process = run(verb, folder, queue, *more)
        try:
            process.communicate(timeout=until_it_works * draw.uniform(0.5, 2.5))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
    run_whole(verb, folder, queue, *more)
    return killed


def opens(server: Argilla, name: str, password: str) -> bool:
    """Whether somebody can log in."""
    body = urllib.parse.urlencode({"username": name, "password": password}).encode()
    with urllib.request.urlopen(f"{server.url}/api/v1/token", body, timeout=60) as reply:
        return "access_token" in json.load(reply)


def test_pushes_and_pulls_that_are_killed_at_random_lose_nothing_and_double_nothing(argilla_server: Argilla, tmp_path: Path) -> None:
    draw, queue, folder = random.Random(time.time_ns()), Queue(argilla_server), a_queue(tmp_path, ROWS, characters=400)
    name = f"dora-{queue.name[-8:]}"
    with Store.open(folder) as store:
        items = list(store.items())
        for item in items[:30]:
            store.save(
                Answer(item_id=item.item_id, annotator=ALICE, status="submitted", values={"verdict": "keep", "comment": item.row_id})
            )
        for item in items[30:40]:
            store.save_draft(Draft(item_id=item.item_id, annotator=ALICE, values={"comment": "half"}))
    killed = run_until_done("push", folder, queue, "--annotators", name, draw=draw)
    assert killed, "it was never at work"
    there = queue.records("responses")
    assert Counter(record["external_id"] for record in there) == Counter(item.item_id for item in items)
    assert sum(len(record["responses"]) for record in there) == 40
    assert opens(argilla_server, name, json.loads(Store.place(folder).with_name("argilla-passwords.json").read_text())[name])
    expected = {(item.item_id, ALICE): ("submitted", {"verdict": "keep", "comment": item.row_id}) for item in items[:30]}
    expected |= {(item.item_id, ALICE): ("draft", {"comment": "half"}) for item in items[30:40]}
    bodies = [{"record_id": record["id"], "status": "submitted", "values": {"verdict": {"value": "discard"}}} for record in there]
    for start in range(0, len(bodies), 40):
        argilla_server.call("POST", "/me/responses/bulk", {"items": bodies[start : start + 40]}, who=BOB)
    expected |= {(item.item_id, BOB): ("submitted", {"verdict": "discard"}) for item in items}
    run_until_done("pull", folder, queue, draw=draw)
    with Store.open(folder) as store:
        assert words(store) == expected
        assert {len(store.history(*each)) for each in expected} == {1}, "nothing came home twice"
