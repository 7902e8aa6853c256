"""One row per sample: a fixed number of responses to every prompt, each made at most once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import polars as pl

from dataengine.columns import RESPONSE, schema
from dataengine.inference.engine import Engine, Sampling
from dataengine.progress import Bar
from dataengine.responses import Responses
from dataengine.step import Model, Step
from dataengine.templates import Template, split_r1, split_zero
from dataengine.work import Work

SHARD_PROMPTS = 1_000
IN_FLIGHT = 2
"""Responses asked for at the same time, as a multiple of what the engine decodes at once."""


def generate(
    problems: Step, model: Model, *, samples: int, template: Template, sampling: Sampling, parts: str = "r1", name: str = "generate"
) -> Step:
    """`samples` responses to every problem, in the problems' order.

    `parts` says how reasoning and summary are told apart: `zero` (think and answer tags) or `r1` (thoughts, then a summary).
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    if parts not in SPLITS:
        raise ValueError(f"parts is one of {', '.join(SPLITS)}; got {parts!r}")
    settings = {"samples": samples, "template": template, "sampling": sampling, "parts": parts}
    return Step(name=name, make=_make, inputs={"problems": problems, "model": model}, settings=settings)


SPLITS: dict[str, Callable[[str], tuple[str | None, str | None]]] = {"zero": split_zero, "r1": split_r1}


def _make(work: Work) -> None:
    template, sampling = work.settings["template"], work.settings["sampling"]
    sampling = with_stops(sampling, template)
    numbers = range(work.settings["samples"])
    problems = work.rows("problems")
    prompts = [template.render(messages) for messages in problems["messages"].to_list()]
    longest = sampling.max_tokens + max((len(prompt.encode()) for prompt in prompts), default=0)  # no token is shorter than a byte
    with work.engine(longest=longest) as engine, Responses(work.root, revision=engine.revision, sampling=sampling) as responses:
        missing = [(prompt, todo) for prompt in dict.fromkeys(prompts) if (todo := responses.missing(prompt, numbers))]
        with work.bar(total=sum(len(todo) for _, todo in missing), unit="responses") as bar:
            asyncio.run(_ask_all(engine, responses, missing, sampling, bar))
        responses.sync()
        for number, part in enumerate(_slices(problems, prompts)):
            if f"{number:05d}.parquet" not in work.landed:
                work.land(f"{number:05d}.parquet", _rows(*part, responses, settings=work.settings, sampling=sampling, engine=engine))


def with_stops(sampling: Sampling, template: Template) -> Sampling:
    """The sampling with the template's stop texts added."""
    return replace(sampling, stop=tuple(dict.fromkeys((*sampling.stop, *template.stop))))


async def _ask_all(engine: Engine, responses: Responses, missing: Sequence[tuple[str, list[int]]], sampling: Sampling, bar: Bar) -> None:
    """Ask for everything that is missing, with a bounded number in flight; the first failure stops the rest."""
    room = asyncio.Semaphore(max(1, IN_FLIGHT * engine.capacity // max((len(todo) for _, todo in missing), default=1)))

    async def ask(prompt: str, todo: list[int]) -> None:
        async with room, aclosing(engine.respond(prompt, sampling, todo)) as answers:  # type: ignore[type-var]  # async generators close
            async for response in answers:
                responses.add(prompt, response, sampling.seed_of(prompt, response.sample))
                bar.advance()

    try:
        async with asyncio.TaskGroup() as group:
            for prompt, todo in missing:
                group.create_task(ask(prompt, todo))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


def _slices(problems: pl.DataFrame, prompts: Sequence[str]) -> Iterator[tuple[pl.DataFrame, Sequence[str]]]:
    for start in range(0, len(problems), SHARD_PROMPTS):
        yield problems[start : start + SHARD_PROMPTS], prompts[start : start + SHARD_PROMPTS]


def _rows(
    problems: pl.DataFrame, prompts: Sequence[str], responses: Responses, *, settings: Mapping[str, Any], sampling: Sampling, engine: Engine
) -> pl.DataFrame:
    split, prefill = SPLITS[settings["parts"]], settings["template"].prefill
    always = {
        "model": engine.model,
        "model_revision": engine.revision,
        "sampling": json.dumps(sampling.identity(), ensure_ascii=False, sort_keys=True),
    }
    found = []
    for prompt in prompts:
        for sample in range(settings["samples"]):
            row = responses.get(prompt, sample)
            text = None if row["finish_reason"] == "prompt_too_long" else prefill + row["response"]
            reasoning, summary = (None, None) if text is None else split(text)
            found.append({**row, **always, "prompt": prompt, "response": text, "reasoning": reasoning, "summary": summary})
    ours = schema(RESPONSE)
    made = pl.DataFrame([pl.Series(name, [row[name] for row in found], dtype=dtype) for name, dtype in ours.items()])
    asked = _repeat(problems, settings["samples"])
    return pl.concat([asked.drop([name for name in ours if name in asked.columns]), made], how="horizontal")


def _repeat(rows: pl.DataFrame, times: int) -> pl.DataFrame:
    return rows[[index for index in range(len(rows)) for _ in range(times)]]
