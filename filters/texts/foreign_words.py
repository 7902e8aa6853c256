"""Which words of a text are not in its language? The compiled pass of script_words.py over whole columns, and its answer in words.

Legend: _R row, _S script, _L language of filters/texts/function_words.py.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from filters.texts import lid
from filters.texts.foreign_runs import Lexicon, Target, read_all
from filters.texts.function_words import FUNCTION_WORDS, LANGUAGES, word_hash, word_table
from filters.texts.line_language import ASK, PROVEN
from filters.texts.script_words import BEYOND, BREAK, DIGIT, JOINER, LETTER, NEWLINE, SPECIAL, Tables
from filters.texts.scripts import CASED, LETTERS_PER_WORD, SCRIPTS, script_table, scripts_of

UNSURE_LINES = 8
"""At most so many lines of a text go to langdetect (300 lines a second); beyond them the first answer stands."""

_NO_WORDS = re.compile(r"(?s)```.*?(?:```|\Z)|`[^`\n]*`|\$[^$\n]{1,300}\$|\\[a-zA-Z]+|https?://\S+|</?[a-zA-Z][^<>\n]{0,60}>|[\d_=^{}|*#]+")
"""What is taken out of a line before a language model sees it."""


@dataclass(frozen=True)
class Words:
    """Words of some texts."""

    own_R: np.ndarray
    """int64: words in the text's own scripts (all words where no language was asked for)."""
    foreign_RS: np.ndarray
    """int64: words in each other script."""
    terms_R: np.ndarray
    """int64: names and terms in Latin letters within texts of other scripts."""
    scripts_RS: np.ndarray
    """int64: words in each script."""
    hits_RL: np.ndarray
    """int64: function words of each language, where none was asked for."""
    lines: np.ndarray
    """int64 rows: lines that are or may be in another language (filters/texts/foreign_runs.py)."""
    runs: np.ndarray
    """int64 rows: foreign runs, where they were asked for; positions are bytes of all texts together."""


@dataclass(frozen=True)
class Finding:
    """A stretch of a text that is not in its language: `text[start:end]`."""

    start: int
    end: int
    language: str
    """A code (`fr`), or the script where its words give no language away (`Han`)."""
    words: int


@functools.cache
def tables() -> tuple[Tables, Lexicon]:
    """What the pass looks up, from Unicode's scripts and our function words."""
    lower = [character.lower() for character in map(chr, range(0x2000))]
    kinds = {
        LETTER: "abcdefghijklmnopqrstuvwxyz",
        DIGIT: "0123456789",
        JOINER: "-_@#=./",
        SPECIAL: "`$\\<",
        BREAK: "|:;()[]{}>*+\"'",
        NEWLINE: "\n",
    }
    kind_B = np.full(256, BEYOND, dtype=np.uint8)
    kind_B[:128] = 0
    for name, characters in kinds.items():
        kind_B[[ord(character) for character in characters + characters.upper()]] = name
    pass_tables = Tables(
        script_C=script_table(),
        lower_C=np.array([ord(text) if len(text) == 1 else code for code, text in enumerate(lower)], dtype=np.uint32),
        kind_B=kind_B,
        unit_S=np.array([LETTERS_PER_WORD.get(name, 0) for name in SCRIPTS], dtype=np.int64),
        cased_S=np.array([name in CASED for name in SCRIPTS], dtype=np.uint8),
    )
    keys, masks = word_table()
    family_L = np.array([SCRIPTS.index(scripts_of(code)[0]) for code in LANGUAGES], dtype=np.int64)
    return pass_tables, Lexicon(keys, masks, family_L)


def utf8_bytes(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all texts in a row, and where each begins and the last ends (int64); null is empty."""
    array = texts.cast(pl.String).fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    if data is None:
        return np.zeros(0, dtype=np.uint8), np.zeros(len(texts) + 1, dtype=np.int64)
    offsets_R = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data, dtype=np.uint8), offsets_R


@functools.cache
def target_of(code: str | None) -> Target:
    """What counts as own in a text that should be in a language, or in any."""
    if code is None:
        return Target(scripts=(1 << len(SCRIPTS)) - 1, language=-2, family=-1, kana=0)
    own = [SCRIPTS.index(name) for name in scripts_of(code)]
    shared = sum(scripts_of(other) == scripts_of(code) for other in LANGUAGES) > 1
    return Target(
        scripts=sum(1 << place for place in own),
        language=LANGUAGES.index(code) if code in FUNCTION_WORDS else -1,
        family=own[0] if shared else -1,
        kana={"zh": 1, "ja": 2}.get(code, 0),
    )


def read(texts: pl.Series, targets: Sequence[str | None], terms: Sequence[np.ndarray] | None = None, *, runs: bool = False) -> Words:
    """Read texts that should be in these languages (None: any); `terms` are sorted hashes of Latin words that belong to nobody.

    `runs` asks for the foreign runs themselves, not only for their words.
    """
    data, offsets_R = utf8_bytes(texts)
    rows = len(texts)
    targets_R = np.array([target_of(code) for code in targets], dtype=np.int64).reshape(rows, 4)
    flat = np.concatenate([np.zeros(0, dtype=np.uint64), *(terms or [])])
    term_offsets_R = np.cumsum([0, *map(len, terms or [[]] * rows)])
    room = 64 + len(data) // 500
    while True:
        words_RS, terms_R = np.zeros((rows, len(SCRIPTS)), dtype=np.int64), np.zeros(rows, dtype=np.int64)
        hits_RL = np.zeros((rows, len(LANGUAGES)), dtype=np.int64)
        found, lines = np.zeros((room if runs else 0, 4), dtype=np.int64), np.zeros((room, 6), dtype=np.int64)
        counts = read_all(data, offsets_R, targets_R, flat, term_offsets_R, *tables(), words_RS, terms_R, hits_RL, found, lines)
        needed = max(counts[0] if runs else 0, counts[1])
        if needed <= room:
            break
        room = needed
    unit_S = np.maximum(tables()[0].unit_S, 1)
    words_RS = (words_RS + unit_S - 1) // unit_S
    own_RS = (targets_R[:, :1] >> np.arange(len(SCRIPTS)) & 1).astype(bool)
    lines = lines[: counts[1]]
    lines[:, :2] -= offsets_R[lines[:, 5], None]
    return Words(
        own_R=np.where(own_RS, words_RS, 0).sum(axis=1),
        foreign_RS=np.where(own_RS, 0, words_RS),
        terms_R=terms_R,
        scripts_RS=words_RS,
        hits_RL=hits_RL,
        lines=lines,
        runs=found[: counts[0]],
    )


@dataclass(frozen=True)
class Line:
    """A line of text `row` in another language of the same script; positions are bytes."""

    row: int
    start: int
    end: int
    words: int
    language: str


def foreign_lines(texts: Sequence[str], targets: Sequence[str | None], words: Words) -> list[Line]:
    """The lines of `words` that are in another language: those that are sure, and of the others those that a model says so of."""
    found, asked, encoded = [], dict.fromkeys(range(len(texts)), 0), (-1, b"")
    for start, end, own, verdict, rival, row in words.lines.tolist():
        code = targets[row] or ""
        language = LANGUAGES[rival] if rival >= 0 else None
        if verdict != PROVEN:
            if encoded[0] != row:
                encoded = row, texts[int(row)].encode()
            line = _NO_WORDS.sub(" ", encoded[1][start:end].decode(errors="replace"))
            asked[row] += 1
            language = _judged(line, code, verdict=verdict, rival=language, opinions=asked[row] <= UNSURE_LINES)
        elif language is None:
            language = "zh" if code == "ja" else "ja"
        if language is not None:
            found.append(Line(row, start, end, own, language))
    return found


def _judged(line: str, code: str, *, verdict: int, rival: str | None, opinions: bool) -> str | None:
    if verdict == ASK:
        return lid.foreign_language(line, wanted=code, rival=rival, opinions=opinions)
    opinion = lid.second_opinion(line) if opinions else None
    return None if opinion is not None and lid.same(opinion, code) else rival


def findings(text: str, target: str, terms: np.ndarray | None = None) -> list[Finding]:
    """Every stretch of a text that is not in the target language, in order; positions are characters."""
    words = read(pl.Series([text], dtype=pl.String), [target], [np.zeros(0, dtype=np.uint64) if terms is None else terms], runs=True)
    places = [(start, end, SCRIPTS[script], count) for start, end, script, count in words.runs.tolist()]
    places += [(line.start, line.end, line.language, line.words) for line in foreign_lines([text], [target], words)]
    encoded, found_at = text.encode(), []
    for start, end, language, count in sorted(places):
        begin = len(encoded[:start].decode(errors="replace"))
        stretch = encoded[start:end].decode(errors="replace")
        stripped = stretch.strip()
        begin += len(stretch) - len(stretch.lstrip())
        found_at.append(Finding(begin, begin + len(stripped), language, count))
    return found_at


def latin_terms(prompt: str) -> np.ndarray:
    """Sorted uint64 hashes of the Latin words of a prompt."""
    words = {word.lower().replace("’", "'") for word in re.findall(r"[A-Za-z\u00c0-\u024f][A-Za-z\u00c0-\u024f'’]+", prompt)}
    return np.sort(np.array([word_hash(word) for word in words], dtype=np.uint64))
