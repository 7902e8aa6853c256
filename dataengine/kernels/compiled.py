"""How a function becomes machine code: numba, at its first call, kept on disk where a folder can be written to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.dispatcher import Dispatcher

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
            made: Any = njit(cache=True, **options)(function)
        except RuntimeError:
            return njit(**options)(function)
        # numba asks the function's own file alone whether its cache is old, and would go on with what another file was before.
        made._cache._cache_file._source_stamp = [(str(file), file.stat().st_mtime_ns) for file in sorted(_sources(function))]
        return made

    return compile_


def _sources(function: Callable[..., Any]) -> set[Path]:
    """The files of a function and of all compiled functions that it calls, however far down."""
    found, waiting = {function}, [function]
    while waiting:
        caller = waiting.pop()
        called = (caller.__globals__.get(name) for name in caller.__code__.co_names)
        new = {each.py_func for each in called if isinstance(each, Dispatcher)} - found
        found |= new
        waiting += new
    return {Path(each.__code__.co_filename) for each in found}
