"""Rejection sampling that spends samples where they pay: generation, verification and decision at once, every response recorded.

The main folder holds the picked rows, at most `want` right ones a prompt; `rejected/` every other response, each with what dropped it;
`prompts/` one row for each prompt with its pass rate and why no more was asked. Which prompt gets how many samples is decided by
`dataengine/sampling/spending.py` (docs/sampling.md has the derivation) from outcomes alone: engine speed, order of arrival, number of
verifiers and kills change nothing, so the folder is the same to the byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.columns import RESPONSE, schema
from dataengine.generate import with_stops
from dataengine.inference.engine import Engine, Sampling
from dataengine.keep import Bar
from dataengine.names import close, nearest
from dataengine.progress import say
from dataengine.response_rows import SPLITS, SaidBy, response_rows
from dataengine.sampling.asking import Asking
from dataengine.sampling.pick import PICKS
from dataengine.sampling.prompt_blocks import PROMPTS, Block, blocks, read_landed
from dataengine.sampling.sample_parts import Kept, parts_of
from dataengine.sampling.sampler import Sampler
from dataengine.sampling.spending import PILOT_SAMPLES, Adaptive, Policy
from dataengine.sampling.verdicts import Verdicts
from dataengine.sampling.verifiers import DEADLINE, open_verifiers
from dataengine.shards import REJECTED
from dataengine.step import Model, Step
from dataengine.storage.responses import Responses
from dataengine.templates import Template
from dataengine.work import Work, warn


def sample(
    problems: Step,
    model: Model,
    *,
    accept: Sequence[Bar],
    template: Template,
    sampling: Sampling,
    want: int = 4,
    at_most: int = 64,
    budget: int | None = None,
    parts: str = "r1",
    policy: Policy | None = None,
    pick: str = "shortest",
    quotas: Mapping[str, int] | None = None,
    stratum: Sequence[str] = ("domain", "difficulty"),
    deadline: float = DEADLINE,
    name: str = "sample",
) -> Step:
    """At most `want` responses to each problem that pass every bar of `accept`, for as few generated tokens as it takes.

    Bars are tried in their order, the cheapest first is best: a row that fails one is not shown to the next. `budget` is in generated
    tokens; `quotas` maps a domain to the kept samples that are enough of it; `stratum` names columns (those that the problems have) whose
    prompts are expected to have alike pass rates. `pick` says which of several right responses are kept: shortest, random or diverse
    (`dataengine/sampling/pick.py`). `policy` replaces the adaptive rule that `want`, `at_most`, `budget` and `quotas` describe, for
    instance by `Fixed(samples=16)`. A response that was cut off is truncated, not wrong; a verifier has `deadline` seconds of CPU for one
    row.
    """
    if not accept:
        raise ValueError("sample wants at least one bar in accept: without a verdict there is nothing to reject by; use generate")
    names = [bar.scorer.name for bar in accept]
    if len(set(names)) != len(names):
        raise ValueError(f"accept names a scorer twice ({', '.join(names)}): a score is a column named after its scorer")
    for bar in accept:
        if bar.scorer.together:
            raise ValueError(f"{bar.scorer.name} compares rows with each other, and sample judges each as it comes: use it behind sample")
    if parts not in SPLITS:
        raise ValueError(f"parts is one of {', '.join(SPLITS)}; got {parts!r}")
    if pick not in PICKS:
        raise ValueError(f"pick is one of {', '.join(PICKS)}; got {pick!r}")
    spent = policy or Adaptive(want=want, at_most=at_most, budget=budget, quotas=dict(quotas or {}))
    settings = {
        "accept": list(accept),
        "want": spent.want if isinstance(spent, Adaptive) else want,
        "policy": type(spent).__name__,
        "spending": spent,
        "template": template,
        "sampling": sampling,
        "parts": parts,
        "pick": pick,
        "stratum": list(stratum),
        "deadline": deadline,
    }
    return Step(name=name, make=_make, inputs={"problems": problems, "model": model}, settings=settings, version="3")


def _make(work: Work) -> None:
    ask = work.settings
    template, sampling, bars = ask["template"], with_stops(ask["sampling"], ask["template"]), ask["accept"]
    _check_quotas(ask["spending"], work)
    _check_budget(ask["spending"], sampling, work)
    said_by = SaidBy(template=template, parts=ask["parts"], sampling=sampling)
    kept = Kept(name=work.name, bars=bars, want=ask["want"], pick=ask["pick"], stops=isinstance(ask["spending"], Adaptive))
    columns = _columns(work.inputs["problems"])
    longest = sampling.max_tokens + _longest_prompt(work.inputs["problems"], template)
    judge = open_verifiers(bars, columns={**columns, **schema(RESPONSE)}, machine=work.machine, deadline=ask["deadline"])
    try:
        with (
            work.engine(longest=longest) as engine,
            Responses(work.root, revision=engine.revision, sampling=sampling) as responses,
            Verdicts(work.root, of=responses.name, bars=bars) as verdicts,
            work.bar(total=None, unit="responses") as bar,
        ):

            def land(block: Block) -> None:
                asked = [_asked(block, index, template) for index in range(block.first, block.first + len(block.problems))]
                made = parts_of(block, response_rows(block.problems, asked, responses, said_by=said_by), kept)
                responses.sync()
                verdicts.sync()
                for part in (REJECTED, PROMPTS, ""):  # the main shard lands last: it says that the block is done
                    work.land(f"{part}/{block.file}".lstrip("/"), made[part])

            sampler = Sampler(
                _with_landed(blocks(work.inputs["problems"]), work),
                number=shards.scan(work.inputs["problems"]).select(pl.len()).collect().item(),
                policy=ask["spending"],
                kept=kept,
                stratum=ask["stratum"],
                said_by=said_by,
                asking=Asking(engine, responses, sampling),
                judge=judge,
                verdicts=verdicts,
                land=land,
                bar=bar,
            )
            try:
                asyncio.run(sampler.run())
            finally:
                _tell_spent(work.name, engine)
    finally:
        judge.close()
    if not any("/" not in file for file in work.landed):
        _land_nothing(work, columns, kept)
    work.notes["sampling"] = _figures(sampler)


def _columns(problems: Path) -> dict[str, Any]:
    return dict(shards.scan(problems).collect_schema())


def _check_quotas(policy: Policy, work: Work) -> None:
    """A misspelt bucket would leave the one that was meant without an end: ValueError; one that no problem is in may be meant so."""
    quotas, columns = policy.quotas if isinstance(policy, Adaptive) else {}, _columns(work.inputs["problems"])
    if not quotas or "domain" not in columns:
        return
    found = shards.scan(work.inputs["problems"]).select(pl.col("domain").fill_null("").unique()).collect()["domain"].to_list()
    for bucket in sorted(quotas.keys() - set(found)) if found else ():
        if close(bucket, set(found) - quotas.keys()):
            raise ValueError(f"quotas name {bucket!r}, and no problem has that domain. {nearest(bucket, found)}")
        warn(f"{work.name}: quotas name {bucket!r}, and no problem has that domain, so nothing can meet it. {nearest(bucket, found)}")


def _check_budget(policy: Policy, sampling: Sampling, work: Work) -> None:
    """The first round is asked whatever the budget: only it tells how long a response is."""
    budget, most = (policy.budget if isinstance(policy, Adaptive) else None), PILOT_SAMPLES * sampling.max_tokens
    if budget is not None and budget < most:
        warn(
            f"{work.name}: a budget of {budget:,} tokens may be overrun by the first round, asked to learn how long responses are: "
            f"{PILOT_SAMPLES} of them, each of {sampling.max_tokens:,} tokens at most. Ask for {most:,} or more, or for shorter responses"
        )


def _longest_prompt(problems: Path, template: Template) -> int:
    """Bytes of the problem with the most text, as rendered; no token is shorter. Only lengths are read of all the others."""
    size = pl.col("messages").list.eval(pl.element().struct.field("content").str.len_bytes()).list.sum()
    longest: tuple[int, list[dict[str, str]]] = (-1, [])
    for path in shards.shard_paths(problems):
        rows = pl.scan_parquet(path)
        found = rows.select(size=size).with_row_index().top_k(1, by="size").collect()
        if len(found) and (found["size"][0] or 0) > longest[0]:
            longest = found["size"][0] or 0, rows.slice(found["index"][0], 1).select("messages").collect()["messages"][0].to_list()
    return len(template.render(longest[1]).encode()) if longest[1] else 0


def _with_landed(given: Iterator[Block], work: Work) -> Iterator[Block]:
    """Blocks that know what an earlier attempt has landed of them."""
    for block in given:
        if all(f"{part}/{block.file}".lstrip("/") in work.landed for part in ("", REJECTED, PROMPTS)):
            block.landed = read_landed(work.folder, block)
        yield block


def _asked(block: Block, index: int, template: Template) -> tuple[str, range]:
    return template.render(block.problem(index)["messages"]), range(block.decided[index].samples)


def _land_nothing(work: Work, columns: Mapping[str, Any], kept: Kept) -> None:
    """An empty input makes an empty folder that has its columns."""
    block = Block(0, 0, pl.DataFrame(schema=dict(columns)))
    rows = pl.DataFrame(schema={**{name: dtype for name, dtype in columns.items() if name not in schema(RESPONSE)}, **schema(RESPONSE)})
    for part, made in parts_of(block, rows, kept).items():
        work.land(f"{part}/{block.file}".lstrip("/"), made)


def _tell_spent(name: str, engine: Engine) -> None:
    """What this run has cost, where the engine counts it; what was stored before costs nothing, so it is no part of the folder."""
    spent = getattr(engine, "spent", None)
    if spent is not None and spent.responses:
        counted = "" if spent.counted else " (guessed: the server does not tell)"
        money = f", {spent.money:,.2f} at the prices given" if spent.money else ""
        tokens = f"{spent.prompt_tokens:,} tokens in, {spent.response_tokens:,} out{counted}"
        say(f"{name}: {spent.responses:,} responses, {spent.asked_again:,} requests again, {tokens}{money}")


def _figures(sampler: Sampler) -> dict[str, Any]:
    """What goes into the manifest: functions of the outcomes alone."""
    return {
        **sampler.spending.figures(),
        "decisions": dict(sorted(sampler.decisions.items())),
        "finish_reasons": dict(sorted(sampler.finish_reasons.items())),
    }
