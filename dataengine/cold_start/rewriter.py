"""How rows are rewritten side by side: many replies under way, each judged as it comes, blocks landed as soon as they are whole.

What becomes of a row depends on its replies alone: they are looked at in the order of their numbers, so that speed, order of arrival and
kills change nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dataengine.cold_start.refined_rows import Block, Outcome, changed_row
from dataengine.cold_start.refinement import Refinement, seen
from dataengine.errors import Stopped
from dataengine.keep import Bar
from dataengine.progress import Bar as Progress
from dataengine.response_rows import UNANSWERED
from dataengine.sampling.asking import Asking, has_to_wait
from dataengine.sampling.verifiers import Judge
from dataengine.score import ERROR, Score
from dataengine.templates import Form, Template

T = TypeVar("T")

OPEN_BLOCKS = 16
"""Blocks that may be unfinished at the same time: a straggler holds its own block back and not the rest."""


@dataclass(kw_only=True)
class Rewriter:
    """`await Rewriter(...).run(blocks)`; the first failure ends everything, and every reply that was stored stays."""

    refinement: Refinement
    template: Template
    form: Form
    check: Sequence[Bar]
    when: Sequence[Bar] | None
    tries: int
    asking: Asking
    judge: Judge
    land: Callable[[Block], None]
    bar: Progress
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _landing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _open: int = 0
    _judged: int = 0
    _errors: int = 0

    async def run(self, blocks: Iterator[Block]) -> None:
        """Until every block has landed."""
        try:
            async with asyncio.TaskGroup() as group:
                while (block := await asyncio.to_thread(next, blocks, None)) is not None:
                    self._open += 1
                    needed = await asyncio.to_thread(self._needed, block)
                    under_way = []
                    for row, needs in zip(block.rows.iter_rows(named=True), needed, strict=True):
                        while needs and await has_to_wait(self.asking, self._changed):
                            pass
                        under_way.append(_started(group, self._outcome(row) if needs else _not_needed()))
                    _started(group, self._finish(block, under_way))
                    while self._open >= OPEN_BLOCKS:
                        await self._something_new()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    def _needed(self, block: Block) -> list[bool]:
        """Whether each row fails one of the bars that say that nothing is needed."""
        if self.when is None:
            return [True] * len(block.rows)
        needed = [False] * len(block.rows)
        for bar in self.when:
            for at, score in enumerate(bar.scorer.score(block.rows).to_list()):
                needed[at] |= not bar.passes(Score(score["value"], score["reason"]))
        return needed

    async def _finish(self, block: Block, under_way: Sequence[asyncio.Task[Outcome]]) -> None:
        block.outcomes = list(await asyncio.gather(*under_way))
        async with self._landing:
            await asyncio.to_thread(self.land, block)
        self._open -= 1
        self._changed.set()

    async def _outcome(self, row: Mapping[str, Any]) -> Outcome:
        """Ask about one row, reply after reply, until one passes."""
        known = seen(row)
        if lacking := self.refinement.lacks(known):
            return Outcome(did="left", why=f"no {lacking}")
        prompt = self.template.render([{"role": "user", "content": self.refinement.prompt(known)}])
        failed, cut = [], []
        for sample in range(self.tries):
            stored = await self._reply(prompt, sample)
            if stored["finish_reason"] in UNANSWERED:
                cut.append(stored["finish_reason"])
                break  # the same prompt would be refused again
            if stored["finish_reason"] == "length":
                cut.append(f"truncated: reply {sample} was cut off at {stored['response_tokens']} tokens")
                continue
            taken = await self._taken(row, self.template.prefill + stored["response"])
            if not isinstance(taken, str):
                self.bar.advance()
                return Outcome(did="done", why="; ".join([*failed, *cut]), sample=sample, changed=taken)
            failed.append(taken)
        self.bar.advance()
        return Outcome(did="left" if failed else "unanswered", why="; ".join([*failed, *cut]))

    async def _reply(self, prompt: str, sample: int) -> Mapping[str, Any]:
        try:
            async with aclosing(self.asking.ask(prompt, [sample])) as answers:
                async for _, stored in answers:
                    return stored or self.asking.responses.get(prompt, sample)
        finally:
            self._changed.set()
        raise AssertionError(f"the engine ended without the reply {sample}")

    async def _taken(self, row: Mapping[str, Any], reply: str) -> dict[str, str] | str:
        """The changed texts where the reply passes every check, else the first reason against it."""
        texts = self.refinement.read(reply, self.form)
        if isinstance(texts, str):
            return texts
        try:
            changed = changed_row(row, texts, self.form)
        except ValueError as error:
            return str(error)
        scores = await self.judge.judge(changed)
        self._count_errors(scores)
        for bar in self.check:
            score = scores.get(bar.scorer.name)
            if score is None or not bar.passes(score):
                said = "no verdict" if score is None else score.reason if score.value is not None else f"unjudged: {score.reason}"
                return f"{bar.scorer.name}: {said}"
        return {**texts, "response": changed["response"]}

    def _count_errors(self, scores: Mapping[str, Score]) -> None:
        self._judged += 1
        broken = [score.reason for score in scores.values() if score.reason.startswith(ERROR)]
        self._errors += bool(broken)
        if broken and self._errors > max(10, self._judged // 100):
            raise Stopped(
                f"checks failed on {self._errors} of {self._judged} rows, last: {broken[0]}. A few bad rows are left as they were, this "
                "many mean a broken scorer: mend it and run again; no reply is lost."
            )

    async def _something_new(self) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._changed.wait()


async def _not_needed() -> Outcome:
    return Outcome(did="not needed")


def _started(group: asyncio.TaskGroup, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task of the group; one that is refused because the group ends already is closed, which Python 3.11 leaves to whoever asked."""
    try:
        return group.create_task(work)
    except RuntimeError:
        work.close()
        raise
