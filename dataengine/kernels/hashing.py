"""What compiled functions over text share: reading a character of UTF-8, hashing, and how they are compiled."""

from __future__ import annotations

import numpy as np

from dataengine.kernels.compiled import compiled as compiled_with

compiled = compiled_with()
"""The decorator without settings: numba, beside other threads, kept on disk."""

HASH = np.uint64(0x9E3779B97F4A7C15)
"""2**64 over the golden ratio: the odd factor of multiplicative hashing (Knuth, TAOCP 3, 6.4)."""


@compiled
def code_point(data_B: np.ndarray, at: int) -> tuple[np.int64, int]:
    """(code point, position after it) of the character that begins at a byte of well-formed UTF-8 (lone surrogates as three bytes)."""
    first = np.int64(data_B[at])
    if first < 0x80:
        return first, at + 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | (np.int64(data_B[at + 1]) & 0x3F), at + 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | (np.int64(data_B[at + 1]) & 0x3F) << 6 | (np.int64(data_B[at + 2]) & 0x3F), at + 3
    low = (np.int64(data_B[at + 1]) & 0x3F) << 12 | (np.int64(data_B[at + 2]) & 0x3F) << 6 | (np.int64(data_B[at + 3]) & 0x3F)
    return (first & 0x07) << 18 | low, at + 4


@compiled
def mixed(value: np.uint64) -> np.uint64:
    """All bits of a 64-bit number spread over all others (the finaliser of splitmix64, Steele et al. 2014); one to one."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
