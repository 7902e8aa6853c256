"""The one attention function: packed documents, shared prompts and slot decoding, on unmodified transformers models.

Axes: T tokens of one packed row, H query heads, K key/value heads, D head width, S sequences of a batch, L padded length.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

NAME = "dataengine"
"""The value of `attn_implementation` that selects this attention."""

BUCKET_RATIO = 0.75
"""A CPU bucket holds sequences at least this long, relative to its longest: padding is traded for fewer calls."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """`length` consecutive tokens that see `prefix` earlier tokens of the row, then themselves causally."""

    length: int
    prefix: int = 0
    """How many tokens stand before the segment's own."""
    prefix_start: int = 0
    """Where in the row these tokens begin."""


@dataclass(frozen=True)
class Segments:
    """Which tokens of one packed row see which: `model(ids, position_ids=s.positions()[None], segments=s, use_cache=False)`."""

    parts: tuple[Segment, ...]
    """In the order of the row, without gaps."""

    @classmethod
    def packed(cls, lengths: Sequence[int]) -> Segments:
        """Independent documents, one after the other, each causal."""
        return cls(tuple(Segment(length=length) for length in lengths if length))

    @classmethod
    def shared_prompt(cls, prompt: int, completions: Sequence[int]) -> Segments:
        """The row [prompt | c1 | ... | cG]: every completion sees the prompt and itself, as if it alone followed it."""
        return cls((Segment(length=prompt), *(Segment(length=length, prefix=prompt) for length in completions if length)))

    @classmethod
    def join(cls, groups: Iterable[Segments]) -> Segments:
        """Several rows laid one after the other in one row."""
        parts, start = [], 0
        for group in groups:
            parts += [Segment(length=p.length, prefix=p.prefix, prefix_start=p.prefix_start + start) for p in group.parts]
            start += group.total
        return cls(tuple(parts))

    @functools.cached_property
    def total(self) -> int:
        """Tokens of the row."""
        return sum(part.length for part in self.parts)

    def positions(self) -> Tensor:
        """Position of each token in its own sequence, int64. [T]"""
        return torch.cat([torch.arange(part.prefix, part.prefix + part.length) for part in self.parts])

    @functools.cached_property
    def sequences(self) -> list[Tensor]:
        """Row indices of the tokens that each segment sees, its own at the end."""
        starts = torch.tensor([0, *(part.length for part in self.parts)]).cumsum(0).tolist()
        return [
            torch.cat([torch.arange(p.prefix_start, p.prefix_start + p.prefix), torch.arange(start, start + p.length)])
            for p, start in zip(self.parts, starts[:-1], strict=True)
        ]

    @functools.cached_property
    def buckets(self) -> tuple[list[Tensor], Tensor]:
        """Padded row indices of sequences of similar length [S, L] each, and where in them each token's own output lies [T].

        A segment with a prefix becomes one square causal problem whose first queries are thrown away, and padding stands at the
        right, where causality hides it: no mask is ever built.
        """
        order = sorted(range(len(self.parts)), key=lambda i: -len(self.sequences[i]))
        groups: list[list[int]] = []
        for i in order:
            if groups and len(self.sequences[i]) >= BUCKET_RATIO * len(self.sequences[groups[-1][0]]):
                groups[-1].append(i)
            else:
                groups.append([i])
        buckets, own, start = [], torch.empty(self.total, dtype=torch.long), 0
        for group in groups:
            bucket = torch.nn.utils.rnn.pad_sequence([self.sequences[i] for i in group], batch_first=True)
            for row, i in enumerate(group):
                part, first = self.parts[i], start + row * bucket.shape[1]
                own[self.sequences[i][part.prefix :]] = torch.arange(first + part.prefix, first + part.prefix + part.length)
            buckets.append(bucket)
            start += bucket.numel()
        return buckets, own

    def varlen(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor, int, int]:
        """Row indices of all keys, cumulative lengths of queries and of keys (int32), the longest of each."""
        queries, keys = [p.length for p in self.parts], [p.length + p.prefix for p in self.parts]
        found = self._varlen.get(device)
        if found is None:
            cumulative = [torch.tensor([0, *lengths]).cumsum(0).to(device, torch.int32) for lengths in (queries, keys)]
            found = self._varlen[device] = (torch.cat(self.sequences).to(device), cumulative[0], cumulative[1])
        return (*found, max(queries), max(keys))

    @functools.cached_property
    def _varlen(self) -> dict[torch.device, tuple[Tensor, Tensor, Tensor]]:
        return {}


class Slots(Protocol):
    """A key/value cache that answers attention for the tokens it is given."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Store the new keys and values; the output for each query. [B, H, T, D] -> [B, H, T, D]"""
        ...


class AttentionModule(Protocol):
    """What we read of a layer of transformers."""

    layer_idx: int


def attention(
    module: AttentionModule,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    segments: Segments | None = None,
    slots: Slots | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """Causal attention of one batch [B, H, T, D], of one packed row (`segments`) or against a cache (`slots`) -> [B, T, H, D].

    Masks are never looked at: what sees what is said by `segments` and `slots` alone (transformers derives packing masks only
    where no cache is in use, which has mixed documents silently).
    """
    if attention_mask is not None or dropout or (sliding_window is not None and query.shape[2] > sliding_window):
        raise ValueError(
            "this attention is causal, without masks, dropout or a sliding window shorter than the row; we got "
            f"mask={attention_mask is not None}, dropout={dropout}, sliding_window={sliding_window} for {query.shape[2]} tokens: "
            "set attention_dropout=0 and use_sliding_window=False in the model's config.json"
        )
    if slots is not None:
        return slots.attend(module.layer_idx, query, key, value, scaling).transpose(1, 2), None
    if segments is None:
        return causal(query, key, value, scaling).transpose(1, 2), None
    if query.shape[0] != 1 or query.shape[2] != segments.total:
        raise ValueError(
            f"segments describe one row of {segments.total} tokens, got a batch of {query.shape[0]} x {query.shape[2]}: "
            "pass input_ids of shape [1, segments.total]"
        )
    packed = [x[0].transpose(0, 1) for x in (query, key, value)]
    attend = _varlen if query.is_cuda else _bucketed
    return attend(packed[0], packed[1], packed[2], segments, scaling)[None], None


def causal(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Plain causal attention. [B, H, T, D], [B, K, T, D], [B, K, T, D] -> [B, H, T, D]"""
    return F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=query.shape[1] != key.shape[1])


def _bucketed(query: Tensor, key: Tensor, value: Tensor, segments: Segments, scale: float) -> Tensor:
    """[T, H, D], [T, K, D], [T, K, D] -> [T, H, D], one SDPA call per bucket of similar lengths."""
    buckets, own = segments.buckets
    outputs = []
    for bucket in buckets:
        padded = [x.index_select(0, bucket.view(-1)).unflatten(0, bucket.shape).transpose(1, 2) for x in (query, key, value)]
        outputs.append(causal(padded[0], padded[1], padded[2], scale).transpose(1, 2).flatten(0, 1))
    return torch.cat(outputs).index_select(0, own)


def _varlen(query: Tensor, key: Tensor, value: Tensor, segments: Segments, scale: float) -> Tensor:
    """The same on CUDA: Flash Attention over ragged rows, causal from the bottom right; keys of a shared prompt are gathered."""
    from torch.nn.attention.varlen import varlen_attn

    keys, cu_queries, cu_keys, longest_query, longest_key = segments.varlen(query.device)
    repeats = query.shape[1] // key.shape[1]  # torch 2.11 has no enable_gqa here
    gathered = [x.index_select(0, keys).repeat_interleave(repeats, dim=1) for x in (key, value)]
    out = varlen_attn(
        query.contiguous(), gathered[0], gathered[1], cu_queries, cu_keys, longest_query, longest_key, scale=scale, window_size=(-1, 0)
    )
    assert isinstance(out, Tensor)
    return out


def _no_mask(*_: object, attention_mask: Tensor | None = None, **__: object) -> None:
    """What transformers calls to build a mask: we need none, and padding that would be ignored is refused."""
    if attention_mask is not None and not attention_mask.all():
        raise ValueError("this attention takes no padding mask: pack the documents in one row, segments=Segments.packed(lengths)")


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, _no_mask)
