"""What a person is asked of a rollout, and the guidelines they answer by: both have a version that travels with every answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from dataengine.templates import Form

VERDICTS = ("keep", "fix", "discard")
"""`keep`: as it is; `fix`: as edited; `discard`: nobody should learn from it."""

GUIDELINES = Path(__file__).parent / "guidelines.md"
"""The guidelines that are used where nobody brings others."""


@dataclass(frozen=True, kw_only=True)
class Questions:
    """keep / fix / discard, readability, language, reasons, comment, and the two texts to edit."""

    guidelines: str = GUIDELINES.read_text(encoding="utf-8")
    """Markdown text that every annotator sees; 10,000 characters at most (Argilla's limit)."""
    languages: tuple[str, ...] = ("en", "zh", "mixed", "other")
    """Answers to: which language are the thoughts in?"""
    reasons: tuple[str, ...] = ("wrong", "unreadable", "repetitive", "mixed languages", "unfaithful summary", "unsafe", "other")
    """Answers to: why discard?"""
    form: Form = field(default_factory=Form)
    """The special tokens around the thoughts; neither may stand inside an edited text."""
    both: bool = False
    """Whether a row needs thoughts and a summary to be kept, as a cold-start row does; else one of them is enough."""

    def __post_init__(self) -> None:
        if not self.guidelines.strip() or len(self.guidelines) > 10_000:
            raise ValueError(f"guidelines have 1 to 10,000 characters, these have {len(self.guidelines):,}: shorten them, link to the rest")
        for name, labels in (("languages", self.languages), ("reasons", self.reasons)):
            if not labels or len(set(labels)) < len(labels) or not all(label.strip() for label in labels):
                raise ValueError(f"{name} must be different, non-empty labels, got {labels}")

    @cached_property
    def version(self) -> str:
        """8 hex digits over the guidelines and every question: another text is another version."""
        return hashlib.blake2b(json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode(), digest_size=4).hexdigest()
