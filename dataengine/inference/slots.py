"""The static key/value cache: one slot per running response, a prompt's keys copied to the slots of all its samples.

Axes: Z keys and values of all layers (layer l: keys at 2l, values at 2l + 1), S slots, B rows (the first B slots), N prompts,
H query heads, K key/value heads, G = H / K, C context, L visible length, T prompt tokens, D head width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from dataengine.inference.attention import causal

VISIBLE = 32
"""Cached positions are read in multiples of this; what lies behind a slot's own length weighs exactly 0."""
SHORT = 256
"""Longer prompts are read one at a time."""


class SlotCache:
    """Keys and values of all slots, allocated once. [Z, S, K, C, D]"""

    def __init__(self, config: PreTrainedConfig, *, slots: int, context: int, dtype: torch.dtype, device: torch.device) -> None:
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = (2 * config.num_hidden_layers, slots, config.num_key_value_heads, context, width)
        self.kv = torch.zeros(shape, dtype=dtype, device=device)

    def fill(self, slots: Sequence[int], prefix: Tensor) -> None:
        """Put a prompt's keys and values at the beginning of these slots. [Z, K, T, D]"""
        self.kv[:, slots, :, : prefix.shape[2]] = prefix[:, None]

    def move(self, source: Sequence[int], target: Sequence[int], length: int) -> None:
        """Copy the first `length` positions of slots to others."""
        self.kv[:, target, :, :length] = self.kv[:, source, :, :length]


class Decode:
    """Attention of one new token for each of the first B slots: stored at its position, it sees all positions up to its own."""

    def __init__(self, cache: SlotCache, positions: Tensor) -> None:
        rows, context = positions.shape[0], cache.kv.shape[3]
        length = min(context, (int(positions.max()) // VISIBLE + 1) * VISIBLE)
        self._kv = cache.kv[:, :rows]
        self._place = (torch.arange(rows, device=positions.device), slice(None), positions)
        hidden = torch.arange(length, device=positions.device) > positions[:, None]
        self._mask = torch.zeros(hidden.shape, device=positions.device).masked_fill_(hidden, -torch.inf)[:, None, None]
        self._length = length

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """[B, H, 1, D], [B, K, 1, D], [B, K, 1, D] -> [B, H, 1, D]

        Plain matrix products: each row's result is then the same for every number of rows and every visible length, which the
        CPU's fused kernel does not give with two threads.
        """
        keys, values = self._kv[2 * layer], self._kv[2 * layer + 1]
        keys[self._place], values[self._place] = key[:, :, 0], value[:, :, 0]
        grouped = query.reshape(query.shape[0], keys.shape[1], -1, query.shape[3])
        scores = (grouped * scale) @ keys[:, :, : self._length].transpose(-1, -2)
        weights = (scores.float() + self._mask).softmax(-1).to(values.dtype)
        return (weights @ values[:, :, : self._length]).reshape(query.shape)


class Prefill:
    """Causal attention of N prompts padded at the right to one length, keeping their keys and values."""

    def __init__(self) -> None:
        self._kept: list[Tensor] = []

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """[N, H, T, D], [N, K, T, D], [N, K, T, D] -> [N, H, T, D]"""
        assert len(self._kept) == 2 * layer
        self._kept += [key, value]
        length = query.shape[2]
        if query.is_cuda or length > SHORT:
            return causal(query, key, value, scale)
        grouped = query.reshape(query.shape[0], key.shape[1], -1, query.shape[3])
        scores = ((grouped * scale) @ key.transpose(-1, -2)).unflatten(2, (-1, length))
        future = torch.ones(length, length, dtype=torch.bool, device=query.device).triu_(1)
        weights = scores.float().masked_fill_(future, -torch.inf).softmax(-1).to(value.dtype)
        return (weights.flatten(2, 3) @ value).reshape(query.shape)

    @property
    def kv(self) -> Tensor:
        """[Z, N, K, T, D]"""
        return torch.stack(self._kept)


def proven(run: Callable[[int], Tensor], sizes: Sequence[int]) -> list[int]:
    """Those of the batch sizes whose rows come out bit for bit as in the largest one (the last), by trying them on this machine.

    Matrix products choose their kernels by shape: with MKL on AVX-512 all rows agree from 4 rows per thread on and differ
    below; elsewhere the border may lie higher. A size that would change a number is not used.
    """
    reference = run(sizes[-1])
    return [*(size for size in sizes[:-1] if torch.equal(run(size), reference[:size])), sizes[-1]]
