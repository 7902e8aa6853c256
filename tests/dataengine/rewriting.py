"""A teacher whose replies are functions of (prompt, sample) alone, for tests of rewriting; checks that it can pass and fail.

`python -m tests.dataengine.rewriting ROOT` rewrites with the engine over a server, for tests that kill it.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataengine.cold_start import refined_rows
from dataengine.cold_start.refinement import Refinement
from dataengine.cold_start.rewrite import rewrite
from dataengine.inference import choose
from dataengine.inference.engine import FinishReason, Response, Sampling
from dataengine.keep import Bar
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.score import Score, scorer
from dataengine.sources import rows
from dataengine.step import Step
from dataengine.storage import keyed_log
from dataengine.templates import QUESTION
from tests.dataengine import judging
from tests.dataengine.served import Served
from tests.dataengine.simulated import MODEL

Said = tuple[str, FinishReason]


@dataclass(kw_only=True)
class Teacher:
    """`says(prompt, sample)` is its reply and how it ended."""

    says: Callable[[str, int], Said]
    capacity: int = 4
    shuffled: int | None = None
    """Seed of pauses that mix up the order of arrival; None for none."""
    model: str = "teacher"
    revision: str = "teacher-1"
    version: str = "teacher 1"
    asked: list[tuple[str, int]] = field(default_factory=list)
    most: int = 0
    """Replies that were under way at the same time."""
    _now: int = 0

    async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        for sample in samples:
            self.asked.append((prompt, sample))
            self._now += 1
            self.most = max(self.most, self._now)
            try:
                pause = 0.0 if self.shuffled is None else 0.01 * random.Random(f"{self.shuffled} {prompt} {sample}").random()
                await asyncio.sleep(pause)
                text, reason = self.says(prompt, sample)
            finally:
                self._now -= 1
            tokens = [7] * len(text.split())
            yield Response(
                sample=sample,
                token_ids=tokens,
                text=text,
                logprobs=[math.nan] * len(tokens),
                finish_reason=reason,
                prompt_tokens=len(prompt),
            )

    def close(self) -> None: ...


@scorer
def shouts(reasoning: str, before_reasoning: str) -> Score:
    """Right when the thoughts are what they were, in capitals."""
    return Score(float(reasoning == before_reasoning.upper()), f"{reasoning[:20]}")


@scorer
def is_loud(reasoning: str) -> Score:
    """Right when the thoughts are in capitals already."""
    return Score(float(reasoning.isupper()), f"{reasoning[:20]}")


LOUD = Refinement(name="loud", text="shout: {{ reasoning }}")


def rollouts(count: int, **more: Any) -> Step:
    """Rows with thoughts and a summary."""
    made = []
    for n in range(count):
        thoughts = f"i add {n} and {n}" if n % 3 else f"I ADD {n} AND {n}"
        response = f"<think>\n{thoughts}\n</think>\n\n{n + n}"
        made.append(
            {
                "question": f"{n}+{n}?",
                "answer": str(n + n),
                "reasoning": thoughts,
                "summary": str(n + n),
                "response": response,
                "row_id": f"r{n}",
                **more,
            }
        )
    return rows(made, name="rollouts")


def shouted(prompt: str, sample: int) -> Said:
    """What a good teacher replies."""
    return f"Sure.\n<reasoning>\n{prompt.partition('shout: ')[2].strip().upper()}\n</reasoning>", "stop"


def loud(data: Step, **more: Any) -> Step:
    """The step that tests make."""
    settings: dict[str, Any] = {
        "check": [Bar(scorer=shouts)],
        "when": [Bar(scorer=is_loud)],
        "template": QUESTION,
        "sampling": Sampling(max_tokens=50),
    }
    return rewrite(data, MODEL, more.pop("refinement", LOUD), **{**settings, **more})


BOTH = Refinement(name="both", text="{{ question }}", rewrites=("reasoning", "summary"), tagged=False)


def solved(count: int, **more: Any) -> Step:
    """Questions that the simulated model answers, rightly three times out of five; what is right replaces what was there."""
    asked = [
        {"question": f"what is {n}+{n}? (rate 0.6)", "answer": f"is {n + n}", "reasoning": "-", "summary": "-", "response": "-"}
        for n in range(count)
    ]
    settings: dict[str, Any] = {"check": [Bar(scorer=judging.says)], "template": QUESTION, "sampling": Sampling(max_tokens=60), "tries": 3}
    return rewrite(rows(asked, name="asked"), MODEL, BOTH, **{**settings, **more})


def main(root: str) -> None:
    """Rewrite 60 rows under `root`, in small blocks and segments, so that landing and packing happen all the time."""
    refined_rows.BLOCK, keyed_log.SEGMENT, keyed_log.MANY = 8, 20_000, 4
    engine: Any = Served(seconds=0.002)
    choose.open_engine = lambda *_, **__: engine
    try:
        run(solved(60, otherwise="drop"), Path(root), machine=Machine(workers=1))
    finally:
        engine.close()


if __name__ == "__main__":
    from tests.dataengine import rewriting  # the module by its own name, as fingerprints and verifiers know it

    rewriting.main(sys.argv[1])
