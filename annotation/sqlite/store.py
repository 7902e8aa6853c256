"""Where all answers come to rest: one SQLite file for each queue, with every answer that was ever given, of which the latest count.

    with Store.open(Path("runs/queue-1f3a9c02")) as store:     # runs/reviews/queue-1f3a9c02/answers.sqlite
        for item in store.items(narrow=Narrow(why="unjudged")): ...
        store.save(Answer(item_id=item.item_id, annotator="alice", status="submitted", values={"verdict": "keep"}))

An answer that `save`, `take_in` or `push` has returned from is on the disk (annotation/sqlite/database.py says how). Nothing is ever
deleted: an answer is superseded by a later one of the same annotator, an item by one with the row's new text, and both stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from annotation.answer import Answer
from annotation.item import Item
from annotation.questions import Questions
from annotation.reviews import Progress, Pushed
from annotation.sqlite import drafts
from annotation.sqlite.database import Database
from annotation.sqlite.drafts import Conflict, Draft
from annotation.sqlite.ledger import OLDEST_FIRST, add_answer, item_in, latest_answer, moment, no_item, now_after, put_item
from annotation.sqlite.narrow import Narrow
from annotation.sqlite.notes import note, noted, questions_in
from annotation.sqlite.other_queues import take_over
from annotation.sqlite.packing import holdable, unpacked_answer, unpacked_item
from dataengine.progress import Bar, say
from dataengine.shards import MANIFEST, read_manifest

REVIEWS = "reviews"
"""The folder beside the queue's that holds the stores."""
FILE = "answers.sqlite"
BATCH = 200
"""Items or answers that are read or written at once."""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What became of an answer."""

    new: bool
    """False where it says what the latest one says."""
    at: str
    """When the answer that counts now was given."""
    version: int
    """Of the draft: what the next save has to name."""


@dataclass(frozen=True, kw_only=True)
class TakenIn:
    """What became of answers that were given elsewhere."""

    new: int = 0
    same: int = 0
    """Were there already."""
    unknown: int = 0
    """Of items that are not in this queue: kept aside, and counted once their items are pushed."""


class Store:
    """Items, questions and answers of one queue; every method may be called from any thread, and while a server runs."""

    name = "page"

    def __init__(self, file: Path) -> None:
        self.database = Database(file)

    @classmethod
    def place(cls, folder: Path) -> Path:
        """Where the answers to a queue's folder lie."""
        whole = folder.resolve()
        return whole.parent / REVIEWS / whole.name / FILE

    @classmethod
    def open(cls, folder: Path) -> Store:
        """The store of a finished queue; at the first opening its items are read, at each what was answered to them in queues beside it.

        ValueError where it is no finished queue.
        """
        manifest = read_manifest(folder)
        store = cls(cls.place(folder))
        try:
            store._read(folder, rows=sum(file.get("rows") or 0 for file in manifest["files"]))
            take_over(store)
        except BaseException:
            store.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self.database.close()

    # Items

    @property
    def questions(self) -> Questions:
        """What is asked of every item; ValueError where nothing was pushed yet."""
        with self.database.reading() as db:
            found = questions_in(db)
        if found is None:
            raise ValueError(f"{self.database.file} is empty: push items with their questions first")
        return found

    def push(self, items: Sequence[Item], questions: Questions, *, answers: Iterable[Answer] = ()) -> Pushed:
        """Lay items before people, all or none, then take in the answers they gave elsewhere. ValueError: the store has other questions."""
        with self.database.writing() as db:
            self._check_questions(questions)
            self._note("questions", json.dumps(asdict(questions)))
            became = [put_item(db, item, questions) for item in items]
        taken = self.take_in(answers)
        changed = tuple(item.row_id for item, what in zip(items, became, strict=True) if what == "changed")
        return Pushed(new=became.count("new"), same=became.count("same"), changed=changed, answers=taken.new)

    def item(self, item_id: str) -> Item:
        """One item, the ones with a former text of their row included; ValueError where it was never pushed."""
        with self.database.reading() as db:
            return item_in(db, item_id)

    def is_current(self, item_id: str) -> bool:
        """Whether the row still has this text; ValueError for an item that was never pushed."""
        with self.database.reading() as db:
            found = db.execute("SELECT current FROM items WHERE item_id = ?", [holdable(item_id)]).fetchone()
        if found is None:
            raise no_item(item_id)
        return bool(found[0])

    def items(self, *, narrow: Narrow | None = None, after: str = "", limit: int | None = None) -> Iterator[Item]:
        """Items in the queue's order, those behind the item `after` if one is named; a former text of a row is none."""
        where, values = (narrow or Narrow()).sql()
        query = f"""SELECT items.rank, items.item_id, body FROM items JOIN texts USING (item_id)
                    WHERE current = 1 AND (items.rank, items.item_id) > (?, ?){where} ORDER BY items.rank, items.item_id LIMIT ?"""
        place: tuple[int, str] = (-(2**62), "")
        if after:
            place = (self.item(after).rank, after)
        left = 2**62 if limit is None else limit
        while left > 0:
            with self.database.reading() as db:
                found = db.execute(query, [*place, *values, min(BATCH, left)]).fetchall()
            yield from (unpacked_item(body) for _, _, body in found)
            if len(found) < BATCH:
                return
            place = (found[-1][0], found[-1][1])
            left -= len(found)

    # Answers

    def save(self, answer: Answer, *, version: int | None = None) -> Saved:
        """Put an answer over the annotator's former one; ValueError where its item was never pushed.

        Without `at` it was given now, and counts whatever clocks say. With `version`, Conflict where the draft has another one by now.
        """
        said = (answer.status, dict(answer.values))
        with self.database.writing() as db:
            item_in(db, answer.item_id)
            latest = latest_answer(db, answer.item_id, answer.annotator)
            form = drafts.current(db, answer.item_id, answer.annotator)
            now = moment(answer.at) or now_after(latest)
            same = latest if latest and not answer.at and said == (latest.status, dict(latest.values)) else None
            if same and form.values is None:
                return Saved(new=False, at=same.at, version=form.version)
            if version is None or version == form.version or form.values == said[1]:
                new = same is None and add_answer(db, replace(answer, at=now), self.questions)
                answered = drafts.put(db, Draft(item_id=answer.item_id, annotator=answer.annotator, at=now))
                return Saved(new=new, at=same.at if same else now, version=answered)
            sent = Draft(
                item_id=answer.item_id, annotator=answer.annotator, version=version, values=said[1], seconds=answer.seconds, at=now
            )
            drafts.refuse(db, sent, there=form)
        raise _conflict(form, latest)

    def draft(self, item_id: str, annotator: str) -> Draft:
        """What stands in the annotator's form."""
        with self.database.reading() as db:
            return drafts.current(db, item_id, annotator)

    def save_draft(self, draft: Draft) -> Draft:
        """Put a form over the version that it was made from and return it with its own; Conflict where another save came between."""
        with self.database.writing() as db:
            item_in(db, draft.item_id)
            form = drafts.current(db, draft.item_id, draft.annotator)
            latest = latest_answer(db, draft.item_id, draft.annotator)
            now = replace(draft, at=now_after(latest))
            if form.values is not None and form.values == draft.values and not (latest and latest.at >= form.at):
                return form
            if draft.version == form.version:
                return replace(now, version=drafts.put(db, now))
            drafts.refuse(db, now, there=form)
        raise _conflict(form, latest)

    def drafts_of(self, item_id: str, annotator: str) -> list[Draft]:
        """Every version of a form that is kept, refused ones included, oldest first."""
        with self.database.reading() as db:
            return drafts.history(db, item_id, annotator)

    def take_in(self, answers: Iterable[Answer]) -> TakenIn:
        """Bring in answers that were given elsewhere, in any order and any number of times: the newest `at` counts.

        One without `at` is older than all others. Answers of unknown items are kept, and count once their items are pushed.
        """
        new = given = unknown = 0
        for batch in _batches(answers):  # read before the file is held: they may come over a slow line
            questions, at_home = self.questions, "SELECT 1 FROM items WHERE item_id = ?"
            with self.database.writing() as db:
                new += sum(add_answer(db, replace(answer, at=moment(answer.at)), questions) for answer in batch)
                unknown += sum(db.execute(at_home, [holdable(answer.item_id)]).fetchone() is None for answer in batch)
            given += len(batch)
        return TakenIn(new=new, same=given - new, unknown=unknown)

    def answers(self) -> Iterator[Answer]:
        """The latest word of every annotator on every item that was ever pushed; a draft only where no answer was given."""
        later = self._drafts()
        for answer in self._latest("items.item_id IS NOT NULL"):
            draft = later.pop((answer.item_id, answer.annotator), None)
            yield draft if draft is not None and answer.status == "draft" and draft.at > answer.at else answer
        yield from later.values()

    def counting(self) -> Iterator[Answer]:
        """The latest answers that can be used, to the rows' present texts."""
        return self._latest("answers.usable = 1 AND items.current = 1")

    def answered(self) -> int:
        """How many answers were ever given: another number says that there are new ones."""
        with self.database.reading() as db:
            return db.execute("SELECT count(*) FROM answers").fetchone()[0]

    def answers_to(self, item_id: str) -> list[Answer]:
        """The latest answers to one item, by annotator."""
        with self.database.reading() as db:
            query = "SELECT body FROM answers WHERE item_id = ? AND latest = 1 ORDER BY annotator"
            return [unpacked_answer(body) for (body,) in db.execute(query, [holdable(item_id)])]

    def history(self, item_id: str, annotator: str) -> list[Answer]:
        """Every answer the annotator ever gave to the item, oldest first."""
        query = f"SELECT body FROM answers WHERE item_id = ? AND annotator = ? ORDER BY {OLDEST_FIRST}"
        with self.database.reading() as db:
            return [unpacked_answer(body) for (body,) in db.execute(query, [holdable(item_id), holdable(annotator)])]

    def unknown(self) -> int:
        """Answers whose items were never pushed."""
        query = "SELECT count(*) FROM answers WHERE latest = 1 AND item_id NOT IN (SELECT item_id FROM items)"
        with self.database.reading() as db:
            return db.execute(query).fetchone()[0]

    def progress(self) -> Progress:
        """How far people are with the rows' present texts."""
        with self.database.reading() as db:
            items, done = db.execute("SELECT count(*), coalesce(sum(usable >= wanted), 0) FROM items WHERE current = 1").fetchone()
            rows = db.execute(
                """SELECT annotator, status, count(*) FROM answers JOIN items USING (item_id)
                   WHERE latest = 1 AND current = 1 GROUP BY annotator, status
                   UNION ALL
                   SELECT annotator, 'draft', count(*) FROM drafts JOIN items USING (item_id)
                   WHERE latest = 1 AND body IS NOT NULL AND current = 1 AND NOT EXISTS (SELECT 1 FROM answers
                   WHERE answers.item_id = drafts.item_id AND answers.annotator = drafts.annotator AND latest = 1) GROUP BY annotator"""
            ).fetchall()
        annotators: dict[str, dict[str, int]] = {}
        for annotator, status, count in sorted(rows):
            of = annotators.setdefault(annotator, {"draft": 0, "submitted": 0, "discarded": 0})
            of[status] = of.get(status, 0) + count
        return Progress(items=items, done=done, annotators=annotators)

    # Within

    def _read(self, folder: Path, *, rows: int) -> None:
        """Read the queue's items, unless these very ones were read; a reading that was cut short begins again and changes nothing twice."""
        from annotation.items import items_of, questions_of

        state = hashlib.blake2b((folder / MANIFEST).read_bytes(), digest_size=16).hexdigest()
        if self._meta("folder") == state:
            return
        questions, there = questions_of(folder), set[str]()
        with Bar("reading the queue", total=rows or None, unit="rows") as bar:
            for batch in _batches(items_of(folder)):
                self.push(batch, questions)
                there.update(item.item_id for item in batch)
                bar.advance(len(batch))
        with self.database.writing() as db:
            self._check_questions(questions)
            self._note("questions", json.dumps(asdict(questions)))
            self._note("folder", state)
            gone = [(each,) for (each,) in db.execute("SELECT item_id FROM items WHERE current = 1") if each not in there]
            db.executemany("UPDATE items SET current = 0 WHERE item_id = ?", gone)
        if gone:
            say(f"{len(gone):,} items are in the queue no more; what was answered to them is kept in {self.database.file}")

    def _latest(self, where: str) -> Iterator[Answer]:
        """As they were at one moment, however long the reading takes."""
        query = f"SELECT body FROM answers LEFT JOIN items USING (item_id) WHERE latest = 1 AND {where} ORDER BY answers.rowid"
        with self.database.reading() as db:
            found = db.execute(query)
            while rows := found.fetchmany(BATCH):
                yield from (unpacked_answer(body) for (body,) in rows)

    def _drafts(self) -> dict[tuple[str, str], Answer]:
        with self.database.reading() as db:
            found = drafts.waiting(db)
        version = self._meta("version") or ""
        return {(draft.item_id, draft.annotator): draft.as_answer(guideline=version) for draft in found}

    def _check_questions(self, questions: Questions) -> None:
        there = self._meta("version")
        if there is not None and there != questions.version:
            raise ValueError(
                f"{self.database.file} holds answers to the questions {there}, and these are the questions {questions.version}: "
                "push them to a queue of their own (other questions make another folder), or ask the former ones"
            )
        if there is None:
            self._note("version", questions.version)

    def _meta(self, name: str) -> str | None:
        with self.database.reading() as db:
            return noted(db, name)

    def _note(self, name: str, value: str) -> None:
        with self.database.writing() as db:
            note(db, name, value)


def _batches(found: Iterable[T]) -> Iterator[list[T]]:
    left = iter(found)
    while batch := list(islice(left, BATCH)):
        yield batch


def _conflict(form: Draft, latest: Answer | None) -> Conflict:
    if form.values is not None or latest is None:
        return Conflict(form, status="draft")
    return Conflict(replace(form, values=dict(latest.values), seconds=latest.seconds, at=latest.at), status=latest.status)
