"""How long a response may take: by its tokens, and by how fast the server has been so far."""

from __future__ import annotations

from collections import deque

REMEMBERED = 256
ENOUGH = 30
"""Responses from which a pace can be told."""
MARGIN = 4.0
"""A response may take this many times as long a token as the slow ones (95th percentile) did."""
FIRST_SECONDS = 30.0
"""Beside its tokens: queue, prompt, network."""


class Pace:
    """`pace.note(seconds, tokens)` after each response, `pace.deadline(max_tokens)` before one."""

    def __init__(self, slowest: float) -> None:
        """`slowest`: tokens a second at least, until it has been measured."""
        self._slowest = slowest
        self._seen: deque[float] = deque(maxlen=REMEMBERED)
        self._allowed = 1 / slowest

    def note(self, seconds: float, tokens: int) -> None:
        """A response of `tokens` took so long."""
        self._seen.append(seconds / max(1, tokens))
        if len(self._seen) >= ENOUGH:
            self._allowed = MARGIN * sorted(self._seen)[int(0.95 * len(self._seen))]

    def deadline(self, max_tokens: int, *, late: int = 0) -> float:
        """Seconds; twice as many for each time that this response was late before."""
        return (FIRST_SECONDS + max_tokens * self._allowed) * 2 ** min(late, 16)
