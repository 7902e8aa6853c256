"""Which prompt comes next: in their order, but for those whose quota is full for now, which are held back until it has room again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice

from dataengine.sampling.known import Tally
from dataengine.sampling.spending_records import Prompt

HELD_AT_MOST = 65_536
"""Prompts that are read ahead in search of a bucket whose quota has room."""

PORTION = 512
"""Prompts decided without being asked, after which whoever asks takes their decisions first: he may wait until they are written."""

Numbered = tuple[int, Prompt]


class PromptsComing:
    """`coming.next()` is (number, prompt), or None where there is none for now; `drop(prompts, why)` is told those that never come."""

    def __init__(
        self, prompts: Iterable[Prompt], *, quotas: Mapping[str, int], settled: Tally, drop: Callable[[Collection[Numbered], str], None]
    ) -> None:
        self.read_to_the_end = False
        self.seen = 0
        """Prompts read so far."""
        self.seen_of: dict[str, int] = {}
        """The same by bucket."""
        self.reserved: dict[str, float] = {}
        """Kept samples of each bucket: those there are, and those that open prompts are expected to bring."""
        self._coming: Iterator[Numbered] = enumerate(prompts)
        self._held: dict[str, deque[Numbered]] = {}
        self._quotas, self._settled, self._tell_dropped = quotas, settled, drop
        self._room = PORTION

    @property
    def ended(self) -> bool:
        """Whether no prompt is left."""
        return self.read_to_the_end and not any(self._held.values())

    @property
    def paused(self) -> bool:
        """Whether so many were dropped that nobody may come before `go_on`."""
        return self._room <= 0

    def go_on(self) -> None:
        """What was dropped is taken care of."""
        self._room = PORTION

    def next(self) -> Numbered | None:
        """The next prompt whose bucket has room: one that was held back before one that was not read yet; None too where it `paused`."""
        for bucket in sorted(self._held):
            if self._held[bucket] and self._has_room(bucket):
                return self._held[bucket].popleft()
        while sum(map(len, self._held.values())) < HELD_AT_MOST and not self.paused:
            came = next(self._coming, None)
            if came is None:
                self.read_to_the_end = True
                break
            index, prompt = came
            self.seen += 1
            self.seen_of[prompt.bucket] = self.seen_of.get(prompt.bucket, 0) + 1
            if self._has_room(prompt.bucket):
                return index, prompt
            self._held.setdefault(prompt.bucket, deque()).append((index, prompt))
            self._let_go_what_is_met(prompt.bucket)
        return None

    def reserve(self, bucket: str, kept: float) -> None:
        """An open prompt is expected to bring so many kept samples."""
        self.reserved[bucket] = self.reserved.get(bucket, 0.0) + kept

    def reserve_anew(self, kept: dict[str, float]) -> None:
        """What is there and expected, counted again; buckets whose quota is met let their prompts go."""
        self.reserved = kept
        for bucket in sorted(self._held):
            self._let_go_what_is_met(bucket)

    def held(self) -> dict[str, int]:
        """Prompts held back by bucket."""
        return {bucket: len(prompts) for bucket, prompts in self._held.items()}

    def drop_all(self, why: str) -> None:
        """Nothing comes any more; said anew after each pause, until `ended`."""
        for bucket in sorted(self._held):
            self._drop(self._held.pop(bucket), why)
        while not (self.paused or self.read_to_the_end):
            some = list(islice(self._coming, self._room))
            self.read_to_the_end = not some
            self._drop(some, why)

    def _drop(self, prompts: Collection[Numbered], why: str) -> None:
        self._room -= len(prompts)
        self._tell_dropped(prompts, why)

    def _has_room(self, bucket: str) -> bool:
        return bucket not in self._quotas or self.reserved.get(bucket, 0.0) < self._quotas[bucket]

    def _let_go_what_is_met(self, bucket: str) -> None:
        if bucket in self._quotas and self._settled.kept.get(bucket, 0) >= self._quotas[bucket]:
            self._drop(self._held.pop(bucket, ()), "quota met")
