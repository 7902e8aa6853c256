"""dedup and decontaminate: seconds, memory and planted truth on a corpus of real lengths; recall and false alarms on real problems.

`python -m benchmarks.clean speed ROOT [--rows 80000] [--workers 2]` runs each step in a process of its own over benchmarks/corpus.py;
`python -m benchmarks.clean quality` needs the folder of shared real data: GSM8K and MATH rewritten by rule, and corpora without them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.corpus import corpus, write_problems
from dataengine import shards
from dataengine.dedup import dedup
from dataengine.kernels.minhash import Sieve, signatures_of
from dataengine.lines import json_lines
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.step import Step
from filters.decontaminate import decontaminate
from filters.fuzzy_leaks import ENGLISH, Masked, masked_index, most_resembling
from filters.leaks import Index, index_of, longest_leaks

NAMES = ("Ann", "Bob", "Carla", "Dmitri", "Eve", "Farid", "Gita", "Hugo", "Ines", "Jun", "Kofi", "Lena", "Mona", "Nils", "Olga", "Pete")
OTHER_WORDS = {
    "how many": "what number of", "bought": "purchased", "buys": "purchases", "altogether": "in total", "total": "sum", "sells": "trades",
    "money": "cash", "kids": "children", "each": "every", "per": "for each", "left": "remaining", "friends": "pals", "makes": "earns",
    "does": "would", "gives": "hands", "start": "begin", "big": "large", "needs": "requires", "spend": "pay", "cost": "price",
    "costs": "is priced at", "much": "many", "if": "supposing",
}  # fmt: skip
SENTENCE_STARTS = {
    "how",
    "what",
    "if",
    "the",
    "she",
    "he",
    "they",
    "it",
    "there",
    "each",
    "every",
    "this",
    "that",
    "one",
    "in",
    "on",
    "all",
}
BARS = (0.5, 0.6, 0.7, 0.8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("speed", "one", "quality"))
    parser.add_argument("root", type=Path, nargs="?")
    parser.add_argument("--step", default="")
    parser.add_argument("--rows", type=int, default=80_000)
    parser.add_argument("--workers", type=int, default=2)
    wanted = parser.parse_args()
    if wanted.what == "quality":
        quality(Path(os.environ.get("DATAENGINE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data")
    elif wanted.what == "one":
        measure(wanted.step, wanted.root, rows=wanted.rows, workers=wanted.workers)
    else:
        run(corpus(rows=wanted.rows), wanted.root)
        write_problems(wanted.root / "problems.jsonl", seed=1)
        for step in ("dedup prompts", "dedup responses", "decontaminate"):
            flags = ["--step", step, "--rows", str(wanted.rows), "--workers", str(wanted.workers)]
            subprocess.run([sys.executable, "-m", "benchmarks.clean", "one", str(wanted.root), *flags], check=True)


def measure(name: str, root: Path, *, rows: int, workers: int) -> None:
    """One step, whole: reading, comparing, writing; peak memory of this process and of its largest worker."""
    data = corpus(rows=rows)
    steps: dict[str, Callable[[], Step]] = {
        "dedup prompts": lambda: dedup(data, on="messages"),
        "dedup responses": lambda: dedup(data, on="response"),
        "decontaminate": lambda: decontaminate(data, root / "problems.jsonl"),
    }
    run(data, root)  # its check is no part of the time
    size = sum(
        pl.scan_parquet(path).select(pl.col("response").str.len_bytes().sum()).collect().item()
        for path in shards.shard_paths(data.place(root))
    )
    begun = time.monotonic()
    folder = run(steps[name](), root, machine=Machine(workers=workers))
    seconds = time.monotonic() - begun
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(each.ru_utime + each.ru_stime for each in (mine, theirs))
    rejected = shards.read(folder, shards.REJECTED)
    truth = {
        column: dict(rejected[column].str.extract(r"^(\w+)").fill_null("nothing").value_counts().sort(column).iter_rows())
        for column in ("planted", "planted_prompt")
    }
    print(json.dumps({
        "step": name, "rows": rows, "workers": workers, "MB": round(size / 1e6), "seconds": round(seconds, 1), "cpu": round(cpu, 1),
        "MB/s": round(size / 1e6 / seconds, 1), "rows/s": round(rows / seconds), "peak MB": mine.ru_maxrss >> 10,
        "peak MB of a worker": theirs.ru_maxrss >> 10, "rejected": truth,
    }))  # fmt: skip


def quality(folder: Path) -> None:
    """Tables of recall on questions rewritten by rule, and of hits in corpora that were not made of them."""
    gsm8k, hendrycks, others = (list(json_lines(folder / f"math_{name}.jsonl.zst")) for name in ("gsm8k", "hendrycks", "word_other"))
    tests = {
        "gsm8k": [row["problem"] for row in gsm8k if row["orig_split"] == "test"],
        "math": [row["problem"] for row in hendrycks if row["orig_split"] == "test"],
    }
    indexes = {name: (masked_index(its), exact_index(its)) for name, its in tests.items()}
    for name, its in tests.items():
        print(f"\n{name}: {len(its)} test questions, {indexes[name][0].short} too short for the fuzzy look, ", end="")
        print(f"{indexes[name][1].short} for 10-grams")
        print(f"| rewritten | exact | fuzzy at {' | '.join(map(str, BARS))} |")
        for kind, rewrite in REWRITES.items():
            luck = random.Random(1)
            line(kind, [rewrite(text, luck) for text in its], *indexes[name], truth=True)
    corpora = {
        "GSM-hard (GSM8K, numbers changed)": [row["problem"] for row in others if row["dataset"] == "gsm_hard"],
        "GSM8K train": [row["problem"] for row in gsm8k if row["orig_split"] == "train"],
        "MATH train": [row["problem"] for row in hendrycks if row["orig_split"] != "test"],
        "ASDiv, MAWPS, SVAMP": [row["problem"] for row in others if row["dataset"] in ("asdiv", "mawps", "svamp")],
        "college, CARP, Gaokao": [row["problem"] for row in others if row["dataset"] in ("college_math", "carp_en", "gaokao2023en")],
        "general prompts": [str(row.get("prompt") or "") for row in json_lines(folder / "prompts_general.jsonl.zst")],
        "IFEval": [row["prompt"] for row in json_lines(folder / "prompts_ifeval.jsonl")],
        "knights and knaves": [row["problem"] for row in json_lines(folder / "logic_kk.jsonl.zst")],
    }
    for name in tests:
        print(f"\nprompts that hit {name}'s test questions")
        for kind, its in corpora.items():
            line(kind, its, *indexes[name], truth=False)
    chinese = list(json_lines(folder / "math_chinese.jsonl"))
    sets = {name: [row["problem"] for row in chinese if row["dataset"] == name] for name in sorted({row["dataset"] for row in chinese})}
    for name, its in sets.items():
        rest = [text for other, texts in sets.items() if other != name for text in texts]
        line(f"Chinese: all others against {name} ({len(its)})", rest, masked_index(its), exact_index(its), truth=False)
    for kind, its in {**{f"{name} test": its for name, its in tests.items()}, **corpora}.items():
        dropped(kind, its)


def exact_index(questions: Sequence[str]) -> Index:
    return index_of([("set", str(number), text, None) for number, text in enumerate(questions)])


def line(kind: str, texts: list[str], masked: Masked, exact: Index, *, truth: bool) -> None:
    """The share found (of those long enough, its own original), or the number of prompts with a hit."""
    runs = longest_leaks(pl.Series(texts), exact).rename({"entry": "found"})
    fuzzy = [most_resembling(pl.Series(texts), masked, at_least=bar).rename({"entry": "found"}) for bar in BARS]
    if truth:
        figures = [f"{100 * found.filter(row=pl.col('found'))['row'].n_unique() / len(texts):.1f} %" for found in (runs, *fuzzy)]
    else:
        figures = [str(found["row"].n_unique()) for found in (runs, *fuzzy)]
    print(f"| {kind} ({len(texts):,}) | {' | '.join(figures)} |")


def dropped(kind: str, texts: list[str]) -> None:
    """How many prompts of a set dedup holds for copies of each other, at several bars."""
    signatures, filled = signatures_of(pl.Series(texts))
    gone = [int((Sieve(similarity=bar).add(signatures, filled)[0] >= 0).sum()) for bar in (0.7, 0.8, 0.9, 1.0)]
    print(f"| dedup of {kind} ({len(texts):,}) at .7, .8, .9, 1 | {' | '.join(map(str, gone))} |")


def other_numbers(text: str, luck: random.Random) -> str:
    """Every number another one, in digits or in words."""
    words = "|".join(word for word in ENGLISH.split() if word not in ("first", "second", "half"))
    text = re.sub(r"\d+(\.\d+)?", lambda _: str(luck.randrange(2, 999)), text)
    return re.sub(rf"\b({words})\b", lambda _: luck.choice(["three", "seven", "nine", "eleven", "twenty", "sixty"]), text)


def other_names(text: str, luck: random.Random) -> str:
    """Every name another one: capitals within a sentence, and before a verb at its beginning."""
    verbs = "has|is|was|and|buys|bought|sells|sold|wants|needs|had|makes|went|goes|can|runs|works|eats"
    found = {*re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", text), *re.findall(rf"(?:^|[.?!] )([A-Z][a-z]+)(?='s| (?:{verbs}))", text)}
    for number, name in enumerate(sorted(name for name in found if name.lower() not in SENTENCE_STARTS)):
        text = re.sub(rf"\b{name}\b", NAMES[(number + luck.randrange(16)) % 16], text)
    return text


def other_order(text: str, luck: random.Random) -> str:
    """The sentences before the last one shuffled."""
    *before, last = re.split(r"(?<=[.?!]) +", text)
    luck.shuffle(before)
    return " ".join([*before, last])


def other_words(text: str, luck: random.Random) -> str:
    """A score of common words by others that mean the same."""
    for word, other in OTHER_WORDS.items():
        text = re.sub(rf"\b{word}\b", other, text)
    return text


REWRITES: dict[str, Callable[[str, random.Random], Any]] = {
    "as it is": lambda text, luck: text,
    "other numbers": other_numbers,
    "other names": other_names,
    "sentences in another order": other_order,
    "numbers, names and order": lambda text, luck: other_order(other_names(other_numbers(text, luck), luck), luck),
    "other words": other_words,
    "other words and numbers": lambda text, luck: other_words(other_numbers(text, luck), luck),
}

if __name__ == "__main__":
    main()
