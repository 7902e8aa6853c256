"""How a function becomes machine code: numba, at its first call, kept on disk where a folder can be written to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

REASSOCIATED = frozenset({"contract", "reassoc", "nsz", "nnan"})
"""What sums over a register's lanes need: other orders of adding, the same order every time."""


def compiled(*, fastmath: frozenset[str] = frozenset()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The decorated function as machine code that runs beside other threads.

    numba keeps it in `__pycache__` beside the source, else in the user's cache folder (NUMBA_CACHE_DIR overrides both); where none of
    them can be written to, each process compiles again: a few seconds, never an error.
    """
    options = {"nogil": True, "error_model": "numpy", "fastmath": set(fastmath)}

    def compile_(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:
            return njit(**options)(function)

    return compile_
