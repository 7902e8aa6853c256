"""What the store promises: every answer stays, the newest counts, and texts come back as they were."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation import items as queue_items
from annotation.answer import Answer
from annotation.item import Finding, Item, Said
from annotation.questions import Questions
from annotation.sqlite.drafts import Conflict, Draft
from annotation.sqlite.narrow import Narrow
from annotation.sqlite.store import Store
from dataengine import shards
from dataengine.errors import DiskFull
from tests.annotation.reviewing import REPOSITORY, a_queue

QUESTIONS = Questions(guidelines="Judge.")
TEXTS = st.text(st.characters(), max_size=40) | st.text("a\0\ud800\udc00\U0001f600<think>\r\n", max_size=40)
"""Lone surrogates, and pairs of them that are no character, included."""


def an_item(number: int, *, reasoning: str = "I add.", wanted: int = 1, **metadata: str) -> Item:
    return Item(
        row_id=f"row{number}", prompt=f"1+{number}?", reasoning=reasoning, summary="2", rank=number, wanted=wanted, metadata=metadata
    )


def a_word(
    item: Item, annotator: str = "alice", *, verdict: str = "keep", at: str = "", status: str = "submitted", **values: str
) -> Answer:
    return Answer(item_id=item.item_id, annotator=annotator, status=status, values={"verdict": verdict, **values}, at=at)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "answers.sqlite") as store:
        yield store


def test_items_come_back_as_they_were_in_the_queues_order(store: Store) -> None:
    item = replace(
        an_item(1, reasoning="<think>\0x<y\ud800\r\n😀", domain="math"),
        answer=None,
        said=(Said(scorer="language", value=None, reason="no text"),),
        findings=(Finding(field="reasoning", start=0, stop=7, scorer="format", note="token"),),
    )
    pushed = store.push([item, an_item(0)], QUESTIONS)
    assert (pushed.new, pushed.same, pushed.changed) == (2, 0, ())
    assert [each.rank for each in store.items()] == [0, 1]
    assert store.item(item.item_id) == item
    assert store.questions == QUESTIONS


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=4))
def test_no_character_of_an_item_or_an_answer_is_changed(
    texts: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Store(tmp_path_factory.mktemp("store") / "answers.sqlite") as store:
        items = [
            Item(row_id=f"{prompt}{number}", prompt=prompt, reasoning=reasoning, summary=summary, metadata={"domain": prompt})
            for number, (prompt, reasoning, summary) in enumerate(texts)
        ]
        store.push(items, QUESTIONS)
        for item in items:
            assert store.item(item.item_id) == item
            given = Answer(item_id=item.item_id, annotator="ann", status="submitted", values={"verdict": "fix", "summary": item.prompt})
            at = store.save(given).at
            assert store.answers_to(item.item_id) == [replace(given, at=at)]


def test_pushing_again_changes_nothing_and_new_text_asks_again(store: Store) -> None:
    old, other = an_item(0), an_item(1)
    store.push([old, other], QUESTIONS)
    store.save(a_word(old))
    new = an_item(0, reasoning="I add again.")
    assert store.push([old, other], QUESTIONS).same == 2
    pushed = store.push([new, other], QUESTIONS)
    assert (pushed.new, pushed.same, pushed.changed) == (0, 1, ("row0",))
    assert [item.item_id for item in store.items()] == [new.item_id, other.item_id]
    assert (store.is_current(old.item_id), store.is_current(new.item_id)) == (False, True)
    assert [answer.item_id for answer in store.answers()] == [old.item_id]
    assert store.progress().done == 0
    assert store.push([old], QUESTIONS).changed == ("row0",)
    assert store.progress().done == 1


def test_a_moved_place_in_the_queue_is_no_change_of_text(store: Store) -> None:
    first, second = an_item(0), an_item(1)
    store.push([first, second], QUESTIONS)
    assert store.push([replace(first, rank=5, wanted=2)], QUESTIONS).same == 1
    assert [item.item_id for item in store.items()] == [second.item_id, first.item_id]
    assert store.item(first.item_id).wanted == 2


def test_other_questions_are_refused_with_both_versions(store: Store) -> None:
    other = Questions(guidelines="Judge well.")
    store.push([an_item(0)], QUESTIONS)
    with pytest.raises(ValueError, match=f"{QUESTIONS.version}.*{other.version}"):
        store.push([an_item(1)], other)
    assert len(list(store.items())) == 1


def test_a_queue_moves_with_its_answers(tmp_path: Path, store: Store) -> None:
    items = [an_item(number) for number in range(3)]
    store.push(items, QUESTIONS)
    store.save(a_word(items[0]))
    store.save(a_word(items[1], status="discarded"))
    with Store(tmp_path / "other.sqlite") as other:
        assert other.push(list(store.items()), QUESTIONS, answers=store.answers()).answers == 2
        assert other.push(list(store.items()), QUESTIONS, answers=store.answers()).answers == 0
        assert list(other.answers()) == list(store.answers())
        assert other.progress() == store.progress()


def test_the_latest_answer_counts_and_every_one_stays(store: Store) -> None:
    item = an_item(0)
    store.push([item], QUESTIONS)
    said = [a_word(item), a_word(item, comment="hm"), a_word(item)]
    assert [store.save(word).new for word in said] == [True, True, True]
    assert not store.save(said[-1]).new
    assert [answer.values for answer in store.history(item.item_id, "alice")] == [word.values for word in said]
    assert [answer.values for answer in store.answers()] == [said[-1].values]


def test_an_answer_given_now_counts_even_where_another_clock_went_ahead(store: Store) -> None:
    item = an_item(0)
    store.push([item], QUESTIONS)
    store.take_in([a_word(item, at="2999-01-01T00:00:00Z")])
    assert store.save(a_word(item, status="discarded")).at == "2999-01-01T00:00:00.000001Z"
    assert [answer.status for answer in store.answers()] == ["discarded"]


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "soon"])
def test_a_time_that_leaves_no_later_one_is_none(store: Store, at: str) -> None:
    item = an_item(0)
    store.push([item], QUESTIONS)
    with pytest.raises(ValueError, match="time in ISO 8601"):
        store.take_in([a_word(item, at=at)])
    store.take_in([a_word(item, at="0999-01-01T00:00:00Z")])
    assert store.save(a_word(item, status="discarded")).at > "2026", "years are written so that they compare as text"


def test_answers_of_unknown_items_are_kept_and_count_when_their_item_comes(store: Store) -> None:
    here, later = an_item(0), an_item(1)
    store.push([here], QUESTIONS)
    taken = store.take_in([a_word(here), a_word(later)])
    assert (taken.new, taken.unknown, store.unknown()) == (2, 1, 1)
    assert [answer.item_id for answer in store.answers()] == [here.item_id]
    store.push([later], QUESTIONS)
    assert (store.unknown(), store.progress().done) == (0, 2)


def test_an_answer_that_can_not_be_used_is_kept_and_does_not_count(store: Store) -> None:
    item = an_item(0)
    store.push([item], QUESTIONS)
    store.take_in([a_word(item, verdict="fix", reasoning=" ")])
    assert len(list(store.answers())) == 1
    assert store.progress().done == 0


def test_a_save_of_an_unknown_item_says_so(store: Store) -> None:
    store.push([an_item(0)], QUESTIONS)
    with pytest.raises(ValueError, match="no item"):
        store.save(a_word(an_item(7)))
    with pytest.raises(ValueError, match="ISO 8601"):
        store.take_in([a_word(an_item(0), at="yesterday")])


WORDS = st.lists(
    st.builds(
        a_word,
        st.sampled_from([an_item(number, wanted=2) for number in range(4)]),
        st.sampled_from(["alice", "bob"]),
        verdict=st.sampled_from(["keep", "fix", "discard"]),
        status=st.sampled_from(["submitted", "discarded", "draft"]),
        at=st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00.5+01:00", "2026-01-02T00:00:00.000000Z"]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(words=WORDS, seed=st.integers(0, 2**32))
def test_taking_in_is_idempotent_and_its_order_does_not_matter(
    words: list[Answer], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("store")
    with Store(folder / "once.sqlite") as once, Store(folder / "again.sqlite") as again:
        for store in (once, again):
            store.push([an_item(number, wanted=2) for number in range(3)], QUESTIONS)
        once.take_in(words)
        shuffled = words * 2
        random.Random(seed).shuffle(shuffled)
        for word in shuffled:
            again.take_in([word])
        assert again.take_in(words).new == 0
        assert _words(again) == _words(once)
        assert again.progress() == once.progress()
        newest: dict[tuple[str, str], str] = {}
        for answer in once.answers():
            newest[answer.item_id, answer.annotator] = answer.at
            assert answer.at == max(each.at for each in once.history(answer.item_id, answer.annotator))


def _words(store: Store) -> list[str]:
    return sorted(repr(answer) for answer in store.answers())


def test_items_are_narrowed_and_read_from_a_place_on(store: Store) -> None:
    items = [an_item(number, domain="math" if number % 2 else "code") for number in range(500)]
    store.push(items, QUESTIONS)
    assert [item.rank for item in store.items(narrow=Narrow(domain="math"))] == list(range(1, 500, 2))
    assert [item.rank for item in store.items(after=items[10].item_id, limit=300)] == list(range(11, 311))


def test_two_tabs_that_save_the_same_draft_lose_nothing(store: Store) -> None:
    item = an_item(0)
    store.push([item], QUESTIONS)
    empty = store.draft(item.item_id, "alice")
    first = store.save_draft(replace(empty, values={"comment": "first"}))
    with pytest.raises(Conflict) as told:
        store.save_draft(replace(empty, values={"comment": "second"}))
    assert told.value.theirs.values == {"comment": "first"}
    assert store.save_draft(replace(empty, values={"comment": "first"})).version == first.version
    over = store.save_draft(replace(empty, values={"comment": "second"}, version=told.value.theirs.version))
    assert store.draft(item.item_id, "alice").values == {"comment": "second"}
    kept = [draft.values for draft in store.drafts_of(item.item_id, "alice")]
    assert {"comment": "first"} in kept
    assert over.version == 2


def test_an_answer_ends_the_draft_and_an_old_tab_is_told(store: Store) -> None:
    item = an_item(0)
    store.push([item], QUESTIONS)
    empty = store.draft(item.item_id, "alice")
    draft = store.save_draft(replace(empty, values={"comment": "long"}))
    assert [answer.status for answer in store.answers()] == ["draft"]
    saved = store.save(a_word(item), version=draft.version)
    assert store.draft(item.item_id, "alice") == Draft(item_id=item.item_id, annotator="alice", version=2, at=saved.at)
    assert store.save(a_word(item), version=draft.version).new is False, "a request that was sent again"
    with pytest.raises(Conflict, match="answer since"):
        store.save_draft(replace(draft, values={"comment": "longer"}))
    with pytest.raises(Conflict) as told:
        store.save(a_word(item, status="discarded"), version=0)
    assert told.value.status == "submitted"
    assert [draft.values for draft in store.drafts_of(item.item_id, "alice")][:2] == [{"comment": "long"}, {"comment": "longer"}]


def test_typing_for_a_minute_keeps_one_version(store: Store) -> None:
    item = an_item(0)
    store.push([item], QUESTIONS)
    draft = store.draft(item.item_id, "alice")
    for length in range(50):
        draft = store.save_draft(replace(draft, values={"comment": "a" * length}))
    assert draft.version == 50
    assert len(store.drafts_of(item.item_id, "alice")) <= 2


def test_everything_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    item, file = an_item(0), tmp_path / "answers.sqlite"
    with Store(file) as store:
        store.push([item], QUESTIONS)
        store.save(a_word(item))
        said = list(store.answers())
    with Store(file) as store, Store(file) as at_once:
        assert list(store.answers()) == list(at_once.answers()) == said
        store.save(a_word(item, status="discarded"))
        assert [answer.status for answer in at_once.answers()] == ["discarded"]


def test_a_file_that_is_no_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").write_bytes(b"something else" * 1000)
    with pytest.raises(ValueError, match="damaged"):
        Store(tmp_path / "answers.sqlite")
    with Store(tmp_path / "new.sqlite") as store, pytest.raises(ValueError, match="is empty"):
        store.questions  # noqa: B018


def test_a_folder_that_is_none_leaves_no_store_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder of ours"):
        Store.open(tmp_path / "typo")
    assert not list(tmp_path.iterdir())


def test_people_answer_while_a_slow_place_is_read(store: Store) -> None:
    first, second = an_item(0), an_item(1)
    store.push([first, second], QUESTIONS)

    def slowly() -> Iterator[Answer]:
        yield a_word(first, "bob", at="2026-01-01T00:00:00Z")
        with ThreadPoolExecutor() as other:
            assert other.submit(store.save, a_word(second)).result(timeout=10).new
        yield a_word(second, "bob", at="2026-01-01T00:00:00Z")

    assert store.take_in(slowly()).new == 2
    assert store.take_in(store.answers()).new == 0
    assert store.progress().done == 2


def test_reading_answers_sees_one_moment(store: Store) -> None:
    given = [an_item(number) for number in range(500)]
    store.push(given, QUESTIONS)
    store.take_in(a_word(item) for item in given)
    reading = store.answers()
    next(reading)
    store.save(a_word(given[0], status="discarded"))
    store.save(a_word(given[-1], status="discarded"))
    assert [answer.status for answer in reading] == ["submitted"] * 499


def test_a_full_disk_is_told_and_what_was_saved_stays(store: Store) -> None:
    item = an_item(0)
    store.push([item], QUESTIONS)
    store.save(a_word(item))
    with store.database.writing() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + 8}")
    noise = "".join(map(chr, random.Random(0).choices(range(0x4E00, 0x9FFF), k=100_000)))
    with pytest.raises(DiskFull, match="make room"):
        store.save(a_word(item, comment=noise))
    with store.database.writing() as db:
        db.execute("PRAGMA max_page_count = 1000000")
    assert [answer.values for answer in store.answers()] == [a_word(item).values]
    assert store.save(a_word(item, comment=noise)).new


def test_a_queue_is_read_once_and_after_a_cut_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, whole = a_queue(tmp_path, 1_000, characters=100), queue_items.items_of
    monkeypatch.setattr(queue_items, "items_of", lambda folder: _cut(whole(folder)))
    with pytest.raises(KeyboardInterrupt):
        Store.open(folder)
    monkeypatch.undo()
    with Store.open(folder) as store:
        assert store.progress().items == 1_000
        store.save(a_word(next(store.items())))
    monkeypatch.setattr(queue_items, "items_of", lambda folder: iter(()))
    with Store.open(folder) as store:
        assert (store.progress().items, store.progress().done) == (1_000, 1)


def _cut(left: Iterator[Item]) -> Iterator[Item]:
    yield from islice(left, 500)
    raise KeyboardInterrupt


def test_a_queue_that_was_made_anew_asks_what_it_holds_now(tmp_path: Path) -> None:
    folder = a_queue(tmp_path, 600, characters=100)
    with Store.open(folder) as store:
        gone, *_, stays = store.items()
        store.save(a_word(gone))
        store.save(a_word(stays))
    rows = shards.read(folder).filter(pl.col("row_id") != gone.row_id)
    (folder / "00001.parquet").unlink()
    landed = vars(shards.land(folder, "00000.parquet", rows))
    shards.write_manifest(folder, {**shards.read_manifest(folder), "files": [landed]})
    with Store.open(folder) as store:
        assert (store.progress().items, store.progress().done) == (599, 1)
        assert len(list(store.answers())) == 2


def test_several_processes_open_a_new_store_at_once(tmp_path: Path) -> None:
    folder = a_queue(tmp_path, 600, characters=100)
    code = f"from pathlib import Path\nfrom annotation.sqlite.store import Store\nprint(Store.open(Path({str(folder)!r})).progress().items)"
    started = [subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate()[0] for process in started] == [b"600\n"] * 4
