"""What a step's maker is given: the folder to fill, its finished inputs, and workers that land shards."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from dataengine import shards
from dataengine.deadline import SECONDS_OF_SILENCE
from dataengine.errors import Stopped
from dataengine.machine import Machine
from dataengine.progress import Bar, say

if TYPE_CHECKING:
    from dataengine.inference.engine import Engine
    from dataengine.storage.second_home import SecondHome

Judge = Callable[[pl.DataFrame, Mapping[str, Any]], Mapping[str, pl.DataFrame]]
"""From the rows of one shard and the step's settings to the rows of each part ("" and "rejected")."""

ROWS_WORTH_A_PROCESS = 5_000
"""Below this, starting workers costs more than they bring."""


@dataclass(kw_only=True)
class Work:
    """One step being made; whatever a killed attempt has landed is still there and is used again."""

    name: str
    folder: Path
    root: Path
    inputs: Mapping[str, Path]
    settings: Mapping[str, Any]
    machine: Machine
    notes: dict[str, Any] = field(default_factory=dict)
    """Figures that go into the manifest, such as a shortage report."""
    landed: dict[str, shards.Landed] = field(default_factory=dict)
    home: SecondHome | None = None
    """Where what lands is put as well."""

    def rows(self, data: str = "data") -> pl.DataFrame:
        """All rows of one input."""
        return shards.read(self.inputs[data])

    def land(self, file: str, rows: pl.DataFrame) -> None:
        """Write one shard, durable when this returns."""
        self._note(shards.land(self.folder, file, rows))

    def bar(self, *, total: int | None, unit: str = "rows") -> Bar:
        """A progress bar named after the step."""
        return Bar(self.name, total=total, unit=unit)

    def engine(self, model: str = "model", *, longest: int) -> AbstractContextManager[Engine]:
        """The engine that answers for one input, with room for `longest` tokens; closed at the end of the `with`."""
        if self.machine.on == "ray":
            from dataengine.inference.ray_engine import open_on_ray as open_engine
        else:
            from dataengine.inference.choose import open_engine
        return closing(open_engine(self.inputs[model], longest=longest, machine=self.machine, logs=self.root / "logs"))

    def each_shard(self, judge: Judge, data: str = "data", *, given: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Land the parts of every input shard, in worker processes where there is enough to do.

        `given`: by file name of a shard, settings that the judge gets with that shard alone. A Path among them is a file of this machine
        for the judge to read: on a node of a cluster it finds the same bytes as a stream.
        """
        paths = shards.shard_paths(self.inputs[data])
        todo = [path for path in paths if path.name not in self.landed]
        rows = {path: pl.scan_parquet(path).select(pl.len()).collect().item() for path in todo}
        with self.bar(total=sum(rows.values())) as bar:
            for path, landed in self._results(judge, todo, sum(rows.values()), given or {}):
                for each in landed:
                    self._note(each)
                bar.advance(rows[path])

    def _results(
        self, judge: Judge, todo: list[Path], rows: int, given: Mapping[str, Mapping[str, Any]]
    ) -> Iterable[tuple[Path, list[shards.Landed]]]:
        if self.machine.on == "ray" and rows >= ROWS_WORTH_A_PROCESS:
            from dataengine.cluster.on_ray import judged

            for path, parts in judged(judge, todo, settings=self.settings, given=given, machine=self.machine, name=self.name):
                yield path, [shards.land_packed(self.folder, _part(each.name, path), each.shard, rows=each.rows) for each in parts]
            return
        settings = {path: {**self.settings, **given.get(path.name, {})} for path in todo}
        if self.machine.on == "ray" or self.machine.workers <= 1 or len(todo) <= 1 or rows < ROWS_WORTH_A_PROCESS:
            yield from ((path, _land_parts(judge, path, self.folder, settings[path])) for path in todo)
            return
        context = multiprocessing.get_context("spawn")
        workers = min(self.machine.workers, len(todo))
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_die_with_parent) as pool:
            asked = {pool.submit(_land_parts, judge, path, self.folder, settings[path]): path for path in todo}
            try:
                for future in self._as_they_end(asked):
                    yield asked[future], future.result()
            except BrokenProcessPool as error:
                raise Stopped(
                    f"a worker of {self.name} died (out of memory, or killed). What had landed is kept: "
                    "run again, with fewer --workers if memory was short."
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)

    def _as_they_end(self, asked: Mapping[Future[Any], Path]) -> Iterable[Future[Any]]:
        """Shard after shard; a person is told which ones nobody has heard of for long."""
        ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        for future in asked:
            future.add_done_callback(ended.put)
        left, silence, since = len(asked), SECONDS_OF_SILENCE, time.monotonic()
        while left:
            try:
                future = ended.get(timeout=max(0.0, since + silence - time.monotonic()))
            except queue.Empty:
                begun = [path.name for each, path in asked.items() if each.running()]  # in their order, the next few among them
                under_way = ", ".join(begun[: self.machine.workers])
                say(f"  {self.name}: nothing done for {time.monotonic() - since:.0f} s; under way: {under_way}")
                silence *= 2
            else:
                yield future
                left, silence, since = left - 1, SECONDS_OF_SILENCE, time.monotonic()

    def _note(self, landed: shards.Landed) -> None:
        shards.journal(self.folder, landed)
        self.landed[landed.file] = landed
        if self.home:
            self.home.landed(self.folder, landed)


def _land_parts(judge: Judge, path: Path, folder: Path, settings: Mapping[str, Any]) -> list[shards.Landed]:
    """The kept rows land last: their file says that the whole shard is done."""
    parts = judge(pl.read_parquet(path), settings)
    return [shards.land(folder, _part(part, path), parts[part]) for part in sorted(parts, reverse=True)]


def _part(name: str, shard: Path) -> str:
    """The file of one part of a shard."""
    return f"{name}/{shard.name}".lstrip("/")


def _die_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever, or still write where another run does."""
    parent = multiprocessing.parent_process()
    assert parent

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def warn(line: str) -> None:
    """Something a person should look at, though the run goes on."""
    say(f"warning: {line}")
