"""How many requests a vLLM server is given: so many that its queue is never empty and hardly longer than that."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dataengine.inference.endpoint import Endpoint

NAMES = ("num_requests_running", "num_requests_waiting", "num_preemptions_total", "generation_tokens_total", "prompt_tokens_total")
LINE = re.compile(rf"^vllm:({'|'.join(NAMES)})\{{.*\}} (\S+)$".encode(), re.MULTILINE)
QUEUE = 1 / 16
"""Requests that should wait at the server, as a part of those that run: a place that becomes free is taken at once."""
FAST, SLOW = 2.0, 1.25
"""The limit grows by these factors a look: until the server's queue was first seen, and afterwards."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a server tells of itself at one moment, over all its engines."""

    running: int
    waiting: int
    preempted: int
    """Requests that had to give up their place in its memory, ever."""
    tokens: int
    """Made or read, ever."""


def load_in(metrics: bytes) -> Load | None:
    """Out of the text of /metrics; None where it tells nothing."""
    sums: dict[bytes, float] = {}
    for name, value in LINE.findall(metrics):
        sums[name] = sums.get(name, 0.0) + float(value)
    if b"num_requests_running" not in sums:
        return None
    running, waiting, preempted, made, read = (int(sums.get(name.encode(), 0)) for name in NAMES)
    return Load(running=running, waiting=waiting, preempted=preempted, tokens=made + read)


class Flow:
    """`flow.look(endpoint, load, more=...)` moves the endpoint's limit after each look at its server."""

    def __init__(self) -> None:
        self._preempted: int | None = None
        self._growth = FAST

    def look(self, endpoint: Endpoint, load: Load, *, more: bool) -> None:
        """`more`: whether requests wait on our side."""
        target, full = max(2, round(load.running * QUEUE)), endpoint.in_flight >= int(endpoint.limit)
        preempted = self._preempted is not None and load.preempted > self._preempted
        self._preempted = load.preempted
        if preempted:
            self._growth = SLOW
            endpoint.limit = max(1.0, 0.9 * (endpoint.in_flight - load.waiting))
        elif load.waiting > 2 * target:
            self._growth = SLOW
            there = min(endpoint.in_flight, load.running + load.waiting)  # what was sent since is not there yet
            endpoint.limit = max(1.0, float(there - load.waiting + target))
        elif more and load.waiting < target and 0.9 * endpoint.in_flight < load.running + load.waiting and full:
            endpoint.limit = min(float(endpoint.most), endpoint.limit * self._growth + 1)
