"""Documents a second of the whole chain over one thought: format, language, readability, repetition, leaks, near-duplicates, tokens.

`python -m benchmarks.text_chain [--documents N] [--workers 2]`; it needs the folder of shared real data and, for fastText, its model (see
filters/texts/lid.py). Batches are scored in worker processes, near-duplicates are compared in this one. Documents are made as they are
needed, so that memory shows what the chain keeps. Times are CPU time; the speed-up of two workers is what a document costs in CPU alone
over what it costs beside another worker, times two: what the cores have in common (caches, memory) shows, waiting for other programs does
not.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"), "1"))

import polars as pl

from benchmarks.text import GLUE, PROBLEMS, trained
from dataengine.kernels.minhash import Sieve, signatures_of
from dataengine.lines import json_lines
from filters.evaluation_sets import problems_in
from filters.find import find, shipped
from filters.texts import lid
from filters.texts.tokens import TokenCounter

BATCH = 250
PARTS = ("format", "language", "readability", "repetition", "gopher", "leaks")
"""Rooms of filters/ whose scorers are in the chain."""
LEFT_OUT = {"zero_format", "compression_ratio", "distinct_lines"}
"""Scorers of these rooms that ask the same question again, or that of the other format."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a worker needs to know."""

    data: Path
    problems: str
    tokenizer: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=1)
    wanted = parser.parse_args()
    data = Path(os.environ.get("DATAENGINE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    if not data.is_dir():
        print("The folder of shared real data is not here: set DATAENGINE_SHARED to its parent. Nothing measured.")
        return
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(data=data, problems=f"{scratch}/problems.parquet", tokenizer=f"{scratch}/tokenizer.json")
        rows = [row for name in PROBLEMS for row in problems_in(data / name)]
        columns = ("dataset", "id", "question", "solution")
        pl.DataFrame([dict(zip(columns, row, strict=True)) for row in rows], schema=dict.fromkeys(columns, pl.String)).write_parquet(
            setting.problems
        )
        trained([document(setting, number) for number in range(300)]).save(setting.tokenizer)
        print(
            f"fastText: {lid.model_file() or 'no model, langdetect instead'}; {len(rows):,} problems; scorers: {', '.join(chain())}\n",
            flush=True,
        )
        measured(setting, documents=wanted.documents, workers=1)
        if wanted.workers > 1:
            speed_up(setting, rounds=wanted.documents // BATCH // (1 + wanted.workers), workers=wanted.workers)


def measured(setting: Setting, *, documents: int, workers: int) -> None:
    """Score the documents and print what each part costs."""
    Sieve(similarity=0.8).add(*signatures_of(pl.Series(["the first call compiles"] * 2)))
    seen, costs, compared = Sieve(similarity=0.8), dict[str, float](), 0.0
    batches, running = iter(range(documents // BATCH)), list[Future[Any]]()
    reported, size = 0, 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for worker in [pool.submit(scored, setting, -1 - number) for number in range(2 * workers)]:
            worker.result()  # imports, index, compiled functions
        begun = time.perf_counter()
        while running or seen.added < documents:
            while len(running) < 2 * workers and (batch := next(batches, None)) is not None:
                running.append(pool.submit(scored, setting, batch))
            found = running.pop(0).result()
            started = time.process_time()
            seen.add(*found["signatures"])
            compared += time.process_time() - started
            costs = {name: costs.get(name, 0.0) + seconds for name, seconds in found["costs"].items()}
            size += found["size"]
            if seen.added // 5_000 > reported or seen.added >= documents:
                reported = seen.added // 5_000
                own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                print(
                    f"{seen.added:>7,} documents: peak memory of a worker {found['memory']} MB, of the comparing process {own} MB",
                    flush=True,
                )
            if not running and seen.added >= documents:
                break
    costs["near-duplicates compared"] = compared
    total = sum(costs.values())
    print(
        f"\n{workers} worker{'s' * (workers > 1)}, {documents:,} documents, {size / 1e6:,.0f} MB, {seen.kept:,} kept as no near-duplicates"
    )
    print("\n| part | CPU ms a document | share |\n|---|---:|---:|")
    for name, seconds in sorted(costs.items(), key=lambda item: -item[1]):
        print(f"| {name} | {1000 * seconds / documents:.3f} | {seconds / total:.0%} |")
    wall = time.perf_counter() - begun
    print(f"| all | {1000 * total / documents:.3f} | {documents / total:,.0f} documents/s a core, {size / total / 1e6:.1f} MB/s |")
    print(f"\nwall clock, with making the documents: {documents / wall:,.0f} documents/s\n", flush=True)


def speed_up(setting: Setting, *, rounds: int, workers: int) -> None:
    """One batch alone and then one for each worker at the same time, in turns, so that both meet the same load of the machine."""
    found = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for worker in [pool.submit(scored, setting, -1 - number) for number in range(2 * workers)]:
            worker.result()
        for turn in range(rounds):
            alone = sum(pool.submit(scored, setting, turn * (workers + 1)).result()["costs"].values())
            together = [pool.submit(scored, setting, turn * (workers + 1) + 1 + number) for number in range(workers)]
            beside = sum(sum(worker.result()["costs"].values()) for worker in together) / workers
            found.append(workers * alone / beside)
    low, middle, high = statistics.quantiles(found, n=4)
    print(f"speed-up of {workers} workers by CPU time: {middle:.2f} (half of {rounds} rounds between {low:.2f} and {high:.2f})")


def scored(setting: Setting, batch: int) -> dict[str, Any]:
    """One batch through the chain, in a worker: CPU seconds of each part, signatures, bytes, peak memory in MB."""
    rows = frame(setting, batch)
    costs, results = dict[str, float](), dict[str, Any]()
    for name, work in [*chain(setting).items(), *kernels(setting).items()]:
        begun = time.process_time()
        results[name] = work(rows)
        costs[name] = time.process_time() - begun
    size = int(rows["response"].str.len_bytes().sum())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"costs": costs, "signatures": results["near-duplicates"], "size": size, "memory": memory}


@functools.cache
def chain(setting: Setting | None = None) -> dict[str, Callable[[pl.DataFrame], Any]]:
    """The shipped scorers of the rooms in PARTS."""
    found = {}
    for part in PARTS:
        for name in (name for name, module in shipped().items() if module == f"filters.{part}" and name not in LEFT_OUT):
            scorer = find(name)
            if setting is not None and "against" in scorer.defaults:
                scorer = scorer.with_(against=setting.problems)
            found[name] = scorer.score
    return found


@functools.cache
def kernels(setting: Setting) -> dict[str, Callable[[pl.DataFrame], Any]]:
    counter = TokenCounter(setting.tokenizer)
    return {
        "near-duplicates": lambda rows: signatures_of(rows["response"]),
        "tokens": lambda rows: counter.count(rows["response"]),
    }


@functools.cache
def attempts(setting: Setting) -> tuple[list[str], list[str]]:
    """Attempts of models at problems in English, and in Chinese."""
    english = [row["output"] for number, row in enumerate(json_lines(setting.data / "out_zeroeval.jsonl.zst")) if number % 3 == 0]
    return english, [row["output"] for row in json_lines(setting.data / "out_gaokao_bench.jsonl.zst")]


def document(setting: Setting, number: int) -> str:
    """A thought of about 22 KB out of attempts drawn by its number; every tenth is Chinese."""
    english, chinese = attempts(setting)
    luck, pieces, size = random.Random(number), [], 0
    pool = chinese if number % 10 == 9 else english
    while size < 22_000:
        pieces.append(luck.choice(pool))
        size += len(pieces[-1].encode()) + len(GLUE)
    return f"<think>\n{GLUE.join(pieces)}\n</think>\n\nThe answer is \\boxed{{{number}}}."


def frame(setting: Setting, batch: int) -> pl.DataFrame:
    numbers = range(batch * BATCH, (batch + 1) * BATCH)
    texts = [document(setting, number) for number in numbers]
    asked = ["求下列方程的解" if number % 10 == 9 else "Solve the following problem step by step" for number in numbers]
    thoughts = [text.partition("</think>")[0].removeprefix("<think>\n") for text in texts]
    messages = [[{"role": "user", "content": prompt}] for prompt in asked]
    return pl.DataFrame({"response": texts, "reasoning": thoughts, "messages": messages, "finish_reason": ["stop"] * len(texts)})


if __name__ == "__main__":
    main()
