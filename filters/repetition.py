"""Does a response repeat itself: a tail that loops, or long runs of words said again?

Legend: _W word of all responses together, _N n-gram, _R row.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import polars as pl

from dataengine.score import Score, batch_scorer
from filters.format import without_end_tokens

_WORDS = r"[\p{Han}\p{Hiragana}\p{Katakana}]|[^\s\p{Han}\p{Hiragana}\p{Katakana}]+"
_ANCHOR = 40
_TAIL = 4_000
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@batch_scorer
def not_repetitive(
    response: pl.Series, *, n: int = 20, allowed: float = 0.2, loop_copies: int = 4, loop_characters: int = 200
) -> list[Score]:
    """1 for a response that does not repeat itself, else its share of distinct n-grams, and 0 for a tail that loops.

    Repeated share = 1 - distinct / all n-grams of `n` words (lower case, parted by spaces; a CJK character is a word): the definition
    of the repetition penalty in "Demystifying Long Chain-of-Thought Reasoning" (Yeo et al. 2025) and open-r1. Up to `allowed` of it
    scores 1, since reasoning restates its problem. A tail loops when its last `loop_copies` or more copies of one period fill
    `loop_characters` or more, or twice as many copies that only count on ("Step 107: The answer is 5. Step 108: ..."); ours. The reason
    gives the period. A response of fewer than `n` words has no n-grams and scores 1 or loops.
    """
    texts = [without_end_tokens(text) for text in response.to_list()]
    repeated_R, grams_R = repeated_share(pl.Series(texts, dtype=pl.String), n=n)
    scores = []
    for text, repeated, grams in zip(texts, repeated_R, grams_R, strict=True):
        period, copies = tail_loop(text)
        if copies >= loop_copies and period * copies >= loop_characters:
            scores.append(Score(0.0, f"tail loops: {copies} copies of {period} characters ({text[-period:][:30].strip()!r})"))
        elif (counted := counting_loop(text, copies=2 * loop_copies)) >= loop_characters:
            scores.append(Score(0.0, f"tail loops and counts: its last {counted} characters only change a running number"))
        elif repeated > allowed:
            scores.append(Score(float(1 - repeated), f"{repeated:.0%} of {grams} {n}-grams repeated"))
        else:
            scores.append(Score(1.0, f"{repeated:.0%} of {grams} {n}-grams repeated"))
    return scores


def tail_loop(text: str) -> tuple[int, int]:
    """(period in characters, copies) of the repetition a text ends in; (0, 0) where its last 40 characters occur only once."""
    text = text.rstrip()
    at = text.rfind(text[-_ANCHOR:], 0, len(text) - 1) if len(text) > _ANCHOR else -1
    if at < 0:
        return 0, 0
    period = len(text) - _ANCHOR - at
    unit, end, copies = text[-period:], len(text), 0
    while end >= period and text.startswith(unit, end - period):
        copies, end = copies + 1, end - period
    return period, copies


def counting_loop(text: str, *, copies: int) -> int:
    """Characters at the end that repeat one text but for numbers that stay or run on by one; 0 for fewer copies than asked."""
    tail = text.rstrip()[-_TAIL:]
    numbers = re.findall(r"\d+", tail)
    period, found = tail_loop(re.sub(r"\d+", "0", tail))
    inside = re.sub(r"\d+", "0", tail)[-period:].count("0")
    if found < copies or not inside or inside * found > len(numbers):
        return 0
    rows = [[int(number[-9:]) for number in numbers[len(numbers) - inside * (k + 1) : len(numbers) - inside * k]] for k in range(found)]
    runs_on = all(len({a - b for a, b in pairwise(column)}) == 1 and abs(column[0] - column[1]) <= 1 for column in zip(*rows, strict=True))
    return period * found if runs_on else 0


def repeated_share(texts: pl.Series, *, n: int) -> tuple[np.ndarray, np.ndarray]:
    """_R, _R: share of n-grams that were said before in the same text, and how many n-grams there are."""
    words = texts.str.to_lowercase().str.extract_all(_WORDS)
    length_R = words.list.len().fill_null(0).to_numpy().astype(np.int64)
    hash_W = words.explode().drop_nulls().hash().to_numpy()
    row_W = np.repeat(np.arange(len(texts)), length_R)
    grams_R = np.maximum(length_R - n + 1, 0)
    if not grams_R.sum():
        return np.zeros(len(texts)), grams_R
    start_N = np.flatnonzero(np.arange(len(row_W)) <= (np.cumsum(length_R) - n)[row_W])
    gram_N = row_W[start_N].astype(np.uint64) * _FACTOR
    for place in range(n):
        gram_N = (gram_N ^ hash_W[start_N + place]) * _FACTOR
        gram_N ^= gram_N >> np.uint64(29)
    order_N = np.argsort(gram_N, kind="stable")
    again_N = np.zeros(len(gram_N), dtype=bool)
    again_N[order_N[1:]] = gram_N[order_N[1:]] == gram_N[order_N[:-1]]
    repeats_R = np.bincount(row_W[start_N], weights=again_N, minlength=len(texts))
    return repeats_R / np.maximum(grams_R, 1), grams_R
