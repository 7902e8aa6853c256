"""MB a second of the text kernels beside their peers on 22 KB documents, in one run: repetition, leaks, near-duplicates, token counts.

`python -m benchmarks.text [--documents N] [--peers PYTHON] [--tokenizer tokenizer.json]`; it needs the folder of shared real data. The
peers run in a process of their own with the interpreter --peers, one thread, like ours; times are CPU time, for machines that are shared.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"), "1"))
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import polars as pl
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from dataengine.kernels.hashed_words import words_of
from dataengine.lines import json_lines
from filters.evaluation_sets import problems_in
from filters.gopher import gopher_repetition, gopher_statistics
from filters.leaks import index_of_files, not_leaked
from filters.near_duplicates import NearDuplicates
from filters.repetition import compression_ratio, distinct_lines, not_repetitive
from filters.texts.tokens import KNOWN, TokenCounter

GLUE = "\n\nWait, let me check that again, from the beginning.\n\n"
PROBLEMS = ("math_hendrycks.jsonl.zst", "math_gsm8k.jsonl.zst", "math_competition.jsonl.zst")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--peers", default=sys.executable, help="interpreter that has datatrove[processing] and datasketch")
    parser.add_argument("--peer-documents", type=int, default=40, help="documents for the slow peers")
    parser.add_argument("--tokenizer", help="a tokenizer.json; without one a byte-level BPE of 20,000 tokens is trained on the documents")
    wanted = parser.parse_args()
    folder = Path(os.environ.get("DATAENGINE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    if not folder.is_dir():
        print("The folder of shared real data is not here: set DATAENGINE_SHARED to its parent. Nothing measured.")
        return
    documents = real_documents(folder, wanted.documents)
    size = sum(len(text.encode()) for text in documents) / 1e6
    print(f"{len(documents)} documents, {size:.1f} MB, {sum(text.isascii() for text in documents)} of them ASCII\n")
    with tempfile.TemporaryDirectory() as scratch:
        run = Comparison(documents, Path(scratch), peers=wanted.peers, peer_documents=wanted.peer_documents)
        repetition(run)
        leaks(run, folder)
        near_duplicates(run)
        tokens(run, wanted.tokenizer)


def real_documents(folder: Path, count: int) -> list[str]:
    """Documents of about 22 KB: attempts of many models at one problem after another, joined as a long thought joins them."""
    attempts: dict[str, list[str]] = {}
    for row in json_lines(folder / "out_zeroeval.jsonl.zst"):
        attempts.setdefault(row["problem"], []).append(row["output"])
    documents, text = [], ""
    for problem in sorted(attempts, key=lambda problem: random.Random(problem).random()):
        text = text or f"<think>\n{problem}\n\n"
        for attempt in attempts[problem]:
            text += attempt + GLUE
            if len(text) > 22_000:
                documents.append(f"{text}</think>\n\nThe answer is above.")
                text = f"<think>\n{problem}\n\n"
        if len(documents) >= count:
            break
    return documents[:count]


class Comparison:
    """Ours on all documents and a peer on some of them, one after the other, as lines of a table."""

    def __init__(self, documents: list[str], scratch: Path, *, peers: str, peer_documents: int) -> None:
        self.documents = documents
        self.texts = pl.Series("response", documents)
        self.scratch, self.peers, self.few = scratch, peers, peer_documents

    def ours(self, name: str, work: Callable[[], Any]) -> None:
        """The median of five after a warm-up, nothing remembered between them."""
        work()
        seconds = statistics.median(self._once(work) for _ in range(5))
        self._line(name, seconds, self.documents)

    def _once(self, work: Callable[[], Any]) -> float:
        words_of(pl.Series(["forget"]))
        begun = time.process_time()
        work()
        return time.process_time() - begun

    def peer(self, name: str, *, documents: int | None = None, **given: Any) -> list[Any]:
        """The peer's results on the first documents."""
        chosen = self.documents[: documents or self.few]
        file = self.scratch / "peer.json"
        file.write_text(json.dumps({"documents": chosen, **given}), encoding="utf-8")
        done = subprocess.run(
            [self.peers, str(Path(__file__).with_name("text_peers.py")), name, str(file)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"| {name} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]} |")
            return []
        found = json.loads(done.stdout.splitlines()[-1])
        if found["results"]:
            self._line(found["name"], found["seconds"], chosen)
        else:
            print(f"| {found['name']} | | |")
        return found["results"]

    def _line(self, name: str, seconds: float, documents: Sequence[str]) -> None:
        size = sum(len(text.encode()) for text in documents) / 1e6
        print(f"| {name} | {size / seconds:,.2f} | {len(documents) / seconds:,.0f} |", flush=True)


def repetition(run: Comparison) -> None:
    print("| Gopher repetition, all statistics | MB/s | documents/s |\n|---|---:|---:|")
    run.peer("gopher")
    theirs = np.array(run.peer("gopher_on_split"))
    run.ours("ours, gopher_repetition", lambda: gopher_repetition.function(run.texts))
    mine = gopher_statistics(run.texts[: len(theirs)]).to_numpy()
    equal = (np.abs(mine[:, 4:] - np.minimum(theirs[:, 4:], 1)) < 1e-9).all(axis=1)
    print(f"\nn-gram statistics equal to datatrove's functions on the same words: {equal.sum()} of {len(theirs)} documents\n")
    print("| other repetition scorers | MB/s | documents/s |\n|---|---:|---:|")
    run.ours("not_repetitive", lambda: not_repetitive.function(run.texts))
    run.ours("distinct_lines", lambda: [distinct_lines(text) for text in run.documents])
    run.ours("compression_ratio", lambda: [compression_ratio(text) for text in run.documents])


def leaks(run: Comparison, folder: Path) -> None:
    """20,280 problems, questions alone as the peers index them, then with the solutions."""
    rows = [row for name in PROBLEMS for row in problems_in(folder / name)]
    questions, everything = run.scratch / "questions", run.scratch / "everything"
    for place, solutions in ((questions, False), (everything, True)):
        place.mkdir()
        table = [{"dataset": row[0], "id": row[1], "question": row[2], "solution": row[3] if solutions else None} for row in rows]
        pl.DataFrame(table, schema=dict.fromkeys(table[0], pl.String)).write_parquet(place / "problems.parquet")
    print(f"\n| 10-gram leaks against {len(rows):,} problems | MB/s | documents/s |\n|---|---:|---:|")
    asked = [row[2] for row in rows]
    run.peer("leaks_datatrove", problems=asked)
    run.peer("leaks_open_r1", documents=4 * run.few, problems=asked, n=8)
    for name, place in (("questions", questions), ("questions and solutions", everything)):
        begun = time.process_time()
        index = index_of_files(str(place))
        print(f"| (index of {name}: {index.grams:,} n-grams in {time.process_time() - begun:.2f} s) | | |")
        run.ours(f"ours, not_leaked, {name}", lambda place=place: not_leaked.function(run.texts, against=str(place)))
    found = [score.value == 0 for score in not_leaked.function(run.texts[: 4 * run.few], against=str(questions))]
    print(f"\n{sum(found)} of the first {len(found)} documents leak (they are made of these problems)\n")


def near_duplicates(run: Comparison) -> None:
    print("| near-duplicates: 5-word shingles, 128 minima | MB/s | documents/s |\n|---|---:|---:|")
    run.peer("near_datatrove")
    run.peer("near_datasketch", documents=4 * run.few)
    run.ours("ours, signatures and index", lambda: NearDuplicates().add(run.texts))
    print()


def tokens(run: Comparison, path: str | None) -> None:
    file = run.scratch / "tokenizer.json"
    if path:
        file.write_text(Path(path).read_text(encoding="utf-8"), encoding="utf-8")
    else:
        trained(run.documents[:400]).save(str(file))
    counter = TokenCounter(str(file))
    by = f" (by the tokenizer itself: {counter.why_slow})" if counter.why_slow else ""
    print(f"| token counts{by} | MB/s | documents/s |\n|---|---:|---:|")
    theirs = run.peer("tokens", documents=4 * run.few, tokenizer=str(file))
    begun = time.process_time()
    counts = counter.count(run.documents)
    run._line("ours, all pieces new", time.process_time() - begun, run.documents)
    run.ours("ours, pieces seen before", lambda: counter.count(run.documents))
    print(f"\nequal counts: {sum(counts[: len(theirs)] == theirs)} of {len(theirs)} documents\n")


def trained(texts: list[str]) -> Tokenizer:
    """A byte-level BPE tokenizer with Qwen2's normalisation and pattern."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(next(iter(KNOWN))), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=20_000, initial_alphabet=alphabet, show_progress=False))
    return made


if __name__ == "__main__":
    main()
