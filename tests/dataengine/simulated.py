"""An engine whose responses are functions of (prompt, sample) alone, at any speed and in any order; and the road that tests sample on.

`python -m tests.dataengine.simulated ROOT [SETTINGS as JSON]` samples that road, for tests that kill it.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.inference import choose
from dataengine.inference.engine import FinishReason, Response, Sampling
from dataengine.keep import Bar
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.sample import sample
from dataengine.sampling import prompt_blocks
from dataengine.sources import rows
from dataengine.step import Model, Step
from dataengine.templates import QUESTION
from dataengine.work import Work
from tests.dataengine import judging
from tests.dataengine.said import said


@dataclass(kw_only=True)
class Simulated:
    """Says right answers at each prompt's own rate, which is in its text: `1+2? (rate 0.3)`."""

    capacity: int = 16
    slots: bool = False
    """Whether only `capacity` responses are really made at a time; otherwise any number is, each at the same speed."""
    seconds: float = 0.0
    """For a median response."""
    tokens: int = 40
    """Of a median response."""
    stragglers: float = 0.0
    """Share of responses that are fifty times as long."""
    shuffled: int | None = None
    """Seed of pauses that mix up the order of arrival; None for none."""
    chatter: int = 0
    """More bytes of text in each response."""
    model: str = "simulated"
    revision: str = "simulated-1"
    version: str = "simulated 1"

    def __post_init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        """Every (prompt, sample) it was asked for, in order."""
        self.busy = 0.0
        """Seconds that responses took, added up."""
        self._slots: asyncio.Semaphore | None = None

    async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        self._slots = self._slots or asyncio.Semaphore(self.capacity)
        self.asked += [(prompt, one) for one in samples]
        made = [asyncio.ensure_future(self._one(prompt, sampling, one)) for one in samples]
        try:
            for done in asyncio.as_completed(made):
                yield await done
        finally:
            for one in made:
                one.cancel()

    async def _one(self, prompt: str, sampling: Sampling, number: int) -> Response:
        tokens, text = said(prompt, number, sampling.seed, tokens=self.tokens, stragglers=self.stragglers, chatter=self.chatter)
        cut = tokens > sampling.max_tokens
        tokens = min(tokens, sampling.max_tokens)
        reason: FinishReason = "length" if cut else "stop"
        pause = self.seconds * tokens / self.tokens
        if self.shuffled is not None:
            pause += 0.02 * random.Random(f"{self.shuffled} {prompt} {number}").random()
        assert self._slots
        async with self._slots if self.slots else asyncio.Semaphore():
            if pause:
                await asyncio.sleep(pause)
        self.busy += pause
        text = text[: len(text) * tokens // (4 * tokens)] if cut else text
        return Response(
            sample=number, token_ids=[7] * tokens, text=text, logprobs=[math.nan] * tokens, finish_reason=reason, prompt_tokens=len(prompt)
        )

    def close(self) -> None: ...


RATES = (0.95, 0.6, 0.3, 0.1, 0.02, 0.0)


def problems(count: int, *, name: str = "problems") -> Step:
    """Sums whose pass rate goes by their difficulty; every ninth has no reference."""
    made = []
    for n in range(count):
        rate, domain = RATES[n % len(RATES)], ("math", "logic")[n % 2]
        answer = None if n % 9 == 5 else f"is {n + n}"
        made.append({"question": f"what is {n}+{n}? (rate {rate})", "answer": answer, "domain": domain, "difficulty": str(n % len(RATES))})
    return rows(made, name=name)


def _make_model(work: Work) -> None:
    work.land("00000.parquet", pl.DataFrame({"prompt": ["-"], "response": ["-"]}))


MODEL = Model(name="simulated", make=_make_model)
BARS = (Bar(scorer=judging.says), Bar(scorer=judging.short))


def sampled(count: int = 100, **settings: Any) -> Step:
    """The step that tests sample: two bars, at most 3 kept of at most 12."""
    chosen: dict[str, Any] = {"accept": BARS, "want": 3, "at_most": 12, "sampling": Sampling(max_tokens=1_500), **settings}
    return sample(problems(count), MODEL, template=QUESTION, **chosen)


def made_with(engine: Simulated, step: Step, root: Path, *, workers: int = 1) -> Path:
    """The finished folder, made with this engine."""
    real = choose.open_engine
    choose.open_engine = lambda *_, **__: engine
    try:
        return run(step, root, machine=Machine(workers=workers))
    finally:
        choose.open_engine = real


def main(root: str, chosen: dict[str, Any]) -> None:
    """Sample the road of `count` problems under `root`."""
    count, workers = chosen.pop("count", 100), chosen.pop("workers", 1)
    prompt_blocks.BLOCK = chosen.pop("block", 16)
    made_with(Simulated(**chosen), sampled(count), Path(root), workers=workers)


if __name__ == "__main__":
    from tests.dataengine import simulated  # the module by its own name, as fingerprints and verifiers know it

    simulated.main(sys.argv[1], json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})
