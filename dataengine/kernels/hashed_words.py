"""The words of many texts in one pass: where they stand and a 64-bit hash of each, for repetition, leaks and near-duplicates.

There are two readings of a word:

* A *written* word is what stands between white space (Python's `str.split`), with all its signs: repetition counts these.
* A *bare* word is a run of letters and digits without case, accents and width, so that `Café,` and `CAFE` are one: leaks and
  near-duplicates compare these. What lies between them (space, punctuation, LaTeX signs, HTML tags) does not matter, nor do soft hyphens
  and zero-width characters inside a word. Names that only say how a text looks (`markup.py`), line breaks and tabs written as `\\n` and
  `\\t` are signs, too, `\\dfrac` is `\\frac`, and a character written as `\\u4e2d`, `\\x61` or `&#20013;` is that character. One that
  stands for several letters is these (a ligature is its letters, a Korean syllable its jamo), and raised or lowered digits are a word of
  their own, so that `x²` is `x^2`.

In both, each Han, Hiragana and Katakana character is a word by itself. Chinese and Japanese are written without spaces, a dictionary
would make the number depend on its edition (and cost a hundred times as much), and n characters in order are as telling as
n / 1.5 words. Thai, Lao, Khmer and Burmese have no spaces either, but syllables of several characters: there a run is one word.

Legend: _C code point, _B byte of all texts together, _W written word, _V bare word, _R row.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar, cast

import numpy as np
import polars as pl
import pyarrow as pa

from dataengine.kernels.hashing import HASH, code_point, compiled, mixed
from dataengine.kernels.markup import COMMANDS, ENTITIES, SET_TYPE, TAGS

Words = TypeVar("Words")

SEPARATOR, SPACE, LETTER, MARK, OWN, RAISED = range(6)
"""What a character does: signs end a bare word, space ends both kinds, marks are silent in a bare word, OWN is a word by itself, and RAISED
are letters and digits above or below the line, of which bare words without others are made."""

UNSEEN = (0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF)
"""Soft hyphen, zero-width space, joiners and the byte order mark: as silent as marks."""
RAISED_RANGES = ((0x00B2, 0x00B3), (0x00B9, 0x00B9), (0x2070, 0x209C))
MANY = 0x110000
"""A folded letter from here on is a number in the table of characters that stand for several letters."""
VERSION = "4"
"""Raised when a text has other bare words."""
LONGEST_NAME, LONGEST_TAG, SLOTS = 20, 200, 512
ESCAPES = 1
"""What the table of ASCII letters says of signs behind which a name or a number may stand: a backslash, `&` and `<`."""

OWN_RANGES = (
    (0x3005, 0x3007), (0x3021, 0x3029), (0x3031, 0x3035), (0x3038, 0x303C), (0x3041, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x1B000, 0x1B16F), (0x20000, 0x3FFFD),
)  # fmt: skip
"""Blocks of Han, Hiragana and Katakana; of these only letters and numbers are words."""

PART_BYTES = 4 << 20
"""Texts are read in parts of about this size, so that memory stays flat (words take seven times their bytes) and the C library keeps it."""


@dataclass(frozen=True, kw_only=True)
class BareWords:
    """The bare words of some texts; positions are in characters of their own text, so that `text[start:stop]` is the word."""

    bare_V: np.ndarray
    """uint64 hash of each bare word."""
    start_V: np.ndarray
    stop_V: np.ndarray
    first_V: np.ndarray
    """Bare words of row r are first_V[r] to first_V[r + 1]."""


@dataclass(frozen=True, kw_only=True)
class WrittenWords:
    """The written words of some texts; positions as in BareWords."""

    characters_R: np.ndarray
    """Characters of each text."""
    exact_W: np.ndarray
    """uint64 hash of each written word as it stands."""
    lower_W: np.ndarray
    """uint64 hash of each written word in lower case."""
    start_W: np.ndarray
    stop_W: np.ndarray
    first_W: np.ndarray
    """Written words of row r are first_W[r] to first_W[r + 1]."""


def words_of(texts: pl.Series) -> WrittenWords:
    """The written words of a column of texts. The last one asked for is remembered: scorers of one batch share a pass."""
    return _WRITTEN.of(texts)


def bare_words_of(texts: pl.Series) -> BareWords:
    """The bare words of a column of texts, remembered as `words_of` does."""
    return _BARE.of(texts)


class _Remembered(Generic[Words]):
    """What was read of the last column, until another one is asked for."""

    def __init__(self, read: Callable[[pl.Series], Words]) -> None:
        self._read = read
        self._last: tuple[pl.Series, Words] | None = None

    def of(self, texts: pl.Series) -> Words:
        last = self._last  # one look: another thread may replace it meanwhile
        if last is None or len(last[0]) != len(texts) or not last[0].equals(texts):
            last = self._last = texts, self._read(texts)
        return last[1]


def hash_of_words(words: BareWords) -> np.ndarray:
    """_R uint64: one hash of all bare words of a text in their order: the same for the same words, and (but 1 in 2**64) for no others."""
    hash_R = np.empty(len(words.first_V) - 1, dtype=np.uint64)
    _hash_rows(words.bare_V, words.first_V, hash_R)
    return hash_R


def parts_of(texts: pl.Series) -> Iterator[pl.Series]:
    """The texts in order, cut into series of about PART_BYTES; a column that is no longer comes back whole."""
    texts = texts.cast(pl.String)  # a column of nothing but nulls has no type
    size_R = texts.str.len_bytes().fill_null(0).to_numpy()
    part_R = np.cumsum(size_R, dtype=np.int64) // PART_BYTES
    bounds = [*np.flatnonzero(np.diff(part_R, prepend=-1)).tolist(), len(texts)]
    for start, stop in pairwise(bounds):
        yield texts if stop - start == len(texts) else texts[start:stop]


def utf8(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """_B uint8, int64 of length rows + 1: the bytes of all texts (null is empty), and where each begins and the last ends."""
    array = cast(pa.Array, texts.fill_null("").to_arrow().cast(pa.large_string()))
    _, offsets, data = array.buffers()
    begin_R = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1] if len(array) else np.zeros(1, np.int64)
    return np.frombuffer(data or b"", dtype=np.uint8), begin_R


@functools.cache
def character_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """_C uint8 what each character does; _C uint32 its lower case; _C uint32 its form in a bare word, from MANY on a place in `several`."""
    kind_C = np.zeros(0x110000, dtype=np.uint8)
    lower_C = np.arange(0x110000, dtype=np.uint32)
    fold_C = lower_C.copy()
    for code in [*range(0x20000), *range(0xE0100, 0xE01F0)]:
        character, category = chr(code), unicodedata.category(chr(code))[0]
        kind_C[code] = SPACE if character.isspace() else LETTER if category in "LN" else MARK if category == "M" else SEPARATOR
        if kind_C[code] == LETTER:
            lower_C[code] = ord(character.lower()) if len(character.lower()) == 1 else code
            fold_C[code] = ord(folded(character)[0])
    for first, last in OWN_RANGES:
        kind_C[first : last + 1][(kind_C[first : last + 1] == LETTER) | (first >= 0x20000)] = OWN
    for first, last in RAISED_RANGES:
        kind_C[first : last + 1][kind_C[first : last + 1] == LETTER] = RAISED
    kind_C[list(UNSEEN)] = MARK
    several_letters = [code for code in np.flatnonzero(kind_C == LETTER).tolist() if len(folded(chr(code))) > 1]
    fold_C[several_letters] = MANY + np.arange(len(several_letters))
    return kind_C, lower_C, fold_C


@functools.cache
def several() -> tuple[np.ndarray, np.ndarray]:
    """uint32 the letters of all characters that stand for several; of the one whose form is MANY + m, from first[m] to first[m + 1]."""
    fold_C = character_tables()[2]
    texts = [folded(chr(code)) for code in np.flatnonzero(fold_C >= MANY).tolist()]
    first = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return np.array([ord(letter) for letter in "".join(texts)], dtype=np.uint32), first


@functools.cache
def _silent_names() -> np.ndarray:
    """uint64 hashes of `\\left`, `&nbsp`, `<b` and, as `!nu`, of COMMANDS, each at the first free (0) slot from its first bits on."""
    names_T = np.zeros(SLOTS, dtype=np.uint64)
    for name in (f"{sign}{each}" for sign, its in zip("\\&<!", (SET_TYPE, ENTITIES, TAGS, COMMANDS), strict=True) for each in its.split()):
        hashed, _ = _name(np.frombuffer(name.encode(), dtype=np.uint8), ord(name[0]))
        slot = int(hashed >> np.uint64(55))
        while names_T[slot]:
            slot = (slot + 1) % SLOTS
        names_T[slot] = hashed
    return names_T


def folded(character: str) -> str:
    """A letter without case, accents and width, as the letters it stands for; what stands for signs as well (`½`) stays as it is."""
    letters = [each for each in unicodedata.normalize("NFKD", character) if unicodedata.category(each)[0] != "M"]
    letters = letters if letters and all(unicodedata.category(each)[0] in "LN" for each in letters) else [character]
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in letters)


def _read(texts: pl.Series) -> WrittenWords:
    data_B, begin_R = utf8(texts)
    most = int(begin_R[-1] - begin_R[0]) // 2 + len(texts) + 1
    characters_R, first_W = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts) + 1, dtype=np.int64)
    exact_W, lower_W = (np.empty(most, dtype=np.uint64) for _ in range(2))
    start_W, stop_W = (np.empty(most, dtype=np.int32) for _ in range(2))
    kind_C, lower_C, _ = character_tables()
    _scan(data_B, begin_R, kind_C, lower_C, characters_R, exact_W, lower_W, start_W, stop_W, first_W)
    exact_W, lower_W, start_W, stop_W = (values[: first_W[-1]] for values in (exact_W, lower_W, start_W, stop_W))
    return WrittenWords(characters_R=characters_R, exact_W=exact_W, lower_W=lower_W, start_W=start_W, stop_W=stop_W, first_W=first_W)


def _read_bare(texts: pl.Series) -> BareWords:
    data_B, begin_R = utf8(texts)
    most = int(begin_R[-1] - begin_R[0]) // 2 + len(texts) + 1
    first_V, bare_V = np.zeros(len(texts) + 1, dtype=np.int64), np.empty(most, dtype=np.uint64)
    start_V, stop_V = (np.empty(most, dtype=np.int32) for _ in range(2))
    kind_C, _, fold_C = character_tables()
    ascii_C = np.where(kind_C[:0x80] == LETTER, fold_C[:0x80], 0).astype(np.uint8)
    ascii_C[[ord(sign) for sign in "\\&<"]] = ESCAPES
    _scan_bare(data_B, begin_R, kind_C, fold_C, ascii_C, _silent_names(), *several(), bare_V, start_V, stop_V, first_V)
    bare_V, start_V, stop_V = (values[: first_V[-1]] for values in (bare_V, start_V, stop_V))
    return BareWords(bare_V=bare_V, start_V=start_V, stop_V=stop_V, first_V=first_V)


_WRITTEN, _BARE = _Remembered(_read), _Remembered(_read_bare)


@compiled
def _scan_bare(
    data_B: np.ndarray, begin_R: np.ndarray, kind_C: np.ndarray, fold_C: np.ndarray, ascii_C: np.ndarray, names_T: np.ndarray,
    letter_M: np.ndarray, first_M: np.ndarray, bare_V: np.ndarray, start_V: np.ndarray, stop_V: np.ndarray, first_V: np.ndarray,
) -> None:  # fmt: skip
    """Fill the arrays of BareWords. A hash is h -> (h ^ letter) * HASH over the letters, mixed at the end. `ascii_C` is the folded
    letter, or 0 or ESCAPES for what ends a word."""
    v = 0
    for row in range(len(begin_R) - 1):
        at, end = begin_R[row], begin_R[row + 1]
        place, silent, raised, bare = 0, True, False, HASH
        while at < end:
            code, size = np.int64(data_B[at]), 1
            kind, letter = LETTER, np.uint64(0)
            if code < 0x80:
                letter = np.uint64(ascii_C[code])
                at += 1
                if letter <= ESCAPES:
                    kind = SEPARATOR
                    if letter:
                        code, more = _escape(data_B[at - 1 : min(end, at + (LONGEST_TAG if code == 0x3C else LONGEST_NAME))], names_T)
                        kind, letter = kind_C[code], np.uint64(fold_C[code])
                        at, size = at + more, 1 + more
            else:
                code, at = code_point(data_B, at)
                kind, letter = kind_C[code], np.uint64(fold_C[code])
            if kind == MARK:
                place += size
                continue
            if not silent and (kind != LETTER or raised) and not (kind == RAISED and raised):
                silent = True
                bare_V[v], stop_V[v] = mixed(bare), place
                v += 1
            if kind in (LETTER, RAISED):
                if silent:
                    silent, raised, bare, start_V[v] = False, kind == RAISED, HASH, place
                bare = (bare ^ letter) * HASH if letter < MANY else _spelled(bare, np.int64(letter) - MANY, letter_M, first_M)
            elif kind == OWN:
                bare_V[v], start_V[v], stop_V[v] = mixed((HASH ^ letter) * HASH), place, place + size
                v += 1
            place += size
        if not silent:
            bare_V[v], stop_V[v] = mixed(bare), place
            v += 1
        first_V[row + 1] = v


@compiled
def _spelled(bare: np.uint64, number: int, letter_M: np.ndarray, first_M: np.ndarray) -> np.uint64:
    """The hash of a word after the letters of a character that stands for several."""
    for at in range(first_M[number], first_M[number + 1]):
        bare = (bare ^ np.uint64(letter_M[at])) * HASH
    return bare


@compiled
def _escape(text_B: np.ndarray, names_T: np.ndarray) -> tuple[np.int64, int]:
    """(code point, further bytes) of what begins with a backslash, `&` or `<`: a character by its number, or a sign."""
    sign = np.int64(text_B[0])
    if sign == 0x3C:
        return sign, _tag(text_B, names_T)
    if len(text_B) > 2 and sign == 0x5C and (text_B[1] == 0x75 or text_B[1] == 0x78 or text_B[1] == 0x55):
        wanted = 4 if text_B[1] == 0x75 else 2 if text_B[1] == 0x78 else 8
        code, digits = _number(text_B[2 : 2 + wanted], 16)
        if digits == wanted and code < MANY:
            return code, 1 + wanted
    if len(text_B) > 3 and sign == 0x26 and text_B[1] == 0x23:
        begin, base = (3, 16) if text_B[2] | 0x20 == 0x78 else (2, 10)
        code, digits = _number(text_B[begin : begin + 7], base)
        ends = begin + digits
        return (code, ends) if digits and code < MANY and ends < len(text_B) and text_B[ends] == 0x3B else (sign, 0)
    hashed, letters = _name(text_B, sign)
    if _known(hashed, names_T):
        return sign, letters if sign == 0x5C or (letters + 1 < len(text_B) and text_B[letters + 1] == 0x3B) else 0
    if sign == 0x5C and letters and _breaks(text_B, letters, names_T):
        return sign, 1
    style = letters == 5 and sign == 0x5C and text_B[2] == 0x66 and text_B[3] == 0x72 and text_B[4] == 0x61 and text_B[5] == 0x63
    return sign, 1 if style and text_B[1] in (0x63, 0x64, 0x74) else 0  # cfrac, dfrac and tfrac are frac


@compiled
def _breaks(text_B: np.ndarray, letters: int, names_T: np.ndarray) -> bool:
    """Whether a backslash and letters begin with a line break or a tab and are no command."""
    if text_B[1] != 0x6E and text_B[1] != 0x74:
        return text_B[1] == 0x72 and letters == 1
    return letters == 1 or not _known(_name(text_B, 0x21)[0], names_T)


@compiled
def _known(hashed: np.uint64, names_T: np.ndarray) -> bool:
    slot = np.int64(hashed >> np.uint64(55))
    while names_T[slot] and names_T[slot] != hashed:
        slot = (slot + 1) % SLOTS
    return names_T[slot] == hashed


@compiled
def _name(text_B: np.ndarray, sign: int) -> tuple[np.uint64, int]:
    """(hash of a sign and the ASCII letters behind the first byte, those of a tag in lower case, how many letters)."""
    hashed, letters = (HASH ^ np.uint64(sign)) * HASH, 0
    fold = np.uint8(0x20) if sign == 0x3C else np.uint8(0)
    while letters + 1 < min(len(text_B), LONGEST_NAME) and 0x61 <= text_B[letters + 1] | 0x20 <= 0x7A:
        hashed = (hashed ^ np.uint64(text_B[letters + 1] | fold)) * HASH
        letters += 1
    return mixed(hashed), letters


@compiled
def _number(text_B: np.ndarray, base: int) -> tuple[np.int64, int]:
    """(value, digits) of the digits that a text begins with."""
    value, digits = np.int64(0), 0
    for byte in text_B:
        digit = np.int64(byte) - 0x30 if byte <= 0x39 else np.int64(byte | 0x20) - 0x57
        if digit < 0 or digit >= base or 0x39 < byte < 0x41:
            break
        value, digits = value * base + digit, digits + 1
    return value, digits


@compiled
def _tag(text_B: np.ndarray, names_T: np.ndarray) -> int:
    """Bytes behind the `<` of a tag of TAGS; 0 where something else stands there."""
    slash = 1 if len(text_B) > 1 and text_B[1] == 0x2F else 0
    hashed, letters = _name(text_B[slash:], 0x3C)
    at = slash + letters + 1
    if not letters or not _known(hashed, names_T) or at >= len(text_B):
        return 0
    begin, named = at, False
    while at < len(text_B) and text_B[at] != 0x3E and text_B[at] != 0x3C and text_B[at] != 0x0A and text_B[at] < 0x80:
        named |= text_B[at - 1] == 0x3D and (text_B[at] == 0x22 or text_B[at] == 0x27)
        at += 1
    if at >= len(text_B) or text_B[at] != 0x3E:
        return 0
    closed = text_B[at - 1] == 0x2F and (at == begin + 1 or (at == begin + 2 and text_B[begin] == 0x20))
    return at if at == begin or closed or (named and text_B[begin] == 0x20) else 0


@compiled
def _scan(
    data_B: np.ndarray, begin_R: np.ndarray, kind_C: np.ndarray, lower_C: np.ndarray, characters_R: np.ndarray,
    exact_W: np.ndarray, lower_W: np.ndarray, start_W: np.ndarray, stop_W: np.ndarray, first_W: np.ndarray,
) -> None:  # fmt: skip
    """Fill the arrays of WrittenWords, with hashes as in `_scan_bare`."""
    w = 0
    for row in range(len(begin_R) - 1):
        at, end = begin_R[row], begin_R[row + 1]
        place, written, exact, lower = 0, False, HASH, HASH
        while at < end:
            code = np.int64(data_B[at])
            if code < 0x80:
                at += 1
            else:
                code, at = code_point(data_B, at)
            kind = kind_C[code]
            if kind != SPACE and kind != OWN:
                if not written:
                    written, exact, lower, start_W[w] = True, HASH, HASH, place
                exact = (exact ^ np.uint64(code)) * HASH
                lower = (lower ^ np.uint64(lower_C[code])) * HASH
            else:
                if written:
                    written = False
                    exact_W[w], lower_W[w], stop_W[w] = mixed(exact), mixed(lower), place
                    w += 1
                if kind == OWN:
                    exact_W[w] = mixed((HASH ^ np.uint64(code)) * HASH)
                    lower_W[w], start_W[w], stop_W[w] = exact_W[w], place, place + 1
                    w += 1
            place += 1
        if written:
            exact_W[w], lower_W[w], stop_W[w] = mixed(exact), mixed(lower), place
            w += 1
        characters_R[row], first_W[row + 1] = place, w


@compiled
def _hash_rows(bare_V: np.ndarray, first_V: np.ndarray, hash_R: np.ndarray) -> None:
    for row in range(len(hash_R)):
        hashed = HASH
        for place in range(first_V[row], first_V[row + 1]):
            hashed = mixed((hashed ^ bare_V[place]) * HASH)
        hash_R[row] = hashed
