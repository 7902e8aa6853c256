"""The review page's server under five annotators: how long the next row takes, and whether a kill loses an answer.

`python -m benchmarks.review [--rows 20000] [--characters 20000] [--seconds 60] [--pause 0] [--kills 0] [--out review.json]` makes a queue,
starts `dataengine review` as a process of its own and five people in another one. Each asks for the next row (every item wants two
annotators), saves a draft that holds the whole edited text, submits it, and begins again at once (`--pause` seconds of thinking in
between). Times are what a person waits: from sending the request to having read and parsed the whole answer. With `--kills` the server is
killed with SIGKILL at random moments (up to twice `seconds / kills` after it began to answer) and started again; at the end every answer
that it had confirmed is looked for in the store, with its text. The kernel survives such a kill, so it says nothing of power cuts: for
these there is the fsync of every commit (annotation/sqlite/database.py).
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import random
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from annotation.sqlite.store import Store
from tests.annotation.reviewing import Person, Server, a_queue

PEOPLE = ("alice", "bob", "carol", "dan", "erin")
CALLS = ("next", "draft", "answer")
Confirmed = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--characters", type=int, default=20_000, help="of the thoughts of each row, about")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds a person thinks between two rows")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="review-") as scratch:
        figures = measured(Path(scratch), wanted)
    line = json.dumps(figures, indent=1)
    if wanted.out:
        wanted.out.write_text(line + "\n")
    print(line)
    if figures["lost"] or figures["wrong"]:
        raise SystemExit(1)


def measured(scratch: Path, wanted: argparse.Namespace) -> dict[str, Any]:
    """One run from an empty folder; the figures."""
    folder = a_queue(scratch, wanted.rows, characters=wanted.characters, wanted=2, seed=wanted.seed)
    begun = time.perf_counter()
    server = Server(folder, PEOPLE)
    opening = {"seconds": round(time.perf_counter() - begun, 1), "cpu_seconds": round(_cpu(server), 1)}
    tokens = {name: server.token(name) for name in PEOPLE}
    ours, theirs = multiprocessing.Pipe()
    people = multiprocessing.get_context("spawn").Process(target=_people, args=(server.address, tokens, wanted.pause, theirs))
    before = _cpu(server)
    people.start()
    moments = random.Random(wanted.seed)
    for _ in range(wanted.kills):
        _at_work(server)
        time.sleep(moments.uniform(0.0, 2 * wanted.seconds / wanted.kills))
        server.end(signal.SIGKILL)
        server = Server(folder, PEOPLE, port=server.address[1])
    _at_work(server)
    time.sleep(2.0 if wanted.kills else wanted.seconds)
    ours.send("enough")
    waits, confirmed, refused = ours.recv()
    people.join()
    busy = None if wanted.kills else round(_cpu(server) - before, 1)
    server.end(signal.SIGKILL)
    lost, wrong = _compared(folder, confirmed)
    return {
        "rows": wanted.rows,
        "characters": wanted.characters,
        "annotators": len(PEOPLE),
        "store_megabytes": round(Store.place(folder).stat().st_size / 1e6),
        "opening": opening,
        "milliseconds": {name: _shape(waits[name]) for name in CALLS},
        "server_cpu_seconds": busy,
        "answers_confirmed": sum(map(len, confirmed.values())),
        "refused": refused,
        "kills": wanted.kills,
        "lost": lost,
        "wrong": wrong,
    }


def _at_work(server: Server) -> None:
    """Return once it answers: on a busy machine it may take a while to start."""
    with closing(Person(server.address, server.token(PEOPLE[0]))) as person:
        assert person.call("GET", "/api/me")[0] == 200


def _people(address: tuple[str, int], tokens: Mapping[str, str], pause: float, pipe: Any) -> None:
    """Five people in a process of their own, until they are told that it is enough."""
    ended, refused = threading.Event(), [0]
    waits: dict[str, list[float]] = {name: [] for name in CALLS}
    confirmed: dict[str, Confirmed] = {name: {} for name in tokens}

    def work(name: str) -> None:
        person, timed = Person(address, tokens[name]), _Timed(waits)
        while not ended.wait(pause):
            try:
                refused[0] += not _answered(person, timed, name, confirmed[name])
            except (OSError, http.client.HTTPException):
                person.close()
                time.sleep(0.05)
        person.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in tokens]
    for thread in threads:
        thread.start()
    pipe.recv()
    ended.set()
    for thread in threads:
        thread.join()
    pipe.send((waits, confirmed, refused[0]))


class _Timed:
    def __init__(self, waits: dict[str, list[float]]) -> None:
        self.waits = waits

    def call(self, what: str, person: Person, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        begun = time.perf_counter()
        found = person.call(method, path, body)
        self.waits[what].append(time.perf_counter() - begun)
        return found


def _answered(person: Person, timed: _Timed, name: str, confirmed: Confirmed) -> bool:
    """One row from asking for it to its answer; whether the answer was taken."""
    _, shown = timed.call("next", person, "GET", "/api/next")
    if shown["item"] is None:
        raise AssertionError(f"nothing is left for {name}: take more rows or fewer seconds")
    item_id = shown["item"]["item_id"]
    edited = f"{shown['item']['reasoning']}\n\nSo says {name}."
    values = {"verdict": "fix", "readability": 4, "language": "en", "reasoning": edited, "summary": shown["item"]["summary"]}
    draft = {"values": values, "version": shown["version"], "seconds": 1.5}
    status, saved = timed.call("draft", person, "PUT", f"/api/items/{item_id}/draft", draft)
    if status != 200:
        return False
    body = {**draft, "status": "submitted", "version": saved["version"]}
    status, _ = timed.call("answer", person, "POST", f"/api/items/{item_id}/answer", body)
    if status == 200:
        confirmed[item_id] = edited
    return status == 200


def _compared(folder: Path, confirmed: Mapping[str, Confirmed]) -> tuple[int, int]:
    """(answers that were confirmed and are not there, answers that are there with another text)"""
    left = {(item_id, name): text for name, given in confirmed.items() for item_id, text in given.items()}
    wrong = 0
    with Store.open(folder) as store:
        for answer in store.answers():
            text = left.pop((answer.item_id, answer.annotator), None) if answer.status == "submitted" else None
            wrong += text is not None and text != answer.values["reasoning"]
    return len(left), wrong


def _shape(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    shape = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "most": max(seconds)}
    return {"calls": len(seconds), **{name: round(1000 * value, 1) for name, value in shape.items()}}


def _cpu(server: Server) -> float:
    """CPU time of the server's process so far."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
