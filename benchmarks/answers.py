"""Verdicts on real answers: CPU time of answer_matches and of math-verify in this process, on the same rows in one run.

`python -m benchmarks.answers [--peer-rows N] [--rounds N]`; it needs the folder of shared real data and psutil. Ours is timed on whole sets
(the cache of unique pairs starts empty in every round), the peer on a random sample of each; both count the CPU seconds of this process and
its workers, which a busy machine stretches less than the wall clock. Starting the workers is not counted.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from benchmarks.verdict_agreement import judged_rows
from dataengine.lines import json_lines
from filters.answers import answer_matches
from filters.final_answers import equality

Rows = list[dict[str, Any]]
SUITES = ("Math-Verify", "hendrycks", "MARIO", "Skills", "SkyThought", "tinker", "verifiers", "test_math.py", "open-r1")
"""Whose mathematics is in the 149 rows of equiv_triples that depend on no option of a grader."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-rows", type=int, default=400, help="rows of each set that the peer judges")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median counts")
    wanted = parser.parse_args()
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    folder = Path(os.environ.get("DATAENGINE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    if not folder.is_dir():
        print("The folder of shared real data is not here: set DATAENGINE_SHARED to its parent. Nothing measured.")
        return
    for warm in ("\\boxed{\\sum_{k=1}^5 k}", "\\boxed{3\\sqrt{25}}"):  # starts the workers, loads mpmath
        answer_matches(warm, "15")
    with_peer([("5", "\\boxed{5}")])
    print("| set | rows | cache | algebra asked | ours, ms a row | math-verify, ms a row | times faster | verdicts that differ |")
    print("|---|---:|---|---:|---:|---:|---:|---:|")
    math500 = [row for row in judged_rows(folder, "out_rho_tora") if row["dataset"] == "minerva_math"]
    for name, rows, cached in (
        ("out_qwen_math_8samples", judged_rows(folder, "out_qwen_math_8samples"), True),
        ("out_skythought", judged_rows(folder, "out_skythought"), True),
        ("out_rho_tora, MATH-500", math500, False),
        ("out_rho_tora, MATH-500", math500, True),
    ):
        compare(name, rows, cached=cached, peer_rows=wanted.peer_rows, rounds=wanted.rounds)
    suites(folder)


def compare(name: str, rows: Rows, *, cached: bool, peer_rows: int, rounds: int) -> None:
    """One line of the table."""
    frame = pl.DataFrame({"response": [row["output"] for row in rows], "answer": [row["gold"] for row in rows]})
    asked = Asked()
    seconds, scores = [], []
    for _ in range(rounds):
        equality.CACHE = equality.AnswerCache()
        equality.CACHE.used = cached
        taken, scores = timed(lambda: answer_matches.score(frame).to_list())
        seconds.append(taken / len(rows))
    equality.CACHE.used = True
    chosen = random.Random(0).sample(range(len(rows)), k=min(peer_rows, len(rows)))
    theirs, verdicts = timed(lambda: with_peer([(rows[place]["gold"], rows[place]["output"]) for place in chosen]))
    ours, theirs = statistics.median(seconds), theirs / len(chosen)
    differ = sum(scores[place]["value"] != float(verdict) for place, verdict in zip(chosen, verdicts, strict=True))
    print(
        f"| {name} | {len(rows):,} | {'on' if cached else 'off'} | {asked.count() / rounds:.0f} | {ours * 1000:.2f} | {theirs * 1000:.1f} "
        f"| {theirs / ours:.1f} | {differ} of {len(chosen)} |",
        flush=True,
    )


def with_peer(pairs: list[tuple[str, str]]) -> list[bool]:
    """math-verify as its README shows it: the gold in dollars, the whole response, its own timeouts."""
    from math_verify import parse, verify

    return [verify(parse(f"${gold}$"), parse(response)) for gold, response in pairs]


class Asked:
    """Counts the pairs that algebra is asked about."""

    def __init__(self) -> None:
        self._ask, self._pairs = equality.formulas_equal, 0

        def counted(pairs: list[tuple[str, str]], **settings: Any) -> list[str]:
            self._pairs += len(pairs)
            return self._ask(pairs, **settings)

        equality.formulas_equal = counted

    def count(self) -> int:
        """The pairs so far; stops counting."""
        equality.formulas_equal = self._ask
        return self._pairs


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """(CPU seconds of this process and all below it, result)."""
    below, begun = workers_seconds(), time.process_time()
    result = work()
    return time.process_time() - begun + workers_seconds() - below, result


def workers_seconds() -> float:
    """CPU time of the processes below this one, and of those among them that were ended."""
    used = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return sum(u.user + u.system + u.children_user + u.children_system for u in used)


def suites(folder: Path) -> None:
    """How many of other projects' maths cases are read differently: by us, and by math-verify with bare LaTeX put in dollars."""
    from math_verify import parse, verify

    rows = [row for row in json_lines(folder / "equiv_triples.jsonl") if not row["options"] and not row["conflict"]]
    rows = [row for row in rows if any(suite in row["source"] for suite in SUITES)]
    golds = [row["gold"] if isinstance(row["gold"], str) else str(row["gold"]) for row in rows]
    scores = answer_matches.score(pl.DataFrame({"response": [row["prediction"] for row in rows], "answer": golds})).to_list()
    ours = sum(score["value"] != float(row["expected"]) for score, row in zip(scores, rows, strict=True))
    theirs = 0
    for row, gold in zip(rows, golds, strict=True):
        bare = [not ("$" in text or "boxed" in text) and any(sign in text for sign in "\\^_{") for text in (gold, row["prediction"])]
        both = [f"${text}$" if is_bare else text for text, is_bare in zip((gold, row["prediction"]), bare, strict=True)]
        theirs += verify(parse(both[0]), parse(both[1])) != row["expected"]
    print(f"\nequiv_triples, {len(rows)} maths rows without options and conflict: ours {ours} read differently, math-verify {theirs}")


if __name__ == "__main__":
    main()
