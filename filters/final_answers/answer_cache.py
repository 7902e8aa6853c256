"""What was already decided in this process, so that equal questions are asked once: eight rollouts of a problem share their answers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question", bound=Hashable)
Verdict = TypeVar("Verdict")

AT_MOST = 100_000
"""Verdicts kept; beyond it the older half is forgotten (a verdict with its two short texts takes about 500 bytes)."""


class AnswerCache(Generic[Question, Verdict]):
    """Verdicts by question, safe to use from several threads."""

    def __init__(self, at_most: int = AT_MOST) -> None:
        self.at_most = at_most
        self.used = True
        self._known: dict[Question, Verdict] = {}
        self._lock = threading.Lock()

    def ask(self, questions: Sequence[Question], judge: Callable[[list[Question]], list[Verdict]]) -> list[Verdict]:
        """One verdict for each question; `judge` is given the new ones, each once."""
        if not self.used:
            return judge(list(questions))
        with self._lock:
            found = {question: self._known[question] for question in set(questions) if question in self._known}
        new = [question for question in dict.fromkeys(questions) if question not in found]
        if new:
            made = dict(zip(new, judge(new), strict=True))
            found |= made
            with self._lock:
                self._known |= made
                if len(self._known) > self.at_most:
                    for question in list(self._known)[: len(self._known) - self.at_most // 2]:
                        del self._known[question]
        return [found[question] for question in questions]

    @contextlib.contextmanager
    def off(self) -> Iterator[None]:
        """For measurements: every question is judged, equal ones as often as they are asked."""
        self.used = False
        try:
            yield
        finally:
            self.used = True
