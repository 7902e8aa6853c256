"""How many responses are asked for at the same time, and what happens to each that comes: durable first, then handed on.

A small multiple of what the engine makes at once is in flight, its capacity read anew each time. A slow tail holds nobody up: a response
that has been under way for four times the median is a straggler and does not count, until there are as many stragglers as the bound itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from dataengine.errors import Stopped
from dataengine.inference.engine import Engine, Sampling
from dataengine.storage.responses import Responses

IN_FLIGHT = 2
"""Responses asked for at the same time, as a multiple of what the engine makes at once."""
STRAGGLER = 4.0
"""A response that takes so many times the median does not count as in flight."""
SEEN = 256
"""Durations of the last responses, of which the median is taken."""
ENOUGH_SEEN = 16
TRIES = 3
"""An engine that ends without all that it was asked for is asked for the rest so often."""


class InFlight:
    """What is under way: `tickets = flight.start([0, 1]); ...; flight.end(tickets[0])`; `flight.room` says how many more may be."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._since: dict[int, float] = {}
        """Ticket to start, the oldest first; on the event loop's clock, which never jumps."""
        self._tickets = 0
        self._took: deque[float] = deque(maxlen=SEEN)
        self._median, self._ended = float("inf"), 0

    def start(self, samples: Sequence[int]) -> dict[int, int]:
        """These are under way: the ticket of each."""
        tickets = {sample: self._tickets + place for place, sample in enumerate(samples, start=1)}
        self._tickets += len(tickets)
        self._since.update(dict.fromkeys(tickets.values(), _now()))
        return tickets

    def end(self, ticket: int, *, answered: bool = True) -> None:
        """One is here, or is not asked for any more."""
        since = self._since.pop(ticket)
        if not answered:
            return
        self._took.append(_now() - since)
        self._ended += 1
        if len(self._took) >= ENOUGH_SEEN and self._ended % ENOUGH_SEEN == 0:
            self._median = statistics.median(self._took)

    @property
    def room(self) -> int:
        """How many more may be asked for now; below 1: none."""
        bound = max(1, IN_FLIGHT * self._engine.capacity)
        return bound - len(self._since) + min(self._stragglers(), bound)

    @property
    def patience(self) -> float:
        """Seconds after which it is worth looking again whether something has become a straggler."""
        return min(1.0, max(0.01, self._median))

    def _stragglers(self) -> int:
        late, found = _now() - STRAGGLER * self._median, 0
        for since in self._since.values():
            if since > late:
                break
            found += 1
        return found


class Asking:
    """Asks one engine for responses and stores each before anybody sees it."""

    def __init__(self, engine: Engine, responses: Responses, sampling: Sampling) -> None:
        self.engine, self.responses, self.sampling = engine, responses, sampling
        self.flight = InFlight(engine)
        self._busy: dict[str, tuple[asyncio.Lock, int]] = {}
        """Prompts under way and by how many: two problems may read alike, and share their responses."""

    def ask(self, prompt: str, samples: Sequence[int], *, cap: int | None = None) -> AsyncGenerator[tuple[int, dict[str, Any] | None]]:
        """Yield (sample, its stored row) as each is made, and (sample, None) at once for what is stored already; in flight from now on."""
        return self._ask(prompt, samples, None if cap is None or cap >= self.sampling.max_tokens else cap, self.flight.start(samples))

    async def _ask(
        self, prompt: str, samples: Sequence[int], cap: int | None, tickets: dict[int, int]
    ) -> AsyncGenerator[tuple[int, dict[str, Any] | None]]:
        try:
            async with self._alone(prompt):
                missing = self.responses.missing(prompt, samples, cap=cap)
                for sample in samples:
                    if sample not in missing:
                        self.flight.end(tickets.pop(sample), answered=False)
                        yield sample, None
                tries = 0
                while tickets:
                    if tries == TRIES:
                        raise Stopped(f"{self.engine.version} ended {TRIES} times without the {len(tickets)} responses that it still owes")
                    tries += 1
                    async with aclosing(self._respond(prompt, sorted(tickets), cap)) as answers:
                        async for sample, row in answers:
                            if sample in tickets:
                                self.flight.end(tickets.pop(sample))
                                yield sample, row
        finally:
            for ticket in tickets.values():
                self.flight.end(ticket, answered=False)

    async def _respond(self, prompt: str, samples: Sequence[int], cap: int | None) -> AsyncGenerator[tuple[int, dict[str, Any]]]:
        sampling = self.sampling if cap is None else replace(self.sampling, max_tokens=cap)
        owed = set(samples)
        async with aclosing(self.engine.respond(prompt, sampling, samples)) as answers:  # type: ignore[type-var]  # async generators close
            async for response in answers:
                if response.sample in owed:  # one that was not asked for, or comes twice, is nobody's
                    owed.discard(response.sample)
                    seed = self.sampling.seed_of(prompt, response.sample)
                    yield response.sample, self.responses.add(prompt, response, seed=seed, engine=self.engine, cap=cap)

    @asynccontextmanager
    async def _alone(self, prompt: str) -> AsyncIterator[None]:
        lock, users = self._busy.get(prompt, (asyncio.Lock(), 0))
        self._busy[prompt] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._busy.pop(prompt)
            if users > 1:
                self._busy[prompt] = lock, users - 1


async def has_to_wait(asking: Asking, changed: asyncio.Event) -> bool:
    """Whether nothing more may be asked for now; it then has waited for `changed`, or until something may have become a straggler."""
    await asyncio.sleep(0)  # a task that was just made begins to ask
    if asking.flight.room > 0:
        return False
    changed.clear()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(asking.flight.patience):  # wait_for of Python 3.11 may swallow a cancellation
            await changed.wait()
    return True


def _now() -> float:
    return asyncio.get_running_loop().time()
