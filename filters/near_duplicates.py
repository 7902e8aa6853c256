"""Is a text nearly the same as an earlier one? MinHash signatures of its five-word shingles (dataengine/kernels/minhash.py)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from dataengine.kernels.hashed_words import parts_of
from dataengine.kernels.minhash import BINS, Sieve, signatures_of
from dataengine.score import Score, batch_scorer


@batch_scorer(together=True, version="3")
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
    """Texts kept so far, to compare further ones with: a text that is not like any of them is kept, too. 570 bytes a kept text."""

    def __init__(self, *, similarity: float = 0.8) -> None:
        self._sieve = Sieve(similarity=similarity)

    @property
    def added(self) -> int:
        """Texts seen so far, those without words among them."""
        return self._sieve.added

    @property
    def kept(self) -> int:
        """Texts that further ones are compared with."""
        return self._sieve.kept

    def add(self, texts: pl.Series) -> list[Match | None]:
        """The most similar kept text of each text, in order; None for a text without words."""
        return [match for part in parts_of(texts) for match in self.add_signatures(*signatures_of(part))]

    def add_signatures(self, signatures: np.ndarray, filled_R: np.ndarray) -> list[Match | None]:
        """The same for texts whose signatures a worker has made."""
        like_R, equal_R = self._sieve.add(signatures, filled_R)
        return [
            Match(row=row, similarity=equal / BINS) if filled else None
            for row, equal, filled in zip(like_R.tolist(), equal_R.tolist(), filled_R.tolist(), strict=True)
        ]
