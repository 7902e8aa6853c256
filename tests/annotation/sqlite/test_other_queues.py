"""A queue that is made again has the answers that were given to the same items before; nothing else is taken, and all is said."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annotation.answer import Answer
from annotation.item import Item
from annotation.questions import Questions
from annotation.queue import queue
from annotation.reviewed import reviewed
from annotation.sqlite import other_queues
from annotation.sqlite import store as stores
from annotation.sqlite.drafts import Draft
from annotation.sqlite.store import Store
from dataengine.run import run
from dataengine.step import Step
from tests.annotation.answers import answer, store_answers
from tests.annotation.rows import BARS, responses, rollouts

ROWS = rollouts(12)


def asking(rows: Sequence[Mapping[str, Any]] = ROWS, *, overlap: float = 1.0, people: int = 1, **more: Any) -> Step:
    """A queue about all rows; `people` has no effect on which."""
    return queue(responses(rows), bars=BARS, audit=1.0, overlap=overlap, people=people, **more)


def items_in(folder: Path) -> list[Item]:
    with Store.open(folder) as store:
        return list(store.items())


def standing(folder: Path) -> dict[str, str | None]:
    """The verdict of each row that was answered."""
    with Store.open(folder) as store:
        return {store.item(each.item_id).row_id: each.verdict for each in store.answers()}


def test_a_queue_that_is_made_again_has_its_answers_and_says_where_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    former = run(asking(), tmp_path)
    first, *items = items_in(former)
    store_answers(former, [answer(first, "discard"), *(answer(item, by=by) for item in items for by in ("ann", "bo"))])
    file = Store.place(former)
    before = hashlib.sha256(file.read_bytes()).digest()
    again = run(asking(overlap=0.5), tmp_path)
    assert again != former
    with Store.open(again) as store:
        assert (store.progress().done, store.progress().items) == (len(items) + 1,) * 2
        assert store.answers_to(first.item_id)[0].verdict == "discard"
        assert {(each.at, each.via) for each in store.answers()} == {("2026-11-21T12:00:00.000000Z", "page")}
    assert f"{1 + 2 * len(items)} answers were taken over from {former.name}" in capsys.readouterr().err
    assert hashlib.sha256(file.read_bytes()).digest() == before
    with Store.open(again) as store:
        assert store.answered() == 1 + 2 * len(items), "opened again, nothing is doubled"
    assert "taken over" not in capsys.readouterr().err


def test_a_run_goes_on_with_the_answers_to_the_queue_as_it_was_before(tmp_path: Path) -> None:
    former = run(asking(), tmp_path)
    store_answers(former, [answer(item) for item in items_in(former)])
    home = run(reviewed(asking(overlap=0.5)), tmp_path)
    assert home.name.startswith("reviewed-")


def test_drafts_stay_where_they_were_begun(tmp_path: Path) -> None:
    former = run(asking(), tmp_path)
    first, second, *_ = items_in(former)
    store_answers(former, [answer(first), answer(second, status="draft")])
    with Store.open(former) as store:
        store.save_draft(Draft(item_id=second.item_id, annotator="bo", values={"comment": "half"}))
    assert standing(run(asking(overlap=0.5), tmp_path)) == {first.row_id: "keep"}


def test_answers_to_another_text_of_a_row_stay_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    former = run(asking(), tmp_path)
    items = items_in(former)
    store_answers(former, [answer(item) for item in items])
    changed = [{**row, "summary": f"{row['summary']}."} if row["row_id"] == items[0].row_id else row for row in ROWS]
    again = run(asking(changed), tmp_path)
    assert set(standing(again)) == {item.row_id for item in items[1:]}
    assert f"1 answers in {former.name} are to other texts of these rows" in capsys.readouterr().err


def test_what_is_said_in_one_queue_later_comes_to_the_other_one_both_ways(tmp_path: Path) -> None:
    one, other = run(asking(), tmp_path), run(asking(overlap=0.5), tmp_path)
    first, second, *_ = items_in(one)
    for here, there, verdict in ((one, other, "keep"), (other, one, "discard"), (one, other, "keep")):
        with Store.open(here) as store:
            store.save(replace(answer(first, verdict), at=""))
        assert standing(there) == {first.row_id: verdict}
    with Store.open(one) as store:
        store.save(replace(answer(second), at=""))
    assert standing(other) == {first.row_id: "keep", second.row_id: "keep"}


def test_rows_that_come_into_a_queue_have_what_was_answered_to_them_elsewhere(tmp_path: Path) -> None:
    every = run(asking(), tmp_path)
    store_answers(every, [answer(item) for item in items_in(every)])
    few = run(asking(at_most=3), tmp_path)
    with Store.open(few) as store:
        assert store.progress().done == 3
        store.push(items_in(every), store.questions)
        with store.database.writing() as db:
            other_queues.note(db, "folder", "was made anew")
        other_queues.take_over(store)
        assert store.progress().done == len(ROWS)


def test_answers_to_other_questions_stay_and_other_guidelines_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    former = run(asking(), tmp_path)
    store_answers(former, [answer(item) for item in items_in(former)])
    assert standing(run(asking(questions=Questions(reasons=("bad",))), tmp_path)) == {}
    told = capsys.readouterr().err
    assert f"{len(ROWS)} answers to these items are in {former.name}, which asks other questions" in told
    reworded = run(asking(questions=Questions(guidelines="Judge kindly.")), tmp_path)
    assert len(standing(reworded)) == len(ROWS)
    assert f"by other guidelines ({Questions().version})" in capsys.readouterr().err


def test_a_queue_that_is_being_answered_is_read_beside_its_writer(tmp_path: Path) -> None:
    former = run(asking(), tmp_path)
    first, second, *_ = items_in(former)
    with Store.open(former) as busy:
        busy.save(answer(first))
        with busy.database.writing() as db:
            stores.add_answer(db, answer(second), busy.questions)
            assert standing(run(asking(overlap=0.5), tmp_path)) == {first.row_id: "keep"}


def test_a_killed_taking_over_is_ended_at_the_next_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    former, again = run(asking(), tmp_path), run(asking(overlap=0.5), tmp_path)
    items = items_in(former)
    store_answers(former, [answer(item) for item in items])
    monkeypatch.setattr(stores, "BATCH", 3)
    read = other_queues.unpacked_answer

    def cut(body: bytes) -> Answer:
        found = read(body)
        if found.item_id == items[7].item_id:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as killed:
        killed.setattr(other_queues, "unpacked_answer", cut)
        with pytest.raises(KeyboardInterrupt):
            Store.open(again)
    assert len(standing(again)) == len(ROWS)


@pytest.mark.parametrize("damage", ["this is no store", "", "its questions", "an answer"])
def test_a_damaged_store_is_not_in_the_way_of_another_queue(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    former, again = run(asking(), tmp_path), run(asking(overlap=0.5), tmp_path)
    store_answers(former, [answer(item) for item in items_in(former)])
    if damage in ("its questions", "an answer"):
        with Store(Store.place(former)) as store, store.database.writing() as db:
            db.execute("UPDATE meta SET value = '{' WHERE name = 'questions'" if "its" in damage else "UPDATE answers SET body = x'00'")
    else:
        Store.place(former).write_text(damage)
    assert standing(again) == {}
    assert ("can not be read" in capsys.readouterr().err) == bool(damage), "an empty file is a store that is only being made"
