"""Where each of many million keys is kept: 16 bytes a slot in two flat arrays instead of a dictionary of objects.

Open addressing with linear probing, at most two thirds full: ten million keys take 268 MB. A key is 16 bytes of a hash; its first half
picks the slot and is stored, 15 bits of its second half are stored too (two of ten million keys are confused once in ten billion stores).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

AT_BITS, FILE_BITS, MARK_BIT = 28, 20, 48
TAG_SHIFT = MARK_BIT + 1
TAG_MASK = (1 << 15) - 1
LOAD = 2 / 3
SMALLEST = 1 << 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row is kept: the number of its file, the byte (or row) in there, and one mark of the caller's."""

    file: int
    at: int
    mark: bool = False

    def packed(self, tag: int) -> int:
        """As 64 bits together with what is left of the key."""
        assert self.file < 1 << FILE_BITS and self.at < 1 << AT_BITS, "a segment is closed long before this"  # noqa: PT018
        return tag << TAG_SHIFT | self.mark << MARK_BIT | self.file << AT_BITS | self.at

    @classmethod
    def of(cls, packed: int) -> Place:
        """The other way."""
        return cls(packed >> AT_BITS & (1 << FILE_BITS) - 1, packed & (1 << AT_BITS) - 1, bool(packed >> MARK_BIT & 1))


def halves(keys: Sequence[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Both halves of many 16-byte keys. [N], [N]"""
    both = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2).astype(np.uint64)
    return both[:, 0], both[:, 1]


class KeyTable:
    """`table.put(key, Place(0, 4711)); table.get(key)`; not thread-safe."""

    def __init__(self) -> None:
        self._heads = np.zeros(SMALLEST, dtype=np.uint64)
        """First half of each key, 0 where the slot is free."""
        self._places = np.zeros(SMALLEST, dtype=np.uint64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def bytes(self) -> int:
        """Memory of the arrays."""
        return self._heads.nbytes + self._places.nbytes

    def get(self, key: bytes) -> Place | None:
        """Where the key is kept, None where it is not."""
        slot, found = self._find(*_parts(key))
        return Place.of(int(self._places[slot])) if found else None

    def put(self, key: bytes, place: Place) -> None:
        """The key is kept here from now on."""
        self._make_room(1)
        head, tag = _parts(key)
        slot, found = self._find(head, tag)
        self._heads[slot], self._places[slot] = head, place.packed(tag)
        self._count += not found

    def put_many(self, heads: NDArray[np.uint64], tails: NDArray[np.uint64], places: NDArray[np.uint64]) -> None:
        """Many keys at once, from `halves` and `packed_places`; of a key given twice the last one counts. [N], [N], [N]"""
        heads, tags = _never_zero(heads), _tags(tails)
        order = np.lexsort((tags, heads))
        apart = (heads[order][1:] != heads[order][:-1]) | (tags[order][1:] != tags[order][:-1])
        last = order[np.append(apart, np.ones(min(1, len(order)), dtype=bool))]
        heads, places = heads[last], (places | tags << np.uint64(TAG_SHIFT))[last]
        self._make_room(len(heads))
        self._fill(heads, places)

    def move_many(self, heads: NDArray[np.uint64], tails: NDArray[np.uint64], *, old: NDArray[np.uint64], new: NDArray[np.uint64]) -> None:
        """Those of the keys that are still kept at their `old` place are kept at the `new` one. [N] each"""
        tags = _tags(tails) << np.uint64(TAG_SHIFT)
        slots = self._slots_of(_never_zero(heads), old | tags)
        there = slots >= 0
        self._places[slots[there]] = (new | tags)[there]

    def _find(self, head: int, tag: int) -> tuple[int, bool]:
        """The key's slot, or the free one where it would go."""
        mask = len(self._heads) - 1
        slot = head & mask
        while there := int(self._heads[slot]):
            if there == head and int(self._places[slot]) >> TAG_SHIFT == tag:
                return slot, True
            slot = (slot + 1) & mask
        return slot, False

    def _make_room(self, more: int) -> None:
        size = len(self._heads)
        while self._count + more > size * LOAD:
            size *= 2
        if size == len(self._heads):
            return
        used = self._heads != 0
        heads, places = self._heads[used], self._places[used]
        self._heads, self._places, self._count = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.uint64), 0
        self._fill(heads, places)

    def _fill(self, heads: NDArray[np.uint64], places: NDArray[np.uint64]) -> None:
        """Write keys that differ from each other; each round moves those on that found their slot taken by another."""
        mask = np.uint64(len(self._heads) - 1)
        slots = heads & mask
        while len(heads):
            there = self._heads[slots]
            same = (there == heads) & (self._places[slots] >> np.uint64(TAG_SHIFT) == places >> np.uint64(TAG_SHIFT))
            self._places[slots[same]] = places[same]
            free = np.flatnonzero(there == 0)
            first = free[np.unique(slots[free], return_index=True)[1]]
            self._heads[slots[first]], self._places[slots[first]] = heads[first], places[first]
            self._count += len(first)
            left = ~same
            left[first] = False
            heads, places, slots = heads[left], places[left], (slots[left] + np.uint64(1)) & mask

    def _slots_of(self, heads: NDArray[np.uint64], places: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The slot of each key that is kept at exactly this place, -1 of every other."""
        mask = np.uint64(len(self._heads) - 1)
        found = np.full(len(heads), -1, dtype=np.int64)
        searching, slots = np.arange(len(heads)), heads & mask
        while len(searching):
            there, at = self._heads[slots], self._places[slots]
            hit = (there == heads[searching]) & (at == places[searching])
            found[searching[hit]] = slots[hit]
            on = ~hit & (there != 0)
            searching, slots = searching[on], (slots[on] + np.uint64(1)) & mask
        return found


def packed_places(file: int, ats: NDArray[Any], marks: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Places of one file for `put_many` and `move_many`. [N]"""
    return marks.astype(np.uint64) << np.uint64(MARK_BIT) | np.uint64(file << AT_BITS) | ats.astype(np.uint64)


def _parts(key: bytes) -> tuple[int, int]:
    return int.from_bytes(key[:8], "little") or 1, int.from_bytes(key[8:], "little") & TAG_MASK


def _never_zero(heads: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.where(heads == 0, np.uint64(1), heads)


def _tags(tails: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return tails & np.uint64(TAG_MASK)
