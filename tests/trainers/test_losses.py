"""Every loss against a few lines of NumPy, and its gradient against finite differences.

Traps of trainers.md section 2 that live here: 7 (denominators), 8 (masked tokens in a denominator), 10 (std of a constant group),
11 (the KL estimator is the paper's).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.losses import group_advantages, grpo_loss, k3, sequence_mean_weights, sft_loss


def tokens(seed: int, lengths: list[int]) -> dict[str, np.ndarray]:
    """Random log-probs of three models and advantages, one value per token."""
    rng = np.random.default_rng(seed)
    total = sum(lengths)
    policy = rng.normal(-2, 1, total)
    return {
        "policy": policy,
        "rollout": policy + rng.normal(0, 0.5, total),
        "reference": policy + rng.normal(0, 0.5, total),
        "advantage": np.repeat(rng.normal(0, 1, len(lengths)), lengths),
        "row": np.repeat(np.arange(len(lengths)), lengths),
    }


def grpo_in_numpy(t: dict[str, np.ndarray], policy: np.ndarray, *, low: float, high: float, beta: float) -> float:
    """DeepSeekMath Eq. 3 and 4, row by row."""
    rows = []
    for row in np.unique(t["row"]):
        here = t["row"] == row
        ratio = np.exp(policy[here] - t["rollout"][here])
        gain = np.minimum(ratio * t["advantage"][here], np.clip(ratio, 1 - low, 1 + high) * t["advantage"][here])
        d = t["reference"][here] - policy[here]
        rows.append((gain - beta * (np.exp(d) - d - 1)).mean())
    return -float(np.mean(rows))


@pytest.mark.parametrize(("low", "high", "beta"), [(0.2, 0.28, 0.0), (0.2, 0.2, 0.04), (10.0, 10.0, 0.001)])
def test_the_grpo_loss_and_its_gradient_are_the_papers(low: float, high: float, beta: float) -> None:
    lengths = [3, 1, 7, 4]
    t = tokens(1, lengths)
    policy = torch.tensor(t["policy"], requires_grad=True)
    weights = sequence_mean_weights(lengths)[t["row"]]
    found = grpo_loss(
        policy,
        rollout_T=torch.tensor(t["rollout"]),
        reference_T=torch.tensor(t["reference"]) if beta else None,
        advantages_T=torch.tensor(t["advantage"]),
        weights_T=torch.tensor(weights),
        clip_low=low,
        clip_high=high,
        beta=beta,
    )
    found.loss.backward()
    assert found.loss.item() == pytest.approx(grpo_in_numpy(t, t["policy"], low=low, high=high, beta=beta), abs=1e-12)
    step = 1e-6
    for i in range(sum(lengths)):
        moved = np.eye(sum(lengths))[i] * step
        up, down = (grpo_in_numpy(t, t["policy"] + sign * moved, low=low, high=high, beta=beta) for sign in (1, -1))
        assert policy.grad is not None
        assert policy.grad[i].item() == pytest.approx((up - down) / (2 * step), abs=1e-7)


def test_clipped_tokens_are_those_without_a_policy_gradient() -> None:
    t = tokens(2, [40])
    policy = torch.tensor(t["policy"], requires_grad=True)
    ones = torch.ones(40, dtype=torch.float64)
    advantages = torch.tensor(np.sign(np.random.default_rng(0).normal(size=40)))
    found = grpo_loss(
        policy,
        rollout_T=torch.tensor(t["rollout"]),
        reference_T=None,
        advantages_T=advantages,
        weights_T=ones,
        clip_low=0.2,
        clip_high=0.2,
        beta=0,
    )
    found.loss.backward()
    assert policy.grad is not None
    assert 0 < found.clipped_T.sum() < 40
    assert torch.equal(found.clipped_T, policy.grad == 0)


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=20), st.integers(0, 1000))
def test_k3_is_never_negative_and_zero_only_where_both_agree(policy: list[float], seed: int) -> None:
    policy_T = torch.tensor(policy, dtype=torch.float64)
    reference_T = policy_T + torch.randn(len(policy), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert (k3(policy_T, reference_T) >= 0).all()
    assert (k3(policy_T, policy_T) == 0).all()


def test_the_loss_is_one_sum_however_tokens_are_split_over_packs() -> None:
    """Trap 7: the denominator is the update's, never a micro-batch's."""
    logprobs = torch.randn(10, dtype=torch.float64)
    whole = sft_loss(logprobs, trained_tokens=10)
    parts = sft_loss(logprobs[:3], trained_tokens=10) + sft_loss(logprobs[3:], trained_tokens=10)
    assert whole.item() == pytest.approx(parts.item(), abs=1e-15)
    assert whole.item() == pytest.approx(-logprobs.mean().item())


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_token_weights_sum_to_one_over_the_rows_that_count(lengths: list[int]) -> None:
    """Trap 8: numerator and denominator come from the same rows."""
    assert (sequence_mean_weights(lengths) * np.array(lengths)).sum() == pytest.approx(1.0)


def test_a_row_without_tokens_is_refused_before_it_can_divide_by_zero() -> None:
    with pytest.raises(ValueError, match="leave it out"):
        sequence_mean_weights([3, 0])


def test_advantages_are_standardised_over_the_judged_rollouts_only() -> None:
    found = group_advantages([1.0, None, 0.0, 0.0, None])
    judged = np.array([1.0, 0.0, 0.0])
    assert not found.flat
    assert np.isnan(found.values_G[[1, 4]]).all()
    np.testing.assert_allclose(found.values_G[[0, 2, 3]], (judged - judged.mean()) / judged.std(ddof=1), atol=1e-12)


@pytest.mark.parametrize("reward", [0.1, 0.3, 1.9999999, 1e6 / 3])
def test_a_constant_group_has_advantages_of_exactly_zero(reward: float) -> None:
    """Trap 10: the std of a constant group is rounding noise, and dividing by it makes huge advantages."""
    found = group_advantages([reward] * 7)
    assert found.flat
    assert (found.values_G == 0).all()


def test_a_group_that_nobody_could_judge_is_not_called_flat() -> None:
    assert not group_advantages([None, None]).flat
