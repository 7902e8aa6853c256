"""What stands in the form of an annotator who has not answered yet: saved as they type, with a version so that two tabs do not overwrite.

A save names the version it was made from. Where another one has come between, it is refused with what is there, and what was sent is
kept in the table `refused`, so that nothing typed is ever lost. Of the versions that were saved within one minute only the last one
stays, unless a save collided with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation.answer import Answer
from annotation.sqlite.packing import holdable, packed, unpacked

MINUTE = len("2026-11-21T15:09")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The latest version of a form; version 0 where nothing was ever saved."""

    item_id: str
    annotator: str
    version: int = 0
    values: Mapping[str, Any] | None = None
    """None where nothing was saved since the answer that was given, or ever."""
    seconds: float | None = None
    at: str = ""

    def as_answer(self, *, guideline: str) -> Answer:
        """The draft as the annotator's word so far."""
        return Answer(
            item_id=self.item_id,
            annotator=self.annotator,
            status="draft",
            values=self.values or {},
            guideline=guideline,
            seconds=self.seconds,
            at=self.at,
        )


class Conflict(ValueError):
    """Another tab has saved since; `theirs` is what is there, and what was sent is kept aside."""

    def __init__(self, theirs: Draft, *, status: str) -> None:
        super().__init__(
            f"another tab has saved this {'draft' if status == 'draft' else 'answer'} since (version {theirs.version}, {theirs.at}): "
            "compare the two texts, then save again over theirs or take theirs"
        )
        self.theirs, self.status = theirs, status


COLUMNS = "item_id, annotator, version, at, body"


def current(db: sqlite3.Connection, item_id: str, annotator: str) -> Draft:
    """The latest version."""
    key = [holdable(item_id), holdable(annotator)]
    found = db.execute(f"SELECT {COLUMNS} FROM drafts WHERE item_id = ? AND annotator = ? ORDER BY version DESC LIMIT 1", key).fetchone()
    return Draft(item_id=item_id, annotator=annotator) if found is None else _draft(found)


def waiting(db: sqlite3.Connection) -> list[Draft]:
    """Every form with something in it that was not answered with since."""
    return [_draft(row) for row in db.execute(f"SELECT {COLUMNS} FROM drafts WHERE latest = 1 AND body IS NOT NULL")]


def put(db: sqlite3.Connection, draft: Draft) -> int:
    """Write the version behind the latest one and return it; values None says that an answer was given."""
    there = current(db, draft.item_id, draft.annotator)
    key = (holdable(draft.item_id), holdable(draft.annotator), there.version)
    if draft.values is not None and there.at[:MINUTE] == draft.at[:MINUTE]:
        db.execute(f"DELETE FROM drafts WHERE {IS_VERSION} AND pinned = 0 AND body IS NOT NULL", key)
    db.execute(f"UPDATE drafts SET latest = 0 WHERE {IS_VERSION}", key)
    body = None if draft.values is None else packed({"values": dict(draft.values), "seconds": draft.seconds})
    db.execute("INSERT INTO drafts VALUES (?, ?, ?, ?, 1, 0, ?)", [*key[:2], there.version + 1, draft.at, body])
    return there.version + 1


IS_VERSION = "item_id = ? AND annotator = ? AND version = ?"


def refuse(db: sqlite3.Connection, draft: Draft, *, there: Draft) -> None:
    """Keep what was sent with an old version, and the version that it collided with."""
    key = (holdable(draft.item_id), holdable(draft.annotator))
    body = packed({"values": dict(draft.values or {}), "seconds": draft.seconds})
    db.execute("INSERT INTO refused VALUES (?, ?, ?, ?, ?)", [*key, draft.version, draft.at, body])
    db.execute(f"UPDATE drafts SET pinned = 1 WHERE {IS_VERSION}", [*key, there.version])


def history(db: sqlite3.Connection, item_id: str, annotator: str) -> list[Draft]:
    """Every version that is kept, refused ones included, oldest first."""
    query = f"""SELECT {COLUMNS} FROM drafts WHERE item_id = :item AND annotator = :by AND body IS NOT NULL
                UNION ALL SELECT {COLUMNS} FROM refused WHERE item_id = :item AND annotator = :by ORDER BY at, version"""
    return [_draft(row) for row in db.execute(query, {"item": holdable(item_id), "by": holdable(annotator)})]


def _draft(row: tuple[str, str, int, str, bytes | None]) -> Draft:
    item_id, annotator, version, at, body = row
    said = {} if body is None else unpacked(body)
    return Draft(item_id=item_id, annotator=annotator, version=version, at=at, values=said.get("values"), seconds=said.get("seconds"))
