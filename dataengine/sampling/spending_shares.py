"""What a block may spend while blocks run side by side on one budget: its share, which its prompts divide among themselves.

Whether a prompt may be asked once more follows from its own record and its part. What is left of a share is divided again when all of the
block's prompts wait for more; so nothing follows from who came first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SHARE = 0.5
"""Of what neither complete blocks have spent nor others have as theirs. A block that is expected to take more is asked in rounds."""
SET_ASIDE = 2.0
"""Tokens that a prompt's part must hold for each response, as a multiple of the mean length so far."""
HAIR = 1e-6
"""What last bits may come to: plans that use up a budget exactly make whole numbers of blocks and prompts, which none may round down."""


@dataclass(slots=True)
class Share:
    """Tokens of the budget that are one block's."""

    tokens: int
    response: int
    """Tokens set aside for a response."""
    spent: int = 0
    until: dict[int, int] = field(default_factory=dict)
    """The tokens up to which a prompt may spend, by its number; none may before the first division."""
    waiting: list[int] = field(default_factory=list)
    """Prompts that wait for more."""

    def affords(self, prompt: int, *, spent: int) -> int:
        """How many samples more the prompt's part pays for."""
        return max(0, self.until.get(prompt, 0) - spent) // self.response

    def divide(self, spent: Mapping[int, int]) -> bool:
        """Give what is left to those that wait (and have spent this) in equal parts; False: it is too little for a response of each.

        None of the block's responses may be under way: what is left would depend on them.
        """
        each = (self.tokens - self.spent) // max(1, len(spent))
        if not spent or each < self.response:
            return False
        self.until = {prompt: before + each for prompt, before in spent.items()}
        self.waiting = []
        return True
