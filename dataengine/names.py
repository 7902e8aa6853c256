"""The nearest right names for a wrong one, as the last sentence of an error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(wrong: str, names: Iterable[str]) -> str:
    """`Did you mean 'format'? There are: a, b.`"""
    known = sorted(names)
    close = difflib.get_close_matches(wrong, known, n=3, cutoff=0.5)
    guess = f"Did you mean {' or '.join(repr(name) for name in close)}? " if close else ""
    return f"{guess}There are: {', '.join(known) or 'none'}."
