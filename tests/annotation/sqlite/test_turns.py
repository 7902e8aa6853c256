"""Who is given which item next: in the queue's order, everything once, two people not the same one while there are others."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.answer import Answer
from annotation.item import Item
from annotation.questions import Questions
from annotation.sqlite.narrow import Narrow
from annotation.sqlite.store import Store
from annotation.sqlite.turns import SECONDS_AT_WORK, Turns

QUESTIONS = Questions(guidelines="Judge.")
ANY = Narrow()


def a_store(folder: Path, wanted: list[int]) -> Store:
    store = Store(folder / "answers.sqlite")
    items = [Item(row_id=str(n), prompt="?", reasoning="r", summary="s", rank=n, wanted=each) for n, each in enumerate(wanted)]
    store.push(items, QUESTIONS)
    return store


@settings(max_examples=40, deadline=None)
@given(wanted=st.lists(st.integers(1, 3), max_size=8), seed=st.integers(0, 2**32), people=st.integers(1, 4))
def test_everybody_working_to_the_end_answers_everything_as_often_as_wanted(
    wanted: list[int], seed: int, people: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    draw, names = random.Random(seed), [f"p{n}" for n in range(people)]
    with a_store(tmp_path_factory.mktemp("turns"), wanted) as store:
        turns, given_to = Turns(store), dict.fromkeys(names, "")
        working = list(names)
        while working:
            name = draw.choice(working)
            found = turns.next(name, ANY, after=draw.choice(["", given_to[name]]))
            assert (found is None) == (turns.left(name, ANY) == 0)
            if found is None:
                working.remove(name)
                continue
            given_to[name] = found
            if draw.random() < 0.7:
                answer = Answer(item_id=found, annotator=name, status="submitted", values={"verdict": "keep"})
                assert store.save(answer).new, "nobody is asked twice"
                turns.end(found, name)
        assert [len(store.answers_to(item.item_id)) for item in store.items()] == [min(each, people) for each in wanted]


def test_people_begin_with_different_items_while_there_are_others(tmp_path: Path) -> None:
    with a_store(tmp_path, [1, 2, 1]) as store:
        ids, turns = [item.item_id for item in store.items()], Turns(store)
        assert [turns.next(name, ANY) for name in ("a", "b", "c", "d", "e")] == [ids[0], ids[1], ids[1], ids[2], ids[0]]
        assert turns.next("c", ANY, after=ids[1]) == ids[2], "all are taken: the one behind it"


def test_the_last_one_that_is_left_comes_again_when_it_is_skipped(tmp_path: Path) -> None:
    with a_store(tmp_path, [1]) as store:
        (item,), turns = store.items(), Turns(store)
        assert turns.next("a", ANY, after=item.item_id) == item.item_id


def test_an_item_that_somebody_left_lying_comes_back(tmp_path: Path) -> None:
    now = 0.0
    with a_store(tmp_path, [1, 1]) as store:
        ids, turns = [item.item_id for item in store.items()], Turns(store, clock=lambda: now)
        assert (turns.next("a", ANY), turns.next("b", ANY)) == (ids[0], ids[1])
        now = SECONDS_AT_WORK + 1
        assert turns.next("b", ANY) == ids[0]


def test_an_answer_that_can_not_be_used_is_asked_for_again(tmp_path: Path) -> None:
    with a_store(tmp_path, [1]) as store:
        (item,) = store.items()
        store.take_in([Answer(item_id=item.item_id, annotator="a", status="submitted", values={"verdict": "fix"}, via="argilla")])
        assert Turns(store).next("a", ANY) == item.item_id
