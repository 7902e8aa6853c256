"""What is a response worth at its length: short and right best, and nothing beyond a limit?

`length_reward`: Kimi k1.5 (2025), section 2.3.3, open-r1's `len_reward`. `cosine_reward`: "Demystifying Long Chain-of-Thought Reasoning"
(Yeo et al. 2025), appendix C.1, `get_cosine_scaled_reward` of open-r1 and TRL. `soft_overlong`: DAPO (2025), Eq. 13.
Their numbers lie in ranges of their own (filters/reward_range.py); right and wrong is what `answer_matches` says.
"""

from __future__ import annotations

import math
from typing import Literal

import polars as pl

from dataengine.score import Score, batch_scorer, scorer
from filters.answers import answer_matches
from filters.reward_range import as_score

Unit = Literal["tokens", "characters"]


@batch_scorer
def length_reward(
    response: pl.Series,
    answer: pl.Series,
    prompt_id: pl.Series | None = None,
    response_tokens: pl.Series | None = None,
    finish_reason: pl.Series | None = None,
    *,
    unit: Unit = "characters",
) -> list[Score]:
    """The reward 0.5 - (length - shortest) / (longest - shortest) among the responses to one prompt, at most 0 for a wrong one.

    It lies in [-0.5, 0.5] (weight 1 restores it). `prompt_id` says which responses belong together; without it all do. `unit`:
    characters as in open-r1, or `response_tokens` as in the paper. Where all are as long, the reward is 0; a row whose answer cannot be
    judged is unjudged and counts for nobody's shortest and longest.

    >>> rows = pl.DataFrame({"response": ["\\\\boxed{4}", "well, \\\\boxed{4}", "perhaps \\\\boxed{5}"], "answer": ["4"] * 3})
    >>> [score["reason"] for score in length_reward.score(rows).to_list()][1:]
    ['reward -0.25: right, 15 characters of 9 to 17', 'reward -0.5: wrong, 17 characters of 9 to 17']
    """
    verdicts = _verdicts(response, answer, finish_reason)
    lengths = _lengths(response, response_tokens, unit)
    groups = [None] * len(response) if prompt_id is None else prompt_id.to_list()
    spans: dict[object, tuple[int, int]] = {}
    for group, length, verdict in zip(groups, lengths, verdicts, strict=True):
        if verdict.value is not None and length is not None:
            low, high = spans.get(group, (length, length))
            spans[group] = min(low, length), max(high, length)
    rows = zip(groups, lengths, verdicts, strict=True)
    return [_by_span(spans.get(group, (0, 0)), length, verdict, unit) for group, length, verdict in rows]


def _by_span(span: tuple[int, int], length: int | None, verdict: Score, unit: str) -> Score:
    if verdict.value is None or length is None:
        return Score(None, verdict.reason if verdict.value is None else f"no length in {unit}")
    shortest, longest = span
    reward = 0.5 - (length - shortest) / (longest - shortest) if longest > shortest else 0.0
    said = "right" if verdict.value == 1 else "wrong"
    return as_score(
        reward if verdict.value == 1 else min(0.0, reward),
        low=-0.5,
        high=0.5,
        because=f"{said}, {length} {unit} of {shortest} to {longest}",
    )


@batch_scorer
def cosine_reward(
    response: pl.Series,
    answer: pl.Series,
    response_tokens: pl.Series | None = None,
    finish_reason: pl.Series | None = None,
    *,
    unit: Unit = "characters",
    max_length: int = 1_000,
    wrong_short: float = -1.0,
    wrong_long: float = -0.5,
    right_short: float = 1.0,
    right_long: float = 0.5,
) -> list[Score]:
    """A reward that falls along half a cosine from `right_short` to `right_long` as a right response grows to `max_length`.

    A wrong one goes from `wrong_short` to `wrong_long`: being short and wrong is worst, so that exploring pays. Longer ones stay where
    they are at `max_length` (TRL; open-r1's own rises again). `unit`: characters as in open-r1, or `response_tokens` as in TRL. The range
    is that of the four settings; by default [-1, 1], weight 2. A row whose answer cannot be judged is unjudged.

    >>> cosine_reward("\\\\boxed{1/3}", "1/3", 50, unit="tokens", max_length=100)
    Score(value=0.875, reason='reward 0.75: right, 50 of 100 tokens')
    >>> cosine_reward("\\\\boxed{1/2}", "1/3", 50, unit="tokens", max_length=100).reason
    'reward -0.75: wrong, 50 of 100 tokens'
    """
    if max_length < 1:
        raise ValueError(f"max_length is a number of {unit}, got {max_length}")
    ends = (wrong_short, wrong_long, right_short, right_long)
    scores = []
    for verdict, length in zip(_verdicts(response, answer, finish_reason), _lengths(response, response_tokens, unit), strict=True):
        if verdict.value is None or length is None:
            scores.append(Score(None, verdict.reason if verdict.value is None else f"no length in {unit}"))
            continue
        right = verdict.value == 1
        short, long = (right_short, right_long) if right else (wrong_short, wrong_long)
        reward = long + 0.5 * (short - long) * (1 + math.cos(math.pi * min(length / max_length, 1.0)))
        because = f"{'right' if right else 'wrong'}, {length} of {max_length} {unit}"
        scores.append(as_score(reward, low=min(ends), high=max(ends), because=because))
    return scores


@scorer
def soft_overlong(response_tokens: int, *, max_tokens: int = 20_480, cache: int = 4_096) -> Score:
    """The reward 0 up to `max_tokens` - `cache` tokens, then falling to -1 at `max_tokens`, and -1 beyond: weight 1 restores it.

    The defaults are DAPO's: 16,384 tokens expected and 4,096 of tolerance. With `cache` 0 the fall is a step.

    >>> soft_overlong(90, max_tokens=100, cache=20)
    Score(value=0.5, reason='reward -0.5: 90 tokens, 80 expected, 100 at most')

    | tokens, of 100 with a cache of 20 | reward |
    |---|---|
    | 80 | 0 |
    | 90 | -0.5 |
    | 100 | -1 |
    | 101 | -1 |
    """
    if not 0 <= cache <= max_tokens:
        raise ValueError(f"cache is a part of max_tokens, got {cache} of {max_tokens}")
    expected = max_tokens - cache
    over = max(response_tokens - expected, 0)
    reward = 0.0 if not over else -min(over / cache, 1.0) if cache else -1.0
    return as_score(reward, low=-1.0, high=0.0, because=f"{response_tokens} tokens, {expected} expected, {max_tokens} at most")


def _verdicts(response: pl.Series, answer: pl.Series, finish_reason: pl.Series | None) -> list[Score]:
    columns = {"response": response, "answer": answer, **({} if finish_reason is None else {"finish_reason": finish_reason})}
    return [Score(found["value"], found["reason"]) for found in answer_matches.score(pl.DataFrame(columns)).to_list()]


def _lengths(response: pl.Series, response_tokens: pl.Series | None, unit: str) -> list[int | None]:
    if unit not in ("tokens", "characters"):
        raise ValueError(f"lengths are counted in tokens or characters, got {unit!r}")
    if unit == "tokens" and response_tokens is None:
        raise ValueError("lengths in tokens want the column 'response_tokens': add it, or set unit to characters")
    return response.str.len_chars().to_list() if unit == "characters" or response_tokens is None else response_tokens.to_list()
