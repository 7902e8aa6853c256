"""Attention of one new token for many slots on the CPU in float32: each row reads exactly the positions it has.

A batched matrix product would read every row up to the longest one, and is slow at the few heads of a row. Here a row is
computed alone, in an order of its own, so that its numbers depend neither on its neighbours nor on the number of threads.

Axes: B rows (slots), K key/value heads, G query heads of each, D head width, C context, L visible length.
"""

from __future__ import annotations

import functools
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from dataengine.kernels.compiled import REASSOCIATED, compiled

STRIDE = 8
"""Head widths and positions are taken in this many at once; a head width must be a multiple of it."""
PART = 1 << 22
"""Numbers of the cache that a thread should have to read before it is worth being woken."""

LOG2_E = np.float32(1.4426950408889634)
EXP2 = tuple(np.float32(c) for c in (0.6931472, 0.2402265, 0.05550411, 0.009618129, 0.0013333558, 0.00015403530))
"""Taylor coefficients of 2^x from the first power on: an error of one unit in the last place for x in [-1/2, 1/2]."""


def fits(query: Tensor) -> bool:
    """Whether this kernel can answer: float32 on the CPU, a head width that is a multiple of 8."""
    return query.device.type == "cpu" and query.dtype == torch.float32 and query.shape[-1] % STRIDE == 0


def attend(
    query: Tensor, key: Tensor, value: Tensor, *, keys: Tensor, values: Tensor, positions: np.ndarray, longest: int, scale: float
) -> Tensor:
    """Store the new `key` and `value` [B, K, D] at `positions` [B], then attend to all up to them: query [B, K, G, D] -> [B, K, G, D].

    `keys` [B, K, D, C] and `values` [B, K, C, D] are the cache; `longest` is the greatest visible length.
    """
    rows, heads, _, width = query.shape
    out = torch.empty(query.shape)
    new = (query.contiguous().numpy(), key.numpy(), value.numpy())
    part = functools.partial(_attend, *new, keys.numpy(), values.numpy(), positions, np.float32(scale), out.numpy())
    parts = max(1, min(torch.get_num_threads(), 2 * rows * heads * width * longest // PART))
    if parts == 1:
        part(0, rows)
        return out
    edges = [rows * each // parts for each in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(part, first, last) for first, last in itertools.pairwise(edges)]:
            done.result()
    return out


@compiled(fastmath=REASSOCIATED)
def _attend(query, key, value, keys, values, positions, scale, out, first, last):  # noqa: ANN001, ANN202 (types are numba's to find)
    _, heads, group, width = query.shape
    weights, bits = np.empty(keys.shape[3], np.float32), np.empty(keys.shape[3], np.int32)
    for b in range(first, last):
        length = positions[b] + 1
        for h in range(heads):
            for d in range(width):
                keys[b, h, d, length - 1] = key[b, h, d]
                values[b, h, length - 1, d] = value[b, h, d]
            for g in range(group):
                _scores(query[b, h, g], keys[b, h], scale, weights[:length])
                _softmax(weights[:length], bits)
                _mean(weights[:length], values[b, h], out[b, h, g])


@compiled(fastmath=REASSOCIATED)
def _scores(query, keys, scale, scores):  # noqa: ANN001, ANN202
    """query keys * scale. [D], [D, C] -> [L]"""
    scores[:] = 0
    for d in range(0, len(query), 8):
        q0, q1, q2, q3 = query[d] * scale, query[d + 1] * scale, query[d + 2] * scale, query[d + 3] * scale
        q4, q5, q6, q7 = query[d + 4] * scale, query[d + 5] * scale, query[d + 6] * scale, query[d + 7] * scale
        k0, k1, k2, k3, k4, k5, k6, k7 = keys[d], keys[d + 1], keys[d + 2], keys[d + 3], keys[d + 4], keys[d + 5], keys[d + 6], keys[d + 7]
        for x in range(len(scores)):
            near = q0 * k0[x] + q1 * k1[x] + q2 * k2[x] + q3 * k3[x]
            scores[x] += near + (q4 * k4[x] + q5 * k5[x] + q6 * k6[x] + q7 * k7[x])


@compiled(fastmath=REASSOCIATED)
def _softmax(scores, bits):  # noqa: ANN001, ANN202
    """exp(scores - max) / sum, in place: 2^x as a polynomial times a power of two that is written as bits."""
    power, most, total = bits.view(np.float32), scores[0], np.float32(0)
    for x in range(1, len(scores)):
        most = max(most, scores[x])
    for x in range(len(scores)):
        y = max((scores[x] - most) * LOG2_E, np.float32(-126))
        whole = np.int32(y - np.float32(0.5))  # the nearest, as y is not positive
        f = y - np.float32(whole)
        bits[x] = (whole + np.int32(127)) << np.int32(23)
        tail = EXP2[2] + f * (EXP2[3] + f * (EXP2[4] + f * EXP2[5]))
        scores[x] = np.float32(1) + f * (EXP2[0] + f * (EXP2[1] + f * tail))
    for x in range(len(scores)):
        scores[x] *= power[x]
        total += scores[x]
    for x in range(len(scores)):
        scores[x] /= total


@compiled(fastmath=REASSOCIATED)
def _mean(weights, values, out):  # noqa: ANN001, ANN202
    """weights values. [L], [C, D] -> [D]"""
    out[:] = 0
    whole = len(weights) - len(weights) % 4
    for x in range(0, whole, 4):
        w0, w1, w2, w3 = weights[x], weights[x + 1], weights[x + 2], weights[x + 3]
        v0, v1, v2, v3 = values[x], values[x + 1], values[x + 2], values[x + 3]
        for d in range(len(out)):
            out[d] += w0 * v0[d] + w1 * v1[d] + (w2 * v2[d] + w3 * v3[d])
    for x in range(whole, len(weights)):
        weight, value = weights[x], values[x]
        for d in range(len(out)):
            out[d] += weight * value[d]
