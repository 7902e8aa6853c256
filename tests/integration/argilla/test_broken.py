"""A connection to a real server that breaks in every way: nothing is lost, nothing is there twice, and the same command goes on."""

from __future__ import annotations

import random
import urllib.error
import urllib.request
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from annotation.argilla.client import Client
from annotation.argilla.link import Link
from annotation.argilla.place import ArgillaReviews
from annotation.argilla.pull import pull
from annotation.questions import Questions
from annotation.sqlite.store import Store
from dataengine.errors import Stopped
from tests.annotation.argilla.answering_machine import Reply, answering
from tests.annotation.reviews_suite import ALICE, BOB, QUESTIONS, an_answer, an_item, words
from tests.integration.argilla.conftest import Argilla
from tests.integration.argilla.people import Queue

Forward = Callable[[str, str, bytes], Reply]


def forward(server: Argilla, *, who: str = "owner") -> Forward:
    """What the real server says."""

    def ask(method: str, path: str, body: bytes) -> Reply:
        headers = {"X-Argilla-Api-Key": server.key(who), "Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(server.url + path, body or None, headers, method=method), timeout=60
            ) as reply:
                return Reply(status=reply.status, body=reply.read(), kind=reply.headers.get("Content-Type", ""))
        except urllib.error.HTTPError as error:
            with error:
                return Reply(status=error.code, body=error.read())

    return ask


def test_a_server_that_dies_mid_push_has_what_landed_and_the_same_push_goes_on(argilla_server: Argilla) -> None:
    real, bulk = forward(argilla_server), count()

    def dying(method: str, path: str, body: bytes) -> Reply:
        return Reply(hang_up=True) if path.endswith("/bulk") and next(bulk) > 0 else real(method, path, body)

    queue, items = Queue(argilla_server), [an_item(number) for number in range(230)]
    with answering(dying) as machine, pytest.raises(Stopped, match="100 of 230 records have landed"):
        queue.place(url=machine.url).push(items, QUESTIONS)
    assert len(queue.records()) == 100
    pushed = queue.place().push(items, QUESTIONS)
    assert (pushed.new, pushed.same) == (130, 100)
    assert sorted(record["external_id"] for record in queue.records()) == sorted(item.item_id for item in items)


def test_replies_that_are_lost_or_cut_lead_to_no_second_record_and_no_lost_answer(argilla_server: Argilla, tmp_path: Path) -> None:
    real, draw = forward(argilla_server), random.Random(0)

    def bad(method: str, path: str, body: bytes) -> Reply:
        luck = draw.random()
        if luck < 0.1:
            return Reply(status=503, body={"detail": "busy"})
        reply = real(method, path, body)
        return Reply(hang_up=True) if luck < 0.2 else Reply(body=b'{"items": [', promised=50) if luck < 0.3 else reply

    queue, items = Queue(argilla_server), [an_item(number, wanted=1 + number % 2) for number in range(40)]
    given = [an_answer(item, name, verdict="keep", comment=name) for item in items[::2] for name in (ALICE, BOB)]
    expected = {(each.item_id, each.annotator): ("submitted", dict(each.values)) for each in given}
    with answering(bad) as machine, Store(tmp_path / "answers.sqlite") as store:
        place, pushed = queue.place(url=machine.url), None
        while pushed is None:
            try:
                pushed = place.push(items, QUESTIONS, answers=given)
            except Stopped:
                continue
        store.push(items, QUESTIONS)
        link = Link(url=machine.url, workspace="argilla", dataset=queue.name)
        while not link.mark:
            try:
                _, link = pull(store, place, link)
            except Stopped:
                continue
        assert words(store) == expected
    assert sorted(record["external_id"] for record in queue.records()) == sorted(item.item_id for item in items)


def test_a_dataset_that_was_half_made_is_finished(argilla_server: Argilla) -> None:
    real, asked = forward(argilla_server), count()

    def dying(method: str, path: str, body: bytes) -> Reply:
        return Reply(hang_up=True) if path.endswith("/questions") and method == "POST" and next(asked) > 2 else real(method, path, body)

    queue, items = Queue(argilla_server), [an_item(0)]
    with answering(dying) as machine, pytest.raises(Stopped):
        queue.place(url=machine.url).push(items, QUESTIONS)
    assert words(queue.place()) == {}
    assert queue.place().push(items, QUESTIONS).new == 1


def test_a_key_without_rights_is_told_what_it_takes(argilla_server: Argilla) -> None:
    queue, items = Queue(argilla_server), [an_item(0)]
    with pytest.raises(ValueError, match="owner's key, or that of an admin who is a member"):
        queue.place(who=ALICE).push(items, QUESTIONS)
    queue.place().push(items, QUESTIONS)
    with pytest.raises(ValueError, match="owner's key, or that of an admin who is a member"):
        list(queue.place(who=ALICE).answers())


def test_an_admin_of_the_workspace_may_push_and_pull_and_only_an_owner_lets_people_in(argilla_server: Argilla) -> None:
    queue, items = Queue(argilla_server), [an_item(0)]
    name = f"admin-{queue.name[-8:]}"
    body = {"first_name": name, "username": name, "role": "admin", "password": "long enough"}
    made = argilla_server.call("POST", "/users", body)
    argilla_server.call("POST", f"/workspaces/{queue.place().server.workspace_id()}/users", {"user_id": made["id"]})

    def place(**settings: Any) -> ArgillaReviews:
        return ArgillaReviews(Client(argilla_server.url, made["api_key"]), workspace="argilla", dataset=queue.name, **settings)

    given = [an_answer(items[0], BOB, verdict="keep")]
    assert place().push(items, QUESTIONS, answers=given).answers == 1
    queue.answer(items[0], ALICE, "discarded", {})
    assert set(words(place())) == {(items[0].item_id, ALICE), (items[0].item_id, BOB)}
    assert place().push(items, QUESTIONS, answers=given).same == 1
    with pytest.raises(ValueError, match="may not do that"):
        place(annotators=("somebody",)).push(items, QUESTIONS)


def test_a_workspace_that_is_not_there_is_named_with_those_that_are(argilla_server: Argilla) -> None:
    client = Client(argilla_server.url, argilla_server.key(ALICE))
    with pytest.raises(ValueError, match=r"no workspace 'elsewhere'.*only an owner.*you are in: argilla"):
        ArgillaReviews(client, workspace="elsewhere", dataset="q").push([an_item(0)], QUESTIONS)
    with pytest.raises(ValueError, match=r"no workspace 'elsewhere'.*--workspace"):
        ArgillaReviews(client, workspace="elsewhere", dataset="q").progress()


def test_a_dataset_of_somebody_else_is_not_written_into(argilla_server: Argilla) -> None:
    queue = Queue(argilla_server)
    workspace = queue.place().server.workspace_id()
    made = argilla_server.call("POST", "/datasets", {"name": queue.name, "workspace_id": workspace})
    argilla_server.call(
        "POST", f"/datasets/{made['id']}/fields", {"name": "text", "title": "t", "required": True, "settings": {"type": "text"}}
    )
    question = {"name": "label", "title": "l", "required": True, "settings": {"type": "text"}}
    argilla_server.call("POST", f"/datasets/{made['id']}/questions", question)
    argilla_server.call("PUT", f"/datasets/{made['id']}/publish")
    with pytest.raises(ValueError, match=r"was not made by `dataengine argilla push`.*--dataset"):
        queue.place().push([an_item(0)], QUESTIONS)


def test_other_labels_are_named(argilla_server: Argilla) -> None:
    queue = Queue(argilla_server)
    queue.place().push([an_item(0)], QUESTIONS)
    with pytest.raises(ValueError, match=r"'language': options is \['en', 'zh', 'mixed', 'other'\] there and \['en', 'fr'\] here"):
        queue.place().push([an_item(0)], Questions(guidelines=QUESTIONS.guidelines, languages=("en", "fr")))
    with pytest.raises(ValueError, match="at least two labels of a question, reasons has bad"):
        Queue(argilla_server).place().push([an_item(0)], Questions(reasons=("bad",)))
