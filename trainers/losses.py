"""The losses of SFT and GRPO as pure functions of one value per trained token, with group advantages and token weights.

Axes: _T trained token (of all rows of a pack, in pack order), _B row (one response), _G rollout of one question's group.
Every loss is a sum of token losses times weights; the weights hold the one global denominator, known before the first backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

FLAT = 1e-6
"""A group whose best and worst reward differ by no more than this has nothing to teach: its advantages are exactly zero."""


def sft_loss(logprobs_T: Tensor, *, trained_tokens: int) -> Tensor:
    """Negative log-likelihood of these tokens as a share of the update's mean over `trained_tokens` tokens (all packs, all ranks)."""
    return -logprobs_T.sum() / trained_tokens


class GroupAdvantages(NamedTuple):
    """Advantages of one group and whether it was flat."""

    values_G: np.ndarray
    """float64; nan where the rollout was left out."""
    flat: bool


def group_advantages(rewards_G: Sequence[float | None]) -> GroupAdvantages:
    """A_i = (R_i - mean) / std over the judged rollouts of one question (DeepSeekMath Eq. 4), in float64.

    A reward of None leaves its rollout out of mean and std. std is the sample one (ours: the papers do not say; TRL and verl agree).
    """
    rewards = np.array([np.nan if reward is None else reward for reward in rewards_G], dtype=np.float64)
    judged = rewards[~np.isnan(rewards)]
    if len(judged) == 0:
        return GroupAdvantages(rewards, flat=False)
    if judged.max() - judged.min() <= FLAT:
        return GroupAdvantages(np.where(np.isnan(rewards), np.nan, 0.0), flat=True)
    return GroupAdvantages((rewards - judged.mean()) / judged.std(ddof=1), flat=False)


def sequence_mean_weights(lengths_B: Sequence[int]) -> np.ndarray:
    """Weight of every token of each row under 1/B sum_i 1/|o_i| sum_t (DeepSeekMath Eq. 3); float64 [B].

    `lengths_B` are the trained tokens of exactly those rows of the update that count, so that no masked token is in a denominator.
    """
    if min(lengths_B, default=1) < 1:
        raise ValueError("a row without a trained token has no mean: leave it out before the weights are made")
    return 1.0 / (len(lengths_B) * np.asarray(lengths_B, dtype=np.float64))


def k3(logprobs_T: Tensor, reference_T: Tensor) -> Tensor:
    """KL estimate per token, exp(d) - d - 1 with d = reference - policy: unbiased in value and never negative (DeepSeekMath Eq. 4)."""
    difference_T = reference_T - logprobs_T
    return difference_T.expm1() - difference_T


class GrpoLoss(NamedTuple):
    """The loss to differentiate and what a person wants to watch of it."""

    loss: Tensor
    """Scalar: the sum of weights times token losses."""
    clipped_T: Tensor
    """bool: tokens whose gradient the clip removed."""
    kl_T: Tensor | None
    """k3 to the reference per token, detached; None without a reference."""


def grpo_loss(
    logprobs_T: Tensor,
    *,
    rollout_T: Tensor,
    reference_T: Tensor | None,
    advantages_T: Tensor,
    weights_T: Tensor,
    clip_low: float,
    clip_high: float,
    beta: float,
) -> GrpoLoss:
    """Token-level GRPO (DeepSeekMath Eq. 3): - sum_t w_t (min(r_t A_t, clip(r_t, 1 - low, 1 + high) A_t) - beta k3_t).

    `rollout_T` are the log-probs recorded when the tokens were drawn, so the ratio also covers what engine and trainer differ in.
    """
    assert (reference_T is None) == (beta == 0), "a reference is wanted exactly where beta is not zero"
    ratio_T = (logprobs_T - rollout_T).exp()
    free_T = ratio_T * advantages_T
    held_T = ratio_T.clamp(1 - clip_low, 1 + clip_high) * advantages_T
    gain_T = free_T.minimum(held_T)
    clipped_T = held_T.detach() < free_T.detach()
    if reference_T is None:
        return GrpoLoss(-(weights_T * gain_T).sum(), clipped_T, None)
    kl_T = k3(logprobs_T, reference_T)
    return GrpoLoss(-(weights_T * (gain_T - beta * kl_T)).sum(), clipped_T, kl_T.detach())
