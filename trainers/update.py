"""One GRPO policy update over whole groups, and the figures that say whether it went well.

Axes: _T trained token of a pack, _B row (one response of this update).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from trainers.losses import grpo_loss, k3, sequence_mean_weights
from trainers.packing import Pack, pack
from trainers.policy import Optimizer, as_tensor, chosen
from trainers.rollouts import Group

MISMATCH_TOKENS = 2048
"""Tokens of each rollout on which trainer and engine are compared before anything is trained on it."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What is optimized (see `losses.grpo_loss`) and in packs of what size."""

    clip_low: float
    clip_high: float
    beta: float
    temperature: float
    pack_tokens: int


class Tally:
    """Means and maxima of per-token figures over the packs of an update."""

    def __init__(self) -> None:
        self.tokens = 0
        self.sums: dict[str, float] = {}
        self.largest: dict[str, float] = {}

    def add(self, values: dict[str, Tensor]) -> None:
        """One value per token of a pack, under the name of its figure."""
        for name, value_T in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value_T.double().sum())
            self.largest[name] = max(self.largest.get(name, -np.inf), float(value_T.max()))
        self.tokens += len(next(iter(values.values())))

    def mean(self, name: str) -> float | None:
        """None where no token was counted."""
        return self.sums[name] / self.tokens if name in self.sums else None


def update_policy(
    model: PreTrainedModel,
    reference: PreTrainedModel | None,
    optimizer: Optimizer,
    groups: Sequence[Group],
    objective: Objective,
    *,
    lr: float,
    max_norm: float,
) -> dict[str, Any]:
    """One optimizer step over the rows of these groups; the denominators are those rows', however they are packed.

    `lag_*` compares the policy with the log-probs recorded at the rollout: on a rollout's first update it is what trainer and
    engine differ in, later also what the updates since have changed. Groups without a row that counts change nothing.
    """
    started = time.perf_counter()
    tally, total = Tally(), 0.0
    lengths = [len(response) for group in groups for response in group.responses]
    weights_B = sequence_mean_weights(lengths)
    advantages_B = np.array([advantage for group in groups for advantage in group.advantages])
    for each, rollout in packed(groups, budget=objective.pack_tokens):
        found = chosen(model, each, temperature=objective.temperature)
        rollout_T = as_tensor(rollout, found.logprobs_T)
        loss = grpo_loss(
            found.logprobs_T,
            rollout_T=rollout_T,
            reference_T=_reference(reference, each, objective),
            advantages_T=as_tensor(advantages_B[each.rows_T], rollout_T),
            weights_T=as_tensor(weights_B[each.rows_T], rollout_T),
            clip_low=objective.clip_low,
            clip_high=objective.clip_high,
            beta=objective.beta,
        )
        loss.loss.backward()
        optimizer.collect()
        total += loss.loss.item()
        kl = {} if loss.kl_T is None else {"kl": loss.kl_T}
        tally.add({"entropy": found.entropy_T, "clip": loss.clipped_T, **kl, **lag(found.logprobs_T.detach(), rollout_T)})
    norm = optimizer.step(lr=lr, max_norm=max_norm) if lengths else 0.0
    seconds = time.perf_counter() - started
    return {
        "loss": total,
        "lr": lr,
        "grad_norm": norm,
        "entropy": tally.mean("entropy"),
        "kl": tally.mean("kl"),
        "clip_share": tally.mean("clip"),
        **lag_figures(tally),
        "rows": len(lengths),
        "tokens_trained": sum(lengths),
        "seconds_update": seconds,
        "trained_tokens_per_second": sum(lengths) / seconds,
    }


def packed(groups: Sequence[Group], *, budget: int) -> Iterator[tuple[Pack, np.ndarray]]:
    """Packs of these groups, rows numbered across them, each with its targets' recorded log-probs [T]."""
    documents, recorded = [], []
    for group in groups:
        if group.responses:
            documents.append(group.document(first_row=len(recorded)))
            recorded += group.logprobs
    for each in pack(documents, budget=budget):
        yield each, np.concatenate([recorded[row] for row in each.rows])


def anchored(model: PreTrainedModel, groups: Sequence[Group], objective: Objective) -> list[Group]:
    """The groups with log-probs recorded at temperature 1 replaced by those of the distribution drawn from, softmax(z / temperature).

    One more forward pass, wanted only where the temperature is not 1: engines report the model's own distribution.
    """
    made: dict[int, list[float]] = {}
    with torch.no_grad():
        for each, _ in packed(groups, budget=objective.pack_tokens):
            logprobs_T = chosen(model, each, temperature=objective.temperature).logprobs_T.tolist()
            start = 0
            for row, count in zip(each.rows, torch.unique_consecutive(each.rows_T, return_counts=True)[1].tolist(), strict=True):
                made[row] = logprobs_T[start : start + count]
                start += count
    rows = iter(range(len(made)))
    return [replace(group, logprobs=[made[next(rows)] for _ in group.responses]) for group in groups]


def mismatch(model: PreTrainedModel, groups: Sequence[Group], *, budget: int) -> dict[str, float | None]:
    """What trainer and engine differ in on tokens just drawn, at temperature 1: a forward pass over the first groups."""
    tally, lengths = Tally(), np.cumsum([sum(map(len, group.responses)) for group in groups])
    first = groups[: 1 + int(np.searchsorted(lengths, MISMATCH_TOKENS))]
    with torch.no_grad():
        for each, rollout in packed(first, budget=budget):
            logprobs_T = chosen(model, each).logprobs_T
            tally.add(lag(logprobs_T, as_tensor(rollout, logprobs_T)))
    return {name.replace("lag", "mismatch"): value for name, value in lag_figures(tally).items()}


def lag(logprobs_T: Tensor, rollout_T: Tensor) -> dict[str, Tensor]:
    """How far the policy is from where the tokens were drawn, per token."""
    difference_T = (logprobs_T - rollout_T).abs()
    return {"lag": difference_T, "lag_k3": k3(rollout_T, logprobs_T), "lag_outside": difference_T > np.log(2)}


def lag_figures(tally: Tally) -> dict[str, float | None]:
    """Mean and largest |log ratio|, k3 of the ratio, and the share of tokens whose ratio is outside [0.5, 2]."""
    return {
        "lag_mean": tally.mean("lag"),
        "lag_max": tally.largest.get("lag"),
        "lag_k3": tally.mean("lag_k3"),
        "lag_outside": tally.mean("lag_outside"),
    }


def _reference(reference: PreTrainedModel | None, each: Pack, objective: Objective) -> Tensor | None:
    if reference is None:
        return None
    with torch.no_grad():
        return chosen(reference, each, temperature=objective.temperature).logprobs_T
