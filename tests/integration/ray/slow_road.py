"""Roads that are held in the middle, so that a node is lost there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from dataengine.cluster.ray_verifiers import RayVerifiers
from dataengine.generate import generate
from dataengine.inference.engine import Sampling
from dataengine.keep import Bar, keep, score
from dataengine.machine import Machine, Vllm
from dataengine.run import run
from dataengine.sample import sample
from dataengine.sampling.verifiers import open_verifiers
from dataengine.score import Score, batch_scorer, scorer
from dataengine.sources import rows
from dataengine.step import Model, Step
from dataengine.templates import QUESTION
from dataengine.work import Work
from tests.dataengine import roads
from tests.integration.ray.held_engine import hold_engines, wait_for_all
from tests.integration.ray.hold import pass_by

SHARDS, ROWS = 12, 500


def make_texts(work: Work) -> None:
    """Twelve shards of texts."""
    for shard in range(SHARDS):
        if f"{shard:05d}.parquet" not in work.landed:
            made = [{"response": f"{number * 7919 % 100_003} and {number}"} for number in range(shard * ROWS, (shard + 1) * ROWS)]
            work.land(f"{shard:05d}.parquet", pl.DataFrame(made))


@batch_scorer
def held_sevens(response: pl.Series, *, hold: str, most: int) -> Iterator[Score]:
    """How many sevens; past so many rows it waits until the test lets it go on."""
    pass_by(Path(hold), len(response), most=most)
    for text in response.to_list():
        yield Score(float(text.count("7") > 0), f"{text.count('7')} sevens")


@scorer
def broken(response: str) -> Score:
    """Says nothing of anything."""
    raise KeyError(response)


def filtered(hold: str) -> Step:
    """Shards through a filter and a score; the filter is held at the sixth."""
    kept = keep(Step(name="texts", make=make_texts), held_sevens.with_(hold=hold, most=5 * ROWS), name="sevens")
    return score(kept, [roads.short_of_e], name="scored")


def bad() -> Step:
    """A filter that cannot judge anything."""
    return keep(Step(name="texts", make=make_texts), broken)


def judged(address: str, answers: Path, hold: str) -> None:
    """Rows through the verifiers of all nodes, one after the other from twenty askers; the scores go into a file as they come."""
    machine, bars = Machine(on="ray", ray_address=address), [Bar(scorer=held_sevens.with_(hold=hold, most=100))]
    pool = open_verifiers(bars, columns={"response": pl.String, "other": pl.Int64}, machine=machine, deadline=600)
    assert isinstance(pool, RayVerifiers)
    wait_for_all(pool._team)
    texts = [f"{number * 7919 % 100_003}" for number in range(400)]

    async def ask(waiting: Iterator[str]) -> None:
        for text in waiting:
            found = await pool.judge({"response": text, "other": 1})
            with answers.open("a") as file:
                file.write(json.dumps([text, found["held_sevens"].value, found["held_sevens"].reason]) + "\n")

    async def ask_all() -> None:
        waiting = iter(texts)
        await asyncio.gather(*(ask(waiting) for _ in range(20)))

    try:
        asyncio.run(ask_all())
    finally:
        pool.close()


def asked(model: Path) -> Step:
    """What the little model says to questions that are asked until two answers pass, or eight did not."""
    rollouts = roads.rollouts(model, prompts=60)
    problems, same = rollouts.inputs["problems"], {name: rollouts.settings[name] for name in ("template", "sampling")}
    return sample(problems, Model.at(model), accept=[Bar(scorer=roads.short_of_e)], want=2, at_most=8, name="asked", **same)


def served(model: Path) -> Step:
    """What servers say to many questions; with a stand-in for vLLM, a function of each request."""
    questions = rows([{"question": f"{number} + {number}?", "answer": str(2 * number)} for number in range(60)])
    return generate(questions, Model.at(model), samples=8, template=QUESTION, sampling=Sampling(max_tokens=40), name="served")


def main(what: str, root: str, address: str, model: str, python: str, hold: str) -> None:
    """One of the roads, on a cluster where an address is given, by servers of vLLM where its interpreter is, held in that folder."""
    machine = Machine(
        workers=1,
        slots=8,
        on="ray" if address else "local",
        ray_address=address or "auto",
        vllm=Vllm(python=python, sequences=8, deaths=1, start_seconds=600, silent_seconds=600),
    )
    if what == "judged":
        judged(address, Path(root), hold)
        return
    if what == "asked":
        hold_engines(Path(hold))
    steps = {
        "filtered": lambda: filtered(hold),
        "asked": lambda: asked(Path(model)),
        "served": lambda: served(Path(model)),
        "bad": bad,
    }
    run(steps[what](), Path(root), machine=machine)
