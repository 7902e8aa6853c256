"""What the records so far say, frozen: for each stratum when to stop, what a response costs, and where to cut a long one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from dataengine.sampling.learned_rates import RATES, Rates, Stratum
from dataengine.sampling.response_lengths import Ending, Lengths, cap, costs
from dataengine.sampling.stopping import Goal, Mixed, Plan, Stopping


@dataclass(slots=True)
class Tally:
    """The records of some prompts in sum: no prompt is kept, and the order they came in leaves no trace."""

    records: dict[Stratum, dict[tuple[int, int], int]] = field(default_factory=dict)
    """stratum -> (accepted, missed) -> prompts"""
    lengths: dict[Stratum, Lengths] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    """bucket -> kept samples"""
    tokens: int = 0

    def add(self, stratum: Stratum, *, accepted: int, missed: int, responses: Iterable[tuple[Ending, int]]) -> None:
        """One prompt's record more."""
        of_stratum = self.records.setdefault(stratum, {})
        of_stratum[accepted, missed] = of_stratum.get((accepted, missed), 0) + 1
        lengths = self.lengths.setdefault(stratum, Lengths())
        for ending, tokens in responses:
            lengths.add(ending, tokens)
            self.tokens += tokens

    def add_all(self, others: Iterable[Tally]) -> Tally:
        """Everything that the others hold, too."""
        for other in others:
            for stratum, records in other.records.items():
                mine = self.records.setdefault(stratum, {})
                for record, times in records.items():
                    mine[record] = mine.get(record, 0) + times
            for stratum, lengths in other.lengths.items():
                self.lengths.setdefault(stratum, Lengths()).add_all([lengths])
            for bucket, kept in other.kept.items():
                self.kept[bucket] = self.kept.get(bucket, 0) + kept
            self.tokens += other.tokens
        return self


class Known:
    """Plans, costs and caps that follow from a tally; a function of the tally alone."""

    def __init__(
        self,
        tally: Tally,
        goal: Goal,
        *,
        patience: float | None,
        tokens_per_prompt: float | None = None,
        kept_per_prompt: Mapping[str, float] | None = None,
    ) -> None:
        self.rates = Rates(tally.records)
        groups = self.rates.groups
        number = {group: at for at, group in enumerate(groups)}
        prompts = np.zeros(len(groups), dtype=np.int64)  # whole numbers: their sum has no order
        for stratum, records in tally.records.items():
            prompts[number[self.rates.group_of(stratum)]] += sum(records.values())
        weight = prompts.astype(np.float64) + 1e-9
        lengths = {group: _within(tally.lengths, group) for group in groups}
        tokens = np.array([costs(lengths[group], lengths[()]) for group in groups])
        self.unit = sum(lengths[()].tokens.values()) / lengths[()].responses if lengths[()].responses else 1.0
        """Tokens of an average response; 1 before any is known."""
        self.unit = max(self.unit, 1.0)
        shares = [np.maximum(tokens[:, at] / self.unit, 1e-6) for at in (0, 1)]
        rates = np.stack([self.rates.of(group) for group in groups])
        stopping = Stopping(goal, rates, weight_G=weight, accepted_cost_G=shares[0], other_cost_G=shares[1])
        self._mixed = dict(zip(groups, self._plans(stopping, groups, tokens_per_prompt, kept_per_prompt or {}), strict=True))
        self._costs = (
            dict(zip(groups, (shares[0] * self.unit).tolist(), strict=True)),
            dict(zip(groups, (shares[1] * self.unit).tolist(), strict=True)),
        )
        self._caps = {group: None if patience is None else _cap(lengths, group, patience) for group in groups}
        self.cost_per_prompt = float(sum(self._mixed[group].cost * weight[at] for group, at in number.items()) / weight.sum() * self.unit)
        """Expected tokens of a prompt."""

    def _plans(
        self, stopping: Stopping, groups: list[Stratum], tokens_per_prompt: float | None, kept_per_prompt: Mapping[str, float]
    ) -> list[Mixed]:
        """Those that the promises ask for, or, where the budget has less than they cost, those that it can pay."""
        raised = np.zeros(len(groups))
        for bucket, kept in sorted(kept_per_prompt.items()):
            members = np.array([group[:1] == (bucket,) for group in groups])
            if members.any():
                raised = np.where(members, stopping.price_to_keep(kept, members), raised)
        wanted = stopping.as_good_as_fixed(raised)
        cost = float(sum(mixed.cost * weight for mixed, weight in zip(wanted, stopping.weight_G, strict=True)))
        if tokens_per_prompt is None or cost * self.unit <= tokens_per_prompt:
            return wanted
        return stopping.within(max(tokens_per_prompt, 0.0) / self.unit, raised)

    def mixed(self, stratum: Stratum) -> Mixed:
        """What is planned for, and expected of, a prompt of this stratum."""
        return self._mixed[self.rates.group_of(stratum)]

    def plan(self, stratum: Stratum, coin: float) -> Plan:
        """When to stop a prompt of this stratum."""
        return self.mixed(stratum).of(coin)

    def cap(self, stratum: Stratum) -> int | None:
        """Where to cut a response of this stratum, if anywhere."""
        return self._caps[self.rates.group_of(stratum)]

    def why_stop(self, stratum: Stratum, plan: Plan, *, accepted: int, missed: int) -> str:
        """The posterior's numbers behind a stop."""
        group = self.rates.group_of(stratum)
        n = accepted + missed
        chance = plan.chance[n][accepted]
        fits = self.rates.of(group) * RATES**accepted * (1 - RATES) ** missed
        below = float(RATES[min(int(np.searchsorted(np.cumsum(fits) / fits.sum(), 0.95)), len(RATES) - 1)])
        cost = chance * self._costs[0][group] + (1 - chance) * self._costs[1][group]
        worth = plan.price.kept + (plan.price.first if not accepted else 0.0)
        return (
            f"pass rate {chance:.3f} (95 % below {below:.3f}): a kept sample more would take "
            f"{cost / self.unit / max(chance, 1e-9):,.0f} average responses, {worth:,.1f} are paid for it"
        )


def _within(lengths: Mapping[Stratum, Lengths], group: Stratum) -> Lengths:
    return Lengths().add_all(own for stratum, own in sorted(lengths.items()) if stratum[: len(group)] == group)


def _cap(lengths: Mapping[Stratum, Lengths], group: Stratum, patience: float) -> int | None:
    """The group's own cap, or that of the nearest parent with responses enough to tell."""
    while group and not lengths[group].enough_for_a_cap:
        group = group[:-1]
    return cap(lengths[group], patience=patience)
