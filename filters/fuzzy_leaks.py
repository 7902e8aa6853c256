"""Does a question resemble an evaluation question, but for numbers and names? Four-word shingles of what is left when those are masked.

GSM-hard is GSM8K with other numbers: an n-gram of ten words finds only the questions that keep ten words between two numbers. Here each
run of numbers (digits or words) and of words with a capital letter is one mark, so that `Tom has 12 apples` and `Ann Lee has twenty apples`
are the same four words. The score is the share of the evaluation question's distinct shingles that the text has, too
(containment, Broder 1997), in any order: moved sentences and words around it cost little. Questions with fewer than LEAST shingles are
left out: what is short and masked looks like everything. A paraphrase in other words is not found; docs/clean.md has the measured recall.

Legend: _B byte, _C code point, _V bare word, _R row, _E evaluation question.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dataengine.kernels.hashed_words import bare_words_of, character_tables, parts_of, utf8
from dataengine.kernels.hashing import HASH, code_point, compiled, mixed

SHINGLE = 4
LEAST = 8
"""Distinct shingles that an evaluation question needs to be looked for."""

ENGLISH = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half twice thrice double triple dozen
first second third fourth fifth sixth quarter"""
CHINESE = "〇零一二两三四五六七八九十百千万亿半倍"
"""Words and characters that are numbers."""
DIGIT, CAPITAL = 1, 2


@dataclass(frozen=True, kw_only=True)
class Masked:
    """The masked shingles of evaluation questions."""

    size_E: np.ndarray
    """Distinct shingles of each question; 0 for one that is left out."""
    shingles: pl.DataFrame
    """(shingle, entry), each pair once."""

    @property
    def short(self) -> int:
        """Questions that are left out."""
        return int((self.size_E == 0).sum())


def masked_index(questions: Sequence[str]) -> Masked:
    """The index of the questions, to find texts that resemble one."""
    shingles = masked_shingles(pl.Series(questions, dtype=pl.String)).rename({"row": "entry"})
    counted = shingles.group_by("entry").len().filter(pl.col("len") >= LEAST)
    size_E = np.zeros(len(questions), dtype=np.int32)
    size_E[counted["entry"].to_numpy()] = counted["len"].to_numpy()
    return Masked(size_E=size_E, shingles=shingles.join(counted.select("entry"), on="entry", how="semi"))


def most_resembling(texts: pl.Series, index: Masked, *, at_least: float) -> pl.DataFrame:
    """(row, entry, score): the question that each text resembles most, the longest of equals, where its score is `at_least` that."""
    shared = masked_shingles(texts).join(index.shingles, on="shingle", how="inner").group_by("row", "entry").len()
    size = pl.Series("size", index.size_E[shared["entry"].to_numpy()])
    scored = shared.with_columns(size, score=(pl.col("len") / size).cast(pl.Float32)).filter(pl.col("score") >= at_least)
    ranked = scored.sort("row", "score", "size", "entry", descending=[False, True, True, False])
    return ranked.unique("row", keep="first", maintain_order=True).select("row", "entry", "score")


def masked_shingles(texts: pl.Series) -> pl.DataFrame:
    """(row, shingle) of all texts, each pair once."""
    found, begin = [pl.DataFrame(schema={"row": pl.UInt32, "shingle": pl.UInt64})], 0
    for part in parts_of(texts):
        word_V, row_V = _masked(part)
        shingle_V = np.zeros(max(len(word_V) - SHINGLE + 1, 0), dtype=np.uint64)
        _shingle(word_V, shingle_V)
        one_row = row_V[: len(shingle_V)] == row_V[len(row_V) - len(shingle_V) :]
        here = pl.DataFrame({"row": pl.Series(begin + row_V[: len(shingle_V)]).cast(pl.UInt32), "shingle": shingle_V})
        found.append(here.filter(pl.Series(one_row)).unique())
        begin += len(part)
    return pl.concat(found)


def _masked(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """(_V word hashes, _V their rows) with one mark for each run of numbers and names; texts mostly in capitals keep their words."""
    words = bare_words_of(texts)
    sign_V = np.zeros(len(words.bare_V), dtype=np.uint8)
    _signs(*utf8(texts), words.start_V, words.stop_V, words.first_V, *_tables(), sign_V)
    count_R = np.diff(words.first_V)
    row_V = np.repeat(np.arange(len(texts)), count_R)
    capital_V = sign_V & CAPITAL > 0
    loud_R = 2 * np.bincount(row_V[capital_V], minlength=len(texts)) > count_R
    masked_V = (sign_V & DIGIT > 0) | np.isin(words.bare_V, _number_words()) | (capital_V & ~loud_R[row_V])
    again_V = np.zeros(len(masked_V), dtype=np.bool_)
    again_V[1:] = masked_V[1:] & masked_V[:-1] & (row_V[1:] == row_V[:-1])
    return np.where(masked_V, HASH, words.bare_V)[~again_V], row_V[~again_V]


@functools.cache
def _number_words() -> np.ndarray:
    return bare_words_of(pl.Series([*ENGLISH.split(), *CHINESE])).bare_V


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """_C uint8 lower case differs; _C uint8 is a number."""
    _, lower_C, _ = character_tables()
    number_C = np.zeros(len(lower_C), dtype=np.uint8)
    number_C[[code for code in range(0x20000) if unicodedata.category(chr(code))[0] == "N"]] = DIGIT
    return np.where(lower_C != np.arange(len(lower_C)), CAPITAL, 0).astype(np.uint8), number_C


@compiled
def _signs(
    data_B: np.ndarray, begin_R: np.ndarray, start_V: np.ndarray, stop_V: np.ndarray, first_V: np.ndarray,
    capital_C: np.ndarray, number_C: np.ndarray, sign_V: np.ndarray,
) -> None:  # fmt: skip
    """Which words begin with a capital letter, and which hold a digit."""
    for row in range(len(begin_R) - 1):
        at, word, place = begin_R[row], first_V[row], 0
        while word < first_V[row + 1] and at < begin_R[row + 1]:
            code, at = code_point(data_B, at)
            if place >= start_V[word]:
                sign_V[word] |= number_C[code]
                if place == start_V[word]:
                    sign_V[word] |= capital_C[code]
            place += 1
            if place == stop_V[word]:
                word += 1


@compiled
def _shingle(word_V: np.ndarray, shingle_V: np.ndarray) -> None:
    for place in range(len(shingle_V)):
        hashed = np.uint64(0)
        for word in range(place, place + SHINGLE):
            hashed = (hashed ^ word_V[word]) * HASH
        shingle_V[place] = mixed(hashed)
