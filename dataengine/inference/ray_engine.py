"""Engines as actors of a Ray cluster: each opens the model on its node, and together they are one engine.

An actor that dies is started again by Ray, elsewhere if need be, and what it had not answered is asked again of those that are there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dataengine.cluster.on_ray import check_node, connected, made_with
from dataengine.cluster.ray_team import RESTARTED, TIMES, Member, Restarted, Team, first_line, places, this_node
from dataengine.errors import Stopped
from dataengine.inference.choose import kind_of, open_engine
from dataengine.inference.engine import Engine, Response, Sampling
from dataengine.inference.model_files import files_of, model_here, of_node, read_piece
from dataengine.machine import Machine

AT_ONCE = 4_000
"""Prompts that one actor may have open; callers keep far fewer in flight."""


def open_on_ray(folder: Path, *, longest: int, machine: Machine, logs: Path) -> Engine:
    """The engine of one folder: actors where the cluster's nodes have to run a model, else what a local run would open."""
    if not (folder / "config.json").exists() or kind_of(machine) == "openai" or machine.vllm.urls:
        return open_engine(folder, longest=longest, machine=machine, logs=logs)
    return RayEngine(folder, longest=longest, machine=machine)


@dataclass(frozen=True)
class Opened:
    """What an actor says of its engine."""

    version: str
    room: int
    said: str


class EngineOnNode:
    """The actor: one engine on one node, opened when it is first needed and again after a restart."""

    def __init__(self, folder: Path, revision: str, files: dict[str, int], *, longest: int, machine: Machine) -> None:
        os.environ.setdefault("TQDM_DISABLE", "1")
        self._folder, self._revision, self._files = folder, revision, files
        self._longest, self._machine = longest, machine
        self._engine: Engine | None = None
        self._opening = asyncio.Lock()

    async def open(self, there: dict[str, str], holder: Any) -> Opened:
        """Open the engine, where it is not open yet; `holder` is the actor that reads the driver's files."""
        check_node(there)
        async with self._opening:
            if self._engine is None:
                self._engine = await asyncio.to_thread(self._opened, holder)
        engine = self._engine
        return Opened(engine.version, engine.capacity, f"{engine.version}, {engine.capacity} responses at a time, {this_node()}")

    async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[tuple[Response, int]]:
        """Each response as it is finished, with the engine's capacity at that time."""
        engine = self._engine
        if engine is None:
            raise Restarted("its actor was started again")
        try:
            async with aclosing(engine.respond(prompt, sampling, samples)) as answers:  # type: ignore[type-var]  # async generators close
                async for response in answers:
                    yield response, engine.capacity
        except Stopped as error:
            await self._let_go(engine)
            raise Stopped(f"{this_node()}: {error}") from None

    async def close(self) -> None:
        """Give back the engine's processes and memory."""
        if self._engine is not None:
            await asyncio.to_thread(self._engine.close)

    async def _let_go(self, engine: Engine) -> None:
        """End an engine that has given up; the next `open` makes another."""
        async with self._opening:
            if self._engine is engine:
                self._engine = None
                await asyncio.to_thread(engine.close)

    def _opened(self, holder: Any) -> Engine:
        """The engine; Stopped with the node's name, whatever is wrong there: other nodes may do without this one."""
        try:
            here = model_here(self._folder, self._revision, self._files, lambda *piece: holder.read.remote(*piece).future().result())
            return open_engine(here, longest=self._longest, machine=self._machine, logs=of_node("logs"))
        except Exception as error:
            kind = "" if isinstance(error, (ValueError, Stopped)) else f"{type(error).__name__}: "
            raise Stopped(f"{this_node()}: {kind}{error}") from None


class FilesOnDriver:
    """The actor beside the driver from which other nodes read the model."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str, start: int, length: int) -> bytes:
        """Part of a file."""
        return read_piece(self._folder, name, start, length)


class RayEngine:
    """Answers prompts with all engines of a cluster; see `Engine`."""

    def __init__(self, folder: Path, *, longest: int, machine: Machine) -> None:
        """Returns when the first engine is open. ValueError where the cluster has too few GPUs, or none can be opened."""
        from dataengine.inference.weights import weights_revision

        ray, folder = connected(machine), folder.absolute()  # actors have working folders of their own
        self._ray = ray
        self.model, self.revision = folder.name, weights_revision(folder)
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        beside = {"num_cpus": 0, "max_concurrency": 8, "max_restarts": -1, "max_task_retries": TIMES, "scheduling_strategy": here}
        self._holder = ray.remote(FilesOnDriver).options(**beside).remote(folder)
        on_node = replace(machine, on="local", store="", vllm=replace(machine.vllm, servers=1, gpus=(), python=_python(machine)))
        actor, files = ray.remote(EngineOnNode), files_of(folder)
        actors = [
            actor.options(**RESTARTED, max_concurrency=AT_ONCE, **at).remote(folder, self.revision, files, longest=longest, machine=on_node)
            for at in _places(ray, machine)
        ]
        there = made_with()
        self._team = Team(ray, f"engines of {self.model}", actors, open_=lambda actor: actor.open.remote(there, self._holder))
        self.version = self._team.first.version

    @property
    def capacity(self) -> int:
        """That of all engines that are there."""
        return max(1, sum(member.room for member in self._team.there()))

    async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        """Yield one response for each number in `samples`, asked again elsewhere where an engine dies."""
        missing, why = list(samples), ""
        for _ in range(TIMES):
            member = await self._team.least_busy()
            open_here = len(missing)
            member.asked += open_here
            try:
                async with aclosing(self._asked(member, prompt, sampling, missing)) as answers:
                    async for response in answers:
                        missing.remove(response.sample)
                        member.asked -= 1
                        open_here -= 1
                        yield response
                return
            except (*self._team.lost, Stopped) as error:
                why = first_line(error)
                self._team.away(member, error)
            finally:
                member.asked -= open_here
        raise self._team.gave_up(prompt, why)

    async def _asked(self, member: Member, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncGenerator[Response, None]:
        """The answers of one actor; an early end cancels what it is still doing."""
        stream = member.actor.respond.options(num_returns="streaming").remote(prompt, sampling, list(samples))
        left = len(samples)
        try:
            async for each in stream:
                with self._team.as_here():
                    response, capacity = await each
                if member.room:
                    member.room = capacity
                left -= 1
                yield response
            if left:
                raise Stopped(f"an engine ended its answer with {left} of {len(samples)} samples missing")
        finally:
            if left:
                self._ray.cancel(stream)

    def close(self) -> None:
        """End the actors; their engines give back processes and memory."""
        self._team.close()
        self._ray.kill(self._holder)


def _python(machine: Machine) -> str:
    """The interpreter as the nodes shall look for it: a path from the driver's working folder, a bare name in PATH."""
    python = machine.vllm.python
    return str(Path(python).absolute()) if os.sep in python else python


def _places(ray: Any, machine: Machine) -> list[dict[str, Any]]:
    """Where the engines go: so many GPUs for each, or one on every node of a cluster that has none."""
    together = machine.vllm.tensor_parallel if kind_of(machine) == "vllm" else 1
    gpus = 0 if machine.device == "cpu" else int(ray.cluster_resources().get("GPU", 0))
    if not gpus:
        return places(ray)
    count = machine.vllm.servers or gpus // together
    if not count or count * together > gpus:
        raise ValueError(f"{count or 1} engines of {together} GPUs are asked for, the cluster has {gpus} GPUs: add nodes, or ask for fewer")
    return [{"num_gpus": together, "scheduling_strategy": "SPREAD"} for _ in range(count)]
