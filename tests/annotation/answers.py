"""People for the tests of annotation: answers to the items of a queue, put into its store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from annotation.answer import Answer
from annotation.item import Item
from annotation.items import items_of, questions_of
from annotation.sqlite.store import Store


def answer(
    item: Item, verdict: str | None = "keep", *, by: str = "ann", minute: int = 0, status: str = "submitted", **values: Any
) -> Answer:
    """What somebody says of an item at some minute of one hour."""
    given = {"verdict": verdict, **values}
    at = f"2026-11-21T12:{minute:02d}:00.000000Z"
    return Answer(item_id=item.item_id, annotator=by, status=status, values=given, guideline="", seconds=30.0, at=at)


def store_answers(folder: Path, answers: Iterable[Answer]) -> None:
    """Put answers into the store of a queue."""
    with closing(Store.open(folder)) as store:
        store.take_in(answers)


def answer_all(folder: Path, say: Callable[[Item, int], Answer | None]) -> list[Item]:
    """Everybody answers as many items as are wanted: `say` gets the item and the number of the annotator; the items."""
    items = list(items_of(folder))
    given = [say(item, number) for item in items for number in range(item.wanted)]
    version = questions_of(folder).version
    store_answers(folder, [Answer(**{**vars(each), "guideline": each.guideline or version}) for each in given if each is not None])
    return items
