"""A queue's way through a real Argilla: rollouts pushed, answered by three annotators through its API, pulled, compared byte by byte.

`python -m benchmarks.argilla_round_trip --url http://127.0.0.1:6900 --keys argilla/keys.json [--rows 2000] [--out figures.json]` against a
server of `dataengine argilla up DIR --users alice,bob,carol`. Every row is answered by all three, by turns: an edit of the whole
reasoning, a keep or discard, and a draft or a discard without values. Text holds tags, LaTeX, emoji, Chinese and runs of spaces. Times
are of the wall clock; CPU seconds are of this process and of the server, which share the machine. Status 1 where an answer is lost,
doubled or altered.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from annotation.answer import Answer
from annotation.argilla.client import Client
from annotation.argilla.link import Link
from annotation.argilla.place import ArgillaReviews
from annotation.argilla.pull import pull
from annotation.argilla.responses import response_of
from annotation.item import Finding, Item, Said
from annotation.questions import Questions
from annotation.sqlite.store import Store

ANNOTATORS = ("alice", "bob", "carol")
AT_ONCE = 20
"""Answers in one request."""
PIECES = (
    "Let me think. ",
    "<think>x<y && a>b</think>\n",
    "so \\frac{1}{2} of $x_1$ is\n\n",
    "等一下，再算一遍。",
    "😀👩‍👩‍👧 ",
    "  two  spaces\t",
    "&amp; &lt; ",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--keys", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--characters", type=int, default=20_000)
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    keys = {name: told["api_key"] for name, told in json.loads(wanted.keys.read_text())["people"].items()}
    with tempfile.TemporaryDirectory(prefix="round-trip-") as scratch:
        figures = round_trip(wanted.url, keys, rows=wanted.rows, characters=wanted.characters, scratch=Path(scratch))
    line = json.dumps(figures, indent=1)
    print(line)
    if wanted.out:
        wanted.out.write_text(line + "\n")
    if any(figures[name] for name in ("lost", "doubled", "altered")):
        raise SystemExit(1)


def round_trip(url: str, keys: Mapping[str, str], *, rows: int, characters: int, scratch: Path) -> dict[str, Any]:
    """The whole way, and its figures."""
    draw = random.Random(0)
    items = [rollout(number, _text(draw, characters)) for number in range(rows)]
    answers = {(item.item_id, name): said for number, item in enumerate(items) for name, said in _said(number, item, draw)}
    dataset, questions = f"round-trip-{time.time_ns()}", Questions()
    link = Link(url=url, workspace="argilla", dataset=dataset)
    place = ArgillaReviews(Client(url, keys["owner"]), workspace=link.workspace, dataset=dataset, min_submitted=3)
    figures: dict[str, Any] = {
        "rows": rows,
        "characters": characters,
        "bytes_of_reasoning": sum(len(item.reasoning.encode()) for item in items),
    }
    with Store(scratch / "answers.sqlite") as store:
        store.push(items, questions)
        with _timed(figures, "push", url):
            pushed = place.push(items, questions)
        assert pushed.new == rows, pushed
        figures["push_rows_per_second"] = round(rows / figures["push_seconds"], 1)
        busy = figures["push_cpu_seconds"] + (figures["push_server_cpu_seconds"] or 0.0)
        figures["push_rows_per_cpu_second"] = round(rows / busy, 1)
        with _timed(figures, "push_again", url):
            assert place.push(items, questions).same == rows
        _, link = pull(store, place, link)
        with _timed(figures, "answer", url):
            _answer(url, keys, place, items, answers)
        with _timed(figures, "pull", url):
            first, link = pull(store, place, link)
        with _timed(figures, "pull_unchanged", url):
            second, link = pull(store, place, link)
        assert second.unchanged, "nothing had changed"
        with _timed(figures, "pull_whole_again", url):
            third, link = pull(store, place, link, whole=True)
        at_home = list(store.answers())
    found = {(each.item_id, each.annotator): each for each in at_home}
    figures |= {"answers": len(answers), "edited_texts": sum("reasoning" in each.values for each in answers.values()), "read": first.read}
    figures["lost"] = sum(key not in found for key in answers)
    figures["doubled"] = len(at_home) - len(found) + len(found.keys() - answers.keys()) + third.new
    figures["altered"] = sum(
        (each.status, dict(each.values)) != (answers[key].status, dict(answers[key].values))
        for key, each in found.items()
        if key in answers
    )
    return figures


def rollout(number: int, reasoning: str) -> Item:
    """An item as queues make them."""
    return Item(
        row_id=f"{number:016x}",
        prompt=f"What is {number} + 1, where x<y?",
        reasoning=reasoning,
        summary=f"It is \\boxed{{{number + 1}}}.",
        answer=str(number + 1),
        why="unjudged",
        rank=number,
        metadata={
            "domain": "math",
            "language": "en",
            "model": "a/model-7b",
            "response_tokens": len(reasoning) // 4,
            "is_right": 1.0,
            "readable": 0.5,
        },
        said=(Said(scorer="is_right", value=1.0, reason="equal"), Said(scorer="language_share", value=0.4, reason="zh in an en text")),
        findings=(Finding(field="reasoning", start=100, stop=120, scorer="language_share", note="zh in an en text"),),
    )


def _text(draw: random.Random, characters: int) -> str:
    parts = list[str]()
    size = 0
    while size < characters:
        parts.append(draw.choice(PIECES))
        size += len(parts[-1].encode())
    return "".join(parts)


def _said(number: int, item: Item, draw: random.Random) -> Iterator[tuple[str, Answer]]:
    """What each annotator says of a row."""
    cut = draw.randrange(len(item.reasoning))
    edited = item.reasoning[:cut] + draw.choice(PIECES) + item.reasoning[cut + 7 :]
    words = (
        ("submitted", {"verdict": "fix", "readability": 1 + number % 5, "reasoning": edited, "language": "en"}),
        ("submitted", {"verdict": ("keep", "discard")[number % 2], "comment": "😀 <b>"}),
        (("draft", "discarded")[number % 2], {"readability": 3} if number % 4 else {}),
    )
    for turn, name in enumerate(ANNOTATORS):
        status, values = words[(number + turn) % 3]
        yield name, Answer(item_id=item.item_id, annotator=name, status=status, values=values)


def _answer(
    url: str, keys: Mapping[str, str], place: ArgillaReviews, items: Sequence[Item], answers: Mapping[tuple[str, str], Answer]
) -> None:
    """Three people at once, each with a key of their own, twenty answers in a request."""
    (dataset,) = place.server.datasets()
    records = {record["external_id"]: record["id"] for record in place.server.records(dataset, responses=False)}

    def said(item: Item, name: str) -> dict[str, Any]:
        response = response_of(answers[item.item_id, name], user_id="", reasoning=item.reasoning)
        return {"record_id": records[item.item_id], "status": response["status"], "values": response["values"]}

    def work(name: str) -> None:
        client = Client(url, keys[name])
        for start in range(0, len(items), AT_ONCE):
            bodies = [said(item, name) for item in items[start : start + AT_ONCE]]
            replies = client.send("POST", "/me/responses/bulk", {"items": bodies})["items"]
            assert not any(reply["error"] for reply in replies), replies

    with ThreadPoolExecutor(len(ANNOTATORS)) as people:
        list(people.map(work, ANNOTATORS))


@contextmanager
def _timed(figures: dict[str, Any], what: str, url: str) -> Iterator[None]:
    server, before, started = _server(url), resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    cpu = _cpu(server)
    yield
    after = resource.getrusage(resource.RUSAGE_SELF)
    figures[f"{what}_seconds"] = round(time.monotonic() - started, 2)
    figures[f"{what}_cpu_seconds"] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)
    figures[f"{what}_server_cpu_seconds"] = None if server is None else round(_cpu(server) - cpu, 2)
    print(f"{what}: {figures[f'{what}_seconds']} s, load {os.getloadavg()[0]:.1f}", flush=True)


def _server(url: str) -> psutil.Process | None:
    """The process that listens there, where it runs on this machine."""
    port = urlsplit(url).port
    found = (each.pid for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN and each.laddr[1:] == (port,))
    pid = next(found, None)
    return None if pid is None else psutil.Process(pid)


def _cpu(process: psutil.Process | None) -> float:
    return 0.0 if process is None else sum(process.cpu_times()[:2])


if __name__ == "__main__":
    main()
