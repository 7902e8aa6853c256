"""The blocks so far: which of them are complete, and what their records say in sum."""

from __future__ import annotations

from dataengine.sampling.known import Tally
from dataengine.sampling.spending_records import Block


class Blocks:
    """`blocks.add(block)`; a level is one of a block's tallies: 0 after the first wave, 1 after the second look, 2 when decided."""

    def __init__(self) -> None:
        self.settled = Tally()
        """All records of the complete blocks that were settled."""
        self._all: list[Block | None] = []
        self._settled_through = -1

    def __len__(self) -> int:
        return len(self._all)

    @property
    def last(self) -> Block:
        last = self._all[-1]
        assert last is not None
        return last

    def add(self, block: Block) -> None:
        """One block more."""
        self._all.append(block)

    def between(self, first: int = 0, end: int | None = None) -> list[Block]:
        """Those with these numbers that are not let go."""
        return [block for block in self._all[first:end] if block is not None]

    def is_through(self, number: int, *, level: int) -> bool:
        """Whether all prompts of all blocks up to this one have passed the level."""
        return all(self._is_complete(before, level=level) for before in range(number + 1))

    def is_complete_through(self, number: int) -> bool:
        """Whether all prompts of all blocks up to this one are decided."""
        return all(self._is_complete(before, level=2) for before in range(self._settled_through + 1, number + 1))

    def _is_complete(self, number: int, *, level: int) -> bool:
        block = self._all[number]
        return block is None or (block.closed and not block.pending[level])

    def tally(self, level: int, *, through: int) -> Tally:
        """The level's records of the blocks up to this one; those of a block that is let go are complete ones."""
        return Tally().add_all([block.tallies[level] for block in self.between(end=through + 1)])

    def settle(self, through: int, *, keep: int) -> None:
        """Add up the complete blocks; those beyond the first `keep` are let go."""
        for number in range(self._settled_through + 1, through + 1):
            block = self._all[number]
            assert block is not None
            self.settled.add_all([block.tallies[2]])
            if number >= keep and number < len(self._all) - 1:
                self._all[number] = None
        self._settled_through = max(self._settled_through, through)
