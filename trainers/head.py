"""Log-probabilities of chosen tokens from hidden states, without ever holding the logits of a whole pack.

Axes: _T token, _H hidden size, _V vocabulary. Logits are made in float32 (float64 for float64 inputs) chunk by chunk over tokens,
and made again in the backward pass; the gradient of the output matrix is summed in that precision and cast once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

CHUNK_ELEMENTS = 1 << 22
"""Logits held at a time: 16 MB in float32."""


class Chosen(NamedTuple):
    """What the head says of each target."""

    logprobs_T: Tensor
    """log p(target); differentiable in hidden states and output matrix."""
    entropy_T: Tensor
    """Entropy of the whole distribution in nats; a figure to watch, without gradient."""


def chosen_logprobs(hidden_TH: Tensor, weight_VH: Tensor, targets_T: Tensor, *, temperature: float = 1.0) -> Chosen:
    """log softmax(hidden weight^T / temperature) at the targets, and its entropy."""
    return Chosen(*_Chosen.apply(hidden_TH, weight_VH.to(hidden_TH.dtype), targets_T, temperature))


class _Chosen(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_TH: Tensor, weight_VH: Tensor, targets_T: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        logprobs, entropies, normalisers = [], [], []
        for chunk in _chunks(len(targets_T), len(weight_VH)):
            logits_TV = _product(hidden_TH[chunk], weight_VH.t()).div_(temperature)
            normaliser_T = logits_TV.logsumexp(-1)
            logprobs.append(logits_TV.gather(1, targets_T[chunk, None]).squeeze(1) - normaliser_T)
            mean_T = (torch.exp(logits_TV - normaliser_T[:, None]) * logits_TV).sum(-1)
            entropies.append(normaliser_T - mean_T)
            normalisers.append(normaliser_T)
        ctx.save_for_backward(hidden_TH, weight_VH, targets_T, torch.cat(normalisers))
        ctx.temperature = temperature
        entropy_T = torch.cat(entropies)
        ctx.mark_non_differentiable(entropy_T)
        return torch.cat(logprobs), entropy_T

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        hidden_TH, weight_VH, targets_T, normaliser_T = ctx.saved_tensors
        outer_T = gradients[0] / ctx.temperature
        hidden_gradient_TH = torch.empty_like(hidden_TH)
        weight_gradient_VH = torch.zeros_like(weight_VH, dtype=normaliser_T.dtype)
        for chunk in _chunks(len(targets_T), len(weight_VH)):
            logits_TV = _product(hidden_TH[chunk], weight_VH.t()).div_(ctx.temperature)
            logits_gradient_TV = logits_TV.sub_(normaliser_T[chunk, None]).exp_().mul_(-outer_T[chunk, None])
            logits_gradient_TV.scatter_add_(1, targets_T[chunk, None], outer_T[chunk, None])
            logits_gradient_TV = logits_gradient_TV.to(hidden_TH.dtype)
            hidden_gradient_TH[chunk] = _product(logits_gradient_TV, weight_VH)
            weight_gradient_VH += _product(logits_gradient_TV.t(), hidden_TH[chunk])
        return hidden_gradient_TH, weight_gradient_VH.to(weight_VH.dtype), None, None


def _chunks(tokens: int, vocabulary: int) -> list[slice]:
    size = max(1, CHUNK_ELEMENTS // vocabulary)
    return [slice(start, start + size) for start in range(0, max(tokens, 1), size)]


def _product(left: Tensor, right: Tensor) -> Tensor:
    """The matrix product, accumulated and returned in float32 at least."""
    if left.dtype in (torch.float32, torch.float64):
        return left @ right
    if left.is_cuda:
        return torch.mm(left, right, out_dtype=torch.float32)
    return left.float() @ right.float()
