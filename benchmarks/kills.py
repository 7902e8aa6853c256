"""Kills at random moments: the main process, its verifiers and the engine's server, until so many; then lost, duplicated and wrong.

`python -m benchmarks.kills --kills 1000 [--seed N] [--out kills.json]` samples a road of 60 problems (about 500 responses; segments and
blocks so small that packing and landing happen all the time), kills a process with SIGKILL at a random moment, starts the main process
again where it was the one, and begins anew with another folder when a run has ended. After every kill of the main process each response
that was stored then is noted; when a run ends they are looked for, and the folder is compared with that of an undisturbed run.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

REPOSITORY = Path(__file__).resolve().parents[1]
PROBLEMS = 60
SECONDS_A_TOKEN = 0.0005
TARGETS = {"main": 0.35, "verifier": 0.4, "server": 0.25}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file, written anew after every run")
    parser.add_argument("--nursery", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.nursery:
        nursery()
        return
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        for figures in killing(Path(scratch), kills=wanted.kills, seed=wanted.seed):
            line = json.dumps(figures)
            if wanted.out:
                wanted.out.write_text(line + "\n")
            print(line, flush=True)
    if any(figures[name] for name in ("lost", "duplicated", "wrong", "folders_that_differ", "failed")):
        raise SystemExit(1)


def nursery() -> None:
    """Fork a process for each root that is asked for, say its pid and then how it ended: importing costs more than all the rest."""
    from dataengine.sampling import prompt_blocks
    from dataengine.storage import keyed_log
    from tests.dataengine.served import Served
    from tests.dataengine.simulated import made_with, sampled

    keyed_log.SEGMENT, keyed_log.MANY, prompt_blocks.BLOCK = 20_000, 4, 16
    for line in sys.stdin:
        root = Path(line.rstrip("\n"))
        if pid := os.fork():
            print(pid, flush=True)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
            continue
        os.setsid()
        with (root / "said.txt").open("ab") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        engine, status = Served(seconds=SECONDS_A_TOKEN), 1
        try:
            made_with(engine, sampled(PROBLEMS), root)  # pyright: ignore[reportArgumentType]  # an engine is an engine
            status = 0
        except BaseException:
            traceback.print_exc()
        engine.close()
        sys.stderr.flush()
        os._exit(status)


class Sampling:
    """The nursery, and the sampling process that is alive now."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.kills", "--nursery"]
        self._nursery = subprocess.Popen(command, cwd=REPOSITORY, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = 0
        self.status: int | None = None

    def start(self, root: Path) -> None:
        """Begin, or go on."""
        assert self._nursery.stdin and self._nursery.stdout  # noqa: PT018
        root.mkdir(parents=True, exist_ok=True)
        self._nursery.stdin.write(f"{root}\n".encode())
        self._nursery.stdin.flush()
        self.pid, self.status = int(self._nursery.stdout.readline()), None

    def ended_after(self, seconds: float | None) -> int | None:
        """How the process ended, None where it has not within so many seconds."""
        assert self._nursery.stdout
        if self.status is None and select.select([self._nursery.stdout], [], [], seconds)[0]:
            self.status = int(self._nursery.stdout.readline())
        return self.status

    def close(self) -> None:
        """End the nursery, and let go of its pipes."""
        with self._nursery:
            self._nursery.kill()


def killing(scratch: Path, *, kills: int, seed: int) -> Any:
    """Yield the figures so far after every run that ended."""
    moments = random.Random(seed)
    begun = time.monotonic()
    with contextlib.closing(Sampling()) as sampling:
        sampling.start(scratch / "undisturbed")
        assert sampling.ended_after(None) == 0, (scratch / "undisturbed" / "said.txt").read_text()
        sampling.start(scratch / "timed")
        seconds = timed(sampling)
        expected = files(scratch / "undisturbed")
        counts: Counter[str] = Counter(
            dict.fromkeys(("lost", "duplicated", "wrong", "folders_that_differ", "failed", "orphans", "runs"), 0)
        )
        number = 0
        while sum(counts[f"killed_{target}"] for target in TARGETS) < kills or number == 0:
            number += 1
            root = scratch / f"run{number}"
            seconds = one_run(root, moments, seconds, counts, expected, sampling)
            shutil.rmtree(root)
            killed = sum(counts[f"killed_{target}"] for target in TARGETS)
            yield {"kills": killed, **counts, "seconds": round(time.monotonic() - begun), "seconds_of_a_process": round(seconds, 1)}


def one_run(
    root: Path, moments: random.Random, seconds: float, counts: Counter[str], expected: dict[str, str], sampling: Sampling
) -> float:
    """Sample one folder to its end, through as many kills as it takes; what a process takes on the machine as busy as it is."""
    kept: dict[str, str] = {}
    pace = seconds
    while True:
        sampling.start(root)
        children, begun = set[int](), time.monotonic()
        counts["processes"] += 1
        wait = moments.uniform(0.0, 0.9)
        while sampling.ended_after(wait * pace) is None:
            wait = moments.uniform(0.0, 0.25)
            target = moments.choices(list(TARGETS), list(TARGETS.values()))[0]
            found = processes_of(sampling.pid)
            children |= {pid for pid, _ in found}
            victims = [sampling.pid] if target == "main" else [pid for pid, what in found if what == target]
            if victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(moments.choice(sorted(victims)), signal.SIGKILL)
                    counts[f"killed_{target}"] += 1
            if target == "main":
                sampling.ended_after(None)
                pace *= 1.1  # a run that never gets anywhere tests little
                break
        counts["orphans"] += outliving(children)
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
    if files(root) != expected:
        counts["folders_that_differ"] += 1
        shutil.copytree(root, root.parent.parent / f"differs-{root.parent.name}-{root.name}")
    ids = [
        pl.read_parquet(path, columns=["row_id"])["row_id"] for path in root.glob("sample-*/**/*.parquet") if path.parent.name != "prompts"
    ]
    rows = pl.concat(ids)
    counts["duplicated"] += len(rows) - rows.n_unique()
    return seconds


def timed(sampling: Sampling) -> float:
    begun = time.monotonic()
    assert sampling.ended_after(None) == 0
    return time.monotonic() - begun


def processes_of(parent: int) -> list[tuple[int, str]]:
    """(pid, verifier or server) of a process's children."""
    found = []
    for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in map(int, tasks.read_text().split()):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                found.append((pid, "server" if b"served" in line else "verifier" if b"verifiers" in line else "other"))
    return found


def outliving(pids: set[int]) -> int:
    """How many of these processes are still there ten seconds after their parent ended."""
    deadline = time.monotonic() + 10
    left = pids
    while left and time.monotonic() < deadline:
        left = {pid for pid in left if is_ours(pid)}
        time.sleep(0.02)
    return len(left)


def is_ours(pid: int) -> bool:
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and b"dataengine" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


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


def files(root: Path) -> dict[str, str]:
    """Hash of every file of the finished folders; a name that begins with a dot is none (a write that was killed leaves one)."""
    found = sorted(path for path in root.glob("*-*/**/*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(root).as_posix(): hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() for path in found}


if __name__ == "__main__":
    main()
