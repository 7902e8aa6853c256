"""Actors of a Ray cluster that do the same work: who is there, who has the most room, who died and is back again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from dataengine.cluster.on_ray import named_failures
from dataengine.errors import Stopped
from dataengine.progress import say

TIMES = 5
"""A question is asked so often in all when the actors die over it, before the run stops."""
SECONDS_WITHOUT = 900.0
"""How long a question waits for an actor when none is there, before the run stops."""
SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_BETWEEN_WORDS = 60.0
SECONDS_BETWEEN_TRIES = 30.0
LONGEST_PAUSE = 900.0
"""The pause after an actor could not be opened doubles from the one to the other; when none could be opened, the run stops."""
RESTARTED = {"max_restarts": -1, "max_task_retries": 0, "num_cpus": 0.001}
"""Options of an actor that Ray starts again wherever there is room, while we ask again for what it had not answered.

Without any CPU Ray would not heed the node that is asked for (2.60, tried)."""


class Restarted(Exception):
    """The actor was started again, elsewhere perhaps: it is opened first, then asked again."""


class Member:
    """One actor as the driver sees it."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.room = 0
        """How much it does at the same time; 0 while it is not there."""
        self.asked = 0
        """What it has not answered yet."""
        self.why = "it is not open yet"
        self.failures = 0
        """How often it could not be opened, or gave up, since it was there last."""
        self.opening: Any = None
        self.try_at = 0.0


class Team:
    """`Team(ray, "engines", actors, open_=lambda actor: actor.open.remote(...))`; an actor's answer to `open` has `room` and `said`."""

    def __init__(self, ray: Any, what: str, actors: Sequence[Any], *, open_: Callable[[Any], Any]) -> None:
        """Returns when the first one is there; the others join as they come. ValueError where none can be opened.

        `open` raises ValueError for what is wrong with the cluster, and Stopped for what is wrong with its node: the others go on.
        """
        self.ray, self.what = ray, what
        self.lost = (ray.exceptions.RayError, Restarted)
        """What an actor's answer raises when the actor or its node was lost, and what was asked can be asked again."""
        self.members = [Member(actor) for actor in actors]
        self._open = open_
        self.first: Any = None
        """What the first one said when it was open."""
        try:
            self._wait_for_the_first()
        except BaseException:
            self.close()
            raise

    def there(self) -> list[Member]:
        """Who can be asked now."""
        self._look()
        return [member for member in self.members if member.room]

    async def least_busy(self) -> Member:
        """The one with the most room; waits for one where all have died."""
        end = time.monotonic() + SECONDS_WITHOUT
        while not (there := self.there()):
            if time.monotonic() > end:
                raise Stopped(
                    f"none of the {len(self.members)} {self.what} was there for {SECONDS_WITHOUT:.0f} s ({self.members[0].why}). What was "
                    "answered is kept: look at `ray status`, then run again."
                )
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        return min(there, key=lambda member: member.asked / member.room)

    def away(self, member: Member, error: Exception) -> None:
        """Ask this one nothing until it is open again; Stopped where it has given up, and so have all others."""
        if not member.room:
            return
        member.room, member.why, member.try_at = 0, first_line(error), time.monotonic() + SECONDS_BETWEEN_LOOKS
        if isinstance(error, Stopped):
            self._failed(member, error)
        else:
            say(f"warning: one of the {self.what} is away ({member.why}): what it had not answered is asked again")

    def gave_up(self, question: str, why: str) -> Stopped:
        """The error of a question that was asked too often."""
        return Stopped(
            f"{TIMES} {self.what} died over {question[:80]!r}, the last one: {why}. What was answered is kept: look at the memory of the "
            "nodes and at their logs, then run again."
        )

    def close(self) -> None:
        """Let every actor give back what it holds, then end it."""
        closing = [member.actor.close.remote() for member in self.members if member.room]
        if closing:
            self.ray.wait(closing, num_returns=len(closing), timeout=30)
        for member in self.members:
            self.ray.kill(member.actor)

    def as_here(self) -> Any:
        """What an actor raised, as it would have been raised here; a lost actor stays Ray's error."""
        return named_failures(self.ray, f"one of the {self.what}", lost=False)

    def _wait_for_the_first(self) -> None:
        told = time.monotonic()
        while not self._any_there():
            if time.monotonic() - told > SECONDS_BETWEEN_WORDS:
                told = time.monotonic()
                say(f"  waiting for the first of {len(self.members)} {self.what} ({self.members[0].why})")
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _any_there(self) -> bool:
        try:
            return bool(self.there())
        except Stopped as error:
            raise ValueError(f"none of the {len(self.members)} {self.what} can work. {error}") from None

    def _look(self) -> None:
        """Let those in that are open (again)."""
        for member in self.members:
            if member.room or time.monotonic() < member.try_at:
                continue
            member.opening = member.opening or self._open(member.actor)
            if not self.ray.wait([member.opening], timeout=0)[0]:
                continue
            opening, member.opening = member.opening, None
            try:
                with self.as_here():
                    opened = self.ray.get(opening)
            except self.ray.exceptions.RayError as error:
                member.why, member.try_at = first_line(error), time.monotonic() + SECONDS_BETWEEN_LOOKS
            except Stopped as error:
                self._failed(member, error)
            else:
                self.first = self.first or opened
                member.room, member.failures = opened.room, 0
                say(f"  one of the {self.what} is there: {opened.said}")

    def _failed(self, member: Member, error: Stopped) -> None:
        """Try this one again after a while; the error where none of the others is any better."""
        pause = min(LONGEST_PAUSE, SECONDS_BETWEEN_TRIES * 2**member.failures)
        member.why, member.try_at, member.failures = first_line(error), time.monotonic() + pause, member.failures + 1
        if all(each.failures for each in self.members):
            raise error
        if member.failures == 1:
            say(f"warning: one of the {self.what} cannot work, the others go on; it is tried again from time to time. {error}")


def places(ray: Any) -> list[dict[str, Any]]:
    """One place for an actor on every node that works; elsewhere when the node is lost."""
    near = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    return [{"scheduling_strategy": near(node, soft=True)} for node in sorted(nodes)]


def first_line(error: Exception) -> str:
    """An error in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")


def this_node() -> str:
    """The node's name and the beginning of its Ray id."""
    import platform

    import ray

    return f"{platform.node()}, node {ray.get_runtime_context().get_node_id()[:8]}"
