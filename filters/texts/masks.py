"""Where does a piece of code, a formula, a tag or an address end that begins at this byte of a text?

What is in there is no language: every word count leaves it out. All positions are bytes of UTF-8. A formula that is not closed in
its own paragraph is none, so that one cut off does not hide the text behind it.
"""

from __future__ import annotations

import numpy as np

from dataengine.kernels.hashing import code_point, compiled
from filters.texts.scripts import INHERIT, SCRIPTS

BACKTICK, DOLLAR, BACKSLASH, LESS, NEWLINE = 96, 36, 92, 60, 10
LATIN = 1 + SCRIPTS.index("Latin")

MATH_LIMIT, TAG_LIMIT, ENVIRONMENT_LIMIT = 600, 60, 8_000
"""Bytes at most between two dollars on one line, between < and >, and between \\begin and \\end: the time stays linear on any input."""

_ENVIRONMENTS = (
    "equation align gather multline eqnarray array cases matrix pmatrix bmatrix vmatrix Bmatrix Vmatrix smallmatrix aligned alignat "
    "gathered split subequations tikzpicture verbatim lstlisting minted"
)


def _environments() -> np.ndarray:
    """Environments that hold no prose, as zero-padded rows of bytes."""
    rows = np.zeros((len(_ENVIRONMENTS.split()), 16), dtype=np.uint8)
    for row, name in zip(rows, _ENVIRONMENTS.split(), strict=True):
        row[: len(name)] = np.frombuffer(name.encode(), dtype=np.uint8)
    return rows


ENVIRONMENTS = _environments()


@compiled
def is_letter(byte: int) -> bool:
    """An ASCII letter."""
    return 97 <= (byte | 32) <= 122


@compiled
def is_space(byte: int) -> bool:
    """A blank, a tab or a line break."""
    return byte == 32 or 9 <= byte <= 13


@compiled
def masked_until(data: np.ndarray, i: int, end: int) -> int:
    """The end of what begins at `data[i]` (a backtick, dollar, backslash or <) and holds no words; `i` where nothing does."""
    byte = data[i]
    if byte == BACKTICK:
        return _code(data, i, end)
    if byte == DOLLAR:
        return _dollars(data, i, end)
    if byte == BACKSLASH:
        return _command(data, i, end)
    return _tag(data, i, end)


@compiled
def _code(data: np.ndarray, i: int, end: int) -> int:
    """``` to the next ```, or to the end where the block is cut off; `code` inside of one line."""
    if i + 2 < end and data[i + 1] == BACKTICK and data[i + 2] == BACKTICK:
        j = i + 3
        while j + 2 < end:
            if data[j] == BACKTICK and data[j + 1] == BACKTICK and data[j + 2] == BACKTICK:
                return j + 3
            j += 1
        return end
    j = i + 1
    while j < end and data[j] != NEWLINE:
        if data[j] == BACKTICK:
            return j + 1
        j += 1
    return i


@compiled
def _dollars(data: np.ndarray, i: int, end: int) -> int:
    """$$...$$, or $...$ by pandoc's rule, which leaves prices alone: no blank inside of the dollars, no digit after them."""
    if i + 1 < end and data[i + 1] == DOLLAR:
        return _closing(data, i, end, DOLLAR)
    if i + 1 >= end or is_space(data[i + 1]):
        return i
    j = i + 1
    while j < min(end, i + MATH_LIMIT) and data[j] != NEWLINE:
        if data[j] == DOLLAR and j > i + 1 and not is_space(data[j - 1]) and not (j + 1 < end and 48 <= data[j + 1] <= 57):
            return j + 1
        j += 1
    return i


@compiled
def _closing(data: np.ndarray, i: int, end: int, second: int) -> int:
    """Behind the `closing` of a formula whose opening two bytes stand at `i`; `i` where its paragraph ends, or it opens again, before.

    A closing is the first byte of the opening with `second` behind it.
    """
    j = i + 2
    while j + 1 < end:
        if data[j] == data[i] and data[j + 1] == second:
            return j + 2
        if (data[j] == NEWLINE and data[j + 1] == NEWLINE) or (data[j] == data[i] and data[j + 1] == data[i + 1]):
            return i
        j += 1
    return i


@compiled
def _command(data: np.ndarray, i: int, end: int) -> int:
    r"""\[...\], \(...\), \begin{equation}...\end{...}, \boxed{...} on one line, or the bare name of any other \command."""
    if i + 1 >= end:
        return i
    if data[i + 1] == 91:
        return _closing(data, i, end, 93)
    if data[i + 1] == 40:
        return _closing(data, i, end, 41)
    j = i + 1
    while j < end and is_letter(data[j]):
        j += 1
    if j >= end or data[j] != 123:
        return j if j > i + 1 else i
    if j == i + 6 and data[i + 1] == 98 and data[i + 2] == 101 and data[i + 5] == 110:  # begin
        return _environment(data, j, end)
    if j == i + 6 and data[i + 1] == 98 and data[i + 2] == 111 and data[i + 5] == 100:  # boxed
        stop = j + 1
        while stop < end and data[stop] != NEWLINE and data[stop] != 123 and data[stop] != 125:
            stop += 1
        return stop + 1 if stop < end and data[stop] == 125 else j
    return j


@compiled
def _environment(data: np.ndarray, brace: int, end: int) -> int:
    r"""Behind the next \end{...} where \begin names an environment without prose; else behind \begin{name}."""
    j = brace + 1
    while j < end and is_letter(data[j]):
        j += 1
    name_end = j
    if j < end and data[j] == 42:  # the star of align*
        j += 1
    behind = j + 1 if j < end and data[j] == 125 else name_end
    known = False
    for row in range(ENVIRONMENTS.shape[0]):
        same = name_end - brace - 1 < 16 and ENVIRONMENTS[row, name_end - brace - 1] == 0
        k = 0
        while same and k < name_end - brace - 1:
            same = ENVIRONMENTS[row, k] == data[brace + 1 + k]
            k += 1
        known = known or (same and name_end > brace + 1)
    limit = min(end, j + ENVIRONMENT_LIMIT)
    while known and j + 4 < limit:
        if data[j] == BACKSLASH and data[j + 1] == 101 and data[j + 2] == 110 and data[j + 3] == 100 and data[j + 4] == 123:
            while j < end and data[j] != 125:
                j += 1
            return min(j + 1, end)
        j += 1
    return behind


@compiled
def _tag(data: np.ndarray, i: int, end: int) -> int:
    """<tag ...>, </tag> or <|token|> on one line."""
    token = i + 1 < end and data[i + 1] == 124
    j = i + 2 if i + 1 < end and (data[i + 1] == 47 or token) else i + 1
    if not token and (j >= end or not is_letter(data[j])):
        return i
    while j < min(end, i + TAG_LIMIT) and data[j] != NEWLINE and data[j] != LESS:
        if data[j] == 62:
            return j + 1 if not token or data[j - 1] == 124 else i
        j += 1
    return i


@compiled
def is_digit(byte: int) -> bool:
    """An ASCII digit."""
    return 48 <= byte <= 57


@compiled
def wordish(byte: int) -> bool:
    """An ASCII letter, a digit or an underscore."""
    return is_letter(byte) or 48 <= byte <= 57 or byte == 95


@compiled
def ends_plain(data: np.ndarray, i: int, end: int) -> bool:
    """Whether a word that ends before `i` is only a word: no identifier, address, path or call goes on there."""
    if i >= end or data[i] >= 128:
        return True
    byte, after = data[i], data[i + 1] if i + 1 < end else np.uint8(32)
    if byte == 58:
        return not (after == 47 and i + 2 < end and data[i + 2] == 47)
    if byte == 40:
        return after != 41
    if byte == 45 or byte == 46 or byte == 47:
        return not wordish(after)
    if byte == 95 or byte == 64 or byte == 35 or byte == 61:
        return is_space(after)
    return not is_digit(byte)


@compiled
def token_end(data: np.ndarray, i: int, end: int, script_C: np.ndarray) -> tuple[int, bool]:
    """(byte behind the token, whether it is an identifier, a number, an address, a path, a flag or a call)."""
    start, slashes, joined, dot = i, 0, False, -1
    while i < end:
        byte = data[i]
        if byte >= 128:
            code, behind = code_point(data, i)
            if script_C[code] != LATIN and script_C[code] != INHERIT:
                break
            i = behind
            continue
        after = data[i + 1] if i + 1 < end else np.uint8(32)
        if byte == 95 or byte == 64 or byte == 35 or byte == 61:
            if is_space(after) and byte != 95:
                break
            joined = True
        elif byte == 45 or byte == 46 or byte == 47:
            if not wordish(after) and not (byte == 45 and after == 45) and not (byte == 46 and after == 47):
                break
            slashes += byte == 47
            dot = i if byte == 46 else dot
        elif not wordish(byte):
            break
        i += 1
    if i + 2 < end and data[i] == 58 and data[i + 1] == 47 and data[i + 2] == 47:
        while i < end and data[i] < 128 and not is_space(data[i]):
            i += 1
        return i, True
    if i + 1 < end and data[i] == 40 and data[i + 1] == 41:
        return i + 2, True
    tail = dot >= 0 and 1 < i - dot <= 6
    if tail:
        for k in range(dot + 1, i):
            tail = tail and 97 <= data[k] <= 122
    address = start + 4 < i and data[start] == 119 and data[start + 1] == 119 and data[start + 2] == 119 and data[start + 3] == 46
    opened = data[start] == 45 or data[start] == 47 or data[start] == 46
    return max(i, start + 1), joined or slashes > 1 or opened or address or tail
