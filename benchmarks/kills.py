"""Kills at random moments: the main process, its verifiers and the engine's server, until so many; then lost, duplicated and wrong.

`python -m benchmarks.kills --kills 1000 [--seed N] [--out kills.json]` samples a road of 60 problems (about 500 responses; segments and
blocks so small that packing and landing happen all the time), kills a process with SIGKILL at a random moment, starts the main process
again where it was the one, and begins anew with another folder when a run has ended. After every kill of the main process each response
that was stored then is noted; when a run ends they are looked for, and the folder is compared with that of an undisturbed run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.nursery import Nursery, Pid, children, command, outliving, step_files

PROBLEMS = 60
SECONDS_A_TOKEN = 0.0005
TARGETS = {"main": 0.35, "verifier": 0.4, "server": 0.25}
WRONG = ("lost", "duplicated", "wrong", "folders_that_differ", "failed", "orphans")


def road() -> Callable[[Path], None]:
    """From problems to samples, with segments and blocks so small that packing and landing happen all the time."""
    from dataengine.sampling import prompt_blocks
    from dataengine.storage import keyed_log
    from tests.dataengine.served import Served
    from tests.dataengine.simulated import made_with, sampled

    keyed_log.SEGMENT, keyed_log.MANY, prompt_blocks.BLOCK = 20_000, 4, 16

    def make(root: Path) -> None:
        with contextlib.closing(Served(seconds=SECONDS_A_TOKEN)) as engine:
            made_with(engine, sampled(PROBLEMS), root)  # pyright: ignore[reportArgumentType]  # an engine is an engine

    return make


def killing(scratch: Path, *, kills: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the figures so far after every run that ended."""
    moments = random.Random(seed)
    begun = time.monotonic()
    with contextlib.closing(Nursery("benchmarks.kills")) as sampling:
        sampling.whole(scratch / "undisturbed")
        seconds = sampling.whole(scratch / "timed")
        expected = step_files(scratch / "undisturbed")
        counts: Counter[str] = Counter(dict.fromkeys((*WRONG, "runs"), 0))
        number = 0
        while sum(counts[f"killed_{target}"] for target in TARGETS) < kills or number == 0:
            number += 1
            root = scratch / f"run{number}"
            seconds = one_run(root, moments, seconds, counts, expected, sampling)
            shutil.rmtree(root)
            killed = sum(counts[f"killed_{target}"] for target in TARGETS)
            yield {"kills": killed, **counts, "seconds": round(time.monotonic() - begun), "seconds_of_a_process": round(seconds, 1)}


def one_run(root: Path, moments: random.Random, seconds: float, counts: Counter[str], expected: dict[str, str], sampling: Nursery) -> float:
    """Sample one folder to its end, through as many kills as it takes; what a process takes on the machine as busy as it is."""
    kept: dict[str, str] = {}
    pace = seconds
    while True:
        sampling.start(root)
        seen, begun = set[Pid](), time.monotonic()
        counts["processes"] += 1
        wait = moments.uniform(0.0, 0.9)
        while sampling.ended_after(wait * pace) is None:
            wait = moments.uniform(0.0, 0.25)
            target = moments.choices(list(TARGETS), list(TARGETS.values()))[0]
            found = [(pid, what_is(line)) for pid, line in children(sampling.pid)]
            seen |= {pid for pid, _ in found}
            victims = [sampling.pid] if target == "main" else [pid.number for pid, what in found if what == target]
            if victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(moments.choice(sorted(victims)), signal.SIGKILL)
                    counts[f"killed_{target}"] += 1
            if target == "main":
                sampling.ended_after(None)
                pace *= 1.1  # a run that never gets anywhere tests little
                break
        counts["orphans"] += len(outliving(seen))
        stored, twice = stored_in(root)
        counts["duplicated"] += twice
        counts["lost"] += len(kept.keys() - stored.keys())
        counts["wrong"] += sum(stored[key] != body for key, body in kept.items() if key in stored)
        kept = stored
        if sampling.status == 0:
            seconds = 0.6 * seconds + 0.4 * (time.monotonic() - begun)
            break
        if sampling.status != -signal.SIGKILL:
            counts["failed"] += 1
    counts["runs"] += 1
    if step_files(root) != expected:
        counts["folders_that_differ"] += 1
        shutil.copytree(root, root.parent.parent / f"differs-{root.parent.name}-{root.name}")
    ids = [
        pl.read_parquet(path, columns=["row_id"])["row_id"] for path in root.glob("sample-*/**/*.parquet") if path.parent.name != "prompts"
    ]
    rows = pl.concat(ids)
    counts["duplicated"] += len(rows) - rows.n_unique()
    return seconds


def what_is(line: bytes) -> str:
    """What a child of the main process is, by its command line."""
    return "server" if b"served" in line else "verifier" if b"verifiers" in line else "other"


def stored_in(root: Path) -> tuple[dict[str, str], int]:
    """(hash of the row by key of every stored response and verdict, how many are stored twice)."""
    from dataengine.storage import crc_lines

    found: dict[str, str] = {}
    rows = 0
    for folder in {
        path.parent for path in [*root.glob("responses/**/*"), *root.glob("verdicts/**/*")] if path.suffix in (".log", ".parquet")
    }:
        covered: set[int] = set()
        for path in folder.glob("[0-9]*.parquet"):
            first, last, _ = path.stem.split("-")
            covered |= set(range(int(first), int(last) + 1))
            for row in pl.read_parquet(path).to_dicts():
                head, tail = row.pop("key_head"), row.pop("key_tail")
                found[f"{folder} {(head.to_bytes(8, 'little') + tail.to_bytes(8, 'little')).hex()}"] = hashed(row)
                rows += 1
        for path in (path for path in folder.glob("*.log") if int(path.stem) not in covered):
            for line in path.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n") and line[:8] == b"%08x" % crc_lines.zlib.crc32(line[crc_lines.HEAD : -1]):
                    row = json.loads(line[crc_lines.HEAD :])
                    key = row.pop("key")
                    found[f"{folder} {key}"] = hashed(row)
                    rows += 1
    return found, rows - len(found)


def hashed(row: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=8).hexdigest()


if __name__ == "__main__":
    command(__doc__, road, killing, kills=1_000, wrong=WRONG)
