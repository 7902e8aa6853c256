"""How often does answer_matches agree with the verdicts that other projects published with their models' outputs?

`python benchmarks/verdict_agreement.py [--disagreements N]` prints one line for each set; it needs the folder of shared real data.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.lines import json_lines
from filters.answers import answer_matches

SETS = (
    "out_r1distill_math",
    "out_skythought",
    "out_qwen_math_8samples",
    "out_rho_tora",
    "out_gsm8k_openai",
    "out_deepscaler_aime24",
    "out_gaokao_bench",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--disagreements", type=int, default=0, metavar="N", help="also print N random disagreements of each set")
    parser.add_argument("--only", default="", help="a part of the set's name")
    wanted = parser.parse_args()
    folder = Path(os.environ.get("DATAENGINE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    if not folder.is_dir():
        print("The folder of shared real data is not here: set DATAENGINE_SHARED to its parent. Nothing compared.")
        return
    print("| set | verdicts | agree | both right | both wrong | ours right, theirs wrong | ours wrong, theirs right | unjudged | rows/s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in SETS:
        if wanted.only in name:
            compare(name, judged_rows(folder, name), show=wanted.disagreements)


def judged_rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """Rows of a set that carry a verdict, the gold as text."""
    path = next(path for suffix in (".jsonl", ".jsonl.zst") if (path := folder / (name + suffix)).exists())
    rows = [row for row in json_lines(path) if row["verdict"] is not None]
    for row in rows:
        row["gold"] = ", ".join(row["gold"]) if isinstance(row["gold"], list) else row["gold"]
    return rows


def compare(name: str, rows: list[dict[str, Any]], *, show: int) -> None:
    """Print a line of the table and some disagreements."""
    begun = time.perf_counter()
    scores = answer_matches.score(pl.DataFrame({"response": [row["output"] for row in rows], "answer": [row["gold"] for row in rows]}))
    seconds = time.perf_counter() - begun
    found = scores.to_list()
    count = Counter((score["value"], row["verdict"]) for score, row in zip(found, rows, strict=True))
    agree = count[1.0, True] + count[0.0, False]
    judged = sum(number for (value, _), number in count.items() if value is not None)
    print(
        f"| {name} | {len(rows)} | {agree / max(judged, 1):.2%} | {count[1.0, True]} | {count[0.0, False]} | {count[1.0, False]} "
        f"| {count[0.0, True]} | {len(rows) - judged} | {len(rows) / seconds:,.0f} |"
    )
    differ = [(score, row) for score, row in zip(found, rows, strict=True) if score["value"] != float(row["verdict"])]
    for score, row in random.Random(0).sample(differ, min(show, len(differ))):
        said = f"they said {row['verdict']} of {str(row.get('pred'))[:80]!r}"
        print(
            f"    {row['id']} gold {row['gold'][:100]!r}; {said}; ours: {score['value']} {score['reason']}; ends {row['output'][-120:]!r}"
        )


if __name__ == "__main__":
    main()
