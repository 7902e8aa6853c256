"""The static key/value cache: one slot per running response, a prompt's keys copied to the slots of all its samples.

Axes: Y layers, Z keys and values of all layers (layer l: keys at 2l, values at 2l + 1), S slots, B rows (the first B slots),
N prompts, H query heads, K key/value heads, G = H / K, C context, L visible length, T prompt tokens, D head width.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from dataengine.inference import decode_kernel
from dataengine.inference.attention import causal

VISIBLE = 32
"""Cached positions are read in multiples of this; what lies behind a slot's own length weighs exactly 0."""
SHORT = 256
"""Longer prompts are read one at a time."""


class SlotCache:
    """Keys [Y, S, K, D, C] and values [Y, S, K, C, D] of all slots, allocated once; both lie as a product reads them."""

    def __init__(self, config: PreTrainedConfig, *, slots: int, context: int, dtype: torch.dtype, device: torch.device) -> None:
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = (config.num_hidden_layers, slots, config.num_key_value_heads)
        self.keys = torch.zeros((*shape, width, context), dtype=dtype, device=device)
        self.values = torch.zeros((*shape, context, width), dtype=dtype, device=device)

    def fill(self, slots: Sequence[int], prefix: Tensor) -> None:
        """Put a prompt's keys and values at the beginning of these slots. [Z, K, T, D]"""
        length = prefix.shape[2]
        self.keys[:, slots, :, :, :length] = prefix[0::2, None].transpose(-1, -2)
        self.values[:, slots, :, :length] = prefix[1::2, None]

    def move(self, source: Sequence[int], target: Sequence[int], length: int) -> None:
        """Copy the first `length` positions of slots to others."""
        self.keys[:, target, :, :, :length] = self.keys[:, source, :, :, :length]
        self.values[:, target, :, :length] = self.values[:, source, :, :length]


class Decode:
    """Attention of one new token for each of the first B slots: stored at its position, it sees all positions up to its own."""

    def __init__(self, cache: SlotCache, positions: Tensor) -> None:
        self._keys, self._values, self._positions = cache.keys, cache.values, positions
        self._longest = int(positions.max()) + 1

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """[B, H, 1, D], [B, K, 1, D], [B, K, 1, D] -> [B, H, 1, D]

        Each row's result is the same for every number of rows and every length beside it: a kernel of our own computes rows one by
        one; elsewhere plain matrix products do. (The CPU's fused kernel rounds differently with two threads as the batch changes.)
        """
        rows = query.shape[0]
        keys, values = self._keys[layer, :rows], self._values[layer, :rows]
        grouped = query.reshape(rows, keys.shape[1], -1, query.shape[3])
        if decode_kernel.fits(query):
            positions = self._positions.numpy()
            made = decode_kernel.attend(
                grouped, key[:, :, 0], value[:, :, 0], keys=keys, values=values, positions=positions, longest=self._longest, scale=scale
            )
            return made.reshape(query.shape)
        every = torch.arange(rows, device=query.device)
        keys[every, :, :, self._positions], values[every, :, self._positions] = key[:, :, 0], value[:, :, 0]
        scores = (grouped * scale) @ keys[..., : self._visible]
        weights = (scores.float() + self._mask).softmax(-1).to(values.dtype)
        return (weights @ values[:, :, : self._visible]).reshape(query.shape)

    @functools.cached_property
    def _visible(self) -> int:
        return min(self._values.shape[3], -(-self._longest // VISIBLE) * VISIBLE)

    @functools.cached_property
    def _mask(self) -> Tensor:
        """[B, 1, 1, L]"""
        hidden = torch.arange(self._visible, device=self._positions.device) > self._positions[:, None]
        return torch.zeros(hidden.shape, device=hidden.device).masked_fill_(hidden, -torch.inf)[:, None, None]


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
