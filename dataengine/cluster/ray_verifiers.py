"""Verifiers on every node of a Ray cluster: an actor on each keeps the verifier processes of its node."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataengine.cluster.on_ray import check_node, check_same, connected, made_with, said_of
from dataengine.cluster.ray_team import RESTARTED, TIMES, Restarted, Team, first_line, places, this_node
from dataengine.keep import Bar
from dataengine.machine import Machine
from dataengine.sampling.verifiers import Verifiers
from dataengine.score import Score

AT_ONCE = 4_000
"""Rows that one actor may have open."""


@dataclass(frozen=True)
class Opened:
    """What an actor says of its verifiers."""

    room: int
    said: str


class VerifiersOnNode:
    """The actor: the verifier processes of one node, one for each of its CPUs."""

    def __init__(self, bars: Sequence[Bar], *, columns: Mapping[str, Any], deadline: float) -> None:
        self._bars, self._columns, self._deadline = list(bars), columns, deadline
        self._verifiers: Verifiers | None = None

    async def open(self, there: dict[str, str], said: str) -> Opened:
        """Start the verifiers, where they are not started yet."""
        import ray

        check_node(there)
        check_same(self._bars, said)
        here = ray.get_runtime_context().get_node_id()
        cpus = next((int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["NodeID"] == here), os.cpu_count() or 1)
        if self._verifiers is None:
            self._verifiers = Verifiers(self._bars, columns=self._columns, count=cpus, deadline=self._deadline)
        return Opened(max(1, cpus), f"{cpus} processes, {this_node()}")

    async def judge(self, row: Mapping[str, Any], since: int) -> dict[str, Score]:
        """The scores of one row."""
        if self._verifiers is None:
            raise Restarted("its actor was started again")
        return await self._verifiers.judge(row, since=since)

    async def close(self) -> None:
        """End the processes."""
        if self._verifiers is not None:
            self._verifiers.close()


class RayVerifiers:
    """Judges rows on all nodes of a cluster; see `dataengine.sampling.verifiers.Judge`. A row whose node is lost is judged elsewhere."""

    def __init__(self, bars: Sequence[Bar], *, columns: Mapping[str, Any], machine: Machine, deadline: float) -> None:
        """Returns when the first node is ready."""
        ray = self._ray = connected(machine)
        self._columns = list(columns)
        actor = ray.remote(VerifiersOnNode)
        actors = [
            actor.options(**RESTARTED, max_concurrency=AT_ONCE, **at).remote(list(bars), columns=columns, deadline=deadline)
            for at in places(ray)
        ]
        there, said = made_with(), said_of(list(bars))
        self._team = Team(ray, "nodes' verifiers", actors, open_=lambda actor: actor.open.remote(there, said))

    async def judge(self, row: Mapping[str, Any], *, since: int = 0) -> dict[str, Score]:
        """The scores of one row by name; Stopped when its nodes were lost too often."""
        wanted, why = {name: row.get(name) for name in self._columns}, ""
        for _ in range(TIMES):
            member = await self._team.least_busy()
            member.asked += 1
            try:
                with self._team.as_here():
                    return await member.actor.judge.remote(wanted, since)
            except self._team.lost as error:
                why = first_line(error)
                self._team.away(member, error)
            finally:
                member.asked -= 1
        raise self._team.gave_up("a row", why)

    def close(self) -> None:
        """End everything."""
        self._team.close()
