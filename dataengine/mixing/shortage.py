"""Which quotas of a mix are short, by how much, and which filter on the road cost each of them how many rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dataengine import shards
from dataengine.mixing.mix_keys import Keys
from dataengine.mixing.quotas import Quota
from dataengine.reporting.funnel import dropped_on_the_way, folders_before
from dataengine.work import warn

COSTS_SAID = 5
"""Steps named in one line; the manifest has all."""


def report_lines(
    quotas: Sequence[Quota], keys: Keys, *, taken: np.ndarray, twice: np.ndarray, inputs: Mapping[str, Path], root: Path
) -> list[dict[str, Any]]:
    """A line for each quota, as it goes into the manifest; `taken` are row numbers, `twice` says which rows are copies.

    `elsewhere` are rows that match too and are counted in an earlier quota; `dropped_before` is what filters cost a short one.
    """
    had_Q = np.bincount(keys.quota_R[~twice], minlength=len(quotas) + 1)[: len(quotas)]
    counted_Q = np.bincount(keys.quota_R, minlength=len(quotas) + 1)[: len(quotas)]
    taken_Q = np.bincount(keys.quota_R[taken], minlength=len(quotas) + 1)[: len(quotas)]
    lines = []
    for number, quota in enumerate(quotas):
        line: dict[str, Any] = {"bucket": quota.bucket, "wanted": quota.rows, "had": int(had_Q[number]), "taken": int(taken_Q[number])}
        line |= {"short": quota.rows - line["taken"], "dropped_before": []}
        if quota.at_most:
            line["at_most"] = True
        if elsewhere := int(keys.matched_Q[number] - counted_Q[number]):
            line["elsewhere"] = elsewhere
        tokens = keys.tokens_R[taken[keys.quota_R[taken] == number]]
        if len(tokens) and tokens.min() >= 0:
            line |= {"tokens": int(tokens.sum()), "mean_tokens": round(float(tokens.mean()), 1)}
        if quota.mean_tokens is not None:
            line["mean_tokens_expected"] = quota.mean_tokens
        lines.append(line)
    for part, folder in inputs.items():
        short = [number for number, quota in enumerate(quotas) if quota.part == part and lines[number]["short"] > 0]
        costs = dropped_on_the_way(folder, root, [quotas[number].where for number in short])
        for number, cost in zip(short, costs, strict=True):
            lines[number]["dropped_before"] = cost
    return lines


def report_text(lines: Sequence[Mapping[str, Any]]) -> str:
    """The quotas as a table for a terminal, and below it what is short and why."""
    width = max([6, *(len(line["bucket"]) for line in lines)])
    text = [f"{'quota':<{width}} {'wanted':>10} {'had':>10} {'taken':>10} {'short':>10} {'tokens/row':>10} {'expected':>10}"]
    for line in lines:
        tokens = [f"{line[key]:,.1f}" if key in line else "-" for key in ("mean_tokens", "mean_tokens_expected")]
        counts = [f"{line[key]:,}" for key in ("wanted", "had", "taken")] + ["-" if "at_most" in line else f"{line['short']:,}"]
        text.append(f"{line['bucket']:<{width}} " + " ".join(f"{each:>10}" for each in (*counts, *tokens)))
    return "\n".join([*text, *(f"short: {line}" for line in short_lines(lines))]) + "\n"


def short_lines(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is short, in words: `a/domain=math: wanted 9, had 4, short 5 (dropped before: 6 by share)`"""
    for line in lines:
        if line["short"] > 0 and "at_most" not in line:
            cost = "; ".join(_cost(each) for each in sorted(line["dropped_before"], key=lambda each: -each["rows"])[:COSTS_SAID])
            elsewhere = f", {line['elsewhere']:,} more are counted in an earlier quota" if "elsewhere" in line else ""
            yield (
                f"{line['bucket']}: wanted {line['wanted']:,}, had {line['had']:,}{elsewhere}, short {line['short']:,}"
                + (f" (dropped before: {cost})" if cost else "")
            )


def _cost(each: Mapping[str, Any]) -> str:
    unknown = f", of which {' and '.join(each['not_known'])} is not known" if each["not_known"] else ""
    return f"{each['rows']:,} by {each['dropped_by']}{unknown}"


def say_what_is_short(lines: Sequence[Mapping[str, Any]], *, stop: bool) -> None:
    """Warn of every short quota; ValueError instead where a short one is to stop the run."""
    said = list(short_lines(lines))
    if said and stop:
        raise ValueError(
            "the mix is short of its quotas:\n  " + "\n  ".join(said) + "\nMake more rows, lower a bar or a quota, or let it be short."
        )
    for line in said:
        warn(f"short quota, {line}")


def shortages(folder: Path, root: Path) -> list[str]:
    """What is short in every mix on the road to a finished folder, in words; empty where every quota is met."""
    return [
        f"{before.name}: {line}"
        for before in folders_before(folder, root)
        for line in short_lines(shards.read_manifest(before)["notes"].get("quotas", []))
    ]
