"""Where do the words of a text stand, and in which script? One compiled pass over UTF-8.

Code, formulas, tags, addresses, identifiers (filters/texts/masks.py), numbers and single letters are no words. The pass leaves *marks*: one
for each word, one for each stretch of a script without blanks, and one wherever a run of words or a line ends. Legend: _C code point, _B
byte, _S script, _N mark.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataengine.kernels.hashing import code_point, compiled
from filters.texts.masks import BACKSLASH, DOLLAR, ends_plain, is_digit, is_letter, is_space, masked_until, token_end, wordish
from filters.texts.scripts import INHERIT, SCRIPTS

LONG_SENTENCE = 80
"""Letters after which a line also ends with its sentence, so that a thought of one paragraph is looked at piece by piece (ours)."""

PLAIN, LETTER, DIGIT, JOINER, SPECIAL, BREAK, NEWLINE, BEYOND = range(8)
"""What a byte may begin; a break (brackets, quotation marks, cells of a table) ends a run of words."""

START, END, SCRIPT, LETTERS, WRITTEN, KEY, MARK = range(7)
"""Columns of a mark, int64: first byte, byte behind the last, script (or RUN_ENDS, LINE_ENDS), letters, how it is written, and the bits of
the word's hash in lower case (filters/texts/function_words.py); MARK is how many they are."""

RUN_ENDS, LINE_ENDS = -1, -2
"""What a mark that is no word has for a script."""

UPPER, CAMEL, COMPOUND = 1, 2, 4
"""How a word is written: first letter in upper case, a capital inside, one of several words joined by hyphens."""

LATIN, GREEK = SCRIPTS.index("Latin"), SCRIPTS.index("Greek")
_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


class Tables(NamedTuple):
    """What the pass looks up."""

    script_C: np.ndarray
    """uint8, filters/texts/scripts.py."""
    lower_C: np.ndarray
    """uint32 for code points below 0x2000: the lower-case code point."""
    kind_B: np.ndarray
    """uint8: what a byte may begin."""
    unit_S: np.ndarray
    """int64: letters that make a word; 0 where blanks do."""
    cased_S: np.ndarray
    """uint8: 1 where a single letter is a variable."""


@compiled
def mark_words(data: np.ndarray, begin: int, end: int, tables: Tables, marks: np.ndarray) -> int:
    """Write the marks of `data[begin:end]` (as many rows as bytes, and two, are room enough); how many there are."""
    script_C, lower_C, kind_B = tables.script_C, tables.lower_C, tables.kind_B
    count = in_line = 0
    i = begin
    while i < end:
        byte = data[i]
        kind = kind_B[byte]
        if kind == LETTER:
            j, key, written = _plain_word(data, i, end, kind_B)
            if j >= end or kind_B[data[j]] == PLAIN or kind_B[data[j]] == NEWLINE:
                if j - i > 1 and not written & CAMEL:
                    count = _word(marks, count, i, j, LATIN, j - i, written, key)
                    in_line += j - i
                i = j
            else:
                j, count = _token(data, i, begin, end, kind_B, script_C, lower_C, marks, count)
                i, in_line = j, in_line + j - i
        elif kind == BEYOND:
            code, j = code_point(data, i)
            script = np.int64(script_C[code]) - 1
            if script < 0 or script == INHERIT - 1:
                if code >= 0x2E80 or code < 0x2010:  # punctuation of other scripts
                    count = _ends(marks, count, j, RUN_ENDS)
                if in_line >= LONG_SENTENCE and (code == 0x3002 or code == 0xFF01 or code == 0xFF1F):
                    count, in_line = _ends(marks, count, j, LINE_ENDS), 0
            elif script == LATIN:
                j, count = _token(data, i, begin, end, kind_B, script_C, lower_C, marks, count)
                in_line += j - i
            else:
                j, count, letters = _letters(data, i, end, script, tables, marks, count)
                in_line += letters
            i = j
        elif kind == DIGIT or kind == JOINER:  # noqa: SIM109 - a tuple is slower here
            j = _plain_number(data, i, end, kind_B)
            if j == i:
                j, count = _token(data, i, begin, end, kind_B, script_C, lower_C, marks, count)
            i = j
        elif kind == SPECIAL:
            j = masked_until(data, i, end)
            if j > i:
                count = _ends(marks, count, i, RUN_ENDS)
            if byte == BACKSLASH or byte == DOLLAR:  # noqa: SIM109 - a tuple is slower here
                count = _in_formula(data, i, j, tables, marks, count)
            i = max(j, i + 1)
        else:
            i += 1
            if kind == NEWLINE:
                count, in_line = _ends(marks, count, i, LINE_ENDS), 0
            elif kind == BREAK:
                count = _ends(marks, count, i, RUN_ENDS)
        if in_line >= LONG_SENTENCE and (byte == 46 or byte == 33 or byte == 63) and i < end and is_space(data[i]):
            count, in_line = _ends(marks, count, i, LINE_ENDS), 0
    return _ends(marks, count, end, LINE_ENDS)


@compiled
def _letters(data: np.ndarray, i: int, end: int, script: int, tables: Tables, marks: np.ndarray, count: int) -> tuple[int, int, int]:
    """Mark what begins at `i` with a letter of another script than Latin: (byte behind, marks, letters)."""
    if tables.unit_S[script] == 0:
        j, key, letters, written = word_at(data, i, end, script, tables.script_C, tables.lower_C)
        if letters > 1 or not tables.cased_S[script]:
            count = _word(marks, count, i, j, script, letters, written, key)
        return j, count, letters
    j, letters = i, 0
    while j < end and data[j] >= 0xE0:
        code, behind = code_point(data, j)
        if np.int64(tables.script_C[code]) - 1 != script:
            break
        j, letters = behind, letters + 1
    return j, _word(marks, count, i, j, script, letters, 0, np.uint64(0)), letters


@compiled
def _in_formula(data: np.ndarray, i: int, end: int, tables: Tables, marks: np.ndarray, count: int) -> int:
    """Mark the words of a formula that are neither Latin nor Greek: such letters are no variables."""
    while i < end:
        if data[i] < 128:
            i += 1
            continue
        code, j = code_point(data, i)
        script = np.int64(tables.script_C[code]) - 1
        if script >= 0 and script != INHERIT - 1 and script != LATIN and script != GREEK:
            j, count, _ = _letters(data, i, end, script, tables, marks, count)
        i = j
    return count


@compiled
def _word(marks: np.ndarray, count: int, start: int, end: int, script: int, letters: int, written: int, key: np.uint64) -> int:
    marks[count, START], marks[count, END], marks[count, SCRIPT] = start, end, script
    marks[count, LETTERS], marks[count, WRITTEN], marks[count, KEY] = letters, written, np.int64(key)
    return count + 1


@compiled
def _ends(marks: np.ndarray, count: int, at: int, what: int) -> int:
    """Mark the end of a run or a line, unless it has been marked already."""
    if count > 0 and (marks[count - 1, SCRIPT] == what or marks[count - 1, SCRIPT] == LINE_ENDS):
        return count
    marks[count, START], marks[count, SCRIPT] = at, what
    return count + 1


@compiled
def _plain_word(data: np.ndarray, i: int, end: int, kind_B: np.ndarray) -> tuple[int, np.uint64, int]:
    """(byte behind, hash in lower case, how it is written) of the ASCII letters that begin at `i`."""
    key, written, small_seen = _OFFSET, UPPER if data[i] < 97 else 0, False
    while i < end and kind_B[data[i]] == LETTER:
        small = data[i] | 32
        written |= CAMEL if small_seen and small != data[i] else 0
        small_seen |= small == data[i]
        key = (key ^ np.uint64(small)) * _PRIME
        i += 1
    return i, key, written


@compiled
def _plain_number(data: np.ndarray, i: int, end: int, kind_B: np.ndarray) -> int:
    """The byte behind the digits that begin at `i`; `i` where there are none, or something else goes on there."""
    j = i
    while j < end and kind_B[data[j]] == DIGIT:
        j += 1
    following = kind_B[data[j]] if j < end else PLAIN
    return i if following in (LETTER, JOINER, BEYOND) else j


@compiled
def word_at(data: np.ndarray, i: int, end: int, script: int, script_C: np.ndarray, lower_C: np.ndarray) -> tuple[int, np.uint64, int, int]:
    """(byte behind, hash in lower case, letters, how it is written) of the run of letters of one script that begins at `i`."""
    key, letters, written, small_seen = _OFFSET, 0, 0, False
    while i < end:
        byte = data[i]
        if byte < 128:
            if byte == 39 and letters > 0 and i + 1 < end and is_letter(data[i + 1]):  # don't
                key = (key ^ np.uint64(39)) * _PRIME
            elif script == LATIN and is_letter(byte):
                if byte < 97:
                    written |= UPPER if letters == 0 else (CAMEL if small_seen else 0)
                small_seen |= byte >= 97
                key = (key ^ np.uint64(byte | 32)) * _PRIME
                letters += 1
            else:
                break
            i += 1
            continue
        code, behind = code_point(data, i)
        if code == 0x2019 and letters > 0 and behind < end and is_letter(data[behind]):
            key = (key ^ np.uint64(39)) * _PRIME
        elif script_C[code] == script + 1:
            lower = np.int64(lower_C[code]) if code < len(lower_C) else code
            written |= UPPER if letters == 0 and lower != code else 0
            key = (key ^ np.uint64(lower)) * _PRIME
            letters += 1
        elif script_C[code] != INHERIT:
            break
        i = behind
    return i, key, letters, written


@compiled
def _token(
    data: np.ndarray,
    i: int,
    begin: int,
    end: int,
    kind_B: np.ndarray,
    script_C: np.ndarray,
    lower_C: np.ndarray,
    marks: np.ndarray,
    count: int,
) -> tuple[int, int]:
    """Mark the words of what begins at `i` with a Latin letter, a digit or a joiner, and is more than one plain word."""
    kind = kind_B[data[i]]
    if kind == JOINER and not (i + 1 < end and wordish(data[i + 1]) and (i == begin or is_space(data[i - 1]) or data[i - 1] == 40)):
        return i + 1, count
    if kind == LETTER or kind == BEYOND:  # noqa: SIM109 - a tuple is slower here
        behind, key, letters, written = word_at(data, i, end, LATIN, script_C, lower_C)
        if behind > i and ends_plain(data, behind, end):
            if letters > 1 and not written & CAMEL:
                count = _word(marks, count, i, behind, LATIN, letters, written, key)
            return behind, count
    stop, masked = token_end(data, i, end, script_C)
    while i < stop and not masked:
        if data[i] < 128 and not is_letter(data[i]):
            i += 1
            continue
        behind, key, letters, written = word_at(data, i, stop, LATIN, script_C, lower_C)
        beside_digit = (i > begin and is_digit(data[i - 1])) or (behind < stop and is_digit(data[behind]))
        if (i > begin and data[i - 1] == 45) or (behind < stop and data[behind] == 45):
            written |= COMPOUND
        if letters > 1 and not beside_digit and not written & CAMEL:
            count = _word(marks, count, i, behind, LATIN, letters, written, key)
        i = max(behind, i + 1)
    return stop, count
