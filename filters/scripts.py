"""How many words of each script does a text hold? One table over code points, one pass over all texts.

Legend: _C code point, _N character of all texts together, _W word, _R row, _S script.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import polars as pl

SCRIPTS = (
    "Latin",
    "Han",
    "Hiragana",
    "Katakana",
    "Hangul",
    "Cyrillic",
    "Greek",
    "Arabic",
    "Hebrew",
    "Devanagari",
    "Bengali",
    "Gurmukhi",
    "Gujarati",
    "Oriya",
    "Tamil",
    "Telugu",
    "Kannada",
    "Malayalam",
    "Sinhala",
    "Thai",
    "Lao",
    "Myanmar",
    "Khmer",
    "Tibetan",
    "Georgian",
    "Armenian",
    "Ethiopic",
)
"""Scripts that are told apart; letters of any other count as no words."""

LETTERS_PER_WORD = {"Han": 1, "Hiragana": 1, "Katakana": 1, "Thai": 4, "Lao": 4, "Myanmar": 4, "Khmer": 4, "Tibetan": 4}
"""Scripts written without spaces are counted by letters: so many make a word (ours)."""

CASED = ("Latin", "Greek", "Cyrillic")
"""Scripts whose single letters are variables, not words."""

_INHERIT = 255
"""Marks and apostrophes continue the word they stand in."""


@functools.cache
def script_table() -> np.ndarray:
    """_C uint8: 0 for no letter, else 1 + the script's place in SCRIPTS; from the regex engine's own Unicode tables."""
    table_C = np.zeros(0x110000, dtype=np.uint8)
    codes = [code for code in range(0x20000) if not 0xD800 <= code <= 0xDFFF]
    characters = pl.Series([chr(code) for code in codes])
    for place, name in enumerate(SCRIPTS, start=1):
        letters = characters.str.contains(rf"^[\p{{{name}}}&&\p{{L}}]$").to_numpy()
        table_C[np.array(codes)[letters]] = place
    marks = characters.str.contains(r"^[\p{M}'’\u{200C}\u{200D}]$").to_numpy()
    table_C[np.array(codes)[marks]] = _INHERIT
    table_C[0x20000:0x33480] = 1 + SCRIPTS.index("Han")
    return table_C


def words_by_script(texts: Sequence[str]) -> np.ndarray:
    """_R,_S int64: words in each script, single letters of CASED left out, unspaced scripts by letters (LETTERS_PER_WORD)."""
    counts_RS = np.zeros((len(texts), len(SCRIPTS)), dtype=np.int64)
    codes_N = np.frombuffer("\n".join([*texts, ""]).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    if not len(codes_N):
        return counts_RS
    script_N = script_table()[codes_N]
    kept_N = np.flatnonzero(script_N != _INHERIT)
    script_N = script_N[kept_N]
    ends_R = np.cumsum([len(text) + 1 for text in texts])
    start_W = np.flatnonzero(np.diff(script_N, prepend=0) != 0)
    length_W = np.diff(start_W, append=len(script_N))
    script_W = script_N[start_W].astype(np.int64) - 1
    letters_W = np.isin(script_W, [SCRIPTS.index(name) for name in LETTERS_PER_WORD])
    single_W = (length_W == 1) & np.isin(script_W, [SCRIPTS.index(name) for name in CASED])
    found_W = (script_W >= 0) & ~single_W
    row_W = np.searchsorted(ends_R, kept_N[start_W[found_W]], side="right")
    weight_W = np.where(letters_W, length_W, 1)[found_W]
    np.add.at(counts_RS, (row_W, script_W[found_W]), weight_W)
    for name, letters in LETTERS_PER_WORD.items():
        counts_RS[:, SCRIPTS.index(name)] = -(-counts_RS[:, SCRIPTS.index(name)] // letters)
    return counts_RS
