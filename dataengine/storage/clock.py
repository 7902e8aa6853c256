"""How long something lasted, where the machine may have slept meanwhile."""

from __future__ import annotations

import time


def now() -> float:
    """Seconds from some moment on, those of a suspended machine among them where it has such a clock (Linux)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
