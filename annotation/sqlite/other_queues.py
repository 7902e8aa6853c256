"""What people have said of the very same items in other queues: taken over when a queue is opened, so that nobody is asked twice.

A queue that is made again (other bars, another share, one row more) is another folder, with a store of its own. Items are known by their
content: an answer to the same row with the same texts is an answer here too, where the same labels are asked for. The other stores are
read as they stand, while their servers run, and never written to. What was read is noted, so that the next opening reads what is new.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

from annotation.answer import Answer
from annotation.questions import Questions
from annotation.sqlite.database import LAYOUT, SECONDS_TO_WAIT
from annotation.sqlite.ledger import moment
from annotation.sqlite.notes import note, noted, questions_in
from annotation.sqlite.packing import unpacked_answer
from dataengine.progress import Bar, say

if TYPE_CHECKING:
    from annotation.sqlite.store import Store

SAID = """FROM answers JOIN items USING (item_id)
          WHERE answers.rowid > ? AND answers.rowid <= ? AND answers.latest = 1 AND answers.status <> 'draft'"""
"""Everybody's latest word in a part of the history, where it is no draft."""


class _Unreadable(Exception):
    """Another store can not be read; the message says why."""


def take_over(store: Store) -> None:
    """Take in what was answered in the stores beside this one, and say so; what can not be taken over stays there, and is told."""
    own = store.database.file
    for file in sorted(own.parent.parent.glob(f"*/{own.name}")):
        if file.parent != own.parent:
            try:
                _from(file, store)
            except _Unreadable as error:
                say(f"warning: what was answered in {file.parent.name} can not be read ({error}), and stays there")


def _from(file: Path, store: Store) -> None:
    """From one other store: every answer that came since the last time, or all where the queue has other items now."""
    key = f"taken over from {file.parent.name}"
    with closing(_opened(file)) as connection:
        there = _Other(file.parent.name, connection)
        if not (until := there.answered()):
            return
        with store.database.reading() as db:
            queue, (then, _, since) = noted(db, "folder") or "", (noted(db, key) or "").partition(" ")
        read = int(since) if since and then == queue else 0
        if read != until:
            _take(store, there, (read if read < until else 0, until))
            with store.database.writing() as db:
                note(db, key, f"{queue} {until}")


def _take(store: Store, there: _Other, part: tuple[int, int]) -> None:
    """Take in one part of another store's history, and say what became of it."""
    with store.database.reading() as db:
        asked: dict[str, str] = dict(db.execute("SELECT row_id, item_id FROM items WHERE current = 1"))
    about = [(asked.get(row_id), item_id) for row_id, item_id in there.answered_items(part)]
    same, former = sum(ours == item_id for ours, item_id in about), sum(ours not in (None, item_id) for ours, item_id in about)
    questions, ours = there.questions(), store.questions
    if same and _labels(questions) != _labels(ours):
        say(
            f"{same:,} answers to these items are in {there.name}, which asks other questions ({questions.version}, here {ours.version}: "
            "other labels or tokens): they stay there; review-export and review-import bring over what fits"
        )
    elif same:
        with Bar("taking answers over", total=same, unit="answers") as bar:
            new = store.take_in(_counted(there.answers(part, frozenset(asked.values())), bar)).new
        other = "" if questions.version == ours.version else f", by other guidelines ({questions.version})"
        if new:
            say(f"{new:,} answers were taken over from {there.name}, where the same rows were asked with the same texts{other}")
    if former:
        say(f"{former:,} answers in {there.name} are to other texts of these rows: they stay there, and the rows are asked anew")


def _counted(answers: Iterator[Answer], bar: Bar) -> Iterator[Answer]:
    for answer in answers:
        yield answer
        bar.advance()


def _labels(questions: Questions) -> tuple[Any, ...]:
    """What answers consist of; guidelines may be worded otherwise."""
    return questions.languages, questions.reasons, questions.form


@dataclass(frozen=True)
class _Other:
    """The store of another queue, read only; whatever is wrong with it is _Unreadable."""

    name: str
    db: sqlite3.Connection

    def answered(self) -> int:
        """How far its history goes; 0 where it has none, or is only being made."""
        layout = self._one("PRAGMA user_version")
        if layout not in (0, LAYOUT):
            raise _Unreadable(f"another version wrote it: layout {layout}, this one reads {LAYOUT}")
        return self._one("SELECT coalesce(max(rowid), 0) FROM answers") if layout else 0

    def questions(self) -> Questions:
        """What it asks."""
        try:
            found = questions_in(self.db)
        except (sqlite3.Error, ValueError, TypeError, LookupError) as error:
            raise _Unreadable(f"its questions: {error}") from None
        if found is None:
            raise _Unreadable("it has answers and no questions")
        return found

    def answered_items(self, part: tuple[int, int]) -> Iterator[tuple[str, str]]:
        """(row_id, item_id) for each answer."""
        return ((row_id, item_id) for row_id, item_id in self._rows(f"SELECT items.row_id, item_id {SAID}", part))

    def answers(self, part: tuple[int, int], item_ids: frozenset[str]) -> Iterator[Answer]:
        """The answers to these items."""
        for item_id, body in self._rows(f"SELECT item_id, body {SAID}", part):
            if item_id in item_ids:
                try:
                    answer = unpacked_answer(body)
                    moment(answer.at)
                except (zstandard.ZstdError, ValueError, TypeError) as error:
                    raise _Unreadable(f"an answer to {item_id}: {error}") from None
                yield answer

    def _one(self, query: str) -> int:
        return next(self._rows(query))[0]

    def _rows(self, query: str, values: Sequence[int] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self.db.execute(query, values)
        except sqlite3.Error as error:
            raise _Unreadable(str(error)) from None


def _opened(file: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=SECONDS_TO_WAIT)
    except sqlite3.Error as error:
        raise _Unreadable(str(error)) from None
