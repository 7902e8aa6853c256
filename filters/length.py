"""Is a text of a sensible length: in tokens as they were counted when it was made, in tokens of a student's tokenizer, or in characters?"""

from __future__ import annotations

import functools
from pathlib import Path

import polars as pl

from dataengine.score import Score, batch_scorer, scorer
from filters.texts.tokens import TokenCounter


@scorer
def length_within(response_tokens: int, finish_reason: str | None = None, *, at_least: int = 1, at_most: int = 32_768) -> Score:
    """1 where `at_least` <= tokens <= `at_most`, else 0; a response that was cut off is named so (32,768: DeepSeek-R1 v2 B.4.2).

    The tokens are those that the model itself wrote, in the column `response_tokens`.

    >>> length_within(40_000)
    Score(value=0.0, reason='40000 tokens, at most 32768 wanted')
    >>> length_within(512, "length").reason
    'truncated at 512 tokens'
    """
    if finish_reason == "length":
        return Score(0.0, f"truncated at {response_tokens} tokens")
    return _within(response_tokens, "tokens", at_least=at_least, at_most=at_most)


@batch_scorer
def tokens_within(response: pl.Series, *, tokenizer: str, at_least: int = 1, at_most: int = 32_768) -> list[Score]:
    """1 where the text has `at_least` to `at_most` tokens of the tokenizer, else 0.

    `tokenizer` is the path of a tokenizer.json, or of the model folder it lies in: that of the student who will read the text.
    ValueError where there is none. Special tokens that a template would add do not count.
    """
    counts = _counter(tokenizer).count(response.to_list())
    return [_within(int(count), "tokens", at_least=at_least, at_most=at_most) for count in counts]


@batch_scorer
def characters_within(response: pl.Series, *, at_least: int = 1, at_most: int = 100_000) -> list[Score]:
    """1 where the text has `at_least` to `at_most` characters (code points), else 0; the bounds are ours.

    >>> characters_within("四个字符")
    Score(value=1.0, reason='4 characters')
    >>> characters_within("").reason
    '0 characters, at least 1 wanted'
    """
    return [_within(count, "characters", at_least=at_least, at_most=at_most) for count in response.str.len_chars().to_list()]


def _within(count: int, unit: str, *, at_least: int, at_most: int) -> Score:
    if count < at_least:
        return Score(0.0, f"{count} {unit}, at least {at_least} wanted")
    if count > at_most:
        return Score(0.0, f"{count} {unit}, at most {at_most} wanted")
    return Score(1.0, f"{count} {unit}")


@functools.lru_cache(maxsize=4)
def _counter(tokenizer: str) -> TokenCounter:
    path = Path(tokenizer)
    if not (path.is_file() or (path / "tokenizer.json").is_file()):
        raise ValueError(f"there is no tokenizer.json at {tokenizer}: name the file, or the model folder it lies in")
    return TokenCounter(path)
