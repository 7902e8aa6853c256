"""How often does a response look back at itself: the reflection words of the paper, counted.

Source: DeepSeek-R1 supplement C.2, ten English words chosen by three experts; the Chinese ones are ours.
"""

from __future__ import annotations

import polars as pl

from dataengine.score import Score, batch_scorer

ENGLISH = ("wait", "mistake", "however", "but", "retry", "error", "verify", "wrong", "evaluate", "check")
CHINESE = ("等等", "不对", "错误", "但是", "然而", "重试", "验证", "检查", "评估")
PATTERN = rf"(?i)\b(?:{'|'.join(ENGLISH)})\b|{'|'.join(CHINESE)}"


@batch_scorer
def reflection(response: pl.Series, *, most: int = 20) -> list[Score]:
    """Reflection words of a response as a share of `most`, never above 1: an observation to plot, not a reward.

    Whole words in any case; Chinese ones wherever they stand.

    >>> reflection("Wait, let me check. 不对")
    Score(value=0.15, reason='3 reflection words')
    """
    return [Score(min(count, most) / most, f"{count} reflection words") for count in response.str.count_matches(PATTERN)]
