"""What distribution of pass rates a stratum's prompts have, learned from the records of the prompts before.

T: grid of pass rates.  G: groups (strata that are known well enough to have a distribution of their own).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Stratum = tuple[str, ...]
Counts = Mapping[tuple[int, int], int]
"""(accepted, not accepted) of one prompt -> how many prompts have that record."""

NEVER = 0.1
"""Share of prompts that no number of samples answers (a wrong reference, beyond the model), before anything is known."""
STRENGTH = 4.0
"""How many prompts' records the distribution of the parent weighs."""
PROMPTS_OF_A_GROUP = 16
"""A stratum with fewer complete records is taken for its parent."""
ROUNDS = 200
"""Of EM: enough for the plans to stand still."""

_LOGIT_T = np.linspace(-6.5, 6.5, 41)
RATES: Floats = np.concatenate(([0.0], 1.0 / (1.0 + np.exp(-_LOGIT_T))))
"""0, then 0.0015 to 0.9985 in even steps of log odds. [T]"""


def before_any_record() -> Floats:
    """One prompt in ten is never answered, the rest spread evenly over (0, 1): Laplace's rule with an atom at zero. [T]"""
    edges = np.concatenate(([0.0], (RATES[1:-1] + RATES[2:]) / 2, [1.0]))
    return np.concatenate(([NEVER], (1 - NEVER) * np.diff(edges)))


def likelihood(accepted: NDArray[np.int64], missed: NDArray[np.int64]) -> Floats:
    """P(record | pass rate) up to a factor per record, the largest of a row being 1. [..., T]"""
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.where(accepted[..., None] > 0, accepted[..., None] * np.log(RATES), 0.0) + missed[..., None] * np.log1p(-RATES)
    return np.exp(log - log.max(axis=-1, keepdims=True))


def learned(counts: Counts, before: Floats, *, strength: float = STRENGTH) -> Floats:
    """The distribution behind the records: EM towards its penalised maximum likelihood, Dirichlet(1 + strength * before). [T]"""
    if not counts:
        return before
    records = np.array(sorted(counts), dtype=np.int64)
    times = np.array([counts[accepted, missed] for accepted, missed in records.tolist()], dtype=np.float64)
    fits = likelihood(records[:, 0], records[:, 1])
    now = before
    for _ in range(ROUNDS):
        share = fits * now
        now = strength * before + (times / share.sum(axis=1)) @ share
        now /= now.sum()
    return now


class Rates:
    """A distribution for every stratum: its own where it is known well enough, shrunk towards its parent's, up to all prompts."""

    def __init__(self, records: Mapping[Stratum, Counts]) -> None:
        self._of: dict[Stratum, Floats] = {}
        nodes: dict[Stratum, dict[tuple[int, int], int]] = {(): {}}
        for stratum in sorted(records):
            for depth in range(len(stratum) + 1):
                node = nodes.setdefault(stratum[:depth], {})
                for record, times in records[stratum].items():
                    node[record] = node.get(record, 0) + times
        self._of[()] = learned(nodes[()], before_any_record())
        for stratum in sorted(nodes, key=lambda at: (len(at), at))[1:]:
            if sum(nodes[stratum].values()) >= PROMPTS_OF_A_GROUP and stratum[:-1] in self._of:
                self._of[stratum] = learned(nodes[stratum], self._of[stratum[:-1]])
        self.prompts = {group: sum(nodes[group].values()) for group in self._of}

    @property
    def groups(self) -> list[Stratum]:
        """Every stratum (and parent) with a distribution of its own; () is all prompts together."""
        return sorted(self._of)

    def group_of(self, stratum: Stratum) -> Stratum:
        """The nearest of a stratum and its parents that has a distribution of its own."""
        while stratum not in self._of:
            stratum = stratum[:-1]
        return stratum

    def of(self, group: Stratum) -> Floats:
        """The group's distribution. [T]"""
        return self._of[group]
