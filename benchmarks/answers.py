"""Rows a second of each scorer in filters/ on real outputs, and of math-verify in this process on the same rows.

`python -m benchmarks.answers [--rows N]`; it needs the folder of shared real data. One run, one after another, so that ratios hold.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.verdict_agreement import SETS, judged_rows
from dataengine.score import Scorer
from filters.answers import answer_matches
from filters.format import r1_format, zero_format
from filters.language import language_share
from filters.length import length_within
from filters.repetition import not_repetitive


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500, help="rows of each set")
    wanted = parser.parse_args()
    folder = Path(os.environ.get("DATAENGINE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    if not folder.is_dir():
        print("The folder of shared real data is not here: set DATAENGINE_SHARED to its parent. Nothing measured.")
        return
    answer_matches.score(pl.DataFrame({"response": ["\\boxed{1+x}"], "answer": ["x+1"]}))  # starts the workers
    print("| set | rows | answer_matches | rows/s | math-verify in process, rows/s | factor | differ |")
    print("|---|---|---|---|---|---|---|")
    for name in SETS[:-1]:
        rows = random.Random(0).sample(judged_rows(folder, name), k=min(wanted.rows, len(judged_rows(folder, name))))
        against_math_verify(name, rows)
    rows = judged_rows(folder, "out_skythought")[: 4 * wanted.rows]
    print("\n| scorer | rows/s | MB/s | 256 rows of 300 characters, ms |\n|---|---|---|---|")
    for scorer in (zero_format, r1_format, length_within, language_share, not_repetitive):
        alone(scorer, rows)


def against_math_verify(name: str, rows: list[dict[str, Any]]) -> None:
    """One line: ours, cold cache for these rows, and the peer as its README shows it (gold in dollars, whole response)."""
    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    frame = pl.DataFrame({"response": [row["output"] for row in rows], "answer": [row["gold"] for row in rows]})
    ours, scores = timed(lambda: answer_matches.score(frame).to_list())
    theirs, verdicts = timed(lambda: [verify(parse(f"${row['gold']}$"), parse(row["output"])) for row in rows])
    differ = sum(score["value"] != float(verdict) for score, verdict in zip(scores, verdicts, strict=True))
    algebra = sum("algebra" in score["reason"] for score in scores)
    print(
        f"| {name} | {len(rows)} | {algebra} by algebra | {len(rows) / ours:,.0f} | {len(rows) / theirs:,.0f} "
        f"| {theirs / ours:.1f} | {differ} |",
        flush=True,
    )


def alone(scorer: Scorer, rows: list[dict[str, Any]]) -> None:
    """One line: a scorer on whole outputs, and on a batch the size of a GRPO step."""
    frame = frame_of([row["output"] for row in rows])
    small = frame_of([row["output"][:300] for row in rows[:256]])
    scorer.score(small)
    seconds, _ = timed(lambda: scorer.score(frame))
    step = min(timed(lambda: scorer.score(small))[0] for _ in range(5))
    size = sum(len(row["output"].encode()) for row in rows) / 1e6
    print(f"| {scorer.name} | {len(rows) / seconds:,.0f} | {size / seconds:.1f} | {step * 1000:.1f} |", flush=True)


def frame_of(texts: list[str]) -> pl.DataFrame:
    """Rows with every column that the scorers want; sixteen responses share a prompt, as in a GRPO step."""
    messages = [[{"role": "user", "content": f"Compute the sum of the first {k // 16} numbers"}] for k in range(len(texts))]
    return pl.DataFrame({"response": texts, "messages": messages, "response_tokens": [len(text) // 4 for text in texts]})


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


if __name__ == "__main__":
    main()
