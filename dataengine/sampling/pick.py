"""Which of several right answers to one prompt are kept: explicit policies, each a function of what was said and of nothing else.

Readability, language and the like are bars, not policies: what is picked from has passed all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

WORDS = 5
"""Words of one n-gram."""

Pick = Callable[[Sequence[Mapping[str, Any]], int], list[int]]
"""From the right responses to one prompt (rows in sample order) and how many are wanted to the indices of those picked."""


def shortest(rows: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """The fewest tokens (characters, where the tokens of any were not counted); of equally long ones the earlier sample."""
    counted = [row.get("response_tokens") for row in rows]
    lengths = [len(row["response"]) for row in rows] if None in counted else counted
    return sorted(range(len(rows)), key=lambda i: (lengths[i], rows[i]["sample"]))[:count]


def random(rows: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """By a hash of the row id: unrelated to length and order, the same in every run."""
    return sorted(range(len(rows)), key=lambda i: hashlib.blake2b(rows[i]["row_id"].encode(), key=b"pick", digest_size=8).digest())[:count]


def diverse(rows: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """The shortest first, then each time the one that shares least with those picked: the largest Jaccard overlap of word 5-grams decides,
    the shorter one where it is equal (greedy k-centre).
    """
    left = shortest(rows, len(rows))
    grams = {i: _grams(rows[i]["response"]) for i in left}
    picked, likeness = left[:1], dict.fromkeys(left, 0.0)
    left = left[1:]
    while left and len(picked) < count:
        for i in left:
            likeness[i] = max(likeness[i], _overlap(grams[i], grams[picked[-1]]))
        nearest_to_none = min(left, key=lambda i: (likeness[i], left.index(i)))
        left.remove(nearest_to_none)
        picked.append(nearest_to_none)
    return picked[:count]


PICKS: dict[str, Pick] = {"shortest": shortest, "random": random, "diverse": diverse}


def _grams(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1))}


def _overlap(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
    return len(a & b) / (len(a | b) or 1)
