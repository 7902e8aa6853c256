"""How many tokens does a byte-level BPE tokenizer make of a text? Its splitting pattern and its merges as machine code.

The pattern is that of GPT-4 (tiktoken's cl100k), Llama 3 and Qwen2 to Qwen3, which differ in how many digits make a piece:

    (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\\r\\n\\p{L}\\p{N}]?\\p{L}+ | \\p{N}{1,3}
    | ?[^\\s\\p{L}\\p{N}]+[\\r\\n]* | \\s*[\\r\\n]+ | \\s+(?!\\S) | \\s+

Merges never cross a piece, so a table of piece -> number of tokens answers for all pieces seen before, and the merges for the others.

Legend: _B byte of all texts together, _C code point, _R row, _T slot of a table, _A added token (`<think>`, `<|im_end|>`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataengine.kernels.hashing import HASH, code_point, compiled, mixed

OTHER, LETTER, NUMBER, SPACE = range(4)
CHECK = 4
"""Bit of a code point that normalisation (NFC) may change or join with its neighbours."""

NORMALIZE, UNDECIDED = -1, -2
"""Instead of a count: to be normalised first; to be left to the tokenizer itself."""

LONGEST = 2048
"""Pieces of more bytes are left to the tokenizer: merging takes time by the square of the length here."""

_COUNT_BITS, _COUNT = np.uint64(12), np.uint64(0xFFF)
_NONE = np.int32(2**31 - 1)


class Merges(NamedTuple):
    """The merges of a BPE model as a table from a pair of tokens to their rank and to the token they become."""

    byte: np.ndarray
    """int32 token of each byte."""
    pair_T: np.ndarray
    """uint64 first token << 32 | second token, + 1; 0 for an empty slot."""
    rank_T: np.ndarray
    merged_T: np.ndarray


class Added(NamedTuple):
    """Tokens that are looked for before the text is split, longest first."""

    bytes_B: np.ndarray
    begin_A: np.ndarray
    """Token a is bytes_B[begin_A[a] : begin_A[a + 1]]."""
    undecided_A: np.ndarray
    """bool: its settings (lstrip, rstrip, single_word) are left to the tokenizer."""
    first: np.ndarray
    """256 bool: may a token begin with this byte?"""


class Seen(NamedTuple):
    """Pieces and their number of tokens; no more than half of the slots are taken."""

    piece_T: np.ndarray
    """uint64 hash of the piece with its tokens in the last 12 bits (these bits of the hash choose the slot); 0 for an empty slot."""
    used: np.ndarray
    """One number: slots taken."""


@compiled
def count_tokens(
    data_B: np.ndarray,
    begin_R: np.ndarray,
    class_C: np.ndarray,
    digits: int,
    merges: Merges,
    added: Added,
    seen: Seen,
    normalized: bool,  # noqa: FBT001  numba has no keyword-only arguments
    count_R: np.ndarray,
) -> None:
    """Fill count_R: the tokens of each row, or NORMALIZE or UNDECIDED."""
    scratch = np.empty((3, LONGEST), np.int32)
    piece_T, used = seen.piece_T, seen.used  # taken out of their tuple once: each look into one costs 10 ns
    longest = 0
    for row in range(len(count_R)):
        longest = max(longest, begin_R[row + 1] - begin_R[row])
    kind_B = np.empty(longest, np.uint8)
    for row in range(len(count_R)):
        text_B = data_B[begin_R[row] : begin_R[row + 1]]
        at, total = 0, 0
        if _classify(text_B, class_C, kind_B) and not normalized:
            count_R[row] = NORMALIZE
            continue
        while at < len(text_B) and total >= 0:
            stop, token = _next_added(text_B, at, added)
            while at < stop and total >= 0:
                after = _piece(text_B, kind_B, at, stop, digits)
                tokens = _known(text_B, at, after, piece_T)
                if tokens < 0 and after - at <= LONGEST:
                    tokens = _merge(text_B, at, after, merges, scratch)
                    _remember(text_B, at, after, tokens, piece_T, used)
                total = total + tokens if tokens >= 0 else UNDECIDED
                at = after
            if total >= 0 and token >= 0:
                total = UNDECIDED if added.undecided_A[token] else total + 1
                at += added.begin_A[token + 1] - added.begin_A[token]
        count_R[row] = total


@compiled
def remember_whole(data_B: np.ndarray, begin_P: np.ndarray, seen: Seen) -> None:
    """Note pieces as one token each: with `ignore_merges` (Llama 3) a piece that is in the vocabulary is not merged from bytes."""
    for piece in range(len(begin_P) - 1):
        _remember(data_B, begin_P[piece], begin_P[piece + 1], 1, seen.piece_T, seen.used)


@compiled
def fill_pairs(
    first: np.ndarray, second: np.ndarray, merged: np.ndarray, pair_T: np.ndarray, rank_T: np.ndarray, merged_T: np.ndarray
) -> None:
    """The tables of Merges from its pairs in the order of their rank; of a pair named twice the later counts, as in tokenizers."""
    mask = np.uint64(len(pair_T) - 1)
    for rank in range(len(merged)):
        key = (first[rank] << np.uint64(32) | second[rank]) + np.uint64(1)
        slot = (key * HASH >> np.uint64(32)) & mask
        while pair_T[slot] != 0 and pair_T[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        pair_T[slot], rank_T[slot], merged_T[slot] = key, rank, merged[rank]


@compiled
def _classify(text_B: np.ndarray, class_C: np.ndarray, kind_B: np.ndarray) -> bool:
    """Give all bytes of a character its kind; is there one to be checked for normalisation?"""
    at, check = 0, False
    while at < len(text_B):
        if text_B[at] < 0x80:
            kind_B[at] = class_C[text_B[at]]
            at += 1
            continue
        code, after = code_point(text_B, at)
        check |= class_C[code] & CHECK != 0
        kind_B[at:after] = class_C[code] & 3
        at = after
    return check


@compiled
def _next_added(data_B: np.ndarray, at: int, added: Added) -> tuple[int, int]:
    """Where the next added token stands and which, the longest of those that begin there; (end of the text, -1) where none does."""
    end, first, begin_A, bytes_B = len(data_B), added.first, added.begin_A, added.bytes_B
    while at < end:
        if first[data_B[at]]:
            for token in range(len(begin_A) - 1):
                begin, length = begin_A[token], begin_A[token + 1] - begin_A[token]
                same = 0
                while same < length and at + same < end and data_B[at + same] == bytes_B[begin + same]:
                    same += 1
                if same == length:
                    return at, token
        at += 1
    return end, -1


@compiled
def _run(kind_B: np.ndarray, at: int, end: int, kind: int) -> int:
    """The end of the run of characters of a kind."""
    while at < end and kind_B[at] == kind:
        at += 1
    return at


@compiled
def _next(data_B: np.ndarray, at: int, end: int) -> int:
    """Where the next character begins."""
    at += 1
    while at < end and data_B[at] & 0xC0 == 0x80:
        at += 1
    return at


@compiled
def _piece(data_B: np.ndarray, kind_B: np.ndarray, at: int, end: int, digits: int) -> int:
    """The end of the piece that begins here: the first alternative of the pattern that matches."""
    byte, kind = data_B[at], kind_B[at]
    if byte == 39:
        stop = _contraction(data_B, at + 1, end)
        if stop:
            return stop
    if kind == LETTER:
        return _run(kind_B, at + 1, end, LETTER)
    after = _next(data_B, at, end)
    if kind == NUMBER:
        for _ in range(digits - 1):
            if after < end and kind_B[after] == NUMBER:
                after = _next(data_B, after, end)
        return after
    following = kind_B[after] if after < end else 255
    if following == LETTER and byte != 10 and byte != 13:
        return _run(kind_B, after, end, LETTER)
    if kind == OTHER or (byte == 32 and following == OTHER):
        stop = _run(kind_B, after, end, OTHER)
        while stop < end and (data_B[stop] == 10 or data_B[stop] == 13):
            stop += 1
        return stop
    return _space(data_B, kind_B, at, end)


@compiled
def _contraction(data_B: np.ndarray, at: int, end: int) -> int:
    """The end of s, t, m, d, re, ve or ll in any case (the long s, U+017F, is a case of s); 0 where none is here."""
    if at >= end:
        return 0
    first = data_B[at] | 0x20
    if first == 115 or first == 116 or first == 109 or first == 100:
        return at + 1
    if at + 1 >= end:
        return 0
    if data_B[at] == 0xC5 and data_B[at + 1] == 0xBF:
        return at + 2
    second = data_B[at + 1] | 0x20
    if ((first == 114 or first == 118) and second == 101) or (first == 108 and second == 108):
        return at + 2
    return 0


@compiled
def _space(data_B: np.ndarray, kind_B: np.ndarray, at: int, end: int) -> int:
    """White space up to its last line break; without one all of it at the end of a text, else all but the last (that joins a word)."""
    stop = _run(kind_B, at, end, SPACE)
    last, after_break = at, 0
    for place in range(at, stop):
        if data_B[place] == 10 or data_B[place] == 13:
            after_break = place + 1
        elif data_B[place] & 0xC0 != 0x80:
            last = place
    if after_break:
        return after_break
    return stop if stop == end or last == at else last


@compiled
def _key(data_B: np.ndarray, at: int, stop: int) -> np.uint64:
    hashed = HASH
    for place in range(at, stop):
        hashed = (hashed ^ np.uint64(data_B[place])) * HASH
    return mixed(hashed)


@compiled
def _known(data_B: np.ndarray, at: int, stop: int, piece_T: np.ndarray) -> np.int64:
    """Tokens of a piece that was seen before, else -1."""
    key, mask = _key(data_B, at, stop), np.uint64(len(piece_T) - 1)
    slot = key & mask
    while piece_T[slot] != 0:
        if (piece_T[slot] ^ key) >> _COUNT_BITS == 0:
            return np.int64(piece_T[slot] & _COUNT)
        slot = (slot + np.uint64(1)) & mask
    return np.int64(-1)


@compiled
def _remember(data_B: np.ndarray, at: int, stop: int, tokens: int, piece_T: np.ndarray, used: np.ndarray) -> None:
    """Note the tokens of a new piece, while half of the table is free."""
    if 2 * used[0] >= len(piece_T):
        return
    key, mask = _key(data_B, at, stop), np.uint64(len(piece_T) - 1)
    slot = key & mask
    while piece_T[slot] != 0:
        slot = (slot + np.uint64(1)) & mask
    used[0] += 1
    piece_T[slot] = (key & ~_COUNT) | np.uint64(tokens)


@compiled
def _pair(first: int, second: int, pair_T: np.ndarray, rank_T: np.ndarray, merged_T: np.ndarray) -> tuple[np.int32, np.int32]:
    """(rank, merged token) of a pair; _NONE for one that is never merged."""
    key = (np.uint64(first) << np.uint64(32) | np.uint64(second)) + np.uint64(1)
    mask = np.uint64(len(pair_T) - 1)
    slot = (key * HASH >> np.uint64(32)) & mask
    while pair_T[slot] != 0:
        if pair_T[slot] == key:
            return rank_T[slot], merged_T[slot]
        slot = (slot + np.uint64(1)) & mask
    return _NONE, np.int32(-1)


@compiled
def _merge(data_B: np.ndarray, at: int, stop: int, merges: Merges, scratch: np.ndarray) -> int:
    """Tokens that are left when the pair of lowest rank, the first of several, has been merged until there is none."""
    token, rank, merged = scratch[0], scratch[1], scratch[2]
    byte, pair_T, rank_T, merged_T = merges.byte, merges.pair_T, merges.rank_T, merges.merged_T
    count = stop - at
    for k in range(count):
        token[k] = byte[data_B[at + k]]
    for k in range(count - 1):
        rank[k], merged[k] = _pair(token[k], token[k + 1], pair_T, rank_T, merged_T)
    while count > 1:
        best = 0
        for k in range(1, count - 1):
            if rank[k] < rank[best]:
                best = k
        if rank[best] == _NONE:
            break
        token[best] = merged[best]
        count -= 1
        for k in range(best + 1, count):
            token[k], rank[k], merged[k] = token[k + 1], rank[k + 1], merged[k + 1]
        if best > 0:
            rank[best - 1], merged[best - 1] = _pair(token[best - 1], token[best], pair_T, rank_T, merged_T)
        if best < count - 1:
            rank[best], merged[best] = _pair(token[best], token[best + 1], pair_T, rank_T, merged_T)
    return count
