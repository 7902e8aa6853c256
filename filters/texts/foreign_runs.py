"""Which runs and lines of a text are foreign to its language, and how many words of each script does it hold? Read off its marks.

A *run* is foreign words in a row. A run of Latin words in a text of another script is speech or borrowed terms (`spoken`).
Legend: _R row, _N mark (filters/texts/script_words.py), _S script, _L language of filters/texts/function_words.py, _W word of a line.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataengine.kernels.hashing import compiled
from filters.texts.function_words import LANGUAGES
from filters.texts.line_language import OWN, PROVEN, judge
from filters.texts.script_words import (
    COMPOUND,
    END,
    GREEK,
    KEY,
    LATIN,
    LETTERS,
    LINE_ENDS,
    MARK,
    SCRIPT,
    START,
    UPPER,
    WRITTEN,
    Tables,
    mark_words,
)
from filters.texts.scripts import SCRIPTS

MOST_WORDS = 1024
"""Words of a line whose function words are looked at."""

SHORTEST_GREEK = 4
"""Letters of a Greek word in a text that is not Greek; fewer are variables side by side (Δλ)."""

HAN, HIRAGANA, KATAKANA = (SCRIPTS.index(name) for name in ("Han", "Hiragana", "Katakana"))
_ENGLISH = np.uint64(1 << LANGUAGES.index("en"))


class Target(NamedTuple):
    """What counts as the text's own."""

    scripts: int
    """Bit set of own scripts; all of them where no language is asked for."""
    language: int
    """Place in LANGUAGES; -1 for a language that is not there, -2 where none is asked for."""
    family: int
    """The own script, where several languages share it and lines are told apart; else -1."""
    kana: int
    """1 for Chinese (lines with kana are Japanese), 2 for Japanese (long lines without are Chinese), else 0."""


class Lexicon(NamedTuple):
    """Function words by hash (filters/texts/function_words.py)."""

    keys: np.ndarray
    masks: np.ndarray
    family_L: np.ndarray
    """int64: the script of a language."""


@compiled
def read_all(
    data: np.ndarray,
    offsets_R: np.ndarray,
    targets_R: np.ndarray,
    terms: np.ndarray,
    term_offsets_R: np.ndarray,
    tables: Tables,
    lexicon: Lexicon,
    words_RS: np.ndarray,
    terms_R: np.ndarray,
    hits_RL: np.ndarray,
    runs: np.ndarray,
    lines: np.ndarray,
) -> tuple[int, int]:
    """Read every text; how many foreign runs and doubtful lines there are, of which as many are written as there is room for.

    Written are `words_RS` (words in each script, letters in those without blanks), `terms_R` (names and terms in Latin letters that are
    no mixing), `hits_RL` (function words, where no language is asked for), `runs` (first byte, byte behind the last, script, words)
    and `lines` (first byte, byte behind the last, own words, PROVEN, ASK or SHORT, rival language or -1, row); all int64.
    `terms` are sorted hashes of Latin words that belong to nobody.
    """
    longest = 0
    for row in range(len(offsets_R) - 1):
        longest = max(longest, offsets_R[row + 1] - offsets_R[row])
    marks = np.empty((longest + 2, MARK), dtype=np.int64)
    found = noted = 0
    for row in range(len(offsets_R) - 1):
        count = mark_words(data, offsets_R[row], offsets_R[row + 1], tables, marks)
        own_terms = terms[term_offsets_R[row] : term_offsets_R[row + 1]]
        if targets_R[row, 1] == -2:
            _count_all(marks[:count], tables.unit_S, lexicon, words_RS[row], hits_RL[row])
            continue
        found = _count_runs(
            marks[:count], data, targets_R[row], own_terms, tables.unit_S, lexicon, words_RS[row], terms_R[row:], runs, found
        )
        if targets_R[row, 2] >= 0 or targets_R[row, 3] > 0:
            noted = _judge_lines(marks[:count], targets_R[row], lexicon, lines, noted, row, offsets_R[row])
    return found, noted


@compiled
def _mask_of(key: np.uint64, keys: np.ndarray, masks: np.ndarray) -> np.uint64:
    """The languages whose function word has this hash, as bits."""
    size = np.uint64(len(keys) - 1)
    place = key & size
    while keys[place] != 0:
        if keys[place] == key:
            return masks[place]
        place = (place + np.uint64(1)) & size
    return np.uint64(0)


@compiled
def _count_all(marks: np.ndarray, unit_S: np.ndarray, lexicon: Lexicon, words_S: np.ndarray, hits_L: np.ndarray) -> None:
    """Words of every script and function words of every language, of a text whose language is asked for."""
    for k in range(len(marks)):
        script = marks[k, SCRIPT]
        if script < 0:
            continue
        words_S[script] += marks[k, LETTERS] if unit_S[script] > 0 else 1
        mask, place = _mask_of(np.uint64(marks[k, KEY]), lexicon.keys, lexicon.masks), 0
        while mask != 0:
            hits_L[place] += np.int64(mask & np.uint64(1))
            mask, place = mask >> np.uint64(1), place + 1


@compiled
def _count_runs(
    marks: np.ndarray,
    data: np.ndarray,
    target: np.ndarray,
    terms: np.ndarray,
    unit_S: np.ndarray,
    lexicon: Lexicon,
    words_S: np.ndarray,
    borrowed: np.ndarray,
    runs: np.ndarray,
    found: int,
) -> int:
    """Count own words, and foreign ones run by run; note the runs, where there is room. Marks end with that of a line."""
    keys, masks, scripts = lexicon.keys, lexicon.masks, target[0]
    words = small = english = others = first = last = start = end = 0
    of = np.int64(-1)  # the script of the run that is going on
    for k in range(len(marks)):
        script = marks[k, SCRIPT]
        foreign = script >= 0 and not scripts >> script & 1
        if foreign and script == LATIN and _among(np.uint64(marks[k, KEY]), terms):
            continue
        if foreign and script == GREEK and marks[k, LETTERS] < SHORTEST_GREEK:
            continue
        if words > 0 and (script != of if foreign else script >= 0 or of == LATIN or script == LINE_ENDS):
            counted = words
            if of == LATIN:
                counted = _spoken(words, small, english, others, first, last)
                counted = 0 if counted == 1 and words == 1 and _quoted(data, start) else counted
                borrowed[0] += words - counted
            words_S[of] += counted
            if counted > 0:
                if found < len(runs):
                    unit = max(unit_S[of], 1)
                    runs[found, 0], runs[found, 1], runs[found, 2], runs[found, 3] = start, end, of, (counted + unit - 1) // unit
                found += 1
            words = small = english = others = first = last = 0
        if script < 0:
            continue
        size = marks[k, LETTERS] if unit_S[script] > 0 else 1
        if not foreign:
            words_S[script] += size
            continue
        last = 0 if marks[k, WRITTEN] & UPPER else 1
        if words == 0:
            start, of, first = marks[k, START], script, last
        end, words, small = marks[k, END], words + size, small + last
        if script == LATIN and not marks[k, WRITTEN] & COMPOUND:  # on-policy is a term
            mask = _mask_of(np.uint64(marks[k, KEY]), keys, masks)
            english += np.int64(mask & _ENGLISH != 0)
            others += np.int64(mask != 0 and mask & _ENGLISH == 0)
    return found


@compiled
def _among(key: np.uint64, sorted_keys: np.ndarray) -> bool:
    low, high = 0, len(sorted_keys)
    while low < high:
        middle = (low + high) // 2
        if sorted_keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low < len(sorted_keys) and sorted_keys[low] == key


@compiled
def _spoken(words: int, small: int, english: int, others: int, first: int, last: int) -> int:
    """Words of a run of Latin words, in a text of another script, that are speech; the others are names and terms.

    `small` of them begin in lower case, the `first` or the `last` perhaps; `english` are function words of English, `others` of other
    languages. Speech has function words: two fifths of its small words. A function word between names (Mixture of Experts) and terms
    without any (large language model) are borrowed; six small words in a row are speech in any case. Ours.
    """
    speech = others if others >= 2 and others > english else english
    if small >= 6 or (small >= 2 and 5 * speech >= 2 * small):
        return words
    if small == 1 and speech >= 1 and (first or last):
        return words if speech >= 2 else 1
    return 0


@compiled
def _quoted(data: np.ndarray, i: int) -> bool:
    """Whether a quotation mark stands before `i`: one quoted word ('all') is mentioned, not used."""
    curly = i >= 3 and data[i - 3] == 0xE2 and data[i - 2] == 0x80 and (data[i - 1] == 0x98 or data[i - 1] == 0x9C)
    return curly or (i > 0 and (data[i - 1] == 34 or data[i - 1] == 39))


@compiled
def _judge_lines(marks: np.ndarray, target: np.ndarray, lexicon: Lexicon, lines: np.ndarray, noted: int, row: int, begin: int) -> int:
    """Note the lines that are, or may be, in another language of the same script."""
    keys, masks, family_L = lexicon
    keys_W, masks_W = np.empty(MOST_WORDS, dtype=np.uint64), np.empty(MOST_WORDS, dtype=np.uint64)
    language, family, kana = target[1], target[2], target[3]
    ours = np.uint64(1) << np.uint64(language) if language >= 0 else np.uint64(0)
    words = letters = hans = kanas = sole = 0
    start = begin
    for k in range(len(marks)):
        script = marks[k, SCRIPT]
        if script == family and family >= 0:
            if words < MOST_WORDS:
                keys_W[words] = np.uint64(marks[k, KEY])
                masks_W[words] = _mask_of(keys_W[words], keys, masks)
                sole += masks_W[words] == ours
            words, letters = words + 1, letters + marks[k, LETTERS]
        elif script == HAN:
            hans += marks[k, LETTERS]
        elif script == HIRAGANA or script == KATAKANA:  # noqa: SIM109 - a tuple is slower here
            kanas += marks[k, LETTERS]
        elif script == LINE_ENDS:
            own, verdict, rival, seen = words, OWN, -1, min(words, MOST_WORDS)
            if (kana == 1 and 4 * kanas > hans > 0) or (kana == 2 and kanas == 0 and hans >= 10):
                own, verdict = hans, PROVEN
            elif words >= 4 and (language < 0 or 5 * sole < words):  # where a fifth is its language's alone, nobody else comes near
                verdict, rival = judge(keys_W[:seen], masks_W[:seen], letters, language, family, family_L)
            if verdict != OWN:
                if noted < len(lines):
                    note = lines[noted]
                    note[0], note[1], note[2], note[3], note[4], note[5] = start, marks[k, START], own, verdict, rival, row
                noted += 1
            words = letters = hans = kanas = sole = 0
            start = marks[k, START]
    return noted
