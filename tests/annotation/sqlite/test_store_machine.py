"""Whatever people, tools and restarts do to a store in whatever order, it holds what a few lines of Python say it holds."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from annotation.answer import Answer, usable
from annotation.item import Item
from annotation.questions import Questions
from annotation.sqlite.drafts import Conflict
from annotation.sqlite.store import Store

QUESTIONS = Questions(guidelines="Judge.")
PEOPLE = st.sampled_from(["alice", "bob"])
ROWS = st.integers(0, 2)
TEXTS = st.sampled_from(["a", "b\0", "\ud800", "I add.", "<think>", ""])
VALUES = st.fixed_dictionaries({"verdict": st.sampled_from(["keep", "fix", "discard"])}, optional={"reasoning": TEXTS, "comment": TEXTS})
STATUSES = st.sampled_from(["submitted", "discarded", "draft"])
MOMENTS = st.sampled_from(["", *(f"2026-01-0{day}T00:00:00.000000Z" for day in range(1, 5)), "2999-01-01T00:00:00.000000Z"])


def an_item(row: int, text: int) -> Item:
    return Item(row_id=f"row{row}", prompt="?", reasoning=("I add.", "I add again.")[text], summary="2", rank=row, wanted=1 + row % 2)


class StoreMachine(RuleBasedStateMachine):
    """The model: every answer that was given, the text that each row has now, and what stands in each form."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(self.folder.name) / "answers.sqlite"
        self.store = Store(self.file)
        self.now: dict[int, Item] = {}
        self.pushed: dict[str, Item] = {}
        self.given: dict[tuple[str, str], list[Answer]] = {}
        self.sent: set[tuple[str, str, str]] = set()
        self.push(row=0, text=0)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(row=ROWS, text=st.integers(0, 1))
    def push(self, row: int, text: int) -> None:
        item = an_item(row, text)
        changed = row in self.now and self.now[row] != item
        pushed = self.store.push([item], QUESTIONS)
        assert (pushed.changed == (item.row_id,), pushed.same == 1) == (changed, self.now.get(row) == item)
        self.now[row] = self.pushed[item.item_id] = item

    @rule(row=ROWS, name=PEOPLE, status=STATUSES, values=VALUES)
    def say(self, row: int, name: str, status: str, values: dict[str, Any]) -> None:
        if row not in self.now:
            return
        answer = Answer(item_id=self.now[row].item_id, annotator=name, status=status, values=values)
        before = self.latest(answer.item_id, name)
        saved = self.store.save(answer)
        assert saved.new == (before is None or (before.status, before.values) != (status, values))
        if saved.new:
            assert before is None or saved.at > before.at
            self.given.setdefault((answer.item_id, name), []).append(replace(answer, at=saved.at))

    @rule(row=ROWS, text=st.integers(0, 1), name=PEOPLE, status=STATUSES, values=VALUES, at=MOMENTS)
    def take_in(self, row: int, text: int, name: str, status: str, values: dict[str, Any], at: str) -> None:
        answer = Answer(item_id=an_item(row, text).item_id, annotator=name, status=status, values=values, at=at, via="file")
        there = self.given.setdefault((answer.item_id, name), [])
        taken = self.store.take_in([answer])
        assert (taken.new, taken.unknown) == (answer not in there, answer.item_id not in self.pushed)
        if answer not in there:
            there.append(answer)

    @rule(row=ROWS, name=PEOPLE, text=TEXTS, stale=st.booleans())
    def type(self, row: int, name: str, text: str, stale: bool) -> None:  # noqa: FBT001  # hypothesis names them
        if row not in self.now:
            return
        item_id = self.now[row].item_id
        form = self.store.draft(item_id, name)
        sent = replace(form, values={"reasoning": text}, version=form.version - stale)
        if stale and form.values != sent.values:
            with pytest.raises(Conflict):
                self.store.save_draft(sent)
            self.sent.add((item_id, name, text))
            return
        saved = self.store.save_draft(sent)
        assert saved.values == {"reasoning": text}
        assert self.store.draft(item_id, name) == saved

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = Store(self.file)

    def latest(self, item_id: str, name: str) -> Answer | None:
        (found,) = [each for each in self.store.answers_to(item_id) if each.annotator == name] or (None,)
        return found

    @invariant()
    def every_answer_is_kept_and_the_newest_counts(self) -> None:
        for (item_id, name), given in self.given.items():
            kept, latest = self.store.history(item_id, name), self.latest(item_id, name)
            assert len(kept) == len(given)
            assert all(answer in kept for answer in given)
            assert latest == (kept[-1] if kept else None)
            assert latest is None or latest.at == max(answer.at for answer in given)

    @invariant()
    def progress_is_what_the_rule_says(self) -> None:
        done = sum(self.counting(item) >= item.wanted for item in self.now.values())
        progress = self.store.progress()
        assert (progress.items, progress.done) == (len(self.now), done)

    def counting(self, item: Item) -> int:
        latest = [self.latest(item.item_id, name) for name in ("alice", "bob")]
        return sum(each is not None and usable(each, item, QUESTIONS) for each in latest)

    @invariant()
    def what_was_refused_is_kept(self) -> None:
        for item_id, name, text in self.sent:
            assert {"reasoning": text} in [draft.values for draft in self.store.drafts_of(item_id, name)]

    @invariant()
    def everybody_has_one_word_on_an_item(self) -> None:
        words = [(answer.item_id, answer.annotator) for answer in self.store.answers()]
        assert len(words) == len(set(words))
        assert {item_id for item_id, _ in words} <= set(self.pushed)
        assert {key for key in self.given if key[0] in self.pushed and self.given[key]} <= set(words)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
