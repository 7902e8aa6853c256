"""The chunked head against the whole logits. Traps of trainers.md section 2 that live here: 5 and 22 (float32 logits), 21 (float32 dW)."""

from __future__ import annotations

import pytest
import torch

from trainers import head
from trainers.head import chosen_logprobs


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_entropy_and_gradients_equal_those_of_whole_logits(monkeypatch: pytest.MonkeyPatch, temperature: float) -> None:
    monkeypatch.setattr(head, "CHUNK_ELEMENTS", 50)  # chunks of seven tokens and a rest
    torch.manual_seed(0)
    hidden, weight = torch.randn(23, 5, dtype=torch.float64), torch.randn(7, 5, dtype=torch.float64)
    targets, outer = torch.randint(7, (23,)), torch.randn(23, dtype=torch.float64)
    gradients = []
    for chunked in (True, False):
        h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        if chunked:
            found, entropy = chosen_logprobs(h, w, targets, temperature=temperature)
        else:
            whole = torch.log_softmax(h @ w.t() / temperature, -1)
            found, entropy = whole[torch.arange(23), targets], -(whole.exp() * whole).sum(-1)
        (found * outer).sum().backward()
        gradients.append((found.detach(), entropy.detach(), h.grad, w.grad))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-10)


def test_bfloat16_states_give_float32_logprobs_and_an_output_gradient_summed_in_float32() -> None:
    """Traps 5, 21 and 22: rounding log-probs or a running gradient to bfloat16 loses more than the model's own rounding."""
    torch.manual_seed(0)
    hidden, weight, targets = torch.randn(600, 16).bfloat16(), torch.randn(40, 16).bfloat16(), torch.randint(40, (600,))
    low = weight.clone().requires_grad_()
    found = chosen_logprobs(hidden, low, targets).logprobs_T
    assert found.dtype == torch.float32
    exact = weight.float().requires_grad_()
    expected = chosen_logprobs(hidden.float(), exact, targets).logprobs_T
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    found.sum().backward()
    expected.sum().backward()
    assert low.grad is not None
    assert exact.grad is not None
    assert (low.grad.float() - exact.grad).norm() / exact.grad.norm() < 5e-3
