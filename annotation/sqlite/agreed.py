"""How far people agree and how wrong the filters are, as the answers in a store stand now; reckoned anew only when there are new ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from annotation.answer import Answer
from annotation.sqlite.store import Store


class Agreed:
    """The figures of one store; `folder` is its queue's, whose rows the filters passed or failed."""

    def __init__(self, store: Store, folder: Path | None) -> None:
        self.store, self.folder = store, folder
        self._reckoning = threading.Lock()
        self._at = -1
        self._found: dict[str, list[dict[str, Any]]] = {}

    def now(self) -> dict[str, list[dict[str, Any]]]:
        """{agreement: [...], filter_errors: [...]}, as annotation.agreement and annotation.filter_errors say them."""
        from annotation.agreement import agreement
        from annotation.filter_errors import filter_errors
        from annotation.population import population

        with self._reckoning:
            at = self.store.answered()
            if at != self._at:
                rows = None if self.folder is None else population(self.folder)
                counted = list(self._counted())
                wrong = [] if rows is None else filter_errors(counted, rows)
                self._found = {
                    "agreement": [asdict(each) for each in agreement(counted, rows)],
                    "filter_errors": [asdict(each) for each in wrong],
                }
                self._at = at
            return self._found

    def _counted(self) -> Iterator[Answer]:
        """Without the texts, so that memory does not grow with them."""
        for answer in self.store.counting():
            yield replace(answer, values={name: answer.values.get(name) for name in ("verdict", "readability", "language")})
