"""Answers that were given elsewhere and move along with their items: which can, as what, and why the others stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from annotation.answer import Answer
from annotation.argilla.home import Home
from annotation.argilla.responses import response_of, same_word, why_it_stays
from annotation.item import Item
from annotation.questions import Questions


class Along:
    """Of `answers` those to `items` by people the server knows (`users`: ids by name); `notices` tell of the others."""

    def __init__(
        self, answers: Iterable[Answer], items: Mapping[str, Item], questions: Questions, *, users: Mapping[str, str], home: Home
    ) -> None:
        self._items, self._questions, self._users, self._home = items, questions, users, home
        self._said: dict[str, list[Answer]] = {}
        self.notices: list[str] = []
        absent, stay, former = Counter[str](), Counter[str](), 0
        for answer in answers:
            if answer.item_id not in items:
                former += 1
            elif answer.annotator not in users:
                absent[answer.annotator] += 1
            elif (why := self._why_it_stays(answer)) is not None:
                stay[f"{answer.annotator}: {why}"] += 1
            else:
                self._said.setdefault(answer.item_id, []).append(answer)
        if absent:
            names = ", ".join(f"{name} ({count:,})" for name, count in sorted(absent.items()))
            let_in = ",".join(sorted(absent))
            self.notices.append(f"answers of people who are not on the server stay at home: {names}; let them in: --annotators {let_in}")
        if stay:
            self.notices.append(f"{stay.total():,} answers stay at home, for Argilla takes none like them: {some(stay)}")
        if former:
            self.notices.append(f"{former:,} answers to items that are not in the queue stay at home")

    def __bool__(self) -> bool:
        return bool(self._said)

    @property
    def annotators(self) -> set[str]:
        """Whose answers can move."""
        return {answer.annotator for said in self._said.values() for answer in said}

    def has_more(self, item_id: str, there: Mapping[str, Answer]) -> bool:
        """Whether something was said of an item that is not `there` (by annotator)."""
        return any(_differs(answer, there.get(answer.annotator)) for answer in self._said.get(item_id, ()))

    def responses(self, item_id: str, there: Mapping[str, Answer]) -> list[dict[str, Any]]:
        """The responses that go to one item now; what is `there` must be known at home, for it is written over."""
        going = [
            word
            for answer in self._said.get(item_id, ())
            if (word := self._counting(answer, there.get(answer.annotator))) is not None and self._why_it_stays(word) is None
        ]
        for word in going:
            self._home.let_go(word)
        reasoning = self._items[item_id].reasoning
        return [response_of(word, user_id=self._users[word.annotator], reasoning=reasoning) for word in going]

    def _counting(self, answer: Answer, there: Answer | None) -> Answer | None:
        """What is to stand there; None where that does already. Home knows what counts, without one the times have to tell."""
        word = self._home.word(answer.item_id, answer.annotator)
        if word is None:
            word = answer if there is None or answer.at > there.at else there
        return word if _differs(word, there) else None

    def _why_it_stays(self, answer: Answer) -> str | None:
        return why_it_stays(answer, self._questions, self._items[answer.item_id].reasoning)


def some(names: Iterable[str]) -> str:
    """The first three, and how many more."""
    every = list(names)
    more = f" and {len(every) - 3:,} more" if len(every) > 3 else ""
    return ", ".join(every[:3]) + more


def _differs(answer: Answer, there: Answer | None) -> bool:
    return there is None or not same_word(answer, there)
