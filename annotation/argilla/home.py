"""What the bridge leaves at home while it works, each thing on the disk before the server is changed: a kill at any moment loses none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from annotation.answer import Answer
from annotation.argilla.clock import AGREE
from annotation.argilla.link import Link
from annotation.argilla.passwords import file_beside, keep_password
from annotation.argilla.responses import same_word
from annotation.sqlite.store import Store, TakenIn


class Home:
    """Nothing is kept: for a place that is only looked at, or that has no store."""

    def settled(self, people: Mapping[str, str]) -> None:
        """The datasets are on the server; `people` are names by id (People.known)."""

    def keep_password(self, name: str, password: str) -> None:
        """An account is about to be made."""

    def take_in(self, answers: Collection[Answer], people: Mapping[str, str]) -> TakenIn:
        """What is on the server, which may be written over now."""
        return TakenIn(same=len(answers))

    def word(self, item_id: str, annotator: str) -> Answer | None:
        """What counts of an annotator by all that is known here; None where only times can tell."""
        return None

    def let_go(self, answer: Answer) -> None:
        """An answer is about to go to the server."""

    def has_left(self, item_id: str) -> bool:
        """Whether an item was in the queue and is not any more."""
        return False


class QueueHome(Home):
    """A queue's store, and beside it what is known of Argilla."""

    def __init__(self, store: Store, link: Link) -> None:
        self.store, self.link = store, link
        self._new = True

    def settled(self, people: Mapping[str, str]) -> None:
        """From now on no other dataset is asked for, and everything is read again."""
        if self._new or dict(people) != dict(self.link.people):
            self._new, self.link = False, replace(self.link, people=dict(people), mark="")
            self.link.write(self.store)

    def keep_password(self, name: str, password: str) -> None:
        """Beside the store."""
        keep_password(file_beside(self.store.database.file), name, password)

    def take_in(self, answers: Collection[Answer], people: Mapping[str, str]) -> TakenIn:
        """Those that are not here, under names that stay."""
        fresh = [answer for answer in answers if not self._is_here(answer)]
        if fresh:
            self.settled(people)
        taken = self.store.take_in(fresh)
        return TakenIn(new=taken.new, same=len(answers) - taken.new, unknown=taken.unknown)

    def word(self, item_id: str, annotator: str) -> Answer | None:
        """The latest answer, or the form that was begun after it was taken back."""
        latest = next((each for each in self.store.answers_to(item_id) if each.annotator == annotator), None)
        draft = self.store.draft(item_id, annotator)
        if draft.values is not None and (latest is None or (latest.status == "draft" and draft.at > latest.at)):
            return draft.as_answer(guideline=self.store.questions.version)
        return latest

    def let_go(self, answer: Answer) -> None:
        """A form that is not answered becomes a part of the history, by which it is known when it comes back."""
        if answer.status == "draft":
            self.store.take_in([answer])

    def has_left(self, item_id: str) -> bool:
        """An item that never was in this queue has not left it."""
        try:
            return not self.store.is_current(item_id)
        except ValueError:
            return False

    def _is_here(self, answer: Answer) -> bool:
        return is_known(answer, self.store.history(answer.item_id, answer.annotator))


def is_known(answer: Answer, history: Sequence[Answer]) -> bool:
    """Whether what Argilla says is what it was told, or what came from there before; `history`: oldest first.

    An answer that was given elsewhere has, on the server, the time of the push that took it along, which says nothing of when it was
    given. So it is known by its words, as long as nothing newer has come from there; what came from there, by its time too.
    """
    came = max((place for place, each in enumerate(history) if each.via == "argilla"), default=-1)
    return any(
        same_word(each, answer) and (place > came or place == len(history) - 1 or _at_once(each, answer))
        for place, each in enumerate(history)
    )


def _at_once(one: Answer, other: Answer) -> bool:
    """Given at the same moment, as nearly as it can be told by another clock."""
    if not one.at or not other.at:
        return False
    return abs((datetime.fromisoformat(one.at) - datetime.fromisoformat(other.at)).total_seconds()) < AGREE
