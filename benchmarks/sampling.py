"""Samples and tokens per kept sample of adaptive sampling, beside a fixed number, a naive rule and an oracle, on the same draws.

    python -m benchmarks.sampling                     # the shared half of the data
    DATAENGINE_SHARED=/other/half python -m benchmarks.sampling --seeds 20
    python -m benchmarks.sampling --plan              # what a run is planned with: samples per kept one, kept per prompt

The product's own `Spending` runs over simulated outcomes: prompt i's sample k is accepted when a number drawn from (seed, i, k) lies
below its pass rate, so that all rules see the same responses. Pass rates are those of recorded problems with 8 or more verdicts.

Every figure is relative to 16 samples of each prompt, at most 4 accepted ones of a prompt being kept:
- cost: (generated / kept) / (generated / kept of fixed 16), in samples and in tokens;
- kept, covered: kept samples, and prompts with one or more, relative to fixed 16.
The oracle knows each pass rate: it never asks a prompt whose rate is 0, and asks any other until 4 are accepted or 64 asked. The naive
rule stops at 4 accepted, at 16 asked, or after 12 of which none was accepted.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard
from numpy.typing import NDArray

from dataengine.sampling.spending import Adaptive, Fixed, Outcome, Policy, Prompt, Spending

WANT, AT_MOST, FIXED, LONGEST = 4, 64, 16, 32_768
SOURCES = ("out_skythought", "out_qwen_math_8samples")


@dataclass(frozen=True)
class Case:
    """One table line: pass rates, what tells the prompts apart, and how long responses are."""

    name: str
    rates: Sequence[float]
    strata: Sequence[tuple[str, ...]]
    lengths: str = "equal"


@dataclass(frozen=True)
class Draws:
    """What every sample of every prompt would be. [P, K]"""

    accepted: NDArray[np.bool_]
    tokens: NDArray[np.int64]
    truncated: NDArray[np.bool_]


@dataclass(frozen=True)
class Spent:
    """What a rule made of the draws: samples, tokens, kept, covered."""

    samples: float
    tokens: float
    kept: float
    covered: float


def recorded(folder: Path, source: str) -> tuple[list[float], list[tuple[str, ...]]]:
    """Pass rate and data set of each problem with 8 or more verdicts."""
    verdicts: dict[str, list[bool]] = defaultdict(list)
    stratum: dict[str, tuple[str, ...]] = {}
    with (folder / f"{source}.jsonl.zst").open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as raw:
        for line in io.TextIOWrapper(raw, encoding="utf-8"):
            row = json.loads(line)
            if row["verdict"] is not None:
                verdicts[row["problem"]].append(row["verdict"])
                stratum[row["problem"]] = (row["dataset"],)
    often = [problem for problem in verdicts if len(verdicts[problem]) >= 8]
    return [sum(verdicts[problem]) / len(verdicts[problem]) for problem in often], [stratum[problem] for problem in often]


def cases(folder: Path, *, drawn: int) -> list[Case]:
    """Each source as it is and drawn with replacement to `drawn` prompts, with every twist that the issue names."""
    made = []
    for source in SOURCES:
        rates, strata = recorded(folder, source)
        dice = random.Random(source)
        many = dice.choices(range(len(rates)), k=drawn)
        untold = [()] * max(len(rates), drawn)
        for size, rows in ((len(rates), range(len(rates))), (drawn, many)):
            mine = [rates[row] for row in rows]
            mixed = [rate ** (1, 4, 16)[at % 3] for at, rate in enumerate(mine)]
            columns = [(f"set {at % 3}",) for at in range(size)]
            made += [
                Case(f"{source}, {size}", mine, untold[:size]),
                Case(f"{source}, {size}, data set told", mine, [strata[row] for row in rows]),
                Case(f"{source}, {size}, p^4", [rate**4 for rate in mine], untold[:size]),
                Case(f"{source}, {size}, wrong ones long", mine, untold[:size], "wrong ones long"),
                Case(f"{source}, {size}, p^4, wrong ones long", [rate**4 for rate in mine], untold[:size], "wrong ones long"),
                Case(f"{source}, {size}, a third each p, p^4, p^16, strata told", mixed, columns),
                Case(f"{source}, {size}, a third each p, p^4, p^16, untold", mixed, untold[:size]),
            ]
    return made


def draw(case: Case, seed: int) -> Draws:
    """Every response that could be asked for."""
    made = np.random.default_rng(seed)
    rates = np.array(case.rates)[:, None]
    accepted = made.random((len(rates), AT_MOST)) < rates
    if case.lengths == "equal":
        tokens = np.full(accepted.shape, 1000)
    else:
        noise = made.normal(size=accepted.shape)
        tokens = np.where(accepted, 3000 * np.exp(0.5 * noise), 9000 * np.exp(0.7 * noise)).astype(np.int64)
    truncated = (tokens >= LONGEST) & ~accepted
    return Draws(accepted, np.minimum(tokens, LONGEST), truncated)


def run(policy: Policy, case: Case, draws: Draws, *, in_flight: int, seed: int) -> Spent:
    """The product's decision machine, outcomes coming back in random order."""
    prompts = [Prompt(f"{seed}/{at}", stratum) for at, stratum in enumerate(case.strata)]
    spending, dice = Spending(prompts, policy), random.Random(seed)
    flying: list[tuple[int, int, int | None]] = []
    accepted = [0] * len(prompts)
    while not spending.finished:
        while len(flying) < in_flight and (asked := spending.asks()):
            flying += [(ask.prompt, sample, ask.max_tokens) for ask in asked for sample in ask.samples]
        if not flying:
            continue
        at = dice.randrange(len(flying))
        flying[at], flying[-1] = flying[-1], flying[at]
        prompt, sample, cap = flying.pop()
        right, tokens = bool(draws.accepted[prompt, sample]), int(draws.tokens[prompt, sample])
        if cap is not None and tokens > cap:
            spending.tell(prompt, sample, Outcome(None, cap, truncated=True))
        else:
            spending.tell(prompt, sample, Outcome(right, tokens, bool(draws.truncated[prompt, sample])))
            accepted[prompt] += right
    figures = spending.figures()
    kept = [min(WANT, one) for one in accepted]
    return Spent(figures["asked"], figures["tokens"], sum(kept), sum(one > 0 for one in kept))


def stopped(draws: Draws, going_on: Callable[[NDArray[np.int64], int], NDArray[np.bool_]]) -> Spent:
    """A rule that asks one by one: `going_on(accepted so far of each prompt, samples so far)`."""
    accepted = np.zeros(len(draws.accepted), dtype=np.int64)
    alive = np.ones(len(accepted), dtype=bool)
    samples = tokens = 0
    for asked in range(AT_MOST):
        alive = alive & going_on(accepted, asked)
        samples += int(alive.sum())
        tokens += int(draws.tokens[alive, asked].sum())
        accepted += draws.accepted[:, asked] & alive
    kept = np.minimum(accepted, WANT)
    return Spent(samples, tokens, int(kept.sum()), int((kept > 0).sum()))


def rules(case: Case, draws: Draws, *, in_flight: int, seed: int) -> dict[str, Spent]:
    """Every rule on the same draws."""
    possible = np.array(case.rates) > 0
    return {
        "fixed": stopped(draws, lambda accepted, asked: np.full(len(accepted), asked < FIXED)),
        "naive": stopped(draws, lambda accepted, asked: (accepted < WANT) & (asked < FIXED) & ((accepted > 0) | (asked < 12))),
        "oracle": stopped(draws, lambda accepted, asked: (accepted < WANT) & possible),
        "adaptive": run(Adaptive(want=WANT, at_most=AT_MOST), case, draws, in_flight=in_flight, seed=seed),
    }


def mean_and_half(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half the 95 % interval of the mean (normal)."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return float(np.mean(values)), 1.96 * spread / math.sqrt(len(values))


def line(case: Case, *, seeds: int, in_flight: int) -> str:
    """One table line over the seeds."""
    seen: dict[str, list[float]] = defaultdict(list)
    for seed in range(seeds):
        spent = rules(case, draw(case, seed), in_flight=in_flight, seed=seed)
        fixed = spent.pop("fixed")
        for rule, one in spent.items():
            seen[f"{rule} samples"].append(one.samples / one.kept * fixed.kept / fixed.samples)
            seen[f"{rule} tokens"].append(one.tokens / one.kept * fixed.kept / fixed.tokens)
        mine, oracle = spent["adaptive"], spent["oracle"]
        seen["kept"].append(mine.kept / fixed.kept)
        seen["covered"].append(mine.covered / fixed.covered)
        seen["to oracle"].append(mine.tokens / mine.kept * oracle.kept / oracle.tokens)
    cells = [case.name, *(f"{np.mean(seen[name]):.3f}" for name in ("naive tokens", "oracle tokens"))]
    for name in ("adaptive samples", "adaptive tokens", "to oracle", "kept", "covered"):
        mean, half = mean_and_half(seen[name])
        cells.append(f"{mean:.3f} ± {half:.3f}")
    return "| " + " | ".join(cells) + " |"


def plans(folder: Path, *, drawn: int) -> list[Case]:
    """Pass rates from easy to hard, drawn with replacement to `drawn` prompts."""
    made = []
    for source, power in ((SOURCES[1], 1), (SOURCES[0], 1), (SOURCES[0], 4), (SOURCES[0], 16)):
        rates = [rate**power for rate in random.Random(source).choices(recorded(folder, source)[0], k=drawn)]
        made.append(Case(f"{source}{f', p^{power}' if power > 1 else ''}", rates, [()] * drawn))
    return made


def plan_line(case: Case, *, seeds: int, in_flight: int) -> str:
    """What a run over prompts like these is planned with."""
    spent = [run(Adaptive(want=WANT, at_most=AT_MOST), case, draw(case, seed), in_flight=in_flight, seed=seed) for seed in range(seeds)]
    cells = [case.name, f"{np.mean(case.rates):.2f}", f"{np.mean([rate == 0 for rate in case.rates]):.2f}"]
    for values in ([one.samples / one.kept for one in spent], [one.kept / len(case.rates) for one in spent]):
        cells.append(f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}")
    return "| " + " | ".join(cells) + " |"


def check_fixed(case: Case) -> None:
    """The product's `Fixed` asks exactly as many as the column it is compared with."""
    spent = run(Fixed(samples=FIXED), case, draw(case, 0), in_flight=256, seed=0)
    assert spent.samples == FIXED * len(case.rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("DATAENGINE_SHARED", "../shared")))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--drawn", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--only", default="", help="part of the case names to run")
    parser.add_argument("--plan", action="store_true", help="print samples per kept one and kept per prompt instead")
    settings = parser.parse_args()
    if settings.plan:
        print("| pass rates | mean | share of 0 | samples per kept one | kept per prompt |\n|---|---:|---:|---:|---:|")
        for case in plans(settings.shared / "data", drawn=settings.drawn):
            print(plan_line(case, seeds=max(2, settings.seeds), in_flight=settings.in_flight), flush=True)
        return
    print("| case | naive | oracle | adaptive, samples | adaptive, tokens | / oracle | kept | covered |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases(settings.shared / "data", drawn=settings.drawn):
        if settings.only in case.name:
            check_fixed(case)
            print(line(case, seeds=settings.seeds, in_flight=settings.in_flight), flush=True)


if __name__ == "__main__":
    main()
