"""The review server as a process: its links, how it ends, what stands in its way, and that no kill loses an answer."""

from __future__ import annotations

import http.client
import random
import signal
import socket
import stat
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from annotation.sqlite.store import Store
from annotation.web.serve import ADDRESS, serve
from tests.annotation.reviewing import Person, Server, a_queue

PEOPLE = ("alice", "bob", "carol", "dan", "erin")
KILLS = 10


def test_a_server_gives_each_annotator_a_link_that_lasts(tmp_path: Path) -> None:
    folder = a_queue(tmp_path, 20)
    first = Server(folder, ["alice", "bob"])
    with closing(Person(first.address, first.token("alice"))) as alice:
        status, me = alice.call("GET", "/api/me")
    assert (status, me["annotator"], me["progress"]["all"]) == (200, "alice", {"items": 20, "done": 0})
    said = first.end(signal.SIGINT)
    assert first.process.returncode == 0
    assert "20 items" in said
    assert "ended" in said
    assert "Traceback" not in said
    tokens = Store.place(folder).with_name("tokens.json")
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    again = Server(folder, ["carol"])
    assert {name: again.token(name) for name in first.links} == {name: first.token(name) for name in first.links}
    assert set(again.links) == {"alice", "bob", "carol"}
    again.end(signal.SIGTERM)


def test_a_page_that_is_closed_while_it_sends_is_no_failure_of_the_server(tmp_path: Path) -> None:
    server = Server(a_queue(tmp_path, 3), ["alice"])
    host, port = server.address
    lines = ("POST /api/latex HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {server.token('alice')}")
    head = "\r\n".join((*lines, "Content-Type: application/json", "Content-Length: 100", "", '{"sour'))
    with socket.create_connection(server.address) as connection:
        connection.sendall(head.encode())
        time.sleep(0.5)
    with closing(Person(server.address, server.token("alice"))) as alice:
        assert alice.call("GET", "/api/me")[0] == 200
    assert "Traceback" not in server.end(signal.SIGINT)


def test_a_second_server_on_a_queue_is_told_who_serves_it(tmp_path: Path) -> None:
    folder = a_queue(tmp_path, 3)
    first = Server(folder, ["alice"])
    try:
        with pytest.raises(ValueError, match=f"serving the reviews of {folder.name}.*process {first.process.pid}"):
            serve(folder, port=0)
        with Store.open(folder) as store:
            assert store.progress().items == 3, "reading goes on beside the server"
        with pytest.raises(ValueError, match=f"port {first.address[1]} is in use.*--port 0"):
            serve(a_queue(tmp_path / "other", 3), port=first.address[1])
    finally:
        first.end(signal.SIGKILL)
    Server(folder, ["alice"]).end(signal.SIGINT)


def test_people_are_added_and_revoked_while_the_server_runs_and_it_knows_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_queue(tmp_path, 3)
    server = Server(folder, ["alice", "bo"])
    try:
        with closing(Person(server.address, server.token("bo"))) as bo:
            assert bo.call("GET", "/api/me")[0] == 200
            serve(folder, revoke=["bo"], annotators=["carol"], port=0)
            assert bo.call("GET", "/api/me")[0] == 401
        told = capsys.readouterr()
        assert "the link of bo has ended" in told.err
        (line,) = told.out.splitlines()
        name, link = line.split()
        assert (name, link.partition("#")[0]) == ("carol", server.links["alice"].partition("#")[0])
        with closing(Person(server.address, link.partition("#token=")[2])) as carol:
            assert carol.call("GET", "/api/me")[1]["annotator"] == "carol"
    finally:
        server.end(signal.SIGINT)
    assert not Store.place(folder).with_name(ADDRESS).exists()


def test_beyond_loopback_it_warns_and_the_link_names_this_machine(tmp_path: Path) -> None:
    server = Server(a_queue(tmp_path, 3), ["alice"], more=("--host", "0.0.0.0"))
    assert server.links["alice"].startswith(f"http://{socket.gethostname()}:{server.address[1]}/#token=")
    with closing(Person(("127.0.0.1", server.address[1]), server.token("alice"))) as alice:
        assert alice.call("GET", "/api/me")[0] == 200
    assert "not encrypted" in server.end(signal.SIGINT)


def test_a_folder_that_can_not_be_reviewed_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no manifest.json"):
        serve(tmp_path / "none", port=0)
    with pytest.raises(ValueError, match="no annotator 'eve'"):
        serve(a_queue(tmp_path, 2), revoke=["eve"], port=0)
    with pytest.raises(ValueError, match="printable"):
        serve(a_queue(tmp_path, 2), annotators=["a\nb"], port=0)


@pytest.mark.timeout(600)
def test_no_kill_of_the_server_loses_an_answer_that_it_confirmed(tmp_path: Path) -> None:
    folder, moments = a_queue(tmp_path, 5_000, characters=400), random.Random(7)
    server = Server(folder, PEOPLE)
    address, ended = server.address, threading.Event()
    confirmed: dict[str, dict[str, str]] = {name: {} for name in PEOPLE}
    people = [threading.Thread(target=_answer, args=(address, server.token(name), confirmed[name], ended)) for name in PEOPLE]
    for person in people:
        person.start()
    try:
        for kill in range(1, KILLS + 1):
            while sum(map(len, confirmed.values())) < 10 * kill and all(person.is_alive() for person in people):
                time.sleep(0.01)  # it is at work again, however busy the machine is
            time.sleep(moments.uniform(0.0, 0.3))
            server.end(signal.SIGKILL)
            server = Server(folder, PEOPLE, port=address[1])
    finally:
        ended.set()
        for person in people:
            person.join()
        server.end(signal.SIGKILL)
    with Store.open(folder) as store:
        there = {(answer.item_id, answer.annotator): answer.values["comment"] for answer in store.answers() if answer.status == "submitted"}
    lost = [item for name, given in confirmed.items() for item, comment in given.items() if there.get((item, name)) != comment]
    assert sum(map(len, confirmed.values())) >= 10 * KILLS
    assert not lost


def _answer(address: tuple[str, int], token: str, confirmed: dict[str, str], ended: threading.Event) -> None:
    """Answer what comes; note what was confirmed; begin anew where the server went away."""
    person, count = Person(address, token), 0
    while not ended.is_set():
        try:
            _, shown = person.call("GET", "/api/next")
            item_id, count = shown["item"]["item_id"], count + 1
            values = {"verdict": "keep", "comment": f"{token[:4]} {count}"}
            _, draft = person.call("PUT", f"/api/items/{item_id}/draft", {"values": values, "version": shown["version"], "seconds": 1})
            body = {"status": "submitted", "values": values, "version": draft["version"], "seconds": 2}
            status, _ = person.call("POST", f"/api/items/{item_id}/answer", body)
            if status == 200:
                confirmed[item_id] = values["comment"]
        except (OSError, http.client.HTTPException):
            person.close()
            time.sleep(0.05)
    person.close()
