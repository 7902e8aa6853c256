"""Language of thoughts on whole zh/en documents: speed beside fastText per line, recall of 3 % mixing inside lines, false positives.

`python -m benchmarks.language [--documents N]`; it needs the folder of shared real data, and for the peer a lid.176 model
(filters/texts/lid.py). Speeds are MB per second of this process's CPU time, one thread, medians of five, all in one run.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.lines import json_lines
from dataengine.score import Scorer
from filters.format import r1_format
from filters.language import language_share
from filters.readability import readable
from filters.texts import lid

SIZE = 22_000
"""Bytes of a document at least, as long thoughts have."""

BARS = (1.0, 0.995, 0.99, 0.985, 0.98, 0.95, 0.8)
ASKED = {"zh": "请解释这个问题", "en": "Please explain this problem to me"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=200, help="documents of each kind")
    wanted = parser.parse_args()
    folder = Path(os.environ.get("DATAENGINE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    if not folder.is_dir():
        print("The folder of shared real data is not here: set DATAENGINE_SHARED to its parent. Nothing measured.")
        return
    rng = random.Random(0)
    chinese, english, prose = paragraphs(folder, rng)
    clean = {"zh": documents(chinese, wanted.documents, rng), "en": documents(english, wanted.documents, rng)}
    speed(clean, wanted.documents)
    print("\n| documents | share of them below | " + " | ".join(f"{bar:g}" for bar in BARS) + " |\n|---|---|" + "---|" * len(BARS))
    flagged("Chinese technical paragraphs with English terms, clean", chinese, "zh")
    flagged("English thoughts, clean", clean["en"], "en")
    for percent in (3, 2, 1):
        mixed = {code: [mixture(text, prose[code], percent / 100, rng) for text in clean[code]] for code in clean}
        flagged(f"Chinese documents with {percent} % English inside of lines", mixed["zh"], "zh")
        flagged(f"English documents with {percent} % Chinese inside of lines", mixed["en"], "en")


def paragraphs(folder: Path, rng: random.Random) -> tuple[list[str], list[str], dict[str, list[str]]]:
    """Chinese paragraphs, English thoughts, and for each language sentences of the other one."""
    chinese = [row["text"] for row in json_lines(folder / "lang_zh_en_docs.jsonl")]
    thoughts = [row.get("thinking") or row["output"] for row in json_lines(folder / "out_misguided_attention.jsonl.zst")]
    thoughts += [row["output"] for row in json_lines(folder / "out_skythought.jsonl.zst")]
    english = [text for text in thoughts if text and len(text) > 200 and not re.search(r"[\u0370-\u1fff\u3000-\uffef]", text)]
    rng.shuffle(english)
    sentences = re.compile(r"(?<=[.!?] )[A-Z][a-z']+(?: [a-z']+){8,}(?=[ ,.])")
    prose = {
        "zh": [found for text in english[:800] for found in sentences.findall(text)],
        "en": [found for text in chinese for found in re.findall(r"[\u4e00-\u9fff，]{16,}", text)],
    }
    return chinese, english, prose


def documents(texts: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """Texts joined until they are long enough, in an order drawn anew each time they are used up."""
    made: list[str] = []
    parts: list[str] = []
    while len(made) < count:
        for text in rng.sample(texts, len(texts)):
            parts.append(text)
            if sum(len(part.encode()) for part in parts) >= SIZE:
                made.append("\n\n".join(parts))
                parts = []
    return made[:count]


def words(text: str) -> int:
    """A Han character or a Latin word."""
    return len(re.findall(r"[\u3400-\u9fff]|[A-Za-z]+", text))


def mixture(text: str, sentences: Sequence[str], share: float, rng: random.Random) -> str:
    """The text with runs of 3 to 8 words (4 to 16 Han characters) of the other language in the middle of its lines."""
    missing, lines = share * words(text) / (1 - share), text.split("\n")
    long = [place for place, line in enumerate(lines) if len(line) >= 20]
    while missing > 0:
        place, sentence = rng.choice(long), rng.choice(sentences)
        parts = sentence.split() if sentence.isascii() else list(sentence)
        size = rng.randint(3, 8) if sentence.isascii() else rng.randint(4, 16)
        first = rng.randrange(max(1, len(parts) - size + 1))
        run = (" " if sentence.isascii() else "").join(parts[first : first + size])
        line = lines[place]
        at = rng.randrange(len(line) // 4, 3 * len(line) // 4 + 1)
        at = at if sentence.isascii() else max(line.rfind(" ", 0, at), 0)
        lines[place] = f"{line[:at]} {run} {line[at:]}"
        missing -= words(run)
    return "\n".join(lines)


def flagged(name: str, texts: Sequence[str], code: str) -> None:
    """One line: which share of the texts each bar would drop."""
    found = language_share.score(frame(texts, code)).struct.field("value").to_list()
    shares = " | ".join(f"{sum(value < bar for value in found) / len(found):.2%}" for bar in BARS)
    print(f"| {name} ({len(texts)}) | | {shares} |", flush=True)


def frame(texts: Sequence[str], code: str) -> pl.DataFrame:
    messages = [[{"role": "user", "content": f"{ASKED[code]} {place}"}] for place in range(len(texts))]
    return pl.DataFrame({"response": texts, "messages": messages})


def speed(clean: dict[str, list[str]], count: int) -> None:
    print("| | zh MB/s | en MB/s | ms for a document of 22 KB |\n|---|---|---|---|")
    for scorer in (language_share, readable, r1_format):
        line(scorer.name, clean, lambda texts, code, scorer=scorer: scored(scorer, texts, code))
    line("the three together", clean, lambda texts, code: [scored(s, texts, code) for s in (language_share, readable, r1_format)])
    if lid.model() is None:
        print("No lid.176 model is here (filters/texts/lid.py says where it is looked for): the peer was not measured.")
        return
    few = {code: list(islice(texts, max(1, count // 10))) for code, texts in clean.items()}
    line("fastText on each line of it", few, lambda texts, _: [lid.label(row) for text in texts for row in text.split("\n") if row.strip()])


def scored(scorer: Scorer, texts: Sequence[str], code: str) -> pl.Series:
    return scorer.score(frame(texts, code))


def line(name: str, documents: dict[str, list[str]], work: Callable[[list[str], str], Any]) -> None:
    speeds = []
    for code, texts in documents.items():
        size = sum(len(text.encode()) for text in texts) / 1e6
        work(texts[:1], code)
        speeds.append(statistics.median(size / seconds(lambda texts=texts, code=code: work(texts, code)) for _ in range(5)))
    print(f"| {name} | {speeds[0]:.1f} | {speeds[1]:.1f} | {statistics.mean(0.022e3 / speed for speed in speeds):.2f} |", flush=True)


def seconds(work: Callable[[], Any]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
