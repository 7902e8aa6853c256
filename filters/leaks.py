"""Does a text hold words of an evaluation problem? Runs of ten words shared with its question or solution, named with their place.

Source of the rule: DeepSeek-R1 v2, D.1, any matching 10-gram of evaluation questions or reference solutions (open-r1 takes 8 words of
the prompt, GPT-3 13). Words are bare words (dataengine/kernels/hashed_words.py): lower case, no accents, punctuation or LaTeX signs,
however they are parted; a Chinese character is a word. A question and a solution of fewer words than that have no n-gram: such a question
is found where it is the whole text (by the step `decontaminate`). No n-gram method finds a paraphrase; see filters/fuzzy_leaks.py.

Legend: _V bare word of all texts together, _R row, _X text indexed, _E question or solution, _T slot of a table, _S span of words found.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from dataengine.kernels.hashed_words import BareWords, bare_words_of, hash_of_words, parts_of
from dataengine.kernels.hashing import HASH, compiled, mixed
from dataengine.score import Score, batch_scorer
from filters.boilerplate import Bare, without_boilerplate
from filters.evaluation_sets import EvaluationSets, Problem, Source, problems_in

_FILTER_BITS = 25
"""At most; for fewer than 500,000 n-grams 64 bits for each."""


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A run of words that a text shares with an evaluation problem."""

    dataset: str
    problem: str
    part: str
    """question or solution"""
    start: int
    stop: int
    """The run is text[start:stop]."""
    words: int


@dataclass(frozen=True, kw_only=True)
class Index:
    """The n-grams of evaluation problems; an n-gram of several problems is kept with the first of them."""

    n: int
    entries: tuple[tuple[str, str, str], ...]
    """(set, problem, part) of each question and solution."""
    problem_E: np.ndarray
    """Number of the problem of each entry."""
    short: int
    """Questions without an n-gram: found only where they are the whole text."""
    grams: int
    """Distinct n-grams."""
    key_T: np.ndarray
    entry_T: np.ndarray
    """int32 place in entries, -1 for an empty slot."""
    filter_T: np.ndarray
    """A bit for each value of the first bits of a hash: says no for most n-grams without a look at the table."""
    whole: Mapping[int, int]
    """Entry of each question without an n-gram, by the hash of its words: a text that is nothing else is found."""


@batch_scorer(version="5")
def not_leaked(response: pl.Series, *, against: Path, n: int = 10) -> list[Score]:
    """1 for a text without a run of `n` words of the problems in `against`, else 0 with the longest run named.

    `against`: a .parquet, .jsonl(.gz, .zst) or .json file of problems, or a folder of such files; see filters/evaluation_sets.py for
    the columns. What most questions of a set have in common is its prompt and no evidence (filters/boilerplate.py). A step's
    fingerprint holds its name and what is in it. The reason names set, problem, part, and the place in characters:
    `leaked: 34 words of aime24/7 (question) at 210:388 '...'`.
    """
    index = index_of_files(against, n=n)
    clean = Score(1.0, f"no {n} words in a row of {len(index.entries)} questions and solutions")
    scores = []
    for part, words, spans_S in _spans(response, index):
        found = [clean] * len(part)
        row_S, length_S, problem_S = spans_S[:, 0], spans_S[:, 2] - spans_S[:, 1] + 1, index.problem_E[spans_S[:, 3]]
        several = max(1, len(index.entries))
        others_R = np.bincount(np.unique(row_S * several + problem_S) // several, minlength=len(part)) - 1
        longest_first = np.argsort((row_S << 32) - length_S, kind="stable")
        for span in longest_first[np.flatnonzero(np.diff(row_S[longest_first], prepend=-1))].tolist():
            row = int(row_S[span])
            leak, text = _leak(words, index, spans_S[span]), part[row]
            where = f"{leak.dataset}/{leak.problem} ({leak.part}) at {leak.start}:{leak.stop} {text[leak.start : leak.stop][:80]!r}"
            more = f", and words of {others_R[row]} more problems" if others_R[row] else ""
            found[row] = Score(0.0, f"leaked: {leak.words} words of {where}{more}")
        scores += found
    return scores


def find_leaks(texts: pl.Series, index: Index) -> list[list[Leak]]:
    """The runs of words of each text that are in the index, in order; runs of one problem that touch or overlap are one."""
    found: list[list[Leak]] = []
    for part, words, spans_S in _spans(texts, index):
        leaks: list[list[Leak]] = [[] for _ in range(len(part))]
        for span in spans_S:
            leaks[span[0]].append(_leak(words, index, span))
        found += leaks
    return found


FOUND = {"row": pl.UInt32, "entry": pl.UInt32, "start": pl.Int32, "stop": pl.Int32, "words": pl.Int32}
"""Row of the texts, place in the index's entries, place of the words in the text, number of words."""


def longest_leaks(texts: pl.Series, index: Index) -> pl.DataFrame:
    """FOUND: the longest run of each entry in each text, the first of equals; also texts that are a short question and nothing else."""
    found, begin = [pl.DataFrame(schema=FOUND)], 0
    for part, words, spans_S in _spans(texts, index):
        row_S, first_S, last_S, entry_S = spans_S.T
        found.append(_found(begin + row_S, entry_S, words.start_V[first_S], words.stop_V[last_S], last_S - first_S + 1))
        if index.whole:
            known = [(row, entry) for row, each in enumerate(hash_of_words(words).tolist()) if (entry := index.whole.get(each)) is not None]
            row_S, entry_S = np.array(known, np.int64).reshape(-1, 2).T
            first_S, last_S = words.first_V[row_S], words.first_V[row_S + 1] - 1
            found.append(_found(begin + row_S, entry_S, words.start_V[first_S], words.stop_V[last_S], last_S - first_S + 1))
        begin += len(part)
    runs = pl.concat(found).sort("row", "entry", "words", "start", descending=[False, False, True, False])
    return runs.unique(("row", "entry"), keep="first", maintain_order=True)


def _found(*columns: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame([pl.Series(name, values).cast(FOUND[name]) for name, values in zip(FOUND, columns, strict=True)])


def _spans(texts: pl.Series, index: Index) -> Iterator[tuple[pl.Series, BareWords, np.ndarray]]:
    """Part by part of the texts: its words, and _S,4 the runs of words found (row of the part, first word, last word, entry)."""
    for part in parts_of(texts):
        words = bare_words_of(part)
        spans_S = np.empty((len(words.bare_V), 4), dtype=np.int64)
        count = _scan(words.bare_V, words.first_V, index.n, index.key_T, index.entry_T, index.filter_T, spans_S)
        yield part, words, spans_S[:count]


def _leak(words: BareWords, index: Index, span: np.ndarray) -> Leak:
    _, first, last, entry = span.tolist()
    dataset, problem, part = index.entries[entry]
    start, stop = int(words.start_V[first]), int(words.stop_V[last])
    return Leak(dataset=dataset, problem=problem, part=part, start=start, stop=stop, words=last - first + 1)


def index_of(problems: Iterable[Problem | Bare], *, n: int = 10) -> Index:
    """The index of (set, problem, question, solution) rows, with the words around what is left of a question (filters/boilerplate.py).

    >>> index = index_of([("toy", "1", "How many apples has Ann if she buys two more than Bob has?", None)])
    >>> text = "So: how many APPLES has Ann, if she buys two\\nmore than Bob? Well..."
    >>> leak = find_leaks(pl.Series([text]), index)[0][0]
    >>> leak.problem, leak.words, text[leak.start:leak.stop]
    ('1', 12, 'how many APPLES has Ann, if she buys two\\nmore than Bob')
    """
    if n < 1:
        raise ValueError(f"n is the number of words of an n-gram and at least 1, got {n}")
    entries, numbers, said = list[tuple[str, str, str]](), list[int](), list[tuple[str, int, bool, bool]]()
    for number, (dataset, problem, question, solution, *around) in enumerate(problems):
        for part, texts in (("question", (question, *around)), ("solution", (solution,))):
            asks, its_own = part == "question", bool(question) or part == "solution"
            known = [(text, len(entries), asks, its_own) for text in texts if text]
            entries += [(dataset, problem, part)] if known else []
            numbers += [number] if known else []
            said += known
    words = bare_words_of(pl.Series([text for text, *_ in said], dtype=pl.String))
    entry_X, asks_X, own_X = (np.array([each[place] for each in said], dtype=np.int64) for place in (1, 2, 3))
    count_X, hash_X = np.diff(words.first_V), hash_of_words(words)
    grams_X = np.where(own_X > 0, np.maximum(count_X - n + 1, 0), 0)
    key_T, entry_T, filter_T = _tables(int(grams_X.sum()))
    grams = _index(words.bare_V, words.first_V, n, np.where(own_X > 0, entry_X, -1), key_T, entry_T, filter_T)
    alone = np.flatnonzero((asks_X > 0) & (grams_X == 0) & (count_X > 0)).tolist()
    return Index(
        n=n, entries=tuple(entries), problem_E=np.array(numbers, dtype=np.int64), grams=grams, key_T=key_T, entry_T=entry_T,
        short=len(set(entry_X[asks_X > 0].tolist()) - set(entry_X[grams_X > 0].tolist())),
        filter_T=filter_T, whole={int(hash_X[x]): int(entry_X[x]) for x in reversed(alone)},
    )  # fmt: skip


def _tables(grams: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """key_T, entry_T and filter_T of an index for so many n-grams, empty."""
    bits, filter_bits = max(4, (2 * grams).bit_length()), min(_FILTER_BITS, max(10, (64 * grams).bit_length()))
    size = 1 << bits
    return np.zeros(size, dtype=np.uint64), np.full(size, -1, dtype=np.int32), np.zeros(1 << (filter_bits - 3), dtype=np.uint8)


def index_of_files(path: str | Path, *, n: int = 10) -> Index:
    """The index of a file or folder of problems; it is kept until the files change."""
    sources = EvaluationSets((str(Path(path).absolute()),)).sources()
    stats = [Path(each.place).stat() for each in sources]
    return _index_of_files(tuple((each, stat.st_mtime_ns, stat.st_size) for each, stat in zip(sources, stats, strict=True)), n)


@functools.lru_cache(maxsize=4)
def _index_of_files(files: tuple[tuple[Source, int, int], ...], n: int) -> Index:
    found = [without_boilerplate(problems_in(Path(source.place), name=source.name), n=n)[0] for source, _, _ in files]
    return index_of((problem for its in found for problem in its), n=n)


@compiled
def _index(
    bare_V: np.ndarray, first_V: np.ndarray, n: int, entry_X: np.ndarray, key_T: np.ndarray, entry_T: np.ndarray, filter_T: np.ndarray
) -> int:
    """Fill the tables with the n-grams of all texts that have an entry; how many distinct n-grams there are."""
    bits, filter_bits, grams = 0, 3, 0
    while 1 << bits < len(key_T):
        bits += 1
    while 1 << filter_bits < 8 * len(filter_T):
        filter_bits += 1
    for row in range(len(first_V) - 1):
        for place in range(first_V[row], first_V[row + 1] - n + 1 if entry_X[row] >= 0 else 0):
            rolled = np.uint64(0)
            for word in range(place, place + n):
                rolled = rolled * HASH + bare_V[word]
            key = mixed(rolled)
            filter_T[key >> np.uint64(64 - filter_bits + 3)] |= np.uint8(1 << (np.int64(key >> np.uint64(64 - filter_bits)) & 7))
            slot = np.int64(key >> np.uint64(64 - bits))
            while entry_T[slot] >= 0 and key_T[slot] != key:
                slot = (slot + 1) & (len(key_T) - 1)
            if entry_T[slot] < 0:
                key_T[slot], entry_T[slot] = key, entry_X[row]
                grams += 1
    return grams


@compiled
def _scan(
    bare_V: np.ndarray, first_V: np.ndarray, n: int, key_T: np.ndarray, entry_T: np.ndarray, filter_T: np.ndarray, spans_S: np.ndarray
) -> int:
    """Fill spans_S with (row, first word, last word, entry); how many there are. The hash of an n-gram rolls on word by word."""
    bits, filter_bits, spans, leading = 0, 3, 0, np.uint64(1)
    while 1 << bits < len(key_T):
        bits += 1
    while 1 << filter_bits < 8 * len(filter_T):
        filter_bits += 1
    for _ in range(n):
        leading *= HASH
    for row in range(len(first_V) - 1):
        begin, rolled, open_span = first_V[row], np.uint64(0), False
        for place in range(begin, first_V[row + 1]):
            rolled = rolled * HASH + bare_V[place]
            if place >= begin + n:
                rolled -= leading * bare_V[place - n]
            if place < begin + n - 1:
                continue
            key = mixed(rolled)
            if not filter_T[key >> np.uint64(64 - filter_bits + 3)] >> (np.int64(key >> np.uint64(64 - filter_bits)) & 7) & 1:
                continue
            slot = np.int64(key >> np.uint64(64 - bits))
            while entry_T[slot] >= 0 and key_T[slot] != key:
                slot = (slot + 1) & (len(key_T) - 1)
            if entry_T[slot] < 0:
                continue
            if open_span and spans_S[spans - 1, 3] == entry_T[slot] and place - n + 1 <= spans_S[spans - 1, 2] + 1:
                spans_S[spans - 1, 2] = place
                continue
            open_span = True
            spans_S[spans, 0], spans_S[spans, 1], spans_S[spans, 2], spans_S[spans, 3] = row, place - n + 1, place, entry_T[slot]
            spans += 1
    return spans
