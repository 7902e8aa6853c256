"""Is a text nearly the same as an earlier one? MinHash signatures of its five-word shingles, compared where a band of them agrees.

Similarity is Jaccard's: shared distinct shingles over all distinct shingles of both texts (Broder 1997). A shingle is five bare words
(filters/hashed_words.py) in a row; a text of one to four words is one shingle. The signature is that of "Fast Similarity Sketching"
(Dahlgaard, Knudsen, Thorup 2017): each shingle is hashed once into one of 128 bins, further rounds fill bins that stay empty in short
texts; its estimate is as good as that of 128 independent minima and takes a hundredth of the time. Sixteen bits of each minimum are
kept (b-bit minwise hashing, Li and Koenig 2010; a chance agreement in 65,536). Texts are compared when all minima of one band agree
(locality-sensitive hashing, Indyk and Motwani 1998).

Legend: _V bare word of all texts together, _R row, _B bin of a signature, _T slot of a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dataengine.score import Score, batch_scorer
from filters.compiled import HASH, compiled, mixed
from filters.hashed_words import parts_of, words_of

BINS = 128
BANDS, BAND = 21, 6
"""A pair of similarity s is compared with probability 1 - (1 - s**6)**21: 0.998 at 0.8, 0.93 at 0.7, 0.28 at 0.5."""

SHINGLE = 5


@batch_scorer(together=True)
def not_near_duplicate(response: pl.Series, *, similarity: float = 0.8) -> list[Score]:
    """1 for a text that is less than `similarity` alike to every earlier kept text, else 1 - their similarity.

    Of a group of alike texts the first is kept. The command line compares all rows of a file; rows that come in parts are compared by
    NearDuplicates. A text without words is unjudged. Bands are made for 0.7 and more:
    of pairs that are 0.6 alike a third is never compared.

    >>> not_near_duplicate("Any text alone.")
    Score(value=1.0, reason='no earlier text is 0.80 alike')
    """
    scores = []
    for match in NearDuplicates(similarity=similarity).add(response):
        if match is None:
            scores.append(Score(None, "no words to compare"))
        elif match.row < 0:
            scores.append(Score(1.0, f"no earlier text is {similarity:.2f} alike"))
        else:
            begins = response[match.row][:60]
            scores.append(Score(1.0 - match.similarity, f"{match.similarity:.2f} alike (of {BINS} minima) to an earlier text: {begins!r}"))
    return scores


@dataclass(frozen=True, kw_only=True)
class Match:
    """The earlier text most like a text."""

    row: int
    """Its number among all texts added, from 0; -1 where none is similar enough."""
    similarity: float
    """Share of equal minima; its standard error is sqrt(s (1 - s) / 128), 0.035 at 0.8."""


class NearDuplicates:
    """Texts kept so far, to compare further ones with: a text that is not like any of them is kept, too. 520 bytes a kept text."""

    def __init__(self, *, similarity: float = 0.8) -> None:
        if not 0 < similarity <= 1:
            raise ValueError(f"similarity is a share of common shingles in (0, 1], got {similarity}")
        self.similarity = similarity
        self.added = 0
        """Texts seen so far, those without words among them."""
        self.kept = 0
        self._signatures = np.zeros((1024, BINS), dtype=np.uint16)
        self._rows = np.zeros(1024, dtype=np.int64)
        self._slots = np.full(1 << 16, -1, dtype=np.int32)

    def add(self, texts: pl.Series) -> list[Match | None]:
        """The most similar kept text of each text, in order; None for a text without words."""
        return [match for part in parts_of(texts) for match in self.add_signatures(*signatures_of(part))]

    def add_signatures(self, signatures: np.ndarray, filled_R: np.ndarray) -> list[Match | None]:
        """The same for texts whose signatures a worker has made."""
        matches: list[Match | None] = []
        for signature_B, filled in zip(signatures, filled_R, strict=True):
            matches.append(self._add(signature_B) if filled else None)
            self.added += 1
        return matches

    def _add(self, signature_B: np.ndarray) -> Match:
        best, equal = _most_similar(signature_B, self._signatures, self._slots)
        if equal >= self.similarity * BINS:
            return Match(row=int(self._rows[best]), similarity=equal / BINS)
        if self.kept == len(self._signatures):
            self._signatures = np.concatenate([self._signatures, np.zeros_like(self._signatures)])
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        if 2 * BANDS * (self.kept + 1) > len(self._slots):
            self._slots = np.full(2 * len(self._slots), -1, dtype=np.int32)
            _insert(self._signatures, 0, self.kept, self._slots)
        self._signatures[self.kept] = signature_B
        self._rows[self.kept] = self.added
        _insert(self._signatures, self.kept, self.kept + 1, self._slots)
        self.kept += 1
        return Match(row=-1, similarity=equal / BINS)


def signatures_of(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """_R,_B uint16 signatures, and _R bool: has the text words?"""
    words = words_of(texts)
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
def _band_slot(signature_B: np.ndarray, band: int, size: int) -> np.int64:
    hashed = np.uint64(band + 1)
    for place in range(band * BAND, (band + 1) * BAND):
        hashed = (hashed ^ np.uint64(signature_B[place])) * HASH
    return np.int64(mixed(hashed) & np.uint64(size - 1))


@compiled
def _insert(signatures: np.ndarray, first: int, last: int, slots: np.ndarray) -> None:
    for kept in range(first, last):
        for band in range(BANDS):
            slot = _band_slot(signatures[kept], band, len(slots))
            while slots[slot] >= 0:
                slot = (slot + 1) & (len(slots) - 1)
            slots[slot] = kept


@compiled
def _most_similar(signature_B: np.ndarray, signatures: np.ndarray, slots: np.ndarray) -> tuple[Any, Any]:
    """(kept text, equal minima) of the best among those that agree in a band; (-1, 0) where none does."""
    best, most = -1, 0
    for band in range(BANDS):
        slot = _band_slot(signature_B, band, len(slots))
        while slots[slot] >= 0:
            kept = slots[slot]
            slot = (slot + 1) & (len(slots) - 1)
            agrees = True
            for place in range(band * BAND, (band + 1) * BAND):
                agrees = agrees and signatures[kept, place] == signature_B[place]
            if not agrees or kept == best:
                continue
            equal = 0
            for place in range(BINS):
                equal += signatures[kept, place] == signature_B[place]
            if equal > most or (equal == most and kept < best):
                best, most = kept, equal
    return best, most
