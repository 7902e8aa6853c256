"""What is laid before a person: a rollout in parts, what scorers said of it, and why it is asked about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

Metadata = Mapping[str, str | int | float]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one scorer said of the rollout."""

    scorer: str
    value: float | None
    """In [0, 1]; None where it could not judge."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A stretch of text that a scorer points at: `text[start:stop]` of `field`, in Python characters (code points)."""

    field: str
    """reasoning | summary"""
    start: int
    stop: int
    scorer: str
    note: str
    """What it is, in a few words: "zh in an en text", "said 4 times", "code block"."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One rollout as a person sees it; `item_id` is its content hash, so that a changed text is another item."""

    row_id: str
    """The row it was made of."""
    prompt: str
    """The question, as text."""
    reasoning: str
    summary: str
    answer: str | None = None
    """The reference answer."""
    why: str = "all"
    """Why a person is asked: unjudged | disagreement | kept | rejected (the last two are what a filter said of audited rows)."""
    rank: int = 0
    """Place in the queue, from 0."""
    wanted: int = 1
    """Annotators who must answer it."""
    metadata: Metadata = field(default_factory=dict)
    """To filter by: domain, language, source, model, scorers' values ... and `length`, characters of both texts as they are shown."""
    said: tuple[Said, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def item_id(self) -> str:
        """16 hex digits over the row and all text that is judged."""
        shown = [self.row_id, self.prompt, self.reasoning, self.summary, self.answer]
        return hashlib.blake2b(json.dumps(shown).encode(), digest_size=8).hexdigest()  # ASCII JSON: lone surrogates can be hashed too
