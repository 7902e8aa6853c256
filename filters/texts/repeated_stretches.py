"""Where a text repeats itself: the loop it ends in, and the runs of words that were said before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from dataengine.kernels.hashed_words import words_of
from dataengine.kernels.hashing import HASH
from filters.format import without_end_tokens
from filters.repetition import counting_loop, tail_loop


def repeated_stretches(response: str, *, n: int, loop_copies: int, loop_characters: int) -> list[dict[str, Any]]:
    """Stretches of the response, front to back: {start, end, text, field, note}, as `not_repetitive` counts them.

    A stretch is a run of words in which each `n` in a row were said before; the loop at the end is one stretch. Where the score is 1
    there may be stretches all the same, as some repetition is allowed.

    >>> [each["note"] for each in repeated_stretches(" So it is four." * 8, n=20, loop_copies=4, loop_characters=60)]
    ['tail loops: 8 copies of 15 characters']
    """
    text = without_end_tokens(response)
    loop = _loop(text, copies=loop_copies, characters=loop_characters)
    end = loop[0] if loop else len(text)
    found = [(start, stop, f"said {times} times") for start, stop, times in _runs(text, n) if stop <= end]
    found += [loop] if loop else []
    return [{"start": start, "end": stop, "text": text[start:stop], "field": "response", "note": note} for start, stop, note in found]


def _loop(text: str, *, copies: int, characters: int) -> tuple[int, int, str] | None:
    """(start, stop, note) of the tail that loops."""
    end = len(text.rstrip())
    period, found = tail_loop(text)
    if found >= copies and period * found >= characters:
        return end - period * found, end, f"tail loops: {found} copies of {period} characters"
    counted = counting_loop(text, copies=2 * copies)
    if counted >= characters:
        return end - counted, end, "tail loops and counts on"
    return None


def _runs(text: str, n: int) -> Iterator[tuple[int, int, int]]:
    """(start, stop, times) of runs of words whose n-grams all were there before; `times` is how often the first of them is there."""
    words = words_of(pl.Series([text]))
    keys = _grams(words.lower_W, n).tolist()
    times, seen, begin = Counter(keys), set[int](), -1
    for place, key in enumerate([*keys, None]):
        again = key in seen
        if again and begin < 0:
            begin = place
        elif not again and begin >= 0:
            yield int(words.start_W[begin]), int(words.stop_W[place + n - 2]), times[keys[begin]]
            begin = -1
        if key is not None:
            seen.add(key)


def _grams(lower_W: np.ndarray, n: int) -> np.ndarray:
    """A hash for each n words in a row."""
    if len(lower_W) < n:
        return np.zeros(0, dtype=np.uint64)
    found = np.zeros(len(lower_W) - n + 1, dtype=np.uint64)
    for place in range(n):
        found = found * HASH + lower_W[place : place + len(found)]
    return found
