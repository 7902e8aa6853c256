"""Whose turn is which item: the next one pending for an annotator, so that two people do not begin with the same one."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from annotation.sqlite.narrow import Narrow
from annotation.sqlite.packing import holdable
from annotation.sqlite.store import Store

SECONDS_AT_WORK = 1800.0
"""How long an item is taken to be worked on after the last sign of it."""
MINE = """SELECT 1 FROM answers WHERE answers.annotator = ? AND answers.item_id = items.item_id
          AND answers.latest = 1 AND answers.usable = 1"""
OPEN = "items.current = 1 AND items.usable < items.wanted"


class Turns:
    """Hands out items; who is at work on which is known to this process only, and begins anew with it."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self._clock = clock
        self._choosing = threading.Lock()
        self._at_work: dict[str, tuple[str, float]] = {}
        """annotator -> the item they were last seen at, and when."""

    def next(self, annotator: str, narrow: Narrow, *, after: str = "") -> str | None:
        """The first item in the queue's order that the annotator has not answered and that wants more answers.

        Behind `after` first, then from the front; items that enough others are at work on come last, `after` itself the very last. None
        where nothing is left.
        """
        with self._choosing:
            if after:
                self.end(after, annotator)
            places = [place, None] if (place := self._place(after)) else [None]
            busy = {*self._busy(annotator), after}
            tries = [(behind, but) for but in (busy, {after}) for behind in places] + [(None, set())]
            for behind, but in tries:
                found = self._first(annotator, narrow, behind=behind, but=but)
                if found is not None:
                    self.begin(found, annotator)
                    return found
            return None

    def left(self, annotator: str, narrow: Narrow) -> int:
        """Items that are pending for the annotator."""
        where, values = narrow.sql()
        answered = f"""SELECT count(*) FROM answers JOIN items USING (item_id)
                       WHERE answers.annotator = ? AND answers.latest = 1 AND answers.usable = 1 AND {OPEN}{where}"""
        with self.store.database.reading() as db:
            (wanting,) = db.execute(f"SELECT count(*) FROM items WHERE {OPEN}{where}", values).fetchone()
            (mine,) = db.execute(answered, [holdable(annotator), *values]).fetchone()
        return wanting - mine

    def begin(self, item_id: str, annotator: str) -> None:
        """There is a sign of the annotator at this item, and at no other."""
        self._at_work[annotator] = (item_id, self._clock())

    def end(self, item_id: str, annotator: str) -> None:
        """The annotator has left it."""
        if self._at_work.get(annotator, ("", 0.0))[0] == item_id:
            self._at_work.pop(annotator, None)

    def others(self, item_id: str, annotator: str) -> list[str]:
        """Who else is at work on it now."""
        return sorted(name for name, item in self._elsewhere(annotator) if item == item_id)

    def _elsewhere(self, annotator: str) -> list[tuple[str, str]]:
        since = self._clock() - SECONDS_AT_WORK
        return [(name, item) for name, (item, at) in list(self._at_work.items()) if name != annotator and at > since]

    def _busy(self, annotator: str) -> tuple[str, ...]:
        """Items for which the others who are at work on them are enough."""
        people = Counter(item for _, item in self._elsewhere(annotator))
        query = "SELECT wanted - usable FROM items WHERE item_id = ?"
        with self.store.database.reading() as db:
            places = {item_id: (db.execute(query, [holdable(item_id)]).fetchone() or (0,))[0] for item_id in people}
        return tuple(item_id for item_id, count in people.items() if count >= places[item_id])

    def _place(self, item_id: str) -> tuple[int, str] | None:
        with self.store.database.reading() as db:
            found = db.execute("SELECT rank, item_id FROM items WHERE item_id = ?", [holdable(item_id)]).fetchone()
        return None if found is None else (found[0], found[1])

    def _first(self, annotator: str, narrow: Narrow, *, behind: tuple[int, str] | None, but: set[str]) -> str | None:
        where, values = narrow.sql()
        begin = " AND (items.rank, items.item_id) > (?, ?)" if behind else ""
        skipped = f" AND items.item_id NOT IN ({', '.join('?' * len(but))})" if but else ""
        query = f"""SELECT items.item_id FROM items WHERE {OPEN} AND NOT EXISTS ({MINE}){where}{begin}{skipped}
                    ORDER BY items.rank, items.item_id LIMIT 1"""
        with self.store.database.reading() as db:
            found = db.execute(query, [holdable(annotator), *values, *(behind or ()), *map(holdable, but)]).fetchone()
        return None if found is None else found[0]
