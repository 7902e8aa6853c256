"""Shards as tasks of a Ray cluster: bytes go out, bytes come back, and the driver alone writes.

Worker nodes need no shared file system and keep nothing, so a node that is lost takes with it only the tasks it was working on; Ray
gives them to another one. Every node must have this program, the scorers and polars in the driver's versions: each task compares.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from dataengine import shards
from dataengine.errors import Stopped
from dataengine.machine import Machine
from dataengine.own_version import own_version
from dataengine.progress import say
from dataengine.step import identity

LIVES = 4
"""How often a task is given to another node when its worker or node is lost, before the run stops."""
AHEAD = 2
"""Shards under way, as a multiple of the cluster's CPUs."""
BYTES_UNDER_WAY = 4 << 30
"""Packed shards under way at most, so that the object stores of the nodes are not overrun."""
SECONDS_OF_SILENCE = 60.0
"""After so long without a result a person is told what the run waits for."""


@dataclass(frozen=True)
class Part:
    """The packed rows of one part of a shard ("" or "rejected"), and how many they are."""

    name: str
    rows: int
    shard: bytes


def connected(machine: Machine) -> Any:
    """The package ray, connected to the cluster; ValueError where there is none."""
    try:
        import ray
    except ImportError:
        raise ValueError("--on ray needs Ray: pip install 'r1-dataengine[ray]'") from None
    if machine.ray_address.startswith("ray://"):
        raise ValueError(
            f"--ray_address {machine.ray_address} is a client's address: start the run on a node of the cluster, with --ray_address auto "
            "(`ray job submit -- dataengine run ...` does)"
        )
    if not ray.is_initialized():
        try:
            ray.init(address=machine.ray_address, namespace="dataengine", logging_level=logging.WARNING, log_to_driver=True)
        except ConnectionError as error:
            raise ValueError(
                f"no Ray cluster answers at {machine.ray_address} ({error}): start one (`ray start --head`, then on every "
                "other node `ray start --address HEAD:6379`), or work with --on local. One that is there may want a token (`ray start` "
                "asks for one where ~/.ray/auth_token exists): set RAY_AUTH_MODE=token, or give --ray_address auto"
            ) from None
    return ray


def judged(
    judge: Callable[[pl.DataFrame, Mapping[str, Any]], Mapping[str, pl.DataFrame]],
    todo: Sequence[Path],
    *,
    settings: Mapping[str, Any],
    given: Mapping[str, Mapping[str, Any]],
    machine: Machine,
    name: str,
) -> Iterator[tuple[Path, list[Part]]]:
    """The parts of each shard as they are done, in no order; `given` holds further settings by a shard's file name.

    A Path among these is a file that no node may have, and goes along as a stream of its bytes (a Path among `settings` does not: each
    node has its own file there, and `check_same` compares). Stopped when a shard's node was lost too often. Where it ends early, what is
    under way ends with the driver: to cancel a task that is just done ends the driver itself (a race in Ray, its pull request 54798).
    """
    ray = connected(machine)
    task = ray.remote(_judge_shard).options(num_cpus=0.99, max_retries=LIVES, scheduling_strategy="SPREAD", name=f"{name}: shard")
    same = ray.put((judge, settings, said_of(settings), made_with()))
    waiting, under_way, sizes = list(reversed(todo)), {}, {}
    while waiting or under_way:
        room = max(1, AHEAD * int(ray.cluster_resources().get("CPU", 1)))
        while waiting and len(under_way) < room and (not under_way or sum(sizes.values()) < BYTES_UNDER_WAY):
            path = waiting.pop()
            more = given.get(path.name, {})
            asked = task.remote(same, path.read_bytes(), _with_files(more))
            files = [path, *(value for value in more.values() if isinstance(value, Path))]
            under_way[asked], sizes[asked] = path, sum(file.stat().st_size for file in files)
        done, _ = ray.wait(list(under_way), timeout=SECONDS_OF_SILENCE)
        if not done:
            alive = sum(node["Alive"] for node in ray.nodes())
            say(f"  {name}: {len(under_way)} shards under way, nothing done for {SECONDS_OF_SILENCE:.0f} s; {alive} nodes are alive")
        for each in done:
            with named_failures(ray, f"{name}, shard {under_way[each].name}"):
                parts = ray.get(each)
            del sizes[each]
            yield under_way.pop(each), parts


def _with_files(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: io.BytesIO(value.read_bytes()) if isinstance(value, Path) else value for name, value in given.items()}


@contextlib.contextmanager
def named_failures(ray: Any, what: str, *, lost: bool = True) -> Iterator[None]:
    """What went wrong on a node, as it would have gone wrong here; `lost` nodes and workers are Stopped."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise Stopped(f"{what} failed on a node: {error}") from error
    except ray.exceptions.RayError as error:
        if not lost:
            raise
        _lost(what, error)


def _lost(what: str, error: Exception) -> NoReturn:
    line = str(error).strip().splitlines()[0] if str(error).strip() else ""
    raise Stopped(
        f"{what} was lost with its worker or node {LIVES + 1} times ({type(error).__name__}: {line}). What had landed is kept: look at "
        "`ray status` and the memory of the nodes, then run again."
    ) from error


def made_with() -> dict[str, str]:
    """What decides the bytes of a shard beside its rows."""
    return {"dataengine": own_version(), "polars": pl.__version__, "python": ".".join(platform.python_version_tuple()[:2])}


def _judge_shard(same: tuple[Any, ...], shard: bytes, given: Mapping[str, Any]) -> list[Part]:
    """On a node: judge one shard, after seeing to it that this node would write the very bytes that the driver would."""
    judge, settings, said, there = same
    check_node(there)
    check_same(settings, said)
    parts = judge(pl.read_parquet(io.BytesIO(shard)), {**settings, **given})
    return [Part(part, len(parts[part]), shards.packed(parts[part])) for part in sorted(parts, reverse=True)]


def said_of(settings: Any) -> str:
    """What a fingerprint knows of settings: versions of scorers, contents of files."""
    return json.dumps(identity(settings), sort_keys=True)


def check_same(settings: Any, said: str) -> None:
    """ValueError where this node's code or files make other settings of it than the driver's."""
    if said_of(settings) != said:
        raise ValueError(
            f"the node {platform.node()} has another version of a scorer, or of a file that the settings name, than the driver: "
            "install the same code, and put the same files at the same places, on every node"
        )


def check_node(there: Mapping[str, str]) -> None:
    """ValueError where this node runs other versions than the driver."""
    if (here := made_with()) != there:
        differ = ", ".join(f"{what} {here[what]} (driver: {there[what]})" for what in here if here[what] != there[what])
        raise ValueError(f"the node {platform.node()} has {differ}: install the same versions on every node (constraints.txt)")
