"""Seconds of one `dataengine explain`, from the shell's Enter to the last line, on a road of ten folders with 800,000 rows each.

`python -m benchmarks.explain ROOT [--rows 800000] [--rounds 5]` makes the road in ROOT where it is not there: problems read from a file,
eight bars that one row in eight thousand misses, and a mix that takes nine rows in ten. Texts are short: a row's texts are read once,
from one row group, whatever the length of the road. Each line is a new process; `--help` is what starting one costs.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from dataengine import shards
from dataengine.keep import keep
from dataengine.machine import Machine
from dataengine.mix import mix
from dataengine.mixing.quotas import Quota
from dataengine.run import run
from dataengine.score import Score, Scorer, scorer
from dataengine.sources import problems
from dataengine.step import Step

BARS = 8


@scorer(version="1")
def not_round(answer: str) -> Score:
    """0 for an answer that ends in 5,000: a bar that nearly all pass."""
    return Score(float(not answer.endswith("5000")), f"ends in {answer[-4:]}")


def road(file: Path, *, rows: int, bar: Scorer) -> Step:
    """Problems, BARS bars, a mix: BARS + 2 folders."""
    step = problems(file)
    for _ in range(BARS):
        step = keep(step, bar)
    return mix({"all": step}, [Quota(part="all", rows=rows * 9 // 10)], seed=1)


def written(file: Path, *, rows: int) -> Path:
    """The problems: each question is another one."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        number_R = np.arange(rows)
        question = pl.format("What is {} + {}? Think step by step and give the number.", "number", pl.col("number") * 7)
        pl.DataFrame({"number": number_R}).select(question=question, answer=(pl.col("number") * 8).cast(pl.String)).write_parquet(file)
    return file


def explained(*words: str) -> tuple[float, float, int]:
    """Seconds by the clock, seconds of CPU and lines of one command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said = subprocess.run([sys.executable, "-m", "dataengine.cli", *words], capture_output=True, text=True, check=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, len(said.stdout.splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--rows", type=int, default=800_000)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    file = written(wanted.root / f"problems-{wanted.rows}.parquet", rows=wanted.rows)
    end = run(road(file, rows=wanted.rows, bar=not_round), wanted.root, machine=Machine(workers=2))
    kept, dropped = (shards.scan(end, part).select("prompt_id").head(1).collect().item() for part in ("", shards.REJECTED))
    asked = {
        "a row of the mix": (str(end), kept),
        "a row that the mix left out": (str(end), dropped),
        "its first nine digits": (str(end), kept[:9]),
        "in all folders of the root": (str(wanted.root), kept),
    }
    print("| asked | by the clock, s | slowest | CPU, s | lines |\n|---|---:|---:|---:|---:|")
    for name, words in {**{name: ("explain", *words) for name, words in asked.items()}, "`--help`": ("--help",)}.items():
        clock, cpu, lines = zip(*(explained(*words) for _ in range(wanted.rounds)), strict=True)
        print(f"| {name} | {statistics.median(clock):.2f} | {max(clock):.2f} | {statistics.median(cpu):.2f} | {lines[0]} |", flush=True)


if __name__ == "__main__":
    main()
