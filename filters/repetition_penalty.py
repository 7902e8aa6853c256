"""What does a response lose for saying its n-grams again?

Source: "Demystifying Long Chain-of-Thought Reasoning" (Yeo et al. 2025), appendix C.2; `get_repetition_penalty_reward` of open-r1 (words)
and TRL (tokens).
"""

from __future__ import annotations

import polars as pl

from dataengine.score import Score, batch_scorer
from filters.repetition import repeated_share
from filters.reward_range import as_score


@batch_scorer
def repetition_penalty(response: pl.Series, *, ngram_size: int = 3, max_penalty: float = -1.0) -> list[Score]:
    """The reward (1 - distinct / all n-grams) x `max_penalty`, which lies in [max_penalty, 0]; weight it with -max_penalty.

    n-grams of `ngram_size` words in lower case, parted by blanks; a Han or kana character is a word, where open-r1 asks a dictionary
    (jieba) and TRL a tokenizer. A response of fewer words loses nothing.

    >>> repetition_penalty("this is a this is a test", max_penalty=-2.0)
    Score(value=0.8, reason='reward -0.4: 1 of 5 3-grams said again')

    | response, 3-grams | reward |
    |---|---|
    | `three different words` | 0 |
    | `A B C A B C` | -0.25 |
    | `word word word word` | -0.5 |
    | `two words`, or nothing | 0 |
    """
    if ngram_size < 1 or max_penalty >= 0:
        raise ValueError(f"ngram_size counts words from 1 and max_penalty is below 0, got {ngram_size} and {max_penalty}")
    repeated_R, grams_R = repeated_share(response, n=ngram_size)
    return [
        as_score(
            float(repeated) * max_penalty if grams else 0.0,
            low=max_penalty,
            high=0.0,
            because=f"{round(repeated * grams)} of {grams} {ngram_size}-grams said again",
        )
        for repeated, grams in zip(repeated_R.tolist(), grams_R.tolist(), strict=True)
    ]
