"""The nearest right names for a wrong one, as the last sentence of an error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(wrong: str, names: Iterable[str]) -> str:
    """`Did you mean 'format'? There are: a, b.`"""
    known = sorted(names)
    guessed = close(wrong, known)
    guess = f"Did you mean {' or '.join(repr(name) for name in guessed)}? " if guessed else ""
    return f"{guess}There are: {', '.join(known) or 'none'}."


def close(wrong: str, names: Iterable[str]) -> list[str]:
    """The names that it may be a slip of the pen for, the nearest first."""
    return difflib.get_close_matches(wrong, sorted(names), n=3, cutoff=0.5)
