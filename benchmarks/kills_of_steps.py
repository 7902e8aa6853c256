"""Kills at random moments of the steps between responses and corpus: the main process or a worker of its pool, until so many.

`python -m benchmarks.kills_of_steps --kills 300 [--seed N] [--out kills.json]` takes 2,400 responses in shards of 40 through dedup (of
responses, then of prompts), decontaminate, keep, count_tokens and mix with two workers, kills a process with SIGKILL when a random number
of further files has landed, goes on at once, and begins anew with another root when the road has come to its end. After every kill each
folder that says it is finished is compared with that of an undisturbed run, at the end all of them: every file, and none that a killed
writer left.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.nursery import SAID, Nursery, Pid, children, command, outliving, step_files
from dataengine.shards import MANIFEST

ROWS, SHARD_ROWS = 2_400, 40
MOST_CHARACTERS = 826
"""Of a response that is kept: about half of them."""
MIXED_BYTES = 60_000
"""Text of a shard of the mix: a few dozen of them."""
WORKERS = 2
APART = 30
"""Files that land before a kill, at most; the whole road lands 831."""
A_LITTLE = 0.03
"""Seconds: what a file takes to land."""
HUNG = 300
"""Seconds: a main process that neither ends nor lands anything within so many hangs."""
WRONG = ("finished_too_early", "folders_that_differ", "leftovers", "failed", "hung", "orphans")


def road() -> Callable[[Path], None]:
    """From responses to a mix; shards so small that they land all the time, and a process is worth starting for them."""
    from dataengine import recipes, work
    from dataengine.keep import keep
    from dataengine.machine import Machine
    from dataengine.mix import mix
    from dataengine.mixing import mix_move
    from dataengine.mixing.quotas import Quota
    from dataengine.run import run
    from filters.count_tokens import count_tokens
    from filters.length import characters_within
    from tests.filters.clean_road import road as clean_road

    work.ROWS_WORTH_A_PROCESS, mix_move.SHARD_BYTES = 1, MIXED_BYTES
    tokenizer = Path(recipes.__path__[0]) / "tiny_base" / "base"

    def make(root: Path) -> None:
        clean = clean_road(root.parent / "problems.jsonl", rows=ROWS, shard=SHARD_ROWS)
        counted = count_tokens(keep(clean, characters_within.with_(at_most=MOST_CHARACTERS)), tokenizer)
        quotas = [Quota(part="all", rows=300, where={"tokens": "..<838"}), Quota(part="all", rows=250)]
        run(mix({"all": counted}, quotas, seed=1), root, machine=Machine(workers=WORKERS))

    return make


def killing(scratch: Path, *, kills: int, seed: int, apart: int = APART) -> Iterator[dict[str, Any]]:
    """Yield the figures so far after every run that ended; from the last kill on the road is undisturbed."""
    begun = time.monotonic()
    with contextlib.closing(Nursery("benchmarks.kills_of_steps")) as steps:
        steps.whole(scratch / "undisturbed")
        folders = [json.loads(line)["folder"] for line in (scratch / "undisturbed" / "runs.jsonl").read_text().splitlines()]
        counts: Counter[str] = Counter(dict.fromkeys((*WRONG, "kills", "runs"), 0))
        killer = Killer(steps, random.Random(seed), folders, step_files(scratch / "undisturbed"), counts, kills, apart)
        while counts["kills"] < kills:
            root = scratch / f"run{counts['runs']}"
            killer.go_through(root)
            yield {**counts, "seconds": round(time.monotonic() - begun)}
            shutil.rmtree(root)


@dataclass
class Killer:
    """Who takes one root after another to the end of the road, and counts."""

    steps: Nursery
    moments: random.Random
    folders: list[str]
    """Of the steps, in their order."""
    expected: dict[str, str]
    counts: Counter[str]
    kills: int
    """As many as it takes."""
    apart: int
    seen: set[Pid] = field(default_factory=set)
    """Workers of this root's main processes."""

    def go_through(self, root: Path) -> None:
        """Take one root to its end, through as many kills as it takes."""
        self.seen.clear()
        while True:
            self.steps.start(root)
            while self.counts["kills"] < self.kills and not self.ended_before_its_moment(root):
                self.kill(root)
            self.steps.ended_after(None)
            there = step_files(root)
            finished = [folder for folder in self.folders if f"{folder}/{MANIFEST}" in there]
            self.counts["finished_too_early"] += sum(part(there, folder) != part(self.expected, folder) for folder in finished)
            if self.steps.status == 0:
                break
            *_, last = "", *(root / SAID).read_text().splitlines()
            self.counts["failed"] += self.steps.status != -signal.SIGKILL and "Stopped: a worker of" not in last
        self.counts["runs"] += 1
        self.counts["orphans"] += len(outliving(self.seen))
        there = step_files(root)
        self.counts["leftovers"] += sum(hidden(file) for file in there)
        self.counts["folders_that_differ"] += sum(part(there, folder) != part(self.expected, folder) for folder in self.folders)

    def ended_before_its_moment(self, root: Path) -> bool:
        """Wait until some more files have landed, and then a little; whether the process has ended meanwhile."""
        wanted, deadline = landed_in(root) + self.moments.randrange(self.apart), time.monotonic() + HUNG
        while self.steps.ended_after(A_LITTLE) is None and landed_in(root) < wanted:
            if time.monotonic() > deadline:
                self.counts["hung"] += 1
                return False
        return self.steps.ended_after(self.moments.uniform(0.0, A_LITTLE)) is not None

    def kill(self, root: Path) -> None:
        """Kill the main process; or a worker of its, and half the time the main process while it stops."""
        workers = {pid for pid, line in children(self.steps.pid) if b"spawn_main" in line}
        self.seen |= workers
        self.counts[f"in {self.under_way(root)}"] += 1
        if workers and self.moments.random() < 0.5:
            self.send("worker", self.moments.choice(sorted(workers)).number)
            if self.moments.random() < 0.5:
                return  # it stops, or goes on where it needs that worker no more
            self.steps.ended_after(self.moments.uniform(0.0, A_LITTLE))
        self.send("main", self.steps.pid)
        self.steps.ended_after(None)

    def send(self, target: str, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.counts[f"killed_{target}"] += 1
            self.counts["kills"] += 1

    def under_way(self, root: Path) -> str:
        """The step whose folder is being made."""
        unfinished = (folder for folder in self.folders if not (root / folder / MANIFEST).exists())
        return next(unfinished, "no step").rpartition("-")[0]


def landed_in(root: Path) -> int:
    """Shards in the folders of all steps."""
    return sum(name.endswith(".parquet") for _, _, names in os.walk(root) for name in names)


def part(files: dict[str, str], folder: str) -> dict[str, str]:
    """The files of one folder that are part of its promise."""
    return {file: its for file, its in files.items() if file.startswith(f"{folder}/") and not hidden(file)}


def hidden(file: str) -> bool:
    """Whether a file or its folder begins with a dot."""
    return any(each.startswith(".") for each in Path(file).parts)


if __name__ == "__main__":
    command(__doc__, road, killing, kills=300, wrong=WRONG)
