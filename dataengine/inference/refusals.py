"""A server says no (400): is it this prompt, or everything that is asked in this form? Only the first may be put down to a prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from dataengine.inference.failures import BadRequest, Unanswered

IN_ROW = 8
"""After so many refusals without an answer between, it is tried again whether anything is answered at all."""


class Refusals:
    """Forms of request that were answered at least once are known to be good; for others a harmless prompt is tried."""

    def __init__(self) -> None:
        self._good: set[str] = set()
        self._in_row = 0
        self._trying = asyncio.Lock()

    def answered(self, form: str) -> None:
        """A request of this form got a response."""
        self._good.add(form)
        self._in_row = 0

    async def everything(self, form: str, harmless: Callable[[], Awaitable[object]]) -> Unanswered | BadRequest | None:
        """After a refusal: why a harmless prompt is refused as well, or None where the refusal was the prompt's."""
        self._in_row += 1
        if not self._doubtful(form):
            return None
        async with self._trying:
            if not self._doubtful(form):
                return None
            try:
                await harmless()
            except (Unanswered, BadRequest) as also:
                return also
            self.answered(form)
        return None

    def _doubtful(self, form: str) -> bool:
        return form not in self._good or self._in_row >= IN_ROW
