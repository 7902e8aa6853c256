"""Can a person read the thoughts: short paragraphs of plain words, no code blocks, no markdown, said in the first person?

DeepSeek-R1 drops chains of thought with long paragraphs or code blocks (v1 2.3.3) and wants short paragraphs and no markdown in what
is kept, told by an "I" (v2 B.3.2, B.3.3); no threshold is published. All numbers here are ours; lengths are bytes of UTF-8, so that a
Chinese character weighs as much as three Latin letters. Legend: _R row, _K count, see `_COUNTS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from dataengine.kernels.hashed_words import utf8
from dataengine.kernels.hashing import compiled
from dataengine.score import Score, batch_scorer

LONG_PARAGRAPH = 2_000
"""Bytes; of R1's and QwQ's own thoughts 95 % have no longer paragraph, and 99.5 % of the paragraphs are shorter than 1,400 (measured)."""

_COUNTS = _ALL, _CODE, _CODES, _LONG, _LONGS, _LONGEST, _MARKED, _HEADINGS, _BULLETS, _TABLES, _BOLD = range(11)
_TEXT, _FENCE, _HEADING, _BULLET, _TABLE, _EMPHASIS = range(6)

ENGLISH_I, ENGLISH_WE = r"\bI\b|\b(?i:me|my|mine|myself)\b", r"\b(?i:we|us|our|ours|ourselves|let's|let’s)\b"
CHINESE_I, CHINESE_WE = "我", "我们|咱们"


@batch_scorer
def readable(
    response: pl.Series, reasoning: pl.Series | None = None, *, longest_paragraph: int = LONG_PARAGRAPH, markdown: bool = False
) -> list[Score]:
    """Share of the thought that is easy to read: neither in code blocks nor in paragraphs longer than `longest_paragraph` bytes.

    A code block is what stands between two ``` (or behind one that is never closed); a paragraph ends at an empty line. With `markdown`
    lines with headings, bullets, tables, quotations, rules or bold words count as hard to read too; without it they are only told. The
    thought is `reasoning`, or the response where that is null, without what follows `</think>`. An empty thought scores 1: there is
    nothing to read.

    >>> readable("First I add.\\n\\nThen I take away.")
    Score(value=1.0, reason='longest paragraph 17 bytes')
    >>> readable("I run it:\\n```python\\nprint(4)\\n```\\nSo 4.")
    Score(value=0.4117647058823529, reason='1 code block; longest paragraph 9 bytes')
    >>> readable("# Plan\\n- **add** it", markdown=True)
    Score(value=0.0, reason='1 heading, 1 bullet; longest paragraph 18 bytes')
    """
    data, begin_R = utf8(thoughts(response, reasoning))
    counts_RK = np.zeros((len(begin_R) - 1, len(_COUNTS)), dtype=np.int64)
    _measure(data, begin_R, longest_paragraph, markdown, counts_RK)
    return [_score(counts_K, markdown=markdown) for counts_K in counts_RK.tolist()]


@readable.finds
def _hard_to_read(row: Mapping[str, Any], *, longest_paragraph: int = LONG_PARAGRAPH, markdown: bool = False) -> list[dict[str, Any]]:
    from filters.texts.hard_to_read import hard_stretches

    thought = row.get("reasoning")
    field = "response" if thought is None else "reasoning"
    text = (row.get("response") or "").partition("</think>")[0] if thought is None else thought
    return [{**each, "field": field} for each in hard_stretches(text, longest_paragraph=longest_paragraph, markdown=markdown)]


@batch_scorer
def first_person(response: pl.Series, reasoning: pl.Series | None = None) -> list[Score]:
    """Share of "I" among the first persons of the thought ("I" against "we", 我 against 我们); 0 where nobody speaks.

    R1's cold start is rewritten to "I", since R1-Zero says "we" or nothing (DeepSeek-R1 v2 B.3.2). An observation, or a weak filter.

    >>> first_person("Let me see. I add 2, so we get 4.")
    Score(value=0.6666666666666666, reason='2 I, 1 we')
    >>> first_person("我先算 3+4，我们得到 7。").value
    0.5
    """
    texts = thoughts(response, reasoning)
    plural = texts.str.count_matches(CHINESE_WE)
    we_R = texts.str.count_matches(ENGLISH_WE) + plural
    i_R = texts.str.count_matches(ENGLISH_I) + texts.str.count_matches(CHINESE_I) - plural.clip(0) + texts.str.count_matches("咱们")
    rows = zip(i_R.fill_null(0).to_list(), we_R.fill_null(0).to_list(), strict=True)
    return [Score(i / (i + we) if i + we else 0.0, f"{i} I, {we} we" if i + we else "nobody speaks") for i, we in rows]


@first_person.finds
def _we(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    thought = row.get("reasoning")
    field = "response" if thought is None else "reasoning"
    text = (row.get("response") or "").partition("</think>")[0] if thought is None else thought
    found = re.finditer(f"{ENGLISH_WE}|{CHINESE_WE}", text)
    return [{"field": field, "start": each.start(), "end": each.end(), "text": each.group(), "note": "not said by an I"} for each in found]


def thoughts(response: pl.Series, reasoning: pl.Series | None) -> pl.Series:
    """The thoughts of each row: `reasoning`, else the response up to `</think>`."""
    if reasoning is not None and not reasoning.null_count():
        return reasoning
    cut = response.str.split_exact("</think>", 1).struct.field("field_0")
    return cut if reasoning is None else reasoning.fill_null(cut)


def _score(counts_K: list[int], *, markdown: bool) -> Score:
    named = [(_CODES, "code block"), (_LONGS, "long paragraph"), (_HEADINGS, "heading"), (_BULLETS, "bullet"), (_TABLES, "table line")]
    told = [f"{counts_K[place]} {name}{'s' if counts_K[place] > 1 else ''}" for place, name in named if counts_K[place]]
    told += [f"{bold} line{'s' if bold > 1 else ''} of bold words"] if (bold := counts_K[_BOLD]) else []
    hard = counts_K[_CODE] + counts_K[_LONG] + (counts_K[_MARKED] if markdown else 0)
    value = 1 - hard / counts_K[_ALL] if counts_K[_ALL] else 1.0
    return Score(value, (", ".join(told) + "; " if told else "") + f"longest paragraph {counts_K[_LONGEST]} bytes")


@compiled
def _measure(data: np.ndarray, begin_R: np.ndarray, longest_paragraph: int, markdown: bool, counts_RK: np.ndarray) -> None:  # noqa: FBT001
    """Fill in the counts of every text; bytes of markdown inside of a long paragraph or of code are counted there only."""
    for row in range(len(counts_RK)):
        counts_K, i, end = counts_RK[row], begin_R[row], begin_R[row + 1]
        paragraph = marked = 0
        fenced = False
        while i <= end:
            stop = i
            while stop < end and data[stop] != 10:
                stop += 1
            kind = _kind_of(data, i, stop) if i < end else _TEXT
            size = stop - i if kind >= 0 and i < end else 0
            counts_K[_ALL] += size
            if fenced or kind == _FENCE:
                counts_K[_CODE] += size
                if kind == _FENCE:
                    counts_K[_CODES] += not fenced
                    fenced = not fenced
            elif size:
                paragraph += size
                marked += size if kind > _FENCE else 0
                if kind == _HEADING:
                    counts_K[_HEADINGS] += 1
                elif kind == _BULLET:
                    counts_K[_BULLETS] += 1
                elif kind == _TABLE:
                    counts_K[_TABLES] += 1
                elif kind == _EMPHASIS:
                    counts_K[_BOLD] += 1
            if fenced or kind == _FENCE or size == 0 or stop >= end:
                counts_K[_LONGEST] = max(counts_K[_LONGEST], paragraph)
                long = paragraph > longest_paragraph
                counts_K[_LONGS] += long
                counts_K[_LONG] += paragraph if long else 0
                counts_K[_MARKED] += 0 if long else marked
                paragraph = marked = 0
            i = stop + 1


@compiled
def _kind_of(data: np.ndarray, i: int, end: int) -> int:
    """What a line is: _TEXT, _FENCE and so on; -1 for an empty one."""
    start = i
    while i < end and (data[i] == 32 or data[i] == 9 or data[i] == 13):
        i += 1
    if i >= end:
        return -1
    fences = 0
    for k in range(i, end - 2):
        if data[k] == 96 and data[k + 1] == 96 and data[k + 2] == 96 and (k == start or data[k - 1] != 96):
            fences += 1
    if fences % 2 == 1:
        return _FENCE
    first = data[i]
    if first == 35:  # up to six # and a blank
        j = i
        while j < end and data[j] == 35:
            j += 1
        return _HEADING if j - i <= 6 and j < end and data[j] == 32 else _TEXT
    if (first == 45 or first == 42 or first == 43) and i + 2 < end and data[i + 1] == 32 and not 48 <= data[i + 2] <= 57:
        return _BULLET
    if first == 124 and data[end - 1] == 124 and end - i > 2:
        return _TABLE
    if first == 62 and i + 1 < end and data[i + 1] == 32:
        return _BULLET
    return _EMPHASIS if _bold(data, i, end) or _rule(data, i, end) else _TEXT


@compiled
def _rule(data: np.ndarray, i: int, end: int) -> bool:
    """--- or *** and nothing else."""
    if end - i < 3 or not (data[i] == 45 or data[i] == 42):
        return False
    same = True
    for k in range(i, end):
        same = same and (data[k] == data[i] or data[k] == 13 or data[k] == 32)
    return same


@compiled
def _bold(data: np.ndarray, i: int, end: int) -> bool:
    """**words** that are no power: nothing alphanumeric before the stars, no blank inside of them."""
    opened = -1
    for k in range(i, end - 1):
        if data[k] != 42 or data[k + 1] != 42:
            continue
        if opened >= 0 and k > opened + 2 and data[k - 1] != 32 and data[k - 1] != 42:
            return True
        before = data[k - 1] if k > i else np.uint8(32)
        word_before = 48 <= before <= 57 or 97 <= (before | 32) <= 122 or before == 41
        if opened < 0 and not word_before and k + 2 < end and data[k + 2] != 32 and data[k + 2] != 42:
            opened = k
    return False
