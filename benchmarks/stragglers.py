"""What a slow tail costs: kept samples a second with 1 % of the responses 50 times as long as the median, beside none of them.

`python -m benchmarks.stragglers [--problems N]` drives the product's own sampler over simulated engines on a clock that jumps from event
to event, so that the figures are those of the scheduling and not of this machine. Two engines of capacity 64: one that decodes at most so
many responses at a time (slots), and one on which a response takes its time whatever else runs. Also: the time to the first decision for
ever more problems, in seconds of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import selectors
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dataengine.inference.engine import Sampling
from dataengine.progress import Bar as ProgressBar
from dataengine.response_rows import SaidBy
from dataengine.sampling.asking import Asking
from dataengine.sampling.prompt_blocks import BLOCK, Block
from dataengine.sampling.sample_parts import Kept
from dataengine.sampling.sampler import Sampler
from dataengine.sampling.spending import Adaptive
from dataengine.sampling.verdicts import Verdicts
from dataengine.score import Score
from dataengine.sources import frame
from dataengine.storage.responses import Responses
from dataengine.templates import QUESTION
from tests.dataengine.simulated import BARS, RATES, Simulated

SECONDS = 1.0
"""For a median response."""
CAPACITY = 64


class Jumping(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next event instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__(_Impatient(self))
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """At once: while a thread works, this clock would jump."""
        done = self.create_future()
        done.set_result(func(*args))
        return done


class _Impatient(selectors.DefaultSelector):
    def __init__(self, loop: Jumping) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            return super().select(0.01)
        if not ready:
            self._loop.now += max(0.0, timeout or 0.0)
        return ready


class AtOnce:
    """A judge that costs no time: what `judging.says` says."""

    async def judge(self, row: Mapping[str, Any], *, since: int = 0) -> dict[str, Score]:
        right = float(row["response"].endswith(row["answer"]))
        return {"says": Score(right, ""), **({"short": Score(1.0, "")} if right else {})}

    def close(self) -> None: ...


def blocks(count: int) -> Iterator[Block]:
    """Problems of all pass rates, made when their turn comes."""
    for number, start in enumerate(range(0, count, BLOCK)):
        made = [problem(n) for n in range(start, min(count, start + BLOCK))]
        yield Block(number, start, frame(made))


def problem(n: int) -> dict[str, Any]:
    rate = RATES[n % len(RATES)]
    messages = [{"role": "user", "content": f"what is {n}+{n}? (rate {rate})"}]
    return {"prompt_id": f"{n:016x}", "messages": messages, "answer": f"is {n + n}", "domain": "math", "difficulty": str(n % 2)}


def sampler_of(count: int, engine: Simulated, responses: Responses, verdicts: Verdicts, sampling: Sampling) -> Sampler:
    return Sampler(
        blocks(count),
        number=count,
        policy=Adaptive(want=4, at_most=32),
        kept=Kept(name="sample", bars=BARS, want=4, pick="shortest", stops=True),
        stratum=("domain", "difficulty"),
        said_by=SaidBy(template=QUESTION, parts="r1", sampling=sampling),
        asking=Asking(engine, responses, sampling),
        judge=AtOnce(),
        verdicts=verdicts,
        land=lambda block: None,
        bar=ProgressBar("sample", total=None),
    )


def sampled(count: int, engine: Simulated) -> dict[str, float]:
    """Kept samples, responses, tokens and seconds of the jumping clock."""
    sampling = Sampling(max_tokens=32_768)
    loop = Jumping()
    with (
        tempfile.TemporaryDirectory() as root,
        Responses(Path(root), revision="simulated", sampling=sampling) as responses,
        Verdicts(Path(root), of=responses.name, bars=BARS) as verdicts,
    ):
        sampler = sampler_of(count, engine, responses, verdicts, sampling)
        loop.run_until_complete(sampler.run())
        figures = sampler.spending.figures()
    said = {"kept": figures["kept"], "responses": figures["asked"], "tokens": figures["tokens"], "cut": figures["truncated"]}
    loop.close()
    return {**said, "seconds": loop.now}


def first_decision(count: int) -> float:
    """Seconds of this machine to the first decision among `count` problems."""
    sampling = Sampling(max_tokens=32_768)

    async def until_first() -> float:
        begun = time.perf_counter()
        with (
            tempfile.TemporaryDirectory() as root,
            Responses(Path(root), revision="simulated", sampling=sampling) as responses,
            Verdicts(Path(root), of=responses.name, bars=BARS) as verdicts,
        ):
            sampler = sampler_of(count, Simulated(capacity=CAPACITY, seconds=0.05), responses, verdicts, sampling)
            running = asyncio.ensure_future(sampler.run())
            while not sampler.decisions:
                await asyncio.sleep(0.001)
            took = time.perf_counter() - begun
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            return took

    return asyncio.run(until_first())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=4_000)
    parser.add_argument("--decisions", action=argparse.BooleanOptionalAction, default=True, help="also the time to the first decision")
    wanted = parser.parse_args()
    print("| engine | stragglers | kept | responses | cut | tokens | seconds | kept a second | of the run without |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    whole = 0.0
    for slots, share in itertools.product((False, True), (0.0, 0.01)):
        engine = Simulated(capacity=CAPACITY, slots=slots, seconds=SECONDS, stragglers=share)
        found = sampled(wanted.problems, engine)
        rate = found["kept"] / found["seconds"]
        whole = whole if share else rate
        cells = [f"{found[name]:,.0f}" for name in ("kept", "responses", "cut", "tokens", "seconds")]
        print(f"| {'slots' if slots else 'free'} | {share:.0%} | {' | '.join(cells)} | {rate:.1f} | {rate / whole:.3f} |", flush=True)
    if not wanted.decisions:
        return
    print("\n| problems | seconds to the first decision |\n|---:|---:|")
    for count in (1_000, 10_000, 100_000, 1_000_000):
        print(f"| {count:,} | {min(first_decision(count) for _ in range(3)):.2f} |", flush=True)


if __name__ == "__main__":
    main()
