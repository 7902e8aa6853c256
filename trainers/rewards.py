"""What a rollout earns: scorers weighed and summed, each on the rows of the domains it is meant for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dataengine.score import Scorer


@dataclass(frozen=True, kw_only=True)
class Reward:
    """A scorer with its weight, and where it counts: `Reward(scorer=helpful, weight=1.0, domains=("general",))`."""

    scorer: Scorer
    weight: float = 1.0
    """0 means: scored and reported, never rewarded."""
    domains: tuple[str, ...] | None = None
    """Values of the column `domain` on whose rows it counts (the branches of DeepSeek-R1 v2 Eq. 8); None is every row."""

    def identity(self) -> dict[str, Any]:
        """For fingerprints."""
        return {"scorer": self.scorer.identity(), "weight": self.weight, "domains": self.domains}


Rewards = Mapping[Scorer, float] | Sequence[Reward]
"""The plain form, scorer to weight, or rewards that name their domains."""


def as_rewards(rewards: Rewards) -> tuple[Reward, ...]:
    """The rewards as a tuple; two different scorers of one name are refused, since figures and columns bear the name."""
    plain = isinstance(rewards, Mapping)
    found = tuple(Reward(scorer=s, weight=w) for s, w in rewards.items()) if plain else tuple(rewards)
    if not any(reward.weight for reward in found):
        raise ValueError("no reward has a weight: GRPO wants at least one scorer with a weight that is not 0")
    by_name: dict[str, Scorer] = {}
    for reward in found:
        if by_name.setdefault(reward.scorer.name, reward.scorer) != reward.scorer:
            raise ValueError(f"two different rewards are called {reward.scorer.name!r}: give one of the functions another name")
    return found


def check_rewards(rewards: Sequence[Reward], prompts: pl.DataFrame, *, made: Sequence[str]) -> None:
    """Refuse prompts that lack a column some scorer wants (`made` are the columns rollouts bring) or rows that nothing rewards."""
    for reward in rewards:
        reward.scorer.check_columns([*prompts.columns, *made])
    if any(reward.domains is not None for reward in rewards) and "domain" not in prompts.columns:
        raise ValueError("some rewards name domains, and the prompts have no column 'domain': add one, or drop `domains`")
    if any(reward.weight and reward.domains is None for reward in rewards):
        return
    covered = {domain for reward in rewards if reward.weight for domain in reward.domains or ()}
    bare = sorted(str(domain) for domain in prompts["domain"].unique() if domain not in covered)
    if bare:
        raise ValueError(f"no reward counts on rows of the domain {', '.join(bare)}: there are rewards for {', '.join(sorted(covered))}")


@dataclass(frozen=True)
class Scored:
    """Rewards of a frame of rollouts."""

    totals: list[float | None]
    """Weighted sum per row; None where a scorer that counts on the row could not judge it. [B]"""
    scores: pl.DataFrame
    """One struct column {value, reason} per scorer, null on rows it was not asked about. [B]"""

    def means(self) -> dict[str, float | None]:
        """Mean value of each scorer over the rows it judged."""
        return {name: self.scores[name].struct.field("value").cast(pl.Float64).mean() for name in self.scores.columns}  # type: ignore[misc]


def score_rollouts(rewards: Sequence[Reward], rollouts: pl.DataFrame) -> Scored:
    """Ask every scorer once about the rows it counts on, and weigh what it says in float64."""
    columns, terms = [], []
    for scorer in dict.fromkeys(reward.scorer for reward in rewards):
        weights = pl.Series([0.0] * len(rollouts), dtype=pl.Float64)
        asked = pl.Series([False] * len(rollouts), dtype=pl.Boolean)
        for reward in (reward for reward in rewards if reward.scorer == scorer):
            here = _counts(reward, rollouts)
            weights, asked = weights + here.cast(pl.Float64) * reward.weight, asked | here
        column = _scattered(scorer.score(rollouts.filter(asked)), asked)
        columns.append(column)
        value = column.struct.field("value").cast(pl.Float64)
        terms.append(pl.select(pl.when(weights != 0).then(value * weights).otherwise(0.0)).to_series())
    total = terms[0]
    for term in terms[1:]:
        total = total + term  # null + anything is null: one unjudged term leaves the row unjudged
    return Scored(total.to_list(), pl.DataFrame(columns))


def _counts(reward: Reward, rollouts: pl.DataFrame) -> pl.Series:
    if reward.domains is None:
        return pl.Series([True] * len(rollouts), dtype=pl.Boolean)
    return rollouts["domain"].is_in(list(reward.domains)).fill_null(value=False)


def _scattered(scores: pl.Series, asked: pl.Series) -> pl.Series:
    """Scores of the rows in `asked`, laid out over all rows, null elsewhere."""
    if asked.all():
        return scores
    found = iter(scores.to_list())
    return pl.Series(scores.name, [next(found) if here else None for here in asked], dtype=scores.dtype)
