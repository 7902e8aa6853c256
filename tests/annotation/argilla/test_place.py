"""What a push does to those who are at work meanwhile, to other records, and to whoever has another name by now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from annotation.answer import Answer
from annotation.argilla.home import QueueHome
from annotation.argilla.link import Link
from annotation.argilla.passwords import file_beside
from annotation.argilla.pull import pull
from annotation.item import Item
from annotation.questions import Questions
from annotation.sqlite.drafts import Draft
from annotation.sqlite.store import Store
from dataengine.errors import Stopped
from tests.annotation.argilla.argilla_in_memory import ArgillaInMemory
from tests.annotation.reviewing import a_queue
from tests.annotation.reviews_suite import QUESTIONS, an_item

LINK = Link(url="http://127.0.0.1:1", workspace="argilla", dataset="q")
MINUTES = timedelta(minutes=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A queue of three items, each for two people."""
    with Store.open(a_queue(tmp_path, 3, characters=40, wanted=2)) as store:
        yield store


def push(store: Store, argilla: ArgillaInMemory, *, link: Link = LINK, items: list[Item] | None = None, **settings: object) -> list[str]:
    """As `dataengine argilla push` does; what it says of it."""
    place = argilla.place(people=link.people, **settings)
    place.push(items or list(store.items()), store.questions, answers=store.answers(), home=QueueHome(store, link))
    return place.notices


def remembered(store: Store) -> Link:
    return Link(**json.loads(store.database.file.with_name("argilla.json").read_text()))


def bring(store: Store, argilla: ArgillaInMemory, *, link: Link = LINK) -> Link:
    return pull(store, argilla.place(people=link.people), link, whole=True)[1]


def ago(minutes: float) -> str:
    return (datetime.now(UTC) - minutes * MINUTES).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def says(store: Store, item: Item, verdict: str, *, minutes: float, name: str = "ann") -> None:
    """Somebody answers on the page."""
    store.save(Answer(item_id=item.item_id, annotator=name, status="submitted", values={"verdict": verdict}, at=ago(minutes)))


def test_what_somebody_answers_while_a_push_runs_comes_home_and_stays(store: Store) -> None:
    argilla, items = ArgillaInMemory("ann"), list(store.items())
    push(store, argilla, items=items[:1])
    argilla.respond(items[0], "ann", "draft", ago=9 * MINUTES, verdict="keep")
    says(store, items[0], "keep", minutes=5)
    answered: list[str] = []

    def twenty_minutes_of_work(method: str, path: str) -> None:
        if path.endswith("/records") and not answered:  # read now, and written over later
            answered.append(path)
            return
        if answered and len(answered) < 2 and (path.startswith("/records/") or path.endswith("/bulk")):
            answered.append(path)
            argilla.respond(items[0], "ann", verdict="discard", comment="twenty minutes of work")

    argilla.before = twenty_minutes_of_work
    push(store, argilla)
    assert len(answered) == 2
    assert argilla.said(items[0], "ann") == ("submitted", {"verdict": "discard", "comment": "twenty minutes of work"})
    assert [answer.values["verdict"] for answer in store.answers()] == ["discard"]


def test_what_is_written_over_in_argilla_is_at_home(store: Store) -> None:
    argilla, item = ArgillaInMemory("ann"), next(store.items())
    push(store, argilla)
    argilla.respond(item, "ann", ago=9 * MINUTES, verdict="discard", comment="not pulled")
    says(store, item, "keep", minutes=1)
    push(store, argilla)
    assert argilla.said(item, "ann") == ("submitted", {"verdict": "keep"})
    assert [answer.values["verdict"] for answer in store.history(item.item_id, "ann")] == ["discard", "keep"]


def test_a_record_that_is_refused_holds_back_no_dataset_no_mark_and_no_answer() -> None:
    items = [an_item(number, wanted=1 + number % 2) for number in range(6)]
    argilla = ArgillaInMemory("ann")
    argilla.place().push(items[2:], QUESTIONS)
    argilla.refuse = lambda record: "too odd" if record.get("external_id") == items[0].item_id else None
    given = [Answer(item_id=items[2].item_id, annotator="ann", status="submitted", values={"verdict": "keep"}, at=ago(1))]
    changed = [*items[:3], replace(items[3], reasoning="Other."), *items[4:]]
    with pytest.raises(ValueError, match=rf"1 records were refused, all others have landed: {items[0].item_id}: too odd\. Mend"):
        argilla.place().push(changed, QUESTIONS, answers=given)
    assert {name: len(each["records"]) for name, each in argilla.datasets.items()} == {"d0": 2, "d1": 4}
    assert argilla.record(items[3])["metadata"]["superseded"] == "yes"
    assert argilla.said(items[2], "ann") == ("submitted", {"verdict": "keep"})


def test_a_password_is_kept_before_its_account_is_made(store: Store) -> None:
    argilla = ArgillaInMemory()
    file = store.database.file.with_name("argilla-passwords.json")

    def dies_at_the_second(method: str, path: str) -> None:
        if method == "POST" and path == "/users":
            assert len(json.loads(file.read_text())) == len(argilla.accounts) + 1, "before it is asked for"
            if argilla.accounts:
                raise Stopped("the server went away")

    argilla.before = dies_at_the_second
    with pytest.raises(Stopped):
        push(store, argilla, annotators=("ann", "bo"))
    first = json.loads(file.read_text())["ann"]
    argilla.before = lambda method, path: None
    push(store, argilla, annotators=("ann", "bo"))
    assert json.loads(file.read_text())["ann"] == first
    assert sorted(argilla.accounts.values()) == ["ann", "bo"]
    assert argilla.members == set(argilla.accounts)


def test_an_account_that_is_renamed_is_one_person(store: Store) -> None:
    argilla, item = ArgillaInMemory("ann"), next(store.items())
    push(store, argilla)
    argilla.respond(item, "ann", verdict="keep")
    link = bring(store, argilla, link=remembered(store))
    argilla.accounts["id-ann"] = "ann.smith"
    place = argilla.place(people=link.people)
    pulled, link = pull(store, place, link, whole=True)
    assert (pulled.new, len(pulled.gone), store.progress().done) == (0, 0, 0)
    assert place.notices == ["ann is called ann.smith in Argilla now: the same person, whose answers stay under ann here"]
    says(store, item, "discard", minutes=-1)
    push(store, argilla, link=link)
    assert argilla.said(item, "ann") == ("submitted", {"verdict": "discard"}), "what she says at home goes to the same account"
    push(store, argilla, link=link, annotators=("ann", "ann.smith"))
    assert len(argilla.accounts) == 1, "she is there, under both names"
    assert not file_beside(store.database.file).exists()


def test_a_member_who_is_taken_out_of_the_workspace_keeps_the_name(store: Store) -> None:
    argilla, item = ArgillaInMemory("ann", owner=False), next(store.items())
    push(store, argilla)
    argilla.respond(item, "ann", verdict="keep")
    link = bring(store, argilla)
    argilla.members.clear()
    bring(store, argilla, link=link)
    assert set(store.progress().annotators) == {"ann"}
    assert store.progress().done == 0, "the second person has not answered"


def test_a_name_that_another_account_takes_over_is_another_person(store: Store) -> None:
    argilla, item = ArgillaInMemory("ann"), next(store.items())
    push(store, argilla)
    argilla.respond(item, "ann", verdict="keep")
    link = bring(store, argilla)
    argilla.accounts |= {"id-ann": "ann.smith", "id-another": "ann"}
    argilla.respond(item, "another", verdict="keep")
    bring(store, argilla, link=link)
    assert set(store.progress().annotators) == {"ann", "ann (id-anoth)"}


@pytest.mark.parametrize("ahead", [-10, 0, 10])
def test_a_change_of_mind_in_argilla_counts_whatever_its_clock_says(store: Store, ahead: float) -> None:
    argilla, item = ArgillaInMemory("ann", ahead=ahead * MINUTES), next(store.items())
    says(store, item, "keep", minutes=9)
    push(store, argilla)
    argilla.respond(item, "ann", ago=5 * MINUTES, verdict="discard")
    bring(store, argilla)
    assert [answer.verdict for answer in store.answers()] == ["discard"]
    push(store, argilla)
    assert argilla.said(item, "ann") == ("submitted", {"verdict": "discard"})
    says(store, item, "keep", minutes=1)
    bring(store, argilla)
    assert [answer.verdict for answer in store.answers()] == ["keep"]
    push(store, argilla)
    assert argilla.said(item, "ann") == ("submitted", {"verdict": "keep"})


@pytest.mark.parametrize("ahead", [0, 10])
def test_a_draft_that_was_taken_along_does_not_open_an_answered_item_again(store: Store, ahead: float) -> None:
    argilla, item = ArgillaInMemory("ann"), next(store.items())
    argilla.ahead = ahead * MINUTES  # as behind a proxy whose Date is another's
    store.save_draft(Draft(item_id=item.item_id, annotator="ann", values={"verdict": "keep", "comment": "hm"}))
    push(store, argilla)
    assert argilla.said(item, "ann")[0] == "draft"
    store.save(Answer(item_id=item.item_id, annotator="ann", status="submitted", values={"verdict": "discard"}))
    bring(store, argilla)
    assert [(answer.status, answer.verdict) for answer in store.answers()] == [("submitted", "discard")]
    push(store, argilla)
    assert argilla.said(item, "ann") == ("submitted", {"verdict": "discard"})


def test_a_word_that_is_taken_back_in_argilla_counts_again(store: Store) -> None:
    argilla, item = ArgillaInMemory("ann"), next(store.items())
    push(store, argilla)
    for minutes, verdict in ((9, "keep"), (8, "discard"), (7, "keep")):
        argilla.respond(item, "ann", ago=minutes * MINUTES, verdict=verdict)
        bring(store, argilla)
        assert [answer.verdict for answer in store.answers()] == [verdict]


def test_a_push_that_stops_half_way_remembers_where(store: Store) -> None:
    argilla = ArgillaInMemory()

    def away(method: str, path: str) -> None:
        if path.endswith("/bulk"):
            raise Stopped("the server went away")

    argilla.before = away
    with pytest.raises(Stopped):
        push(store, argilla, link=replace(LINK, dataset="ours", mark="m"))
    assert (remembered(store).dataset, remembered(store).mark) == ("ours", "")


def test_marks_of_any_shape_hold_up_no_push() -> None:
    argilla, item = ArgillaInMemory("ann"), an_item(0)
    strange = ([{"label": "code"}], "x", 5, [{"label": "code", "start": "a", "stop": 2}], [{"label": "code", "start": 3, "stop": 3}], [7])
    for marks in strange:
        given = [Answer(item_id=item.item_id, annotator="ann", status="discarded", values={"marks": marks}, at=ago(1))]
        place = argilla.place()
        assert place.push([item], QUESTIONS, answers=given).answers == 0
        assert any("its marks are none of ours" in notice for notice in place.notices)


def test_rows_that_left_the_queue_are_marked_and_told_of(store: Store) -> None:
    argilla, items = ArgillaInMemory("ann"), list(store.items())
    push(store, argilla)
    argilla.respond(items[2], "ann", verdict="keep")
    with store.database.writing() as db:
        db.execute("UPDATE items SET current = 0 WHERE item_id = ?", [items[2].item_id])
    told = push(store, argilla)
    assert any("1 records are of items that are in the queue no more" in notice for notice in told)
    left = argilla.record(items[2])
    assert left["metadata"]["superseded"] == "yes"
    assert left["fields"]["notes"].startswith("This rollout is in the queue no more: leave it")
    assert not any("in the queue no more" in notice for notice in push(store, argilla)), "it is said once"
    bring(store, argilla)
    assert len(list(store.answers())) == 1, "what was said of it is kept"


def test_records_of_items_that_a_push_does_not_know_are_counted_and_left_alone() -> None:
    argilla, items = ArgillaInMemory(), [an_item(number) for number in range(4)]
    argilla.place().push(items, QUESTIONS)
    place = argilla.place()
    place.push(items[:3], QUESTIONS)
    assert place.notices == ["1 records there are of items that this push does not know: they are left alone"]
    assert not any(record["metadata"].get("superseded") for record in argilla.records())


def test_guidelines_that_were_edited_in_argilla_stop_no_push_and_those_of_another_queue_do() -> None:
    argilla, items = ArgillaInMemory(), [an_item(number) for number in range(2)]
    argilla.place().push(items[:1], QUESTIONS)
    argilla.datasets["d0"]["guidelines"] += "\nBe kind."
    place = argilla.place()
    assert place.push(items, QUESTIONS).new == 1
    assert any("were edited in Argilla" in notice for notice in place.notices)
    with pytest.raises(ValueError, match="guidelines are others"):
        argilla.place().push(items, Questions(guidelines="Of another queue."))
