"""How a token is drawn: one number per (seed of the response, index of the token), so that no neighbour can move it.

Axes: B rows, V vocabulary.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

GAMMA, MIX_1, MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(seeds: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """The `index`-th number of each seed's own SplitMix64 sequence (Steele et al. 2014), in [0, 1 - 2^-48]. [B], [B] -> float64 [B]"""
    state = seeds.astype(np.uint64) + (indices.astype(np.uint64) + np.uint64(1)) * GAMMA
    state = (state ^ (state >> np.uint64(30))) * MIX_1
    state = (state ^ (state >> np.uint64(27))) * MIX_2
    # 48 bits keep u * total below total after rounding, so that the search below always finds a token.
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(16)).astype(np.float64) * 2.0**-48


def draw(logits: Tensor, *, temperature: np.ndarray, top_p: np.ndarray, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and their log-probabilities at temperature 1 over the whole vocabulary. [B, V], 3 x [B] -> int64 [B], float32 [B]

    A row's result depends on that row alone: what only some rows ask for is computed for all and chosen per row.
    """
    logprobs = logits.float().log_softmax(-1)
    tokens = logprobs.argmax(-1)
    if temperature.any():
        drawn = _invert(_scaled(logits, logprobs, temperature).exp(), top_p, torch.from_numpy(uniform).to(logits.device))
        tokens = torch.where(torch.from_numpy(temperature > 0).to(logits.device), drawn, tokens)
    return tokens.cpu().numpy(), logprobs.gather(-1, tokens[:, None])[:, 0].cpu().numpy()


def _scaled(logits: Tensor, logprobs: Tensor, temperature: np.ndarray) -> Tensor:
    if np.isin(temperature, (0, 1)).all():
        return logprobs
    divisor = torch.from_numpy(np.where(temperature > 0, temperature, 1).astype(np.float32)).to(logits.device)
    return (logits.float() / divisor[:, None]).log_softmax(-1)


def _invert(probabilities: Tensor, top_p: np.ndarray, uniform: Tensor) -> Tensor:
    """The token where the cumulative probability passes `uniform` of its total. [B, V], [B], [B] -> [B]"""
    cumulative = probabilities.double().cumsum(-1)
    tokens = torch.searchsorted(cumulative, (uniform * cumulative[:, -1])[:, None], right=True)[:, 0]
    if (top_p < 1).any():
        # The smallest set of likeliest tokens whose mass reaches top_p: a token stays while the mass before it is below top_p.
        sorted_, order = torch.sort(probabilities.double(), dim=-1, descending=True, stable=True)
        bar = torch.from_numpy(top_p).to(sorted_.device)[:, None]
        kept = torch.where(sorted_.cumsum(-1) - sorted_ < bar, sorted_, 0).cumsum(-1)
        place = torch.searchsorted(kept, (uniform * kept[:, -1])[:, None], right=True).clamp(max=kept.shape[1] - 1)
        tokens = torch.where(bar[:, 0] < 1, order.gather(-1, place)[:, 0], tokens)
    return tokens.clamp(max=probabilities.shape[1] - 1)  # nan finds no token; the caller sees its log-probability
