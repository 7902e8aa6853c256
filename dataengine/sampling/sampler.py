"""Generation, verification and decision at the same time: responses stream in, verifiers judge them, and who is asked next falls out.

One event loop holds it together. What it does in which order depends on the engine's speed, on the number of verifiers, on kills; what
it finds does not: `Spending` decides by outcomes alone, a response by its text alone, and rows are written in the problems' order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

from dataengine.errors import Stopped
from dataengine.progress import Bar as ProgressBar
from dataengine.response_rows import SaidBy, response_row
from dataengine.sampling.asking import Asking
from dataengine.sampling.prompt_blocks import Block, Sampled
from dataengine.sampling.sample_parts import Kept, accepted
from dataengine.sampling.spending import Ask, Outcome, Policy, Prompt, Spending
from dataengine.sampling.verdicts import Verdicts
from dataengine.sampling.verifiers import LOST, Judge
from dataengine.score import ERROR, Score

LANDING = 3
"""Finished blocks that may wait to be written before asking pauses."""
JUDGING = 4
"""Responses that may wait for their verdict before asking pauses, as a multiple of those in flight."""
AT_ONCE = 200
"""What is known already is told in portions, so that the event loop goes on."""


class Sampler:
    """One step being sampled: `asyncio.run(Sampler(...).run())`."""

    def __init__(
        self,
        blocks: Iterator[Block],
        *,
        number: int,
        policy: Policy,
        kept: Kept,
        stratum: Sequence[str],
        said_by: SaidBy,
        asking: Asking,
        judge: Judge,
        verdicts: Verdicts,
        land: Callable[[Block], None],
        bar: ProgressBar,
    ) -> None:
        """`number` of prompts in all blocks; `land` writes a finished block; it runs in a thread, one block at a time."""
        self.kept, self.stratum, self.said_by, self.asking, self.judge = kept, stratum, said_by, asking, judge
        self.verdicts, self.land, self.bar = verdicts, land, bar
        self.finish_reasons: Counter[str] = Counter()
        self.decisions: Counter[str] = Counter()
        self._block_of: dict[int, Block] = {}
        """By number of a prompt that is not decided yet."""
        self._coming: deque[Ask] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._judging = self._landing = self._errors = self._judged = self._right = 0
        self._changed = asyncio.Event()
        self._failure: BaseException | None = None
        self.spending = Spending(self._prompts(blocks), policy, number=number)

    async def run(self) -> None:
        """Until every prompt is decided and written; the first failure ends everything, and all that was stored stays."""
        with ThreadPoolExecutor(1, thread_name_prefix="dataengine-landing") as lander:
            try:
                while True:
                    self._changed.clear()
                    told = self._ask()
                    decided = self._decide(lander)
                    if self._failure is not None:
                        raise self._failure
                    if told or decided:
                        await asyncio.sleep(0)
                        continue
                    if self.spending.finished and not self._under_way:
                        break
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), self.asking.flight.patience)
            finally:
                for task in self._under_way:
                    task.cancel()
                await asyncio.gather(*self._under_way, return_exceptions=True)

    def _prompts(self, blocks: Iterator[Block]) -> Iterator[Prompt]:
        for block in blocks:
            rows = block.problems.select(name for name in {"prompt_id", "domain", *self.stratum} if name in block.problems.columns)
            for position, row in enumerate(rows.iter_rows(named=True)):
                self._block_of[block.first + position] = block
                stratum = tuple(str(row[name]) for name in self.stratum if row.get(name) is not None)
                yield Prompt(row["prompt_id"], stratum, row.get("domain") or "")

    # Asking

    def _ask(self) -> bool:
        """Ask for what may be asked now; whether there may be more to do at once."""
        for _ in range(AT_ONCE):
            if self._landing >= LANDING or self.asking.flight.room - self._waiting_too_long() < 1:
                return False
            if not self._coming:
                self._coming.extend(self.spending.asks())
            if not self._coming:
                return False
            ask = self._coming.popleft()
            block = self._block_of[ask.prompt]
            if block.landed is not None:
                self._tell_landed(block, ask)
            else:
                self._start_answer(block, ask)
        return True

    def _waiting_too_long(self) -> int:
        return max(0, self._judging - JUDGING * max(1, self.asking.engine.capacity))

    def _tell_landed(self, block: Block, ask: Ask) -> None:
        assert block.landed is not None
        for sample in ask.samples:
            known = block.landed[ask.prompt].get(sample)
            if known is None:
                raise Stopped(
                    f"{block.file} was landed by another version of this program: delete its folder and run again; no response is lost"
                )
            self._tell(block, ask.prompt, sample, known, there=True)

    def _start_answer(self, block: Block, ask: Ask) -> None:
        problem = block.problem(ask.prompt)
        prompt = self.said_by.template.render(problem["messages"])
        answers = self.asking.ask(prompt, ask.samples, cap=ask.max_tokens)  # in flight from here on, before its task begins
        self._start(self._answer(block, ask.prompt, answers, prompt=prompt, problem=problem))

    async def _answer(
        self,
        block: Block,
        index: int,
        answers: AsyncGenerator[tuple[int, dict[str, Any] | None]],
        *,
        prompt: str,
        problem: Mapping[str, Any],
    ) -> None:
        async with aclosing(answers):
            async for sample, stored in answers:
                self._judging += 1
                self._start(self._verify(block, index, sample, prompt=prompt, problem=problem, stored=stored))

    async def _verify(
        self, block: Block, index: int, sample: int, *, prompt: str, problem: Mapping[str, Any], stored: Mapping[str, Any] | None
    ) -> None:
        try:
            there, stored = stored is None, stored or self.asking.responses.get(prompt, sample)
            scores: dict[str, Score] = {}
            if stored["finish_reason"] == "stop":
                row = {**problem, **response_row(problem["prompt_id"], prompt, stored, said_by=self.said_by)}
                scores = await self._scores(row)
        finally:
            self._judging -= 1
        truncated = stored["finish_reason"] == "length"
        outcome = Outcome(accepted(self.kept.bars, scores), stored["response_tokens"], truncated)
        self._tell(block, index, sample, Sampled(outcome, stored["finish_reason"], stored["cap"], scores), there=there)

    async def _scores(self, row: Mapping[str, Any]) -> dict[str, Score]:
        """Stored verdicts, and those of the verifiers for what is missing."""
        scores = self.verdicts.known(row)
        last = self.kept.bars[len(scores) - 1] if scores else None
        if len(scores) < len(self.kept.bars) and (last is None or last.passes(scores[last.scorer.name])):
            found = await self.judge.judge(row, since=len(scores))
            self.verdicts.add(row, found)
            scores = {**scores, **found}
            self._count_errors(scores)
        return scores

    def _count_errors(self, scores: Mapping[str, Score]) -> None:
        """A scorer that raises, dies or hangs on too many rows ends the run before all tokens are spent without a verdict."""
        self._judged += 1
        failed = [f"{name}: {score.reason}" for name, score in scores.items() if score.reason.startswith((ERROR, LOST))]
        self._errors += bool(failed)
        if failed and self._errors > max(10, self._judged // 100):
            raise Stopped(
                f"scorers failed on {self._errors} of {self._judged} rows, last {failed[0]}. A few bad rows are left unjudged, this many "
                "mean a broken scorer: mend it (raise deadline, if it is only slow; free memory, if the system ends it) and run again; "
                "nothing made so far is lost."
            )

    # Telling and deciding

    def _tell(self, block: Block, index: int, sample: int, sampled: Sampled, *, there: bool) -> None:
        """`there`: the response was stored before it was asked for here."""
        block.records.setdefault(index, {})[sample] = sampled
        self.finish_reasons[sampled.finish_reason] += 1
        self.spending.tell(index, sample, sampled.outcome)
        self._right += sampled.outcome.accepted is True
        self.bar.advance(there=there, right=self._right)
        self._changed.set()

    def _decide(self, lander: ThreadPoolExecutor) -> bool:
        """Take what was decided to its blocks, and write those that are finished; whether there was anything."""
        decisions = self.spending.decisions()
        for decision in decisions:
            block = self._block_of.pop(decision.prompt)
            block.decided[decision.prompt] = decision
            self.decisions[decision.why.partition(":")[0]] += 1
            if block.finished and block.landed is None:
                self._landing += 1
                self._start(self._write(block, lander))
        return bool(decisions)

    async def _write(self, block: Block, lander: ThreadPoolExecutor) -> None:
        await asyncio.get_running_loop().run_in_executor(lander, self.land, block)
        self._landing -= 1

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._changed.set()
        if not task.cancelled() and task.exception() is not None and self._failure is None:
            self._failure = task.exception()
