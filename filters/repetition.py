"""Does a response repeat itself: a tail that loops, long runs of words or whole lines said again, text that compresses too well?

Legend: _W written word of all responses together (dataengine/kernels/hashed_words.py), _R row, _T slot of a table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import zstandard

from dataengine.kernels.hashed_words import parts_of, words_of
from dataengine.kernels.hashing import HASH, compiled, mixed
from dataengine.score import Score, batch_scorer, scorer
from filters.format import without_end_tokens

_ANCHOR = 40
_TAIL = 4_000


@batch_scorer(version="2")
def not_repetitive(
    response: pl.Series, *, n: int = 20, allowed: float = 0.2, loop_copies: int = 4, loop_characters: int = 200
) -> list[Score]:
    """1 for a response that does not repeat itself, else its share of distinct n-grams, and 0 for a tail that loops.

    Repeated share = 1 - distinct / all n-grams of `n` words (lower case, parted by spaces; a CJK character is a word): the definition
    of the repetition penalty in "Demystifying Long Chain-of-Thought Reasoning" (Yeo et al. 2025) and open-r1. Up to `allowed` of it
    scores 1, since reasoning restates its problem. A tail loops when its last `loop_copies` or more copies of one period fill
    `loop_characters` or more, or twice as many copies that only count on ("Step 107: The answer is 5. Step 108: ..."); ours. The reason
    gives the period. A response of fewer than `n` words has no n-grams and scores 1 or loops.

    >>> not_repetitive("Two and two make four." + " Wait, let me check that again now." * 8)
    Score(value=0.0, reason="tail loops: 8 copies of 35 characters ('Wait, let me check that again')")
    >>> not_repetitive("Two and two make four.")
    Score(value=1.0, reason='0% of 0 20-grams repeated')
    """
    given = response.to_list()
    texts = [without_end_tokens(text) for text in given]
    repeated_R, grams_R = repeated_share(response, n=n)
    padded = [row for row, (text, before) in enumerate(zip(texts, given, strict=True)) if len(text) < len(before.rstrip())]
    if padded:  # the words of end tokens count as none
        repeated_R[padded], grams_R[padded] = repeated_share(pl.Series([texts[row] for row in padded]), n=n)
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


@not_repetitive.finds
def _said_before(row: Mapping[str, Any], *, n: int = 20, allowed: float = 0.2, loop_copies: int = 4, loop_characters: int = 200) -> Any:
    from filters.texts.repeated_stretches import repeated_stretches

    return repeated_stretches(row.get("response") or "", n=n, loop_copies=loop_copies, loop_characters=loop_characters)


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
    masked = re.sub(r"\d+", "0", tail)
    period, found = tail_loop(masked)
    inside = masked[-period:].count("0") if period else 0
    numbers = re.findall(r"\d+", tail) if found >= copies and inside else []
    if not numbers or inside * found > len(numbers):
        return 0
    rows = [[int(number[-9:]) for number in numbers[len(numbers) - inside * (k + 1) : len(numbers) - inside * k]] for k in range(found)]
    runs_on = all(len({a - b for a, b in pairwise(column)}) == 1 and abs(column[0] - column[1]) <= 1 for column in zip(*rows, strict=True))
    return period * found if runs_on else 0


def repeated_share(texts: pl.Series, *, n: int) -> tuple[np.ndarray, np.ndarray]:
    """_R, _R: share of n-grams of lower-case words that were said before in the same text, and how many n-grams there are."""
    if n < 1:
        raise ValueError(f"n is the number of words of an n-gram and at least 1, got {n}")
    again_R, grams_R = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.int64)
    row = 0
    for part in parts_of(texts):
        words = words_of(part)
        _count_again(words.lower_W, words.first_W, n, again_R[row : row + len(part)], grams_R[row : row + len(part)])
        row += len(part)
    return again_R / np.maximum(grams_R, 1), grams_R


@scorer
def distinct_lines(response: str) -> Score:
    """Share of lines that were not there before, without white space at their ends; 1 for a text without lines.

    NeMo-Curator's RepeatedLinesFilter asks for 0.7 or more of it; Gopher's fraction of duplicate lines is 1 minus it.

    >>> distinct_lines("So x = 2.\\n\\nSo x = 2.\\n  So x = 2.\\nDone.")
    Score(value=0.5, reason="2 of 4 lines distinct; 3 times 'So x = 2.'")
    """
    lines = Counter(stripped for line in response.split("\n") if (stripped := line.strip()))
    total = lines.total()
    if len(lines) == total:
        return Score(1.0, f"all {total} lines distinct")
    line, copies = lines.most_common(1)[0]
    return Score(len(lines) / total, f"{len(lines)} of {total} lines distinct; {copies} times {line[:60]!r}")


@scorer
def compression_ratio(response: str, *, level: int = 1) -> Score:
    """Size of the text compressed by zstd over its size in UTF-8, at most 1; 1 for an empty text.

    Of chains of thought of 1,000 to 50,000 characters nine in ten lie between 0.20 and 0.55 (SkyThought's, level 1); short texts near 1.
    Source: Whisper calls a decoding failed above 2.4 of the inverse, by zlib (Radford et al. 2022, section 4.5): below 0.42 here.

    >>> compression_ratio("so x=1. " * 1000).value < 0.01
    True
    """
    data = response.encode(errors="surrogatepass")
    if not data:
        return Score(1.0, "empty")
    size = len(zstandard.ZstdCompressor(level=level).compress(data))
    return Score(min(size / len(data), 1.0), f"{len(data)} bytes become {size}")


@compiled
def _count_again(lower_W: np.ndarray, first_W: np.ndarray, n: int, again_R: np.ndarray, grams_R: np.ndarray) -> None:
    """N-grams of each row, and those that were there before; the hash of an n-gram is a polynomial in HASH that rolls on."""
    most, leading = 1, np.uint64(1)
    for row in range(len(grams_R)):
        grams_R[row] = max(first_W[row + 1] - first_W[row] - n + 1, 0)
        most = max(most, grams_R[row])
    for _ in range(n):
        leading *= HASH
    bits = 4
    while 1 << bits < 2 * most:
        bits += 1
    key_T = np.empty(1 << bits, dtype=np.uint64)
    for row in range(len(grams_R)):
        bits = 4
        while 1 << bits < 2 * grams_R[row]:
            bits += 1
        key_T[: 1 << bits] = 0
        rolled = np.uint64(0)
        for place in range(first_W[row], first_W[row + 1]):
            rolled = rolled * HASH + lower_W[place]
            if place < first_W[row] + n - 1:
                continue
            if place >= first_W[row] + n:
                rolled -= leading * lower_W[place - n]
            key = mixed(rolled) | np.uint64(1)
            slot = np.int64(key >> np.uint64(64 - bits))
            while key_T[slot] != 0 and key_T[slot] != key:
                slot = (slot + 1) & ((1 << bits) - 1)
            again_R[row] += key_T[slot] == key
            key_T[slot] = key
