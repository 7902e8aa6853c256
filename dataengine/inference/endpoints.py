"""Several addresses as one: the least busy healthy one is asked, and asked again elsewhere, until somebody answers or patience ends."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from dataengine.errors import Stopped
from dataengine.inference.endpoint import LONGEST_REST, Endpoint
from dataengine.inference.failures import SHOWN, BadRequest, Failure, Unanswered
from dataengine.inference.outage import LAST_ERRORS, Outage

T = TypeVar("T")

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
"""Full jitter: a failed request waits between nothing and FIRST_WAIT x 2^attempts seconds, LONGEST_WAIT at most."""
ATTEMPTS = 3
"""At least so many before patience can end: with long deadlines one attempt may take longer than that."""
PARTS = 8
"""Of the patience: no pause takes more than one."""


@dataclass(eq=False)
class Turn:
    """A request that waits for an address."""

    ready: asyncio.Future[Endpoint]
    tokens: float
    avoid: Endpoint | None
    prefer: Endpoint | None


@dataclass
class Tried:
    """What one response has been through."""

    attempts: int = 0
    late: int = 0
    since: float = 0.0
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_ERRORS))


class Endpoints:
    """`await endpoints.ask(attempt, tokens=...)`: first come, first served; used from one event loop."""

    def __init__(self, endpoints: Sequence[Endpoint], *, patience: float, advice: str) -> None:
        """`advice`: the way out that the last error names."""
        self.all = list(endpoints)
        self._patience, self._advice = patience, advice
        self._turns: deque[Turn] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._over: BaseException | None = None
        self._outage = Outage(patience)
        self._nobody_up = False

    @property
    def again(self) -> int:
        """Requests that were asked again."""
        return self._outage.again

    @property
    def capacity(self) -> int:
        """Requests that may be open at the same time."""
        return max(1, sum(int(each.limit) for each in self.all if each.up))

    @property
    def waiting(self) -> int:
        """Requests that wait for an address."""
        return len(self._turns)

    def least_busy(self) -> Endpoint | None:
        """The address to which a prompt's samples go together."""
        return min((each for each in self.all if each.up), key=_busy, default=None)

    def give_up(self, error: BaseException) -> None:
        """Nothing will be answered any more: everybody is told."""
        self._over = error
        while self._turns:
            turn = self._turns.popleft()
            if not turn.ready.done():
                turn.ready.set_exception(error)

    async def ask(
        self,
        attempt: Callable[[Endpoint, int], Awaitable[T]],
        *,
        prompt: str = "",
        tokens: float = 0,
        prefer: Endpoint | None = None,
        first: bool = False,
    ) -> tuple[T, Endpoint]:
        """What an attempt at one of the addresses returns, and which it was; failures are asked again until patience ends.

        An attempt is told how often this request was late before. `prompt`: what is asked, for the error; `tokens`: what it will take
        of a limit of tokens; `first`: before all that wait.
        """
        with self._outage.request():
            return await self._ask(
                attempt, Turn(asyncio.get_running_loop().create_future(), tokens, None, prefer), prompt=prompt, first=first
            )

    async def _ask(self, attempt: Callable[[Endpoint, int], Awaitable[T]], turn: Turn, *, prompt: str, first: bool) -> tuple[T, Endpoint]:
        tried, loop = Tried(), asyncio.get_running_loop()
        while True:
            nobody_up, before = not any(each.up for each in self.all), loop.time()
            endpoint = await self._take(turn, first=first)
            asked_at = loop.time()
            if nobody_up and tried.since:  # a server that loads its model is no failure
                tried.since += asked_at - before
            try:
                with self._outage.attempt(asked_at):
                    found = await attempt(endpoint, tried.late)
            except Failure as failure:
                now = loop.time()
                endpoint.failed(failure, asked_at=asked_at, now=now, longest_rest=min(LONGEST_REST, self._patience / PARTS))
                self._outage.failed(f"{endpoint.shown} {failure}", asked_at=asked_at, now=now)
                self._note(tried, failure, now, endpoint.shown, prompt=prompt)
            except (Unanswered, BadRequest):
                self._outage.answered(loop.time())
                raise
            else:
                endpoint.worked()
                self._outage.answered(loop.time())
                return found, endpoint
            finally:
                endpoint.in_flight -= 1
                self.wake()
            self._outage.again += 1
            await asyncio.sleep(random.uniform(0, min(LONGEST_WAIT, self._patience / PARTS, FIRST_WAIT * 2 ** min(tried.attempts, 16))))
            turn = replace(turn, ready=loop.create_future(), avoid=endpoint)

    def _note(self, tried: Tried, failure: Failure, now: float, shown: str, *, prompt: str) -> None:
        """Count a failure; Stopped where patience has ended, with this request or with everybody."""
        tried.attempts += 1
        tried.late += failure.late
        tried.since = tried.since or now
        tried.errors.append(f"{shown} {failure}")
        since = max(tried.since, self._outage.last_answer) if failure.overloaded else tried.since
        rest = min((each.rests_until - now for each in self.all if each.up), default=0.0) if failure.wait > self._patience else 0.0
        if (lasts := self._outage.lasts(now)) > self._patience >= rest:
            raise Stopped(
                f"nobody has answered for {lasts:.0f} s, with a patience of {self._patience:g} s: {self._outage.said()}. "
                f"What was answered is kept: {self._advice}"
            )
        if (now - since > self._patience and tried.attempts >= ATTEMPTS) or rest > self._patience:
            raise self._one_stopped(tried, rest, prompt)

    def _one_stopped(self, tried: Tried, rest: float, prompt: str) -> Stopped:
        asked = f"it was asked {tried.attempts} times" if tried.attempts > 1 else "it was asked once"
        waits = f", and the servers want a rest of {rest:,.0f} s more" if rest > self._patience else ""
        last = "; ".join(dict.fromkeys(tried.errors))
        alone = self._outage.last_answer > tried.since
        leave = ". Others were answered meanwhile: where this prompt fails every time, leave it out of the data" if alone else ""
        return Stopped(
            f"no answer to {_quoted(prompt)} with a patience of {self._patience:g} s: {asked}{waits}. Last: {last}. "
            f"What was answered is kept: {self._advice}{leave}"
        )

    async def _take(self, turn: Turn, *, first: bool) -> Endpoint:
        if self._over is not None:
            raise self._over
        (self._turns.appendleft if first else self._turns.append)(turn)
        self.wake()
        try:
            return await turn.ready
        except asyncio.CancelledError:
            if turn.ready.done() and not turn.ready.cancelled() and turn.ready.exception() is None:
                turn.ready.result().in_flight -= 1
                self.wake()
            else:
                turn.ready.cancel()
            raise

    def wake(self) -> None:
        """Give addresses to those who wait, as far as there is room: after every change of what is free."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._see_who_is_up()
        now = asyncio.get_running_loop().time()
        while self._turns:
            turn = self._turns[0]
            if turn.ready.done():
                self._turns.popleft()
                continue
            found, wait = self._free(turn, now)
            if found is None:
                if wait is not None:
                    self._timer = asyncio.get_running_loop().call_later(max(wait, 0.001), self.wake)
                return
            self._turns.popleft()
            found.in_flight += 1
            found.requests.take(1, now)
            found.tokens.take(turn.tokens, now)
            turn.ready.set_result(found)

    def _see_who_is_up(self) -> None:
        """A server that loads its model is no failure: the clock begins when it is there."""
        nobody, before = not any(each.up for each in self.all), self._nobody_up
        self._nobody_up = nobody
        if before and not nobody:
            self._outage.begin_anew()

    def _free(self, turn: Turn, now: float) -> tuple[Endpoint | None, float | None]:
        """An address with room for a request, elsewhere than where it failed if there is an elsewhere; or when to look again."""
        up = [each for each in self.all if each.up]
        rested = [each for each in up if each.rests_until <= now]
        others = [each for each in rested if each is not turn.avoid] or rested
        room = [each for each in others if each.in_flight < max(1, int(each.limit))]
        waits = {each: max(each.requests.wait(1, now), each.tokens.wait(turn.tokens, now)) for each in room}
        ready = [each for each in room if waits[each] <= 0]
        if turn.prefer in ready:
            return turn.prefer, None
        if ready:
            return min(ready, key=_busy), None
        times = [*waits.values(), *(each.rests_until - now for each in up if each.rests_until > now)]
        return None, min(times, default=None)


def _quoted(prompt: str) -> str:
    """The beginning of a prompt is mostly its template's, so the end is shown as well."""
    if not prompt:
        return "a prompt"
    return f"the prompt {prompt!r}" if len(prompt) <= SHOWN else f"the prompt {prompt[: SHOWN // 2]!r} ... {prompt[-SHOWN // 2 :]!r}"


def _busy(endpoint: Endpoint) -> float:
    return (endpoint.in_flight + 1) / max(1.0, endpoint.limit) * (1 + endpoint.failed_in_row)
