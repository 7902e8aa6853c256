"""Where a queue's answers are in Argilla, remembered beside the store, and what of them has come home."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from annotation.answer import Answer, problems_of
from annotation.argilla.place import ArgillaReviews
from annotation.argilla.responses import same_word
from annotation.questions import Questions
from annotation.sqlite.store import Store

WHOLE_AGAIN_SECONDS = 3600.0
"""A mark is trusted for an hour: what it can not see (Server.mark) comes home then."""
AT_ONCE = 200
"""Answers that are written to the store together."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where a queue was pushed to, and how the server stood when all of it was last brought home."""

    url: str
    workspace: str
    dataset: str
    mark: str = ""
    """ArgillaReviews.mark before everything was read."""
    read_at: float = 0.0
    """When that was, seconds since 1970."""
    store: int = 0
    """The store's file it was read into, by inode."""

    @staticmethod
    def file(folder: Path) -> Path:
        """Beside the store."""
        return Store.place(folder).with_name("argilla.json")

    @classmethod
    def read(cls, folder: Path) -> Link | None:
        """What was remembered of a queue; None where it was never pushed."""
        try:
            return cls(**json.loads(cls.file(folder).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise ValueError(f"{cls.file(folder)} can not be read: delete it, and name --url, --workspace and --dataset once") from None

    def write(self, folder: Path) -> None:
        """Whole or not at all."""
        file = self.file(folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        new.replace(file)

    def is_unchanged(self, store: Store, mark: str) -> bool:
        """Whether everything on the server is at home already."""
        fresh = 0 <= time.time() - self.read_at < WHOLE_AGAIN_SECONDS
        return fresh and self.mark == mark and self.store == _inode(store)

    def after_reading(self, store: Store, mark: str) -> Link:
        """With what was read now."""
        return replace(self, mark=mark, read_at=time.time(), store=_inode(store))


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """What came home."""

    unchanged: bool = False
    """Nothing had changed on the server, so nothing was read."""
    read: int = 0
    new: int = 0
    unknown: int = 0
    """Of items that the queue at home does not have: kept aside."""
    gone: tuple[Answer, ...] = ()
    """At home, and no longer on the server, or their record was changed there: they stay."""
    missing: int = 0
    """Items of the queue that are not there: deleted on the server, or never pushed."""
    by_annotator: dict[str, dict[str, int]] = field(default_factory=dict)
    """Answers on the server by status."""


def pull(store: Store, place: ArgillaReviews, link: Link, *, whole: bool = False) -> tuple[Pulled, Link]:
    """Bring every answer home that the store does not have; what came is on the disk before the mark is returned.

    ValueError where the dataset asks other questions; Stopped where the server goes away: what has come stays, ask again.
    """
    mark = place.mark()
    if not whole and link.is_unchanged(store, mark):
        return Pulled(unchanged=True), link
    _check_questions(place, store.questions)
    counts: dict[str, Counter[str]] = {}
    there, batch, read, new, unknown = set[tuple[str, str]](), list[Answer](), 0, 0, 0
    for answer in place.answers():
        read += 1
        there.add((answer.item_id, answer.annotator))
        counts.setdefault(answer.annotator, Counter())[answer.status] += 1
        if not any(at_home.annotator == answer.annotator and same_word(at_home, answer) for at_home in store.answers_to(answer.item_id)):
            batch.append(answer)
        if len(batch) == AT_ONCE:
            taken = store.take_in(batch)
            new, unknown, batch = new + taken.new, unknown + taken.unknown, []
    taken = store.take_in(batch)
    gone = tuple(each for each in store.answers() if each.via == "argilla" and (each.item_id, each.annotator) not in there)
    pulled = Pulled(
        read=read,
        new=new + taken.new,
        unknown=unknown + taken.unknown,
        gone=gone,
        missing=max(0, store.progress().items - place.living),
        by_annotator={name: dict(of) for name, of in sorted(counts.items())},
    )
    return pulled, link.after_reading(store, mark)


def unusable(store: Store) -> dict[str, list[str]]:
    """Of each annotator the answers at home that can not be used, each with what to do."""
    found: dict[str, list[str]] = {}
    questions = store.questions
    for answer in store.answers():
        if answer.status != "submitted" or not store.is_current(answer.item_id):
            continue
        item = store.item(answer.item_id)
        if problems := problems_of(answer, item, questions):
            found.setdefault(answer.annotator, []).append(f"{item.item_id} (row {item.row_id}): {'; '.join(problems)}")
    return found


def write_passwords(folder: Path, passwords: dict[str, str]) -> Path:
    """Passwords of people who were made, in a file that only its owner reads."""
    file = Link.file(folder).with_name("argilla-passwords.json")
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump({**known, **passwords}, out, indent=1)
    return file


def _check_questions(place: ArgillaReviews, ours: Questions) -> None:
    """Guidelines may be edited in Argilla's page, and such answers carry another version; labels and tokens may not."""
    datasets = place.server.datasets()
    if not datasets:
        raise ValueError(
            f"there is no dataset {place.server.dataset!r} in the workspace {place.server.workspace!r}: push the queue first, or "
            "name the one it was pushed to (--dataset); what has come home stays"
        )
    for dataset in datasets:
        if replace(dataset.questions, guidelines=ours.guidelines).version != ours.version:
            raise ValueError(
                f"{dataset.name} asks the questions {dataset.questions.version}, the queue at home asks {ours.version}, other labels or "
                "special tokens: name the folder that was pushed there, or the dataset of this one (--dataset)"
            )


def _inode(store: Store) -> int:
    return store.database.file.stat().st_ino
