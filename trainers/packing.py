"""Rows of tokens laid into few long packs, with the positions that are trained made from lengths, never from token values.

Axes: _L position of a pack, _T trained token (a target with the position that predicts it), in pack order.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dataengine.inference.attention import Segments


@dataclass(frozen=True, kw_only=True)
class Document:
    """A prompt and the responses that share it; each response sees the prompt and itself.

    `Document(prompt=[5, 6], responses=[[7, 8, 2]], rows=[41])`: 7, 8 and 2 are trained, 5 and 6 are not.
    """

    prompt: Sequence[int]
    responses: Sequence[Sequence[int]]
    rows: Sequence[int]
    """The caller's number of each response."""
    train_prompt: bool = False
    """Train the prompt too, all but its first token (pre-training); wants exactly one response."""

    def __post_init__(self) -> None:
        if not self.prompt or not all(self.responses):
            raise ValueError(
                f"row {self.rows[0]} has {len(self.prompt)} prompt and {[len(r) for r in self.responses]} response tokens: "
                "the first trained token needs one before it, and a row without a trained token teaches nothing; leave it out"
            )
        assert len(self.rows) == len(self.responses)
        assert len(self.rows) == 1 or not self.train_prompt

    @functools.cached_property
    def tokens(self) -> int:
        """Positions it takes in a pack."""
        return len(self.prompt) + sum(len(response) for response in self.responses)

    def split(self, budget: int) -> list[Document]:
        """The same rows in documents of at most `budget` tokens, the prompt repeated in each."""
        parts: list[list[int]] = []
        room = 0
        for i, response in enumerate(self.responses):
            if room < len(response):
                parts.append([])
                room = budget - len(self.prompt)
            parts[-1].append(i)
            room -= len(response)
        return [replace(self, responses=[self.responses[i] for i in part], rows=[self.rows[i] for i in part]) for part in parts]


@dataclass(frozen=True, kw_only=True)
class Pack:
    """One forward pass: `hidden = model(input_ids_L[None], segments=...)[0][sources_T]` predicts `targets_T`."""

    input_ids_L: Tensor
    segments: Segments
    sources_T: Tensor
    """Position whose hidden state predicts each target: a shared prompt's last position predicts every response's first token."""
    targets_T: Tensor
    rows_T: Tensor
    """The caller's row number of each target."""
    rows: list[int]
    """The rows in pack order; the targets of one row stand together."""


def pack(documents: Sequence[Document], *, budget: int) -> list[Pack]:
    """Packs of at most `budget` tokens (best fit, longest first); every document lies in one pack unless it is longer than that.

    A document over the budget is split between its responses; one response that does not fit with its prompt is a ValueError.
    """
    parts = [part for document in documents for part in (document.split(budget) if document.tokens > budget else [document])]
    return [_laid_out([parts[i] for i in chosen]) for chosen in best_fit([part.tokens for part in parts], budget=budget)]


def best_fit(sizes: Sequence[int], *, budget: int) -> list[list[int]]:
    """Indices of `sizes` in bins of at most `budget`: longest first, each into the fullest bin that has room, ties by index."""
    bins: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (room left, bin), sorted
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        if sizes[i] > budget:
            raise ValueError(f"a row of {sizes[i]} tokens does not fit into packs of {budget}: raise pack_tokens or lower max_tokens")
        at = bisect.bisect_left(rooms, (sizes[i], -1))
        room, chosen = rooms.pop(at) if at < len(rooms) else (budget, len(bins))
        if chosen == len(bins):
            bins.append([])
        bins[chosen].append(i)
        bisect.insort(rooms, (room - sizes[i], chosen))
    return bins


def _laid_out(documents: Sequence[Document]) -> Pack:
    segments, sequences, rows = [], [], []
    sources, targets, counts = [], [], []
    start = 0
    for document in documents:
        prompt = np.asarray(document.prompt, dtype=np.int64)
        responses = [np.asarray(response, dtype=np.int64) for response in document.responses]
        first = start + len(prompt)
        for number, response in zip(document.rows, responses, strict=True):
            own = np.arange(first - 1, first + len(response) - 1)
            own[0] = start + len(prompt) - 1
            trained = response
            if document.train_prompt:
                own, trained = np.concatenate([np.arange(start, own[0]), own]), np.concatenate([prompt[1:], response])
            sources.append(own)
            targets.append(trained)
            counts.append(len(trained))
            rows.append(number)
            first += len(response)
        segments.append(_segments(len(prompt), [len(response) for response in responses]))
        sequences += [prompt, *responses]
        start = first
    return Pack(
        input_ids_L=torch.from_numpy(np.concatenate(sequences)),
        segments=Segments.join(segments),
        sources_T=torch.from_numpy(np.concatenate(sources)),
        targets_T=torch.from_numpy(np.concatenate(targets)),
        rows_T=torch.from_numpy(np.repeat(np.asarray(rows, dtype=np.int64), counts)),
        rows=rows,
    )


def _segments(prompt: int, responses: Sequence[int]) -> Segments:
    return Segments.packed([prompt + responses[0]]) if len(responses) == 1 else Segments.shared_prompt(prompt, responses)
