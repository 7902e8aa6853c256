"""Which words of an evaluation set are its prompt and no problem? What a large share of its questions have in common.

Sets are published as rendered prompts, too (verl, simple-evals): "put your final answer within \\boxed{}" is ten words that a corpus in
the same form holds in every row. Such words are cut out of the questions before anything is looked for, and so are the idioms of a contest
("m and n are relatively prime positive integers. Find m+n"): n-grams, and shorter runs of words with which half of the questions begin or
end ("Please solve the following math problem step by step:" and one word more is an n-gram, too). Questions that are variations of each
other (GSM-symbolic) share their problem instead: without numbers and names little is left that one of them says alone, and nothing is cut.

Where fewer than n words in a row are left of a question, the n words of the published one that hold most of them are looked for as well,
so that each question is found in itself.

Legend: _V bare word of all texts together, _R row, _G n-gram.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from dataengine.kernels.hashed_words import BareWords, bare_words_of, parts_of
from dataengine.kernels.hashing import HASH
from filters.evaluation_sets import Problem
from filters.fuzzy_leaks import LEAST, masked_shingles

SHARE, QUESTIONS = 0.25, 8
"""An n-gram of this share of a set's distinct questions, and of so many at least, is boilerplate: fewer may ask about one passage."""
HALF, EDGE = 0.5, 3
"""So are so many words and more with which this share of the questions begins, or ends."""
ALONE = 0.05
"""A masked shingle of no more than this share of the questions is one that a question says alone: sets hold near-copies."""
SAMPLE = 2000
"""Questions of a larger set that are asked for what they have in common: those with the least checksums."""
NAMED, LONGEST = 5, 200
"""Stretches that are named for each set, the most frequent first, and characters of each."""

Bare = tuple[str, str, str, str | None, str | None]
"""(set, problem, what is left of the question, solution, the words of the published question around that where it has no n-gram)"""


@dataclass(frozen=True, kw_only=True)
class Common:
    """What the questions of a set have in common."""

    grams: pl.DataFrame
    """(gram)"""
    first: np.ndarray
    """The bare words that they begin with."""
    last: np.ndarray
    """The bare words that they end with."""


def without_boilerplate(problems: Sequence[Problem], *, n: int) -> tuple[list[Bare], dict[str, list[str]]]:
    """The problems without what their set's questions have in common, and what was cut by set.

    >>> said = [" ".join(first + second for second in "abcdefghijkl") for first in "stuvwxyz"]
    >>> asked = [f"{text}. Think step by step, and write the answer into a box." for text in said]
    >>> without_boilerplate([("toy", question[0], question, None) for question in asked], n=10)[1]
    {'toy': ['Think step by step, and write the answer into a box']}
    """
    found: list[Bare] = [(*problem, None) for problem in problems]
    rows_of, named = dict[str, list[int]](), dict[str, list[str]]()
    for row, (dataset, *_) in enumerate(problems):
        rows_of.setdefault(dataset, []).append(row)
    for dataset, its in rows_of.items():
        bare, stretches = _cut(list(dict.fromkeys(problems[row][2] for row in its)), n)
        for row in its if stretches else ():
            _, problem, question, solution = problems[row]
            left, around = bare.get(question, (question, None))
            found[row] = (dataset, problem, left, solution, around)
        if stretches:
            named[dataset] = [text for text, _ in stretches.most_common(NAMED)]
    return found, named


def _cut(questions: list[str], n: int) -> tuple[dict[str, tuple[str, str | None]], Counter[str]]:
    """(what is left, the words around it) of each question with boilerplate, and all that was cut."""
    bare, stretches = dict[str, tuple[str, str | None]](), Counter[str]()
    if (common := _common(questions, n)) is None:
        return bare, stretches
    for part in parts_of(pl.Series(questions)):
        words = bare_words_of(part)
        shared_V = _shared(words, common, n)
        for row, text in enumerate(part):
            own = slice(words.first_V[row], words.first_V[row + 1])
            if shared_V[own].any():
                left, cut = _left(text, words.start_V[own], words.stop_V[own], shared_V[own])
                around = _around(text, words.start_V[own], words.stop_V[own], ~shared_V[own], n)
                bare[text] = "" if shared_V[own].all() else left, around
                stretches.update(cut)
    return bare, stretches


def _left(text: str, start_V: np.ndarray, stop_V: np.ndarray, shared_V: np.ndarray) -> tuple[str, list[str]]:
    """What is left of a text without its shared words, and the stretches of these."""
    edges = np.flatnonzero(np.diff(shared_V.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    cuts = [(int(start_V[first]), int(stop_V[last - 1])) for first, last in edges.tolist()]
    left = [text[stop:start] for (_, stop), (start, _) in pairwise([(0, 0), *cuts, (len(text), 0)])]
    return "\n".join(left).strip(), [" ".join(text[start:stop].split())[:LONGEST] for start, stop in cuts]


def _around(text: str, start_V: np.ndarray, stop_V: np.ndarray, own_V: np.ndarray, n: int) -> str | None:
    """The n words of a text that hold the most of its own, in their midst; None where n of its own stand in a row.

    All of a text that has fewer words than that, or none of its own.
    """
    if len(own_V) < n or not own_V.any():
        return text
    held = np.convolve(own_V.astype(np.int64), np.ones(n, dtype=np.int64), mode="valid")
    most = np.flatnonzero(held == held.max())
    first = int(most[len(most) // 2])
    return None if held[first] == n else text[start_V[first] : stop_V[first + n - 1]]


def _shared(words: BareWords, common: Common, n: int) -> np.ndarray:
    """_V bool: whether a word is boilerplate."""
    shared_V = np.zeros(len(words.bare_V) + n, dtype=np.bool_)
    grams_G = _grams(words, n)
    for place in grams_G.join(common.grams, on="gram", how="semi")["place"].to_list():
        shared_V[place : place + n] = True
    for run, begins in ((common.first, True), (common.last, False)):
        enough_R = np.diff(words.first_V) >= max(len(run), 1)
        begin_R = (words.first_V[:-1] if begins else words.first_V[1:] - len(run))[enough_R]
        for begin in begin_R[(words.bare_V[begin_R[:, None] + np.arange(len(run))] == run).all(axis=1)].tolist():
            shared_V[begin : begin + len(run)] = True
    return shared_V[: len(words.bare_V)]


def _common(questions: list[str], n: int) -> Common | None:
    """What many of the questions have in common which otherwise say something of their own."""
    if len(questions) < QUESTIONS:
        return None
    by_checksum = sorted(questions, key=lambda text: (zlib.crc32(text.encode()), text)) if len(questions) > SAMPLE else questions
    texts = pl.Series(by_checksum[:SAMPLE])
    words = bare_words_of(texts)
    held = _grams(words, n).unique(["gram", "row"])
    many = held.group_by("gram").len().filter(pl.col("len") >= max(QUESTIONS, SHARE * len(texts)))
    edges = [_edge(words, begins=begins) for begins in (True, False)]
    if not len(many) and not any(len(run) for run, _ in edges):
        return None
    own_R = _own(texts)
    holders = held.join(many, on="gram", how="semi")
    own = holders.with_columns(own=pl.Series(own_R[holders["row"].to_numpy()])).group_by("gram").agg(pl.col("own").median())
    first, last = (run if len(run) >= EDGE and np.median(own_R[rows]) >= LEAST else run[:0] for run, rows in edges)
    return Common(grams=own.filter(pl.col("own") >= LEAST).select("gram"), first=first, last=last)


def _own(texts: pl.Series) -> np.ndarray:
    """_R: masked shingles that few others say."""
    shingles = masked_shingles(texts)
    alone = shingles.group_by("shingle").len().filter(pl.col("len") <= max(1, ALONE * len(texts)))
    return np.bincount(shingles.join(alone, on="shingle", how="semi")["row"].to_numpy(), minlength=len(texts))


def _edge(words: BareWords, *, begins: bool) -> tuple[np.ndarray, np.ndarray]:
    """(_V the longest run of bare words with which half of the texts begin, or end, _R the texts that do)."""
    count_R, run = np.diff(words.first_V), list[np.uint64]()
    rows_R = np.arange(len(count_R))
    while True:
        longer_R = rows_R[count_R[rows_R] > len(run)]
        next_R = words.bare_V[words.first_V[longer_R] + len(run) if begins else words.first_V[longer_R + 1] - 1 - len(run)]
        kinds, counts = np.unique(next_R, return_counts=True)
        if not len(kinds) or counts.max() < max(QUESTIONS, HALF * len(count_R)):
            return np.array(run if begins else run[::-1], dtype=np.uint64), rows_R
        run.append(kinds[counts.argmax()])
        rows_R = longer_R[next_R == run[-1]]


def _grams(words: BareWords, n: int) -> pl.DataFrame:
    """(row, place, gram) of every n-gram."""
    row_V = np.repeat(np.arange(len(words.first_V) - 1), np.diff(words.first_V))
    count = max(len(row_V) - n + 1, 0)
    gram_G = np.zeros(count, dtype=np.uint64)
    for place in range(n if count else 0):
        gram_G = gram_G * HASH + words.bare_V[place : place + count]
    within = row_V[:count] == row_V[len(row_V) - count :]
    return pl.DataFrame({"row": row_V[:count], "place": np.arange(count), "gram": gram_G}).filter(pl.Series(within))
