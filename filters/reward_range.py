"""How does a reward with a range of its own become a score in [0, 1]?

A score is (reward - low) / (high - low). GRPO compares responses to one prompt with each other, so that the shift makes no difference to
it, and the weight high - low brings the source's scale back. The reason of each score begins with the source's own number.
"""

from __future__ import annotations

from dataengine.score import Score


def as_score(reward: float, *, low: float, high: float, because: str) -> Score:
    """The score of a reward that lies between `low` and `high`; ValueError where the settings leave no range, or it lies outside.

    >>> as_score(-0.75, low=-1.0, high=0.0, because="too long")
    Score(value=0.25, reason='reward -0.75: too long')
    """
    if not low < high:
        raise ValueError(f"a reward that is never above {high:g} and never below {low:g} tells nothing: change its settings")
    value = (reward - low) / (high - low)
    if not -1e-9 <= value <= 1 + 1e-9:
        raise ValueError(f"a reward of {reward:g} is outside of [{low:g}, {high:g}]: change its settings")
    return Score(min(max(value, 0.0), 1.0), f"reward {reward:.4g}: {because}")
