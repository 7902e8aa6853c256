"""How much of a text is said more than once, by the nine n-gram statistics and four line statistics of Gopher?

Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher" (arXiv:2112.11446), section A1.1
"Repetition removal" and Table A1. The paper leaves the counting open; the numbers are those of datatrove's GopherRepetitionFilter on the
same words (FineWeb was made with it), except where its counting contradicts the paper:

* Words stand between white space, and a CJK character is one (dataengine/kernels/hashed_words.py). datatrove takes spaCy's or jieba's
  tokens.
* Different n-grams are never taken for one. datatrove joins words without a sign between them: `ab c` and `a bc` are one to it.
* The most frequent n-gram counts only where it occurs twice. In datatrove a text of three different words has a "top 2-gram" that is
  two thirds of it and is rejected.
* A share is at most 1: `a a a a` holds three overlapping 2-grams, in datatrove 9 characters of 7.
* In a top n-gram a space is counted between words that stand apart, so that characters of Chinese are not counted with spaces.
* Empty lines are no lines: in datatrove a text that begins and ends with a line break has a duplicate line.
* An empty text repeats nothing; datatrove rejects it here as empty.

Legend: _B byte of all texts together, _W written word, _R row, _K statistic, _L line or paragraph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dataengine.kernels.hashed_words import SPACE, character_tables, parts_of, utf8, words_of
from dataengine.kernels.hashing import HASH, code_point, compiled, mixed
from dataengine.score import Score, batch_scorer

LIMITS = {
    "duplicate_lines": 0.30,
    "duplicate_line_characters": 0.20,
    "duplicate_paragraphs": 0.30,
    "duplicate_paragraph_characters": 0.20,
    **{"top_2_gram": 0.20, "top_3_gram": 0.18, "top_4_gram": 0.16},
    **{"duplicate_5_grams": 0.15, "duplicate_6_grams": 0.14, "duplicate_7_grams": 0.13},
    **{"duplicate_8_grams": 0.12, "duplicate_9_grams": 0.11, "duplicate_10_grams": 0.10},
}
"""Table A1: the share from which on a text is to be removed. Lines and paragraphs are shares of their number, the others of characters."""

_FACTOR = np.uint64(0xBF58476D1CE4E5B9)  # of splitmix64
LONGEST = 10
TOP = 4
_LINE_STATISTICS = 4


@batch_scorer
def gopher_repetition(response: pl.Series, *, tolerance: float = 1.0) -> list[Score]:
    """1 where all thirteen statistics keep to Table A1, else limit / statistic of the one that is furthest over its limit.

    `tolerance` multiplies every limit: chains of thought restate their problem, and web text, for which the limits were made, does not.
    The value is comparable between texts, so that `keep(..., at_least=0.5)` allows twice the limits of `at_least=1.0`.

    >>> gopher_repetition("The cat sat on the mat while the dog slept by the door.")
    Score(value=1.0, reason='all within limits; closest: top_2_gram 0.00 of 0.20')
    >>> gopher_repetition("no no no no no no no no").reason
    'top_4_gram 1.00, at most 0.16 (and 5 more)'
    """
    limits_K = np.array(list(LIMITS.values())) * tolerance
    scores = []
    for shares_K in gopher_statistics(response).to_numpy():
        excess_K = shares_K / limits_K
        worst = int(excess_K.argmax())
        name, share, limit = list(LIMITS)[worst], shares_K[worst], limits_K[worst]
        over = int((excess_K > 1).sum())
        if not over:
            closest = "top_2_gram 0.00" if not share else f"{name} {share:.2f}"
            scores.append(Score(1.0, f"all within limits; closest: {closest} of {limit if share else limits_K[_LINE_STATISTICS]:.2f}"))
        else:
            more = f" (and {over - 1} more)" if over > 1 else ""
            scores.append(Score(float(1 / excess_K[worst]), f"{name} {share:.2f}, at most {limit:.2f}{more}"))
    return scores


def gopher_statistics(texts: pl.Series) -> pl.DataFrame:
    """The thirteen statistics of each text, a column for each name of LIMITS, all in [0, 1].

    duplicate_lines, duplicate_paragraphs: lines (parted by line breaks) and paragraphs (by two or more) that were there before, of all.
    duplicate_line_characters, duplicate_paragraph_characters: their characters, of all characters of the text.
    top_N_gram: length of the most frequent N-gram (the first of several) times its occurrences, of all characters.
    duplicate_N_grams: letters of N-grams that were there before, each word counted once: after a repeated N-gram the count goes on behind
    it. First occurrences do not count.
    """
    found = []
    for part in parts_of(texts):
        words = words_of(part)
        share_RK = np.zeros((len(part), len(LIMITS)))
        _lines(*utf8(part), character_tables()[0], share_RK)
        _grams(words.exact_W, words.start_W, words.stop_W, words.first_W, share_RK)
        share_RK[:, 1] /= np.maximum(words.characters_R, 1)
        share_RK[:, 3:] /= np.maximum(words.characters_R, 1)[:, None]
        found.append(np.minimum(share_RK, 1.0))
    return pl.DataFrame(np.concatenate(found) if found else np.zeros((0, len(LIMITS))), schema=list(LIMITS))


@compiled
def _slot(key: np.uint64, key_T: np.ndarray, value_T: np.ndarray, bits: int) -> np.int64:
    """Where a key stands in a table of 2**bits slots, or the empty slot (value -1) where it belongs."""
    slot = np.int64((key * HASH) >> np.uint64(64 - bits))
    while value_T[slot] >= 0 and key_T[slot] != key:
        slot = (slot + 1) & ((1 << bits) - 1)
    return slot


@compiled
def _bits(entries: int) -> int:
    """Bits of the least table that is at most half full."""
    bits = 4
    while 1 << bits < 2 * entries:
        bits += 1
    return bits


@compiled
def _grams(exact_W: np.ndarray, start_W: np.ndarray, stop_W: np.ndarray, first_W: np.ndarray, share_RK: np.ndarray) -> None:
    """Characters of the top 2- to 4-grams and of duplicate 5- to 10-grams, from column _LINE_STATISTICS on.

    An n-gram occurs twice only if its two (n-1)-grams do. So each length looks only at the places that the one before left alive, and
    tells n-grams apart by the pair of names of their parts: exact, and soon about few places. The name is the place where it stood first.
    """
    most = 1
    for row in range(len(first_W) - 1):
        most = max(most, first_W[row + 1] - first_W[row])
    first_T = np.empty(1 << _bits(most), np.int32)
    name, longer, count = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32)
    seen, alive = np.empty(most, np.int32), np.empty(most, np.int32)
    for row in range(len(first_W) - 1):
        begin, words = first_W[row], first_W[row + 1] - first_W[row]
        living = words
        for place in range(words):
            alive[place] = place
            seen[place] = 0
        for n in range(2, LONGEST + 1):
            if n == 2:
                living = _survivors(living, alive, exact_W[begin : begin + words], name, count, first_T)
            else:
                living = _survivors(living, alive, name, longer, count, first_T)
                name, longer = longer, name
            if living == 0:
                break
            if n <= TOP:
                share_RK[row, _LINE_STATISTICS + n - 2] = _top(n, living, alive, name, count, start_W[begin:], stop_W[begin:])
            else:
                share_RK[row, _LINE_STATISTICS + n - 2] = _again(n, living, alive, name, seen, start_W[begin:], stop_W[begin:])


@compiled
def _survivors(living: int, alive: np.ndarray, part: np.ndarray, name: np.ndarray, count: np.ndarray, first_T: np.ndarray) -> int:
    """How many places begin an n-gram that occurs twice; they are left in `alive`, with its name and count.

    `part`: the name (or the word's hash) of what is one word shorter at each place. The table holds places only, so that it stays small.
    """
    bits = _bits(living)
    first_T[: 1 << bits] = -1
    kept = 0
    for k in range(living - 1):
        place = alive[k]
        if alive[k + 1] != place + 1:
            continue
        one, other = part[place], part[place + 1]
        slot = np.int64(((np.uint64(one) * HASH + np.uint64(other)) * _FACTOR) >> np.uint64(64 - bits))
        first = first_T[slot]
        while first >= 0 and (part[first] != one or part[first + 1] != other):
            slot = (slot + 1) & ((1 << bits) - 1)
            first = first_T[slot]
        if first < 0:
            first = place
            first_T[slot] = place
            count[place] = 0
        name[place] = first
        count[first] += 1
        alive[kept] = place
        kept += 1
    again = 0
    for k in range(kept):
        if count[name[alive[k]]] > 1:
            alive[again] = alive[k]
            again += 1
    return again


@compiled
def _top(n: int, living: int, alive: np.ndarray, name: np.ndarray, count: np.ndarray, start_W: np.ndarray, stop_W: np.ndarray) -> Any:
    """Length times occurrences of the first of the most frequent n-grams, with a space between words that stand apart."""
    best = alive[0]
    for k in range(living):
        if name[alive[k]] == alive[k] and count[alive[k]] > count[best]:
            best = alive[k]
    length = 0
    for word in range(best, best + n):
        length += stop_W[word] - start_W[word]
        if word > best and start_W[word] > stop_W[word - 1]:
            length += 1
    return length * count[best]


@compiled
def _again(n: int, living: int, alive: np.ndarray, name: np.ndarray, seen: np.ndarray, start_W: np.ndarray, stop_W: np.ndarray) -> int:
    """Letters of n-grams that were there before, none counted twice."""
    letters, free = 0, 0
    for k in range(living):
        place = alive[k]
        if place < free:
            continue
        if seen[name[place]] == n:
            for word in range(place, place + n):
                letters += stop_W[word] - start_W[word]
            free = place + n
        seen[name[place]] = n
    return letters


@compiled
def _lines(data_B: np.ndarray, begin_R: np.ndarray, kind_C: np.ndarray, share_RK: np.ndarray) -> None:
    """Columns 0 to 3: share of duplicate lines, their characters, and the same of paragraphs."""
    most = 1
    for row in range(len(begin_R) - 1):
        most = max(most, begin_R[row + 1] - begin_R[row])
    lines = most // 2 + 1
    hash_L, characters_L = np.empty(lines, np.uint64), np.empty(lines, np.int64)
    key_T, value_T = np.empty(1 << _bits(lines), np.uint64), np.empty(1 << _bits(lines), np.int8)
    for row in range(len(begin_R) - 1):
        begin, end = begin_R[row], begin_R[row + 1]
        for breaks in range(1, 3):
            if breaks == 2:
                begin, end = _stripped(data_B, begin, end, kind_C)
            found = _split(data_B, begin, end, breaks, hash_L, characters_L)
            bits = _bits(found)
            value_T[: 1 << bits] = -1
            again, characters = 0, 0
            for line in range(found):
                slot = _slot(hash_L[line], key_T, value_T, bits)
                if value_T[slot] < 0:
                    key_T[slot], value_T[slot] = hash_L[line], 1
                else:
                    again += 1
                    characters += characters_L[line]
            share_RK[row, 2 * breaks - 2] = again / max(found, 1)
            share_RK[row, 2 * breaks - 1] = characters


@compiled
def _split(data_B: np.ndarray, begin: int, end: int, breaks: int, hash_L: np.ndarray, characters_L: np.ndarray) -> int:
    """Hashes and lengths of what is parted by `breaks` or more line breaks, without empty parts; how many there are."""
    found, characters, hashed = 0, 0, HASH
    at = begin
    while at < end:
        byte, run = data_B[at], at + 1
        if byte == 10:
            while run < end and data_B[run] == 10:
                run += 1
            if run - at >= breaks:
                if characters:
                    hash_L[found], characters_L[found] = mixed(hashed), characters
                    found += 1
                characters, hashed, at = 0, HASH, run
                continue
        hashed = (hashed ^ np.uint64(byte)) * HASH
        characters += (byte & 0xC0) != 0x80
        at += 1
    if characters:
        hash_L[found], characters_L[found] = mixed(hashed), characters
        found += 1
    return found


@compiled
def _stripped(data_B: np.ndarray, begin: int, end: int, kind_C: np.ndarray) -> tuple[int, int]:
    """Begin and end of the bytes without white space at both ends."""
    while begin < end:
        code, after = code_point(data_B, begin)
        if kind_C[code] != SPACE:
            break
        begin = after
    while end > begin:
        last = end - 1
        while (data_B[last] & 0xC0) == 0x80:
            last -= 1
        code, _ = code_point(data_B, last)
        if kind_C[code] != SPACE:
            break
        end = last
    return begin, end
