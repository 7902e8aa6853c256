"""Items and answers in the tables: every answer stays, the newest of each annotator counts, and a row's new text supersedes the old."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime, timedelta

from annotation.answer import STATUSES, Answer, usable
from annotation.item import Item
from annotation.questions import VERDICTS, Questions
from annotation.sqlite.packing import as_bytes, holdable, packed, packed_item, plain_answer, unpacked_answer, unpacked_item

OPENING = 160
"""Characters of the prompt that a list shows."""
NO_LATER = "9999"
"""From this year on there may be no later time, and every answer can be corrected by a later one."""
OLDEST_FIRST = "at, status <> 'draft', digest"
"""The order in which answers count; that of two of the same moment is the same everywhere."""


def item_in(db: sqlite3.Connection, item_id: str) -> Item:
    """An item that was pushed; ValueError where it was not."""
    found = db.execute("SELECT body FROM texts WHERE item_id = ?", [holdable(item_id)]).fetchone()
    if found is None:
        raise no_item(item_id)
    return unpacked_item(found[0])


def no_item(item_id: str) -> ValueError:
    """What is told where an item was never pushed."""
    return ValueError(f"there is no item {item_id!r} in this queue: was it pushed, and is this the store of its queue?")


def put_item(db: sqlite3.Connection, item: Item, questions: Questions) -> str:
    """Lay an item before people; `new`, `same`, or `changed` where the row had another text."""
    item_id, row_id, body = item.item_id, holdable(item.row_id), packed_item(item)
    there = db.execute("SELECT current, body FROM items JOIN texts USING (item_id) WHERE item_id = ?", [item_id]).fetchone()
    if there is not None and there[0] and there[1] == body:
        return "same"
    superseded = db.execute("UPDATE items SET current = 0 WHERE row_id = ? AND current = 1 AND item_id <> ?", [row_id, item_id]).rowcount
    facets = [holdable(str(item.metadata.get(name) or "")) for name in ("domain", "language", "standing")]
    opening = holdable(item.prompt[:OPENING])
    columns = [item_id, row_id, item.rank, item.wanted, holdable(item.why), *facets, opening, len(item.reasoning) + len(item.summary)]
    db.execute(
        """INSERT INTO items (item_id, row_id, rank, wanted, why, domain, language, standing, opening, characters, current, usable)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 0) ON CONFLICT DO UPDATE SET current = 1, rank = excluded.rank,
           wanted = excluded.wanted, why = excluded.why, domain = excluded.domain, language = excluded.language,
           standing = excluded.standing""",
        columns,
    )
    db.execute("INSERT INTO texts VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body", [item_id, body])
    if there is None:
        _judge_early_answers(db, item, questions)
    return "changed" if superseded else "new" if there is None else "same"


def add_answer(db: sqlite3.Connection, answer: Answer, questions: Questions) -> bool:
    """Put an answer into the history; False where it was there. Which one counts is a matter of the whole history, not of the order."""
    if answer.status not in STATUSES:
        raise ValueError(f"an answer's status is one of {', '.join(STATUSES)}, got {answer.status!r} for the item {answer.item_id}")
    plain = plain_answer(answer)
    digest = hashlib.blake2b(as_bytes(plain), digest_size=16).digest()
    key = [holdable(answer.item_id), holdable(answer.annotator)]
    verdict = answer.verdict if answer.verdict in VERDICTS else None
    columns = [*key, answer.status, verdict, answer.seconds, answer.at, _counts(db, answer, questions), 0, digest, packed(plain)]
    if not db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", columns).rowcount:
        return False
    db.execute("UPDATE answers SET latest = 0 WHERE item_id = ? AND annotator = ? AND latest = 1", key)
    db.execute(
        """UPDATE answers SET latest = 1 WHERE rowid = (SELECT rowid FROM answers WHERE item_id = ? AND annotator = ?
            ORDER BY at DESC, status <> 'draft' DESC, digest DESC LIMIT 1)""",
        key,
    )
    _count(db, answer.item_id)
    return True


def latest_answer(db: sqlite3.Connection, item_id: str, annotator: str) -> Answer | None:
    """The answer that counts."""
    key = [holdable(item_id), holdable(annotator)]
    found = db.execute("SELECT body FROM answers WHERE item_id = ? AND annotator = ? AND latest = 1", key).fetchone()
    return None if found is None else unpacked_answer(found[0])


def moment(at: str) -> str:
    """A time as all are written here, so that they can be compared as text: UTC, microseconds, Z. ValueError where it is none."""
    if not at:
        return ""
    try:
        found = datetime.fromisoformat(at)
        written = as_written(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        written = NO_LATER
    if written >= NO_LATER:
        raise ValueError(f"an answer's `at` is a time in ISO 8601 such as 2026-11-21T15:04:05.000000Z, got {at!r}")
    return written


def now_after(latest: Answer | None) -> str:
    """The present, or a microsecond behind the latest answer where a clock went ahead of ours."""
    now = as_written(datetime.now(UTC))
    return now if latest is None or now > latest.at else right_after(latest.at)


def right_after(at: str) -> str:
    """The next moment."""
    return as_written(datetime.fromisoformat(at) + timedelta(microseconds=1))


def as_written(found: datetime) -> str:
    """A time with a zone, as all times are written."""
    return found.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _counts(db: sqlite3.Connection, answer: Answer, questions: Questions) -> bool:
    found = db.execute("SELECT body FROM texts WHERE item_id = ?", [holdable(answer.item_id)]).fetchone()
    return found is not None and usable(answer, unpacked_item(found[0]), questions)


def _judge_early_answers(db: sqlite3.Connection, item: Item, questions: Questions) -> None:
    """Answers may have come before their item."""
    early = db.execute("SELECT rowid, body FROM answers WHERE item_id = ?", [item.item_id]).fetchall()
    judged = [(usable(unpacked_answer(body), item, questions), row) for row, body in early]
    db.executemany("UPDATE answers SET usable = ? WHERE rowid = ?", judged)
    if early:
        _count(db, item.item_id)


def _count(db: sqlite3.Connection, item_id: str) -> None:
    counted = "SELECT count(*) FROM answers WHERE item_id = :item AND latest = 1 AND usable = 1"
    db.execute(f"UPDATE items SET usable = ({counted}) WHERE item_id = :item", {"item": holdable(item_id)})
