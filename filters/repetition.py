"""Does a response repeat itself: a loop at its end, or long passages that come again and again?

Tokens here are words, single Han characters and single signs. A degenerate tail is one that is periodic up to its very end; repeated
passages are measured as the share of tokens that stand in an n-gram seen before (after Gopher's duplicate n-gram statistics, Rae et al.
2021, table A1, on tokens instead of characters; long thoughts repeat formulas on purpose, so n is 20 here where Gopher has 5 to 10).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from dataengine.score import Score, scorer

TOKEN = re.compile(r"[^\W\d_\u3400-\u9fff\u3040-\u30ff]+|\d|[^\s]")
"""A word, a digit, or one other character that is no space."""
LONGEST_TAIL = 8_000
"""Tokens from the end that are searched for a loop."""


@scorer
def not_repetitive(response: str, *, repeats: int = 4, loop_tokens: int = 60, ngram: int = 20, most_repeated: float = 0.4) -> Score:
    """1 where nothing is wrong, 0 with what is: a tail loop with its period, or too large a share of repeated passages.

    A loop is at least `repeats` times the same tokens, over at least `loop_tokens` tokens. `most_repeated`: share of tokens in
    `ngram`-grams that stood before.
    """
    ids_T = token_ids(response)
    if loop := tail_loop(ids_T, repeats=repeats, at_least=loop_tokens):
        period, times = loop
        return Score(0.0, f"ends in a loop: {period} tokens {times} times")
    share = repeated_share(ids_T, ngram=ngram)
    if share > most_repeated:
        return Score(0.0, f"{share:.2f} of it is passages of {ngram} tokens seen before, at most {most_repeated} wanted")
    return Score(1.0, f"{share:.2f} repeated")


def token_ids(text: str) -> np.ndarray:
    """The text as numbers, one for each different token. [T]"""
    known: dict[str, int] = {}
    return np.array([known.setdefault(token, len(known)) for token in TOKEN.findall(text)], dtype=np.int64)


def tail_loop(ids_T: Sequence[int] | np.ndarray, *, repeats: int, at_least: int) -> tuple[int, int] | None:
    """(period, times) of the longest periodic tail, or None where no tail repeats often enough.

    The border function of the reversed tokens gives the smallest period of every tail in one pass (Knuth, Morris, Pratt).
    """
    reversed_T = list(ids_T[-LONGEST_TAIL:])[::-1]
    border = [0] * len(reversed_T)
    found = None
    for end in range(1, len(reversed_T)):
        at = border[end - 1]
        while at and reversed_T[at] != reversed_T[end]:
            at = border[at - 1]
        border[end] = at + (reversed_T[at] == reversed_T[end])
        length, period = end + 1, end + 1 - border[end]
        if length >= max(at_least, repeats * period):
            found = (period, length // period)
    return found


def repeated_share(ids_T: np.ndarray, *, ngram: int) -> float:
    """Share of tokens that stand in an n-gram which stood before, in [0, 1]."""
    count = len(ids_T) - ngram + 1
    if count <= 1:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(ids_T, ngram)
    weights = np.random.default_rng(0).integers(1, 2**62, ngram, dtype=np.uint64) | np.uint64(1)
    hashes = (windows.astype(np.uint64) + np.uint64(1)) @ weights
    _, first = np.unique(hashes, return_index=True)
    again = np.ones(count, dtype=bool)
    again[first] = False
    covered = np.zeros(len(ids_T) + 1, dtype=np.int64)
    np.add.at(covered, np.flatnonzero(again), 1)
    np.add.at(covered, np.flatnonzero(again) + ngram, -1)
    return float((np.cumsum(covered[:-1]) > 0).mean())
