"""How many tokens has a text for a given tokenizer? Exact counts, many times faster than the tokenizer where its rules are known."""

from __future__ import annotations

import functools
import json
import re
import threading
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tokenizers import Regex, Tokenizer
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import Split

from dataengine.kernels.hashed_words import parts_of, utf8
from filters.texts.pretokens import CHECK, LETTER, NORMALIZE, NUMBER, SPACE, Added, Merges, Seen, count_tokens, fill_pairs, remember_whole

_CONTRACTION, _REST = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
KNOWN = {
    rf"{_CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+{_REST}": (r"\p{L}", 1),
    rf"{_CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+{_REST}": (r"\p{L}", 3),
    rf"{_CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+{_REST}": (r"[\p{L}\p{M}]", 1),
}
"""Splitting patterns counted here, what a letter is to them, and how many digits make a piece: Qwen2 to 3; Llama 3, GPT-4; Qwen3.5."""

SEEN_SLOTS = 1 << 20
"""Room for half a million pieces, 8 MB; pieces that find none are merged anew each time."""

_MARKS = "\u0334\u0327\u0301\u0345"
"""Marks of combining classes 1, 202, 230 and 240: what stands in which order beside them shows the class of a mark."""

_SURROGATES = re.compile(r"[\ud800-\udfff]")


class TokenCounter:
    """Counts the tokens of texts, as `len(tokenizer.encode(text, add_special_tokens=False))` would.

    `tokenizer`: of transformers (fast) or tokenizers, or the path of a tokenizer.json or of its folder. Byte-level BPE with a pattern of
    KNOWN is counted by filters/texts/pretokens.py, any other by the tokenizer itself (`why_slow` says why). Texts of special tokens in a
    text (`<think>`) count as the tokenizer takes them; a lone surrogate, which no tokenizer takes, counts as U+FFFD. Truncation and padding
    set in the tokenizer are left out.

    Pieces are told apart by 64-bit hashes: that any two of a million are confused has a probability of 1 in 10 million.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = _backend(tokenizer)
        self._rules: _Rules | None = None
        self.why_slow = ""
        """Why the tokenizer itself has to count; empty where it has not."""
        try:
            self._rules = _Rules(json.loads(self._tokenizer.to_str()))
        except _UnknownError as reason:
            self.why_slow = str(reason)
        self._one_at_a_time = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return TokenCounter, (self._tokenizer,)

    def count(self, texts: Sequence[str] | pl.Series) -> np.ndarray:
        """int64: the tokens of each text; null has none."""
        column = texts.fill_null("") if isinstance(texts, pl.Series) else _without_surrogates(texts)
        if self._rules is None:
            return self._by_tokenizer(column.to_list())
        count_R = self._count(column, normalized=False)
        unclear = {int(row): column[int(row)] for row in np.flatnonzero(count_R == NORMALIZE)}
        normal = {row: text for row, given in unclear.items() if (text := self._rules.normal(given)) is not None}
        count_R[list(normal)] = self._count(pl.Series(list(normal.values()), dtype=pl.String), normalized=True)
        rows = np.flatnonzero(count_R < 0)
        count_R[rows] = self._by_tokenizer([column[int(row)] for row in rows])
        return count_R

    def _count(self, texts: pl.Series, *, normalized: bool) -> np.ndarray:
        assert self._rules is not None
        with self._one_at_a_time:  # two threads must not fill the same slot of the table
            parts = [self._rules.count(*utf8(part), normalized=normalized) for part in parts_of(texts)]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])

    def _by_tokenizer(self, texts: list[str]) -> np.ndarray:
        counts = [len(found) for text in texts for found in self._tokenizer.encode_batch_fast([text], add_special_tokens=False)]
        return np.array(counts, dtype=np.int64)


class _UnknownError(Exception):
    """These rules are not known here, so the tokenizer has to count itself."""


class _Rules:
    """What counting needs of a tokenizer.json; raises _UnknownError where it holds something that is not known here."""

    def __init__(self, settings: dict[str, Any]) -> None:
        model = settings["model"]
        self._classes_C, self._digits = _split(settings)
        if model["type"] != "BPE" or model.get("dropout") or model.get("byte_fallback"):
            raise _UnknownError("the model is not plain BPE")
        if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
            raise _UnknownError("the model marks parts of words")
        if not _BYTE.keys() <= model["vocab"].keys():
            raise _UnknownError("the vocabulary does not hold every byte")
        self._merges = _merges(model["vocab"], model["merges"])
        self._added, self._added_texts = _added(settings["added_tokens"])
        whole = [key for key in model["vocab"] if set(key) <= _BYTE.keys()] if model.get("ignore_merges") else []
        slots = max(SEEN_SLOTS, 1 << (4 * len(whole)).bit_length())
        self._seen = Seen(np.zeros(slots, np.uint64), np.zeros(1, np.int64))
        remember_whole(*_joined([bytes(_BYTE[character] for character in key) for key in whole]), self._seen)

    def count(self, data_B: np.ndarray, begin_R: np.ndarray, *, normalized: bool) -> np.ndarray:
        count_R = np.zeros(len(begin_R) - 1, dtype=np.int64)
        count_tokens(data_B, begin_R, self._classes_C, self._digits, self._merges, self._added, self._seen, normalized, count_R)
        return count_R

    def normal(self, text: str) -> str | None:
        """The text in NFC; None where the Unicode of Python and of tokenizers differ, or added tokens have to be found before."""
        characters = set(text)
        if any(unicodedata.category(c) == "Cn" for c in characters) or not characters.isdisjoint(_disputed()):
            return None
        if any(token in text for token in self._added_texts):
            return None
        return unicodedata.normalize("NFC", text)


def _without_surrogates(texts: Sequence[str]) -> pl.Series:
    try:
        return pl.Series(texts, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series([_SURROGATES.sub("\ufffd", text) for text in texts], dtype=pl.String)


def _backend(tokenizer: Any) -> Tokenizer:
    """A tokenizer of the library tokenizers of our own, that neither cuts nor pads."""
    if isinstance(tokenizer, str | Path):
        path = Path(tokenizer)
        path = path / "tokenizer.json" if path.is_dir() else path
        if not path.is_file():
            raise ValueError(f"there is no {path}: give a tokenizer.json, its folder, or a fast tokenizer of transformers")
        found = Tokenizer.from_file(str(path))
    else:
        backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not isinstance(backend, Tokenizer):
            raise ValueError(
                f"{type(tokenizer).__name__} is no fast tokenizer: give one of transformers or tokenizers, or a tokenizer.json"
            )
        found = Tokenizer.from_str(backend.to_str())
    found.no_truncation()
    found.no_padding()
    return found


def _split(settings: dict[str, Any]) -> tuple[np.ndarray, int]:
    """The class of each code point, and how many digits make a piece."""
    normalizer = (settings["normalizer"] or {"type": "none"})["type"]
    if normalizer not in ("none", "NFC"):
        raise _UnknownError(f"the normalizer {normalizer} is not known")
    steps = (settings["pre_tokenizer"] or {}).get("pretokenizers", [])
    if [step["type"] for step in steps] != ["Split", "ByteLevel"] or steps[1]["add_prefix_space"] or steps[1]["use_regex"]:
        raise _UnknownError("the text is not split by a pattern and then into bytes")
    pattern = steps[0]["pattern"].get("Regex")
    if pattern not in KNOWN or steps[0]["behavior"] != "Isolated" or steps[0]["invert"]:
        raise _UnknownError(f"the splitting pattern {pattern!r} is not known")
    letters, digits = KNOWN[pattern]
    return _classes(letters) | (_changeable() if normalizer == "NFC" else np.uint8(0)), digits


@functools.cache
def _classes(letters: str) -> np.ndarray:
    """_C uint8: LETTER, NUMBER, SPACE or OTHER, as the regular expressions of tokenizers have it (their Unicode may be newer)."""
    code_N = np.array([*range(0xD800), *range(0xE000, 0x34000), *range(0xE0000, 0xE1000)])  # elsewhere no letters are assigned
    text = "".join(map(chr, code_N))
    class_C = np.zeros(0x110000, dtype=np.uint8)
    for kind, pattern in ((SPACE, r"\s"), (NUMBER, r"\p{N}"), (LETTER, letters)):
        others = Split(Regex(f"{pattern}+"), "removed").pre_tokenize_str(text)
        of_kind = np.ones(len(text), dtype=bool)
        for _, (start, stop) in others:
            of_kind[start:stop] = False
        class_C[code_N[of_kind]] = kind
    return class_C


@functools.cache
def _changeable() -> np.ndarray:
    """_C uint8: CHECK for what NFC may change or join with what stands before it, and for what Python's Unicode does not know."""
    flag_C = np.zeros(0x110000, dtype=np.uint8)
    flag_C[0x1161:0x1176] = flag_C[0x11A8:0x11C3] = flag_C[0x33480:0xF0000] = CHECK
    for code in [*range(0x33480), *range(0xE0100, 0xE01F0)]:
        character = chr(code)
        flag_C[code] |= CHECK * (
            unicodedata.category(character) == "Cn"
            or unicodedata.combining(character) > 0
            or not unicodedata.is_normalized("NFC", character)
        )
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            flag_C[int(parts[1], 16)] = CHECK
    return flag_C


@functools.cache
def _disputed() -> frozenset[str]:
    """Characters that Python and tokenizers normalise differently alone or beside a mark, because one of them has the older Unicode."""
    theirs, found = NFC().normalize_str, set[str]()
    for code in [*range(0xD800), *range(0xE000, 0x33480)]:
        character = chr(code)
        if not unicodedata.combining(character) and not unicodedata.decomposition(character):
            continue
        parts = unicodedata.normalize("NFD", character)
        probes = [character, parts, *(f"a{mark}{character}" for mark in _MARKS), *(f"a{character}{mark}" for mark in _MARKS)]
        if any(unicodedata.normalize("NFC", probe) != theirs(probe) for probe in probes):
            found.update(character, parts)
    return frozenset(found)


def _byte_letters() -> dict[str, int]:
    """The letter that byte-level BPE writes for each byte (GPT-2's table): printable ones as they are, the others from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + k): byte for k, byte in enumerate(others)}


_BYTE = _byte_letters()


def _merges(vocab: dict[str, int], merges: list[Any]) -> Merges:
    byte = np.array([vocab[letter] for letter, _ in sorted(_BYTE.items(), key=lambda item: item[1])], dtype=np.int32)
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    first, second = (np.array([vocab[pair[side]] for pair in pairs], dtype=np.uint64) for side in (0, 1))
    merged = np.array([vocab[pair[0] + pair[1]] for pair in pairs], dtype=np.int32)
    slots = 1 << (2 * len(pairs) + 1).bit_length()
    tables = np.zeros(slots, np.uint64), np.zeros(slots, np.int32), np.zeros(slots, np.int32)
    fill_pairs(first, second, merged, *tables)
    return Merges(byte, *tables)


def _added(tokens: list[dict[str, Any]]) -> tuple[Added, list[str]]:
    """The added tokens, longest first. Where some are looked for before and some after normalisation, the latter are left undecided."""
    tokens = sorted((token for token in tokens if token["content"]), key=lambda token: -len(token["content"].encode()))
    contents = [token["content"].encode() for token in tokens]
    mixed_kinds = len({token["normalized"] for token in tokens}) == 2
    undecided = [
        any(token[key] for key in ("single_word", "lstrip", "rstrip"))
        or (token["normalized"] and (mixed_kinds or not token["content"].isascii()))
        for token in tokens
    ]
    bytes_B, begin_A = _joined(contents)
    first = np.zeros(256, dtype=np.bool_)
    first[[content[0] for content in contents]] = True
    return Added(bytes_B, begin_A, np.array(undecided, dtype=np.bool_), first), [token["content"] for token in tokens]


def _joined(contents: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The bytes one after another, and where each begins and the last ends."""
    return np.frombuffer(b"".join(contents), dtype=np.uint8), np.cumsum([0, *map(len, contents)], dtype=np.int64)
