"""100,000 real answers, clean and with 1 % hostile ones: does scoring finish, how fast, in how much memory, with which verdicts?

`python -m benchmarks.hostile_answers [--rows N] [--rounds N] [--peer-seconds N]`; it needs the folder of shared real data and psutil.
Hostile are towers of powers, factorials, binomials, 60x60 matrices and lists of 20 KB, no two alike. Every run starts with an empty cache;
the first pair of runs warms up. The peer is math-verify in a process of its own, given a thousand of the same rows and a limited time.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import multiprocessing
import os
import random
import statistics
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from benchmarks.answers import timed
from dataengine.lines import json_lines
from filters.answers import answer_matches
from filters.final_answers import equality
from filters.final_answers.extraction import final_answer

Pair = tuple[str, str]
SETS = ("out_zeroeval", "out_rho_tora", "out_skythought", "out_qwen_math_8samples", "out_r1distill_math")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs of which the median counts")
    parser.add_argument("--peer-seconds", type=float, default=120.0, help="how long the peer may take; 0 leaves it out")
    wanted = parser.parse_args()
    folder = Path(os.environ.get("DATAENGINE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    if not folder.is_dir():
        print("The folder of shared real data is not here: set DATAENGINE_SHARED to its parent. Nothing measured.")
        return
    print(f"gmpy2 is {'installed' if importlib.util.find_spec('gmpy2') else 'NOT installed'}")
    clean = random.Random(0).choices(real_pairs(folder), k=wanted.rows)
    spoilt = list(clean)
    bad = hostile(wanted.rows // 100)
    for place, text in zip(random.Random(1).sample(range(wanted.rows), k=len(bad)), bad, strict=True):
        spoilt[place] = (clean[place][0], text)
    answer_matches("\\boxed{\\sum_{k=1}^5 k}", "15")  # starts the workers
    walls, cpus, scores = [], [], []
    for _ in range(1 + wanted.rounds):
        wall, cpu, _ = run("clean", clean)
        spoilt_wall, spoilt_cpu, scores = run("1 % hostile", spoilt)
        walls.append(wall / spoilt_wall)
        cpus.append(cpu / spoilt_cpu)
    by_wall, by_cpu = statistics.median(walls[1:]), statistics.median(cpus[1:])
    print(f"throughput with hostile rows: {by_wall:.0%} of the clean run's by the wall clock, {by_cpu:.0%} by CPU time")
    kinds = Counter(score["reason"].split(":")[0] for score, (_, text) in zip(scores, spoilt, strict=True) if text in set(bad))
    print(f"what was said of the {len(bad):,} hostile ones: {dict(kinds)}")
    if wanted.peer_seconds:
        peer(spoilt[:1000] if any(text in set(bad) for _, text in spoilt[:1000]) else spoilt, seconds=wanted.peer_seconds)


def real_pairs(folder: Path) -> list[Pair]:
    """(reference, final answer) as real models wrote them."""
    pairs = []
    for name in SETS:
        path = next(path for suffix in (".jsonl", ".jsonl.zst") if (path := folder / (name + suffix)).exists())
        for row in json_lines(path):
            gold, found = row.get("gold"), final_answer(row.get("output") or "").text
            if isinstance(gold, str) and gold and found and len(found) < 300:
                pairs.append((gold, found))
    return pairs


def hostile(count: int) -> list[str]:
    """Answers that no algebra finishes, no two alike."""
    made = []
    for n in range(count):
        made.append(
            (
                f"9^{{9^{{9^{{{n + 9}}}}}}}",
                f"{10_000_000 + n}!",
                f"\\binom{{10^9+{n}}}{{5 \\cdot 10^8}}",
                f"(({20 + n}!)!)!",
                "\\begin{pmatrix}" + "\\\\".join("&".join(str(n + i * j) for i in range(60)) for j in range(60)) + "\\end{pmatrix}",
                ", ".join(str(n + k) for k in range(4_000))[:20_000],
                f"2^{{10^{{9}}+{n}}}+\\sqrt{{2}}",
                f"(x+y+{n})^{{10000000}}",
            )[n % 8]
        )
    return made


def run(name: str, pairs: list[Pair]) -> tuple[float, float, list[dict[str, Any]]]:
    """Score the pairs with an empty cache and print how it went; (seconds, CPU seconds, scores)."""
    equality.CACHE = equality.AnswerCache()
    frame = pl.DataFrame({"response": [f"\\boxed{{{text}}}" for _, text in pairs], "answer": [gold for gold, _ in pairs]})
    memory = Memory()
    begun = time.perf_counter()
    cpu, scores = timed(lambda: answer_matches.score(frame).to_list())
    seconds = time.perf_counter() - begun
    speed = f"{len(pairs) / seconds:,.0f} rows/s, {len(pairs) / cpu:,.0f} a CPU second"
    print(f"{name}: {len(pairs):,} rows in {seconds:.1f} s, {speed}, {memory.stop()}", flush=True)
    return seconds, cpu, scores


class Memory:
    """The most resident memory of this process, and of it with all its workers, looked at ten times a second."""

    def __init__(self) -> None:
        self._alone = self._all = 0
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def _look(self) -> None:
        us = psutil.Process()
        while not self._over.wait(0.1):
            alone = us.memory_info().rss
            below = 0
            for process in us.children(recursive=True):
                try:
                    below += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self._alone, self._all = max(self._alone, alone), max(self._all, alone + below)

    def stop(self) -> str:
        """What was seen, for a person."""
        self._over.set()
        self._watch.join()
        return f"at most {self._alone / 2**20:,.0f} MiB here, {self._all / 2**20:,.0f} MiB with all workers"


def peer(pairs: list[Pair], *, seconds: float) -> None:
    """Print how far math-verify comes with the same rows."""
    done = multiprocessing.get_context("spawn").Value("i", 0)
    process = multiprocessing.get_context("spawn").Process(target=judge_all, args=(pairs, done))
    begun = time.perf_counter()
    process.start()
    process.join(seconds)
    taken = time.perf_counter() - begun
    ended = f"ended with {process.exitcode}" if process.exitcode is not None else f"stopped after {taken:.0f} s"
    print(f"math-verify in process: {done.value:,} of {len(pairs):,} rows, {ended}, {done.value / taken:,.0f} rows/s")
    if process.is_alive():
        process.kill()
        process.join()


def judge_all(pairs: list[Pair], done: Any) -> None:
    """The peer's life."""
    from math_verify import parse, verify

    logging.disable()
    for gold, text in pairs:
        verify(parse(f"${gold}$"), parse(f"\\boxed{{{text}}}"))
        done.value += 1


if __name__ == "__main__":
    main()
