"""Which words of an evaluation set are its prompt and no problem? The n-grams that a large share of its questions have in common.

Sets are published as rendered prompts, too (verl, simple-evals): "put your final answer within \\boxed{}" is ten words that a corpus in
the same form holds in every row. Such words are cut out of the questions before anything is looked for, and so are the idioms of a contest
("m and n are relatively prime positive integers. Find m+n"). Questions that are variations of each other (GSM-symbolic) share their
problem instead: without numbers and names little is left that one of them says alone, and nothing is cut.

Legend: _V bare word of all texts together, _G n-gram.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from dataengine.kernels.hashed_words import BareWords, bare_words_of
from dataengine.kernels.hashing import HASH
from filters.evaluation_sets import Problem
from filters.fuzzy_leaks import LEAST, masked_shingles

SHARE, QUESTIONS = 0.25, 8
"""An n-gram of this share of a set's distinct questions, and of so many at least, is boilerplate: fewer may ask about one passage."""
ALONE = 0.05
"""A masked shingle of no more than this share of the questions is one that a question says alone: sets hold near-copies."""
NAMED, LONGEST = 5, 200
"""Stretches that are named for each set, the most frequent first, and characters of each."""


def without_boilerplate(problems: Sequence[Problem], *, n: int) -> tuple[list[Problem], dict[str, list[str]]]:
    """The problems without what their set's questions have in common, and what was cut by set.

    >>> said = [" ".join(first + second for second in "abcdefghijkl") for first in "stuvwxyz"]
    >>> asked = [f"{text}. Think step by step, and write the answer into a box." for text in said]
    >>> without_boilerplate([("toy", question[0], question, None) for question in asked], n=10)[1]
    {'toy': ['Think step by step, and write the answer into a box']}
    """
    found, named = list(problems), dict[str, list[str]]()
    for dataset in dict.fromkeys(problem[0] for problem in problems):
        questions = list(dict.fromkeys(question for its, _, question, _ in problems if its == dataset))
        bare, stretches = _cut(questions, n)
        if stretches:
            named[dataset] = [text for text, _ in Counter(stretches).most_common(NAMED)]
            found = [(*each[:2], bare[each[2]], each[3]) if each[0] == dataset else each for each in found]
    return found, named


def _cut(questions: list[str], n: int) -> tuple[dict[str, str], list[str]]:
    """Each question without boilerplate, and all that was cut."""
    if len(questions) < QUESTIONS:
        return {}, []
    texts = pl.Series(questions)
    words = bare_words_of(texts)
    grams_G = _grams(words, n)
    shared_V = np.zeros(len(words.bare_V) + n, dtype=np.bool_)
    for place in grams_G.join(_boilerplate(grams_G, texts), on="gram", how="semi")["place"].to_list():
        shared_V[place : place + n] = True
    if not shared_V.any():
        return {}, []
    bare, stretches = {}, []
    for row, text in enumerate(questions):
        own = slice(words.first_V[row], words.first_V[row + 1])
        edges = np.flatnonzero(np.diff(shared_V[own].astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
        cuts = [(int(words.start_V[own][first]), int(words.stop_V[own][last - 1])) for first, last in edges.tolist()]
        left = [text[stop:start] for (_, stop), (start, _) in pairwise([(0, 0), *cuts, (len(text), 0)])]
        bare[text] = "\n".join(left).strip()
        stretches += [" ".join(text[start:stop].split())[:LONGEST] for start, stop in cuts]
    return bare, stretches


def _grams(words: BareWords, n: int) -> pl.DataFrame:
    """(row, place, gram) of every n-gram."""
    row_V = np.repeat(np.arange(len(words.first_V) - 1), np.diff(words.first_V))
    count = max(len(row_V) - n + 1, 0)
    gram_G = np.zeros(count, dtype=np.uint64)
    for place in range(n if count else 0):
        gram_G = gram_G * HASH + words.bare_V[place : place + count]
    within = row_V[:count] == row_V[len(row_V) - count :]
    return pl.DataFrame({"row": row_V[:count], "place": np.arange(count), "gram": gram_G}).filter(pl.Series(within))


def _boilerplate(grams_G: pl.DataFrame, texts: pl.Series) -> pl.DataFrame:
    """(gram) of those that many questions hold which otherwise say something of their own."""
    held = grams_G.unique(["gram", "row"])
    many = held.group_by("gram").len().filter(pl.col("len") >= max(QUESTIONS, SHARE * len(texts)))
    if not len(many):
        return many
    shingles = masked_shingles(texts)
    alone = shingles.group_by("shingle").len().filter(pl.col("len") <= max(1, ALONE * len(texts)))
    own = shingles.join(alone, on="shingle", how="semi").group_by("row").agg(own=pl.len()).with_columns(pl.col("row").cast(pl.Int64))
    holders = held.join(many, on="gram", how="semi").join(own, on="row", how="left").with_columns(pl.col("own").fill_null(0))
    return holders.group_by("gram").agg(pl.col("own").median()).filter(pl.col("own") >= LEAST).select("gram")
