"""One row per sample: a fixed number of responses to every prompt, each made at most once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import polars as pl

from dataengine.inference.engine import Sampling
from dataengine.names import nearest
from dataengine.progress import Bar
from dataengine.response_rows import SPLITS, SaidBy, response_rows
from dataengine.sampling.asking import Asking, has_to_wait
from dataengine.step import Model, Step
from dataengine.storage.responses import Responses
from dataengine.templates import Template
from dataengine.work import Work

SHARD_PROMPTS = 1_000


def generate(
    problems: Step, model: Model, *, samples: int | str, template: Template, sampling: Sampling, parts: str = "r1", name: str = "generate"
) -> Step:
    """`samples` responses to every problem, in the problems' order; a text names the column that holds each problem's number.

    `parts` says how reasoning and summary are told apart: `zero` (think and answer tags) or `r1` (thoughts, then a summary).
    """
    if isinstance(samples, int) and samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    if parts not in SPLITS:
        raise ValueError(f"parts is one of {', '.join(SPLITS)}; got {parts!r}")
    settings = {"samples": samples, "template": template, "sampling": sampling, "parts": parts}
    return Step(name=name, make=_make, inputs={"problems": problems, "model": model}, settings=settings, version="2")


def _make(work: Work) -> None:
    template, sampling = work.settings["template"], work.settings["sampling"]
    sampling = with_stops(sampling, template)
    problems = work.rows("problems")
    counts = _counts(problems, work.settings["samples"])
    prompts = [template.render(messages) for messages in problems["messages"].to_list()]
    said_by = SaidBy(template=template, parts=work.settings["parts"], sampling=sampling)
    longest = sampling.max_tokens + max((len(prompt.encode()) for prompt in prompts), default=0)  # no token is shorter than a byte
    with work.engine(longest=longest) as engine, Responses(work.root, revision=engine.revision, sampling=sampling) as responses:
        wanted: dict[str, int] = {}
        for prompt, count in zip(prompts, counts, strict=True):
            wanted[prompt] = max(count, wanted.get(prompt, 0))
        missing = [(prompt, todo) for prompt, count in wanted.items() if (todo := responses.missing(prompt, range(count)))]
        with work.bar(total=sum(len(todo) for _, todo in missing), unit="responses") as bar:
            asyncio.run(_ask_all(Asking(engine, responses, sampling), missing, bar))
        responses.sync()
        for number, start in enumerate(range(0, max(1, len(problems)), SHARD_PROMPTS)):  # no problem at all: a shard with the columns alone
            part = slice(start, start + SHARD_PROMPTS)
            if f"{number:05d}.parquet" not in work.landed:
                asked = [(prompt, range(count)) for prompt, count in zip(prompts[part], counts[part], strict=True)]
                rows = response_rows(problems[part], asked, responses, said_by=said_by)
                work.land(f"{number:05d}.parquet", rows)


def with_stops(sampling: Sampling, template: Template) -> Sampling:
    """The sampling with the template's stop texts added."""
    return replace(sampling, stop=tuple(dict.fromkeys((*sampling.stop, *template.stop))))


async def _ask_all(asking: Asking, missing: Sequence[tuple[str, list[int]]], bar: Bar) -> None:
    """Ask for everything that is missing, with a bounded number in flight; the first failure stops the rest."""
    changed = asyncio.Event()

    async def ask(prompt: str, todo: list[int]) -> None:
        async with aclosing(asking.ask(prompt, todo)) as answers:
            async for _ in answers:
                bar.advance()
                changed.set()

    try:
        async with asyncio.TaskGroup() as group:
            for prompt, todo in missing:
                group.create_task(ask(prompt, todo))
                while await has_to_wait(asking, changed):
                    pass
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


def _counts(problems: pl.DataFrame, samples: int | str) -> list[int]:
    """How many responses each problem gets."""
    if isinstance(samples, int):
        return [samples] * len(problems)
    if samples not in problems.columns:
        raise ValueError(f"samples={samples!r} names no column of the problems. {nearest(samples, problems.columns)}")
    counts = problems[samples].to_list()
    for row, count in enumerate(counts):
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ValueError(
                f"samples={samples!r}: row {row} of the problems says {count!r} there, and a number of samples is a whole number, "
                "0 or more: fill the column in, or leave the row out"
            )
    return counts
