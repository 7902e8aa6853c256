"""What a store remembers beside items and answers: its questions, the queue it was read from, what it took over from others."""

from __future__ import annotations

import json
import sqlite3

from annotation.questions import Questions
from dataengine.templates import Form


def noted(db: sqlite3.Connection, name: str) -> str | None:
    """What was noted last; None where nothing was."""
    found = db.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
    return None if found is None else found[0]


def note(db: sqlite3.Connection, name: str, value: str) -> None:
    """Remember it instead of what was noted before."""
    db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", [name, value])


def questions_in(db: sqlite3.Connection) -> Questions | None:
    """What is asked of every item; None where nothing was pushed yet."""
    found = noted(db, "questions")
    if found is None:
        return None
    said = json.loads(found)
    lists = {name: tuple(said[name]) for name in ("languages", "reasons")}
    return Questions(**{**said, **lists, "form": Form(**said["form"])})
