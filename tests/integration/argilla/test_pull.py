"""Pulling: nothing is read where nothing has changed, and every kind of change is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from annotation.argilla.client import Client
from annotation.argilla.link import Link
from annotation.argilla.pull import pull, unusable
from annotation.questions import Questions
from annotation.sqlite.store import Store
from tests.annotation.reviews_suite import ALICE, BOB, QUESTIONS, an_item, words
from tests.integration.argilla.conftest import Argilla
from tests.integration.argilla.people import Queue

ITEMS = [an_item(number, wanted=2) for number in range(3)]

Change = Callable[[Queue], object]


def _response(queue: Queue) -> str:
    return queue.record(ITEMS[0], "responses")["responses"][0]["id"]


def _delete_a_person(queue: Queue) -> None:
    name = f"gone-{queue.name[-8:]}"
    queue.server.call(
        "DELETE", f"/users/{next(each['id'] for each in queue.server.call('GET', '/users')['items'] if each['username'] == name)}"
    )


CHANGES: dict[str, Change] = {
    "a new answer": lambda queue: queue.answer(ITEMS[1], ALICE, "submitted", {"verdict": "keep"}),
    "another value": lambda queue: queue.answer(ITEMS[0], ALICE, "submitted", {"verdict": "keep", "comment": "b"}),
    "another text of the same length": lambda queue: queue.answer(ITEMS[0], ALICE, "submitted", {"verdict": "keep", "comment": "c"}),
    "by the response's own address": lambda queue: queue.server.call(
        "PUT", f"/responses/{_response(queue)}", {"status": "submitted", "values": {"verdict": {"value": "discard"}}}, who=ALICE
    ),
    "a draft": lambda queue: queue.answer(ITEMS[2], BOB, "draft", {"comment": "hm"}),
    "a draft's new word": lambda queue: queue.answer(ITEMS[1], BOB, "draft", {"comment": "hm!"}),
    "a discard": lambda queue: queue.answer(ITEMS[1], ALICE, "discarded", None),
    "a submitted one discarded": lambda queue: queue.answer(ITEMS[0], ALICE, "discarded", {}),
    "a response deleted": lambda queue: queue.server.call("DELETE", f"/responses/{_response(queue)}", who=ALICE),
    "a record deleted": lambda queue: queue.server.call("DELETE", f"/records/{queue.record(ITEMS[0])['id']}"),
    "a record nobody answered deleted": lambda queue: queue.server.call("DELETE", f"/records/{queue.record(ITEMS[2])['id']}"),
    "a person deleted": _delete_a_person,
}


@pytest.fixture
def queue(argilla_server: Argilla) -> Queue:
    """Three items; alice has submitted the first, bob has a draft of the second, and somebody has answered who may leave."""
    queue = Queue(argilla_server)
    gone = f"gone-{queue.name[-8:]}"
    place = queue.place(annotators=(gone,))
    place.push(ITEMS, QUESTIONS)
    queue.answer(ITEMS[0], ALICE, "submitted", {"verdict": "keep", "comment": "a"})
    queue.answer(ITEMS[1], BOB, "draft", {"comment": "hm"})
    token = {item["username"]: item["api_key"] for item in argilla_server.call("GET", "/users")["items"]}[gone]
    record = queue.record(ITEMS[2])["id"]
    Client(argilla_server.url, token).send("POST", f"/records/{record}/responses", {"status": "discarded", "values": None})
    return queue


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """At home."""
    store = Store(tmp_path / "answers.sqlite")
    store.push(ITEMS, QUESTIONS)
    return store


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_is_noticed_and_nothing_is_read_without(what: str, queue: Queue, store: Store) -> None:
    place, link = queue.place(), Link(url=queue.server.url, workspace="argilla", dataset=queue.name)
    first, link = pull(store, place, link)
    assert (first.read, first.new, first.unchanged) == (3, 3, False)
    second, link = pull(store, place, link)
    assert second.unchanged
    before = words(store)
    CHANGES[what](queue)
    third, link = pull(store, place, link)
    assert not third.unchanged
    there = words(place)
    assert words(store) == {**before, **there}, "what is on the server counts, what is gone from there stays"
    assert len(third.gone) == len(before.keys() - there.keys())
    assert third.missing == len(ITEMS) - len(queue.records())
    again, link = pull(store, place, link)
    assert again.unchanged


def test_a_store_that_was_made_anew_is_filled_again(queue: Queue, store: Store, tmp_path: Path) -> None:
    place, link = queue.place(), Link(url=queue.server.url, workspace="argilla", dataset=queue.name)
    _, link = pull(store, place, link)
    with Store(tmp_path / "another.sqlite") as other:
        other.push(ITEMS, QUESTIONS)
        pulled, _ = pull(other, place, link)
        assert pulled.new == 3


def test_an_answer_that_an_admin_wrote_over_comes_with_the_whole(queue: Queue, store: Store) -> None:
    place, link = queue.place(), Link(url=queue.server.url, workspace="argilla", dataset=queue.name)
    _, link = pull(store, place, link)
    record = queue.record(ITEMS[0], "responses")
    word = {"user_id": record["responses"][0]["user_id"], "status": "submitted", "values": {"verdict": {"value": "discard"}}}
    path = f"/datasets/{record['dataset_id']}/records/bulk"
    queue.server.call("PUT", path, {"items": [{"id": record["id"], "responses": [word]}]})
    pulled, link = pull(store, place, link, whole=True)
    assert pulled.new == 1
    assert words(store)[ITEMS[0].item_id, ALICE] == ("submitted", {"verdict": "discard"})


def test_answers_that_can_not_be_used_are_told_of_by_person_with_what_to_do(queue: Queue, store: Store) -> None:
    place, link = queue.place(), Link(url=queue.server.url, workspace="argilla", dataset=queue.name)
    queue.answer(ITEMS[1], ALICE, "submitted", {"verdict": "fix", "reasoning": " "})
    queue.answer(ITEMS[2], BOB, "submitted", {"verdict": "keep", "summary": "edited"})
    pull(store, place, link)
    found = unusable(store)
    assert set(found) == {ALICE, BOB}
    assert "row1" in found[ALICE][0]
    assert "the edited reasoning is empty: write it, or discard" in found[ALICE][0]
    assert "choose fix, or take the edit back" in found[BOB][0]


def test_a_dataset_of_other_labels_is_refused(queue: Queue, tmp_path: Path) -> None:
    with Store(tmp_path / "other.sqlite") as store:
        store.push(ITEMS, Questions(guidelines=QUESTIONS.guidelines, languages=("en", "fr")))
        with pytest.raises(ValueError, match=f"asks the questions {QUESTIONS.version}"):
            pull(store, queue.place(), Link(url=queue.server.url, workspace="argilla", dataset=queue.name))


def test_a_dataset_that_is_not_there_is_named_and_what_is_at_home_stays(queue: Queue, store: Store) -> None:
    place, link = queue.place(), Link(url=queue.server.url, workspace="argilla", dataset=queue.name)
    _, link = pull(store, place, link)
    before = words(store)
    for dataset in place.server.datasets():
        queue.server.call("DELETE", f"/datasets/{dataset.id}")
    with pytest.raises(ValueError, match="push the queue first, or name the one it was pushed to"):
        pull(store, place, link)
    assert words(store) == before
