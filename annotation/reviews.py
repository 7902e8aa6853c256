"""The protocol between a queue and the place where people answer: the built-in store, Argilla, or files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from annotation.answer import Answer
from annotation.item import Item
from annotation.questions import Questions


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What became of pushed items."""

    new: int = 0
    same: int = 0
    """Were there already, unchanged."""
    changed: tuple[str, ...] = ()
    """row_ids whose text is another one now: asked again, and what was said of the old text is kept but does not count."""
    answers: int = 0
    """Answers that were given elsewhere and moved along."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far people are."""

    items: int
    done: int
    """Items with as many usable answers as are wanted."""
    annotators: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """For each: how many of each status."""


class Reviews(Protocol):
    """A place where people answer; items and answers survive whatever dies. Errors: ValueError for what the user can mend, else Stopped."""

    name: str
    """page | argilla | file"""

    def push(self, items: Sequence[Item], questions: Questions, *, answers: Iterable[Answer] = ()) -> Pushed:
        """Lay items before people, with the answers they gave elsewhere; the same item twice is one item.

        ValueError where the place holds a queue with other questions, naming both versions.
        """
        ...

    def answers(self) -> Iterator[Answer]:
        """The latest word of every annotator on every item that was ever pushed, drafts and discards included."""
        ...

    def progress(self) -> Progress:
        """How far people are."""
        ...
