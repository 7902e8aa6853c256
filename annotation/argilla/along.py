"""Answers that were given elsewhere and move along with their items: which can, as what, and why the others stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from annotation.answer import Answer
from annotation.argilla.responses import response_of, same_word, why_it_stays
from annotation.item import Item
from annotation.questions import Questions


class Along:
    """Of `answers` those to `items` by people the server knows (`users`: ids by name); `notices` tell of the others."""

    def __init__(self, answers: Iterable[Answer], items: Mapping[str, Item], questions: Questions, *, users: Mapping[str, str]) -> None:
        self._items, self._users = items, users
        self._said: dict[str, list[Answer]] = {}
        self.notices: list[str] = []
        absent, stay, former = Counter[str](), Counter[str](), 0
        for answer in answers:
            if answer.item_id not in items:
                former += 1
            elif answer.annotator not in users:
                absent[answer.annotator] += 1
            elif (why := why_it_stays(answer, questions)) is not None:
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

    def responses(self, item_id: str, *, there: Mapping[str, Answer] | None = None) -> list[dict[str, Any]]:
        """The responses to one item, by people who have said nothing `there` (by annotator), or something else before."""
        return [
            response_of(answer, user_id=self._users[answer.annotator], reasoning=self._items[item_id].reasoning)
            for answer in self._said.get(item_id, ())
            if _is_newer(answer, (there or {}).get(answer.annotator))
        ]


def some(names: Iterable[str]) -> str:
    """The first three, and how many more."""
    every = list(names)
    more = f" and {len(every) - 3:,} more" if len(every) > 3 else ""
    return ", ".join(every[:3]) + more


def _is_newer(answer: Answer, there: Answer | None) -> bool:
    return there is None or (answer.at > there.at and not same_word(answer, there))
