"""Which prompt gets how many samples more: rejection sampling as a decision machine without I/O, driven by outcomes alone.

Prompts come in blocks, in their order. What a block's prompts are asked depends on their own outcomes and on the records of a set of
blocks that the block's number fixes, so never on which outcome came first (docs/sampling.md, "The same run twice").
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sized
from heapq import heappop, heappush
from typing import Any

from dataengine.sampling.known import Known, Tally
from dataengine.sampling.prompts_coming import PORTION, PromptsComing
from dataengine.sampling.spending_blocks import Blocks
from dataengine.sampling.spending_figures import SpendingFigures
from dataengine.sampling.spending_policy import Adaptive, Fixed, Policy
from dataengine.sampling.spending_records import Ask, Block, Decision, Outcome, Prompt, Record
from dataengine.sampling.spending_shares import HAIR, SET_ASIDE, SHARE, Share

__all__ = ["Adaptive", "Ask", "Decision", "Fixed", "Outcome", "Policy", "Prompt", "Spending"]

FIRST_BLOCK, LARGEST_BLOCK = 256, 16_384
"""Prompts of the first block, and of every block from where doubling has come so far."""
YOUNG = 6
"""The first blocks (8,192 prompts) also learn from their own first waves; later ones from complete records of blocks before alone."""
PILOT_PROMPTS, PILOT_SAMPLES = 8, 8
"""With a budget, the first block and its first round: they only measure how long a response is."""
UNCAPPED = 1 / 16
"""Share of prompts whose responses are never cut, so that what cutting costs stays known."""


class Spending:
    """Prompts in canonical order, outcomes in any order; what is asked and decided is a function of the outcomes alone."""

    def __init__(self, prompts: Iterable[Prompt], policy: Policy, *, number: int | None = None) -> None:
        """`number`: how many prompts there are, where `prompts` cannot tell; a budget is planned over them."""
        self.policy = policy
        self._number = len(prompts) if isinstance(prompts, Sized) else number
        self._open: dict[int, Record] = {}
        self._blocks = Blocks()
        quotas = policy.quotas if isinstance(policy, Adaptive) else {}
        self._coming = PromptsComing(prompts, quotas=quotas, settled=self._blocks.settled, drop=self._drop)
        self._fresh: list[int] = []
        self._ready: list[int] = []
        self._round: list[int] | None = None
        self._allowance = 0.0
        self._in_rounds = False
        self._waiting = self._outstanding = self._told = self._tokens = 0
        self._decisions: deque[Decision] = deque()
        self._figures = SpendingFigures()
        self._second_look = 2 * policy.want if isinstance(policy, Adaptive) else 0

    def asks(self) -> list[Ask]:
        """Drain what may be asked now, few prompts at a time; [] means that outcomes are awaited, or decisions are to be taken first (in
        portions, however much of the input is left when a budget ends or quotas are met), or that all is done."""
        made: list[Ask] = []
        self._coming.go_on()
        enough = len(self._decisions) + PORTION
        while not (made or self._coming.paused or len(self._decisions) >= enough):
            if self._blocks and self._blocks.last.rounds and self._round is None and not self._start_round():
                break
            queue = self._ready if self._round is None else self._round
            if self._round is not None and self._allowance <= 0:
                self._end_round()
            elif self._fresh:
                made.append(self._ask(heappop(self._fresh)))
            elif self._first_waves_first and (self._open_next() or self._next_block()):
                continue
            elif queue:
                made.append(self._ask(heappop(queue)))
            elif self._open_next() or self._next_block() or (self._ready and self._round is None):
                continue
            elif self._outstanding or not self._go_on():
                break
        return made

    @property
    def _first_waves_first(self) -> bool:
        """Whether the last block is young: then second waves wait for all of its first ones, and first ones for nothing."""
        return self._round is None and len(self._blocks) <= YOUNG and not (isinstance(self.policy, Adaptive) and self.policy.budget)

    def tell(self, prompt: int, sample: int, outcome: Outcome) -> None:
        """What became of one asked sample."""
        at = self._open[prompt]
        assert 0 <= sample < at.asked, f"sample {sample} of prompt {prompt} was not asked; {at.asked} were"
        at.add(outcome)
        self._outstanding -= 1
        self._told += 1
        self._tokens += outcome.tokens
        if at.block.share is not None:
            at.block.share.spent += outcome.tokens
        self._figures.add(
            at.prompt.stratum,
            told=1,
            tokens=outcome.tokens,
            accepted=outcome.accepted is True,
            truncated=outcome.truncated,
            unjudged=outcome.accepted is None and not outcome.truncated,
        )
        if at.told == at.asked:
            self._consider(prompt, at)

    def decisions(self) -> list[Decision]:
        """Drain the decisions newly taken."""
        made = list(self._decisions)
        self._decisions.clear()
        return made

    @property
    def finished(self) -> bool:
        """Whether every prompt is decided."""
        return self._coming.ended and not self._open

    def figures(self) -> dict[str, Any]:
        """Counts for reports: of all prompts, by decision, and by stratum."""
        return self._figures.as_dict()

    # Within a prompt

    def _consider(self, index: int, at: Record) -> None:
        """The next wave or the end of a prompt all of whose asked samples are told."""
        policy, block = self.policy, at.block
        if isinstance(policy, Fixed):
            at.wave = policy.samples - at.asked
            return self._queue(index) if at.wave else self._decide(index, at, "enough")
        if at.accepted >= policy.want:
            return self._decide(index, at, "enough")
        if at.asked >= policy.at_most:
            return self._decide(index, at, "at most")
        known, second = block.known, at.missed + at.accepted >= self._second_look
        if block.number < YOUNG and at.asked:
            self._pass(at, 2 if second else 1)
            later = block.later[second]
            if later is None:
                block.waiting[second].append(index)
                self._waiting += 1
                return self._look_again()
            known = later
        assert known is not None
        return self._plan(index, at, known)

    def _plan(self, index: int, at: Record, known: Known) -> None:
        assert isinstance(self.policy, Adaptive)
        plan = known.plan(at.stratum, at.coin)
        if at.missed + at.accepted >= self.policy.at_most:
            return self._decide(index, at, "at most")
        wave = min(plan.wave(at.missed, at.accepted), self.policy.at_most - at.asked)
        if not at.asked and self.policy.budget is None:
            wave = max(wave, 1)
        if not wave:
            why = known.why_stop(at.stratum, plan, accepted=at.accepted, missed=at.missed)
            return self._decide(index, at, f"given up: {at}, {why}")
        seen = at.missed + at.accepted
        if at.block.number < YOUNG and seen < self._second_look:
            wave = min(wave, self._second_look - seen)
        at.wave = wave
        at.cap = known.cap(at.stratum) if at.capped else None
        return self._queue(index)

    def _queue(self, index: int) -> None:
        """A new prompt joins the round it was opened in, everything else waits for the next; without rounds, its block's share must do."""
        at = self._open[index]
        share = at.block.share
        if share is not None:
            affords = share.affords(index, spent=at.tokens)
            if not affords:
                share.waiting.append(index)
                return self._divide_again(at.block)
            at.wave = min(at.wave, affords)
        if at.asked:
            return heappush(self._ready, index)
        return heappush(self._round if self._round is not None else self._fresh if self._first_waves_first else self._ready, index)

    def _ask(self, index: int) -> Ask:
        at = self._open[index]
        wave = at.wave
        if self._round is not None:
            wave = max(1, min(wave, int(self._allowance)))
            self._allowance -= wave
        samples = range(at.asked, at.asked + wave)
        at.asked += wave
        self._outstanding += wave
        self._figures.add(at.prompt.stratum, asked=wave)
        return Ask(index, samples, at.cap)

    def _decide(self, index: int, at: Record, why: str) -> None:
        self._pass(at, 3)
        del self._open[index]
        self._decisions.append(Decision(index, at.asked, why))
        self._figures.decide(at.prompt.stratum, kept=self._kept(at), why=why)
        self._divide_again(at.block)
        self._look_again()

    def _kept(self, at: Record) -> int:
        return min(at.accepted, self.policy.want) if isinstance(self.policy, Adaptive) else at.accepted

    # What the blocks learn from each other

    def _pass(self, at: Record, level: int) -> None:
        """Put the record into the block's tallies up to this level, as it stands."""
        while at.passed < level:
            block, now = at.block, at.passed
            if at.asked and (now == 2 or block.number < YOUNG) and isinstance(self.policy, Adaptive):
                block.tallies[now].add(at.stratum, accepted=at.accepted, missed=at.missed, responses=at.responses)
            if now == 2:
                block.tallies[now].kept[at.prompt.bucket] = block.tallies[now].kept.get(at.prompt.bucket, 0) + self._kept(at)
            block.pending[now] -= 1
            at.passed += 1

    def _look_again(self) -> None:
        """Plan on those prompts of young blocks that waited for the first waves around them."""
        for block in self._blocks.between(end=YOUNG) if self._waiting else ():
            for level in (0, 1):
                if block.waiting[level] and block.later[level] is None and self._blocks.is_through(block.number, level=level):
                    block.later[level] = self._knows(block, self._blocks.tally(level, through=block.number))
                known = block.later[level]
                if known is not None and block.waiting[level]:
                    waiting, block.waiting[level] = sorted(block.waiting[level]), []
                    self._waiting -= len(waiting)
                    for index in waiting:
                        self._plan(index, self._open[index], known)

    # Blocks, budget and quotas

    def _open_next(self) -> bool:
        """Open one prompt more of the last block, or close it."""
        if not self._blocks or self._blocks.last.closed:
            return False
        block = self._blocks.last
        came = self._coming.next() if block.opened < block.size else None
        if came is None and self._coming.paused:
            return True
        if came is None:
            block.closed = True
            self._divide_again(block)
            self._look_again()
            return False
        index, prompt = came
        coin, dice = prompt.drawn()
        quotas = isinstance(self.policy, Adaptive) and self.policy.quotas
        stratum = (prompt.bucket, *prompt.stratum) if quotas else prompt.stratum
        at = self._open[index] = Record(prompt, stratum, coin, block.number < YOUNG or dice >= UNCAPPED, block)
        block.opened += 1
        block.pending = [one + 1 for one in block.pending]
        self._figures.add(prompt.stratum, prompts=1)
        if block.known is not None:
            expected = block.known.mixed(stratum)
            block.cost += expected.cost * block.known.unit
            kept = self.policy.want if block.blind and isinstance(self.policy, Adaptive) else expected.kept
            block.kept[prompt.bucket] = block.kept.get(prompt.bucket, 0.0) + kept
            self._coming.reserve(prompt.bucket, kept)
        self._consider(index, at)
        return True

    def _drop(self, prompts: Iterable[tuple[int, Prompt]], why: str) -> None:
        """Decide prompts that were never asked."""
        for index, prompt in prompts:
            self._decisions.append(Decision(index, 0, why))
            self._figures.add(prompt.stratum, prompts=1)
            self._figures.decide(prompt.stratum, kept=0, why=why)

    def _next_block(self) -> bool:
        """Plan the next block, if the blocks that it learns from are complete."""
        number = len(self._blocks)
        if number and (not self._blocks.last.closed or isinstance(self.policy, Fixed) or self._coming.ended):
            return False
        if isinstance(self.policy, Fixed):
            self._blocks.add(Block(number, 1 << 62, None, rounds=False))
            return True
        needs, glance = self._learns_from(number)
        if not (self._blocks.is_complete_through(needs) and self._blocks.is_through(glance, level=0)):
            return False
        self._blocks.settle(needs, keep=YOUNG)
        block = Block(number, self._size(number), None, rounds=number == 0 and self.policy.budget is not None)
        block.blind = needs < 0 and glance < 0
        outstanding = self._blocks.between(needs + 1)
        self._look_ahead(block, outstanding)
        block.known = self._knows(block, self._blocks.settled if needs >= 0 else self._blocks.tally(0, through=glance))
        if self.policy.budget is not None and number:
            if not self._in_rounds:
                taken = sum(one.share.tokens for one in outstanding if one.share is not None)
                left = self.policy.budget - self._blocks.settled.tokens - taken
                block.share = Share(int(SHARE * left), response=math.ceil(SET_ASIDE * block.known.unit))
                if block.size * block.known.cost_per_prompt > block.share.tokens * (1 + HAIR):
                    self._in_rounds = True
                    return self._next_block()
            if self._in_rounds:
                left = max(0, self.policy.budget - self._tokens)
                block.size = max(PILOT_PROMPTS, min(block.size, int(left / 2 / max(block.known.cost_per_prompt, 1e-9) + HAIR)))
                block.rounds = True
            self._round = None
        self._blocks.add(block)
        return True

    def _learns_from(self, number: int) -> tuple[int, int]:
        """The last block whose complete records this one needs, and the last whose first waves it needs; -1 is none."""
        assert isinstance(self.policy, Adaptive)
        if self._in_rounds or self._coming.read_to_the_end or (number and not self._blocks.last.opened):
            return number - 1, -1
        if self.policy.budget is not None:
            return min(number - 1, max(0, number - 2)), -1
        if number >= YOUNG:
            return number - 2, -1
        return -1, max(-1, number - 3)

    def _size(self, number: int) -> int:
        if isinstance(self.policy, Adaptive) and self.policy.budget is not None and not number:
            return PILOT_PROMPTS
        return min(LARGEST_BLOCK, FIRST_BLOCK << max(0, number - 1))

    def _look_ahead(self, block: Block, outstanding: list[Block]) -> None:
        """What the budget leaves for a prompt, and the quotas want of one, over the prompts that are still to come."""
        assert isinstance(self.policy, Adaptive)
        kept = {bucket: float(kept) for bucket, kept in self._blocks.settled.kept.items()}
        for one in outstanding:
            for bucket, more in one.kept.items():
                kept[bucket] = kept.get(bucket, 0.0) + more
        self._coming.reserve_anew(kept)
        if self._number is None or not self._coming.seen:
            return
        coming, held = max(0, self._number - self._coming.seen), self._coming.held()
        if self.policy.budget is not None:
            left = self.policy.budget - self._blocks.settled.tokens - sum(one.cost for one in outstanding)
            block.tokens_per_prompt = max(0.0, left) / max(1, coming + sum(held.values()))
        for bucket, quota in self.policy.quotas.items():
            prompts = coming * self._coming.seen_of.get(bucket, 0) / self._coming.seen + held.get(bucket, 0)
            if prompts >= 1 and quota > kept.get(bucket, 0.0):
                block.kept_per_prompt[bucket] = min(self.policy.want, (quota - kept.get(bucket, 0.0)) / prompts)

    def _knows(self, block: Block, tally: Tally) -> Known:
        assert isinstance(self.policy, Adaptive)
        return Known(
            tally,
            self.policy.goal,
            patience=self.policy.patience,
            tokens_per_prompt=block.tokens_per_prompt,
            kept_per_prompt=block.kept_per_prompt,
        )

    # The end of the budget

    def _divide_again(self, block: Block) -> None:
        """Let prompts go on with what is left of the block's share, if all that are open wait for it."""
        if block.share is not None and block.closed and len(block.share.waiting) == block.pending[2]:
            self._divide(block.share)

    def _divide(self, share: Share) -> bool:
        waiting = share.waiting
        divided = share.divide({index: self._open[index].tokens for index in waiting})
        for index in waiting if divided else ():
            self._queue(index)
        return divided

    def _go_on(self) -> bool:
        """With nothing outstanding and nobody to ask: the next round, or what shares have left, or rounds where that is too little."""
        if self._round is not None:
            self._end_round()
            return bool(self._ready)
        sharing = [(block, block.share) for block in self._blocks.between() if block.share is not None and block.share.waiting]
        if sum(self._divide(share) for _, share in sharing):
            return True
        for block, share in sharing:
            block.share = None
            for index in share.waiting:
                self._queue(index)
        if sharing:
            self._in_rounds = self._blocks.last.rounds = True
        return bool(sharing)

    def _start_round(self) -> bool:
        """With nothing outstanding: samples for half of what is left of the budget, at the mean length so far."""
        assert isinstance(self.policy, Adaptive)
        assert self.policy.budget is not None
        if self._outstanding:
            return False
        if self._tokens >= self.policy.budget:
            self._end("budget spent")
            return False
        mean = self._tokens / self._told if self._told else 0.0
        self._allowance = max(1.0, (self.policy.budget - self._tokens) / 2 / max(mean, 1.0)) if self._told else float(PILOT_SAMPLES)
        self._round, self._ready = self._ready, []
        return True

    def _end_round(self) -> None:
        """What the round had no allowance for comes first in the next."""
        for index in self._round or ():
            heappush(self._ready, index)
        self._round = None

    def _end(self, why: str) -> None:
        """Decide everything that is open or still to come."""
        self._fresh, self._ready, self._round, self._waiting = [], [], None, 0
        for block in self._blocks.between():
            block.waiting, block.share = [[], []], None
        for index in sorted(self._open):
            self._decide(index, self._open[index], why)
        self._coming.drop_all(why)
