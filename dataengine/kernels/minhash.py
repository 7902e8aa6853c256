"""MinHash signatures of texts, and a sieve that holds back what is nearly the same as something it has let through.

Similarity is Jaccard's: shared distinct shingles over all distinct shingles of both texts (Broder 1997). A shingle is five bare words
(dataengine/kernels/hashed_words.py) in a row; a text of one to four words is one shingle. The signature is that of "Fast Similarity
Sketching" (Dahlgaard, Knudsen, Thorup 2017): each shingle is hashed once into one of 128 bins, further rounds fill bins that stay empty in
short texts; its estimate is as good as that of 128 independent minima and takes a hundredth of the time. Sixteen bits of each minimum are
kept (b-bit minwise hashing, Li and Koenig 2010; a chance agreement in 65,536). Texts are compared when all minima of one band agree
(locality-sensitive hashing, Indyk and Motwani 1998).

Legend: _V bare word of all texts together, _R row, _B bin of a signature, _K kept row, _T bucket of a table, _L kept row in a bucket.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from dataengine.kernels.hashed_words import bare_words_of
from dataengine.kernels.hashing import HASH, compiled, mixed

BINS = 128
BANDS, BAND = 21, 6
"""A pair of similarity s is compared with probability 1 - (1 - s**6)**21: 0.998 at 0.8, 0.93 at 0.7, 0.28 at 0.5."""

SHINGLE = 5


class Sieve:
    """Lets a row through unless it is `similarity` alike to one that went through before; 570 bytes for each that did.

    The sum of both: no two rows that went through were found alike, and each row held back is like one that went through.
    """

    def __init__(self, *, similarity: float, room: int = 1024) -> None:
        if not 0 < similarity <= 1:
            raise ValueError(f"similarity is a share of common shingles in (0, 1], got {similarity}")
        self.similarity = similarity
        self.added = 0
        """Rows seen so far, those without words among them."""
        self.kept = 0
        self._rows_K = np.zeros(0, dtype=np.int64)
        self._grow(max(room, 1))

    def add(self, signatures: np.ndarray, filled_R: np.ndarray, within_R: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(like_R, equal_R): the number of the most similar row that went through before, -1 where this one goes through; equal minima.

        Rows without words (`filled_R`) go through and hold nothing back. Only rows of the same `within_R` (uint64) are compared.
        """
        if self.kept + len(signatures) > len(self._rows_K):
            self._grow(max(2 * len(self._rows_K), self.kept + len(signatures)))
        within_R = np.zeros(len(signatures), np.uint64) if within_R is None else within_R
        like_R, equal_R = np.full(len(signatures), -1, np.int64), np.zeros(len(signatures), np.int16)
        least = int(np.ceil(self.similarity * BINS))
        store = self._signatures, self._within_K, self._rows_K, self._seen_K, self._first_T, self._next_L
        self.kept = _sift(signatures, filled_R, within_R, least, self.added, self.kept, *store, like_R, equal_R)
        self.added += len(signatures)
        return like_R, equal_R

    def _grow(self, room: int) -> None:
        """Room for so many kept rows; those that are there are hung into a larger table."""
        kept, before = self.kept, (self._signatures, self._within_K, self._rows_K) if self.kept else None
        self._signatures, self._within_K = np.zeros((room, BINS), np.uint16), np.zeros(room, np.uint64)
        self._rows_K, self._seen_K = np.zeros(room, np.int64), np.full(room, -1, np.int64)
        self._first_T = np.full(1 << max(10, int(BANDS * room - 1).bit_length()), -1, np.int32)
        self._next_L = np.full(BANDS * room, -1, np.int32)
        if before is not None:
            self._signatures[:kept], self._within_K[:kept], self._rows_K[:kept] = (each[:kept] for each in before)
            _hang(self._signatures[:kept], self._within_K, self._first_T, self._next_L)


def signatures_of(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """_R,_B uint16 signatures, and _R bool: has the text words?"""
    words = bare_words_of(texts)
    signatures = np.zeros((len(texts), BINS), dtype=np.uint16)
    _sketch(words.bare_V, words.first_V, signatures)
    return signatures, np.diff(words.first_V) > 0


def estimated_similarity(one_B: np.ndarray, other_B: np.ndarray) -> float:
    """Share of bins in which two signatures agree."""
    return float((one_B == other_B).mean())


@compiled
def _sketch(bare_V: np.ndarray, first_V: np.ndarray, signatures: np.ndarray) -> None:
    """Fill the signatures: round by round each shingle falls into a bin with a value; what came in an earlier round stays.

    After BINS rounds the bins are filled one by one by the least value of all shingles, as in classic MinHash, so that none stays empty.
    """
    least_B = np.empty(BINS, np.uint64)
    filled_B = np.empty(BINS, np.bool_)
    most = 1
    for row in range(len(first_V) - 1):
        most = max(most, first_V[row + 1] - first_V[row])
    shingles = np.empty(most, np.uint64)
    leading = np.uint64(1)
    for _ in range(SHINGLE):
        leading *= HASH
    for row in range(len(first_V) - 1):
        count, rolled = 0, np.uint64(0)
        begin, end = first_V[row], first_V[row + 1]
        for place in range(begin, end):
            rolled = rolled * HASH + bare_V[place]
            if place >= begin + SHINGLE:
                rolled -= leading * bare_V[place - SHINGLE]
            if place >= begin + SHINGLE - 1 or place == end - 1:
                shingles[count] = mixed(rolled)
                count += 1
        if count == 0:
            continue
        least_B[:] = np.uint64(0xFFFFFFFFFFFFFFFF)
        filled_B[:] = False
        empty, turn = BINS, 0
        while empty:
            salt = mixed(np.uint64(turn) + HASH)
            empty = _round(turn, salt, shingles[:count], least_B, filled_B, empty)
            turn += 1
        for place in range(BINS):
            signatures[row, place] = np.uint16(mixed(least_B[place]) & np.uint64(0xFFFF))


@compiled
def _round(turn: int, salt: np.uint64, shingles: np.ndarray, least_B: np.ndarray, filled_B: np.ndarray, empty: int) -> int:
    """One round over the shingles of a text; how many bins are still empty. Bins that an earlier round filled do not change."""
    for shingle in shingles:
        value = shingle if turn == 0 else mixed(shingle ^ salt)
        place = np.int64(value >> np.uint64(57)) if turn < BINS else turn - BINS
        if not filled_B[place] and value < least_B[place]:
            least_B[place] = value
    empty = 0
    for place in range(BINS):
        filled_B[place] = least_B[place] != np.uint64(0xFFFFFFFFFFFFFFFF)
        empty += not filled_B[place]
    return empty


@compiled
def _bucket(signature_B: np.ndarray, within: np.uint64, band: int, size: int) -> np.int64:
    hashed = within + np.uint64(band + 1)
    for place in range(band * BAND, (band + 1) * BAND):
        hashed = (hashed ^ np.uint64(signature_B[place])) * HASH
    return np.int64(mixed(hashed) & np.uint64(size - 1))


@compiled
def _hang(signatures: np.ndarray, within_K: np.ndarray, first_T: np.ndarray, next_L: np.ndarray) -> None:
    """Put kept rows into the buckets of their bands."""
    for kept in range(len(signatures)):
        for band in range(BANDS):
            bucket = _bucket(signatures[kept], within_K[kept], band, len(first_T))
            next_L[kept * BANDS + band], first_T[bucket] = first_T[bucket], kept * BANDS + band


@compiled
def _sift(
    new: np.ndarray, filled_R: np.ndarray, within_R: np.ndarray, least: int, added: int, kept: int,
    signatures: np.ndarray, within_K: np.ndarray, rows_K: np.ndarray, seen_K: np.ndarray, first_T: np.ndarray, next_L: np.ndarray,
    like_R: np.ndarray, equal_R: np.ndarray,
) -> int:  # fmt: skip
    """Row after row: the most similar kept row, the earliest of several; where it is less than `least` alike, the row is kept, too."""
    bucket_B = np.empty(BANDS, np.int64)
    for row in range(len(new)):
        if not filled_R[row]:
            continue
        best, most = -1, 0
        for band in range(BANDS):
            bucket_B[band] = _bucket(new[row], within_R[row], band, len(first_T))
            link = first_T[bucket_B[band]]
            while link >= 0:
                other = link // BANDS
                link = next_L[link]
                if seen_K[other] == added + row or within_K[other] != within_R[row]:
                    continue
                agrees = True
                for place in range(band * BAND, (band + 1) * BAND):
                    agrees = agrees and signatures[other, place] == new[row, place]
                if not agrees:  # another band's bucket, or chance
                    continue
                seen_K[other] = added + row
                equal = 0
                for place in range(BINS):
                    equal += signatures[other, place] == new[row, place]
                if equal > most or (equal == most and other < best):
                    best, most = other, equal
        equal_R[row] = most
        if most >= least:
            like_R[row] = rows_K[best]
            continue
        signatures[kept], within_K[kept], rows_K[kept] = new[row], within_R[row], added + row
        for band in range(BANDS):
            next_L[kept * BANDS + band], first_T[bucket_B[band]] = first_T[bucket_B[band]], kept * BANDS + band
        kept += 1
    return kept
