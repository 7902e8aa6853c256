"""Which script does a character belong to, and which scripts is a language written in?

Legend: _C code point.
"""

from __future__ import annotations

import functools

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

INHERIT = 255
"""What the table says of marks and joiners: they continue the word they stand in."""

LANGUAGE_SCRIPTS: dict[str, tuple[str, ...]] = {
    "zh": ("Han",),
    "ja": ("Hiragana", "Katakana", "Han"),
    "ko": ("Hangul",),
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk", "sr", "kk", "mn"), ("Cyrillic",)),
    **dict.fromkeys(("ar", "fa", "ur", "ps"), ("Arabic",)),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), ("Devanagari",)),
    **{"el": ("Greek",), "he": ("Hebrew",), "bn": ("Bengali",), "as": ("Bengali",), "pa": ("Gurmukhi",), "gu": ("Gujarati",)},
    **{"or": ("Oriya",), "ta": ("Tamil",), "te": ("Telugu",), "kn": ("Kannada",), "ml": ("Malayalam",), "si": ("Sinhala",)},
    **{"th": ("Thai",), "lo": ("Lao",), "my": ("Myanmar",), "km": ("Khmer",), "bo": ("Tibetan",)},
    **{"ka": ("Georgian",), "hy": ("Armenian",), "am": ("Ethiopic",)},
}
"""Scripts of a language; one that is not here is written in Latin."""

DEFAULT_LANGUAGE = {"Latin": "en", "Cyrillic": "ru", "Arabic": "ar", "Devanagari": "hi", "Bengali": "bn"}
"""What a script means where its words give no language away."""


def scripts_of(code: str) -> tuple[str, ...]:
    """The scripts a language is written in.

    >>> scripts_of("zh"), scripts_of("fr")
    (('Han',), ('Latin',))
    """
    return LANGUAGE_SCRIPTS.get(code, ("Latin",))


@functools.cache
def script_table() -> np.ndarray:
    """_C uint8: 0 for no letter, else 1 + the script's place in SCRIPTS; from the regex engine's own Unicode tables."""
    table_C = np.zeros(0x110000, dtype=np.uint8)
    codes = [code for code in range(0x20000) if not 0xD800 <= code <= 0xDFFF]
    characters = pl.Series([chr(code) for code in codes])
    for place, name in enumerate(SCRIPTS, start=1):
        letters = characters.str.contains(rf"^[\p{{{name}}}&&\p{{L}}]$").to_numpy()
        table_C[np.array(codes)[letters]] = place
    marks = characters.str.contains(r"^[\p{M}\u{200C}\u{200D}]$").to_numpy()
    table_C[np.array(codes)[marks]] = INHERIT
    table_C[0x20000:0x33480] = 1 + SCRIPTS.index("Han")
    return table_C
