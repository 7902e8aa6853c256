"""A rate limit as a token bucket: so much a minute, a twentieth of it at once."""

from __future__ import annotations

BURST = 20
"""The bucket holds this part of a minute's amount; the rest flows in, so that no window of a minute holds more than was promised."""


class Bucket:
    """`bucket.wait(amount, now)` says how long; `bucket.take(amount, now)` takes. Times are seconds of a clock that never jumps."""

    def __init__(self, per_minute: float) -> None:
        """0: no limit."""
        self._held = self._most = max(1.0, per_minute / BURST)
        self._per_second = max(per_minute - self._most, per_minute / 2) / 60
        self._at: float | None = None

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken; more than the bucket can hold waits for a full one, and leaves a debt."""
        if not self._per_second:
            return 0.0
        self._flow(now)
        return max(0.0, (min(amount, self._most) - self._held) / self._per_second)

    def take(self, amount: float, now: float) -> None:
        """Take `amount`, negative to give back what was not used."""
        if self._per_second:
            self._flow(now)
            self._held = min(self._most, self._held - amount)

    def _flow(self, now: float) -> None:
        if self._at is not None:
            self._held = min(self._most, self._held + (now - self._at) * self._per_second)
        self._at = now
