"""What lands of a block of prompts: the rows that were picked, every other one with the reason, and one row for each prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dataengine.columns import ASKED, REJECTION, SAMPLED, schema
from dataengine.keep import Bar
from dataengine.response_rows import UNANSWERED
from dataengine.sampling.pass_rates import PassRate, pass_rate_of
from dataengine.sampling.pick import PICKS
from dataengine.sampling.prompt_blocks import PROMPTS, Block, Sampled
from dataengine.score import SCORE, Score
from dataengine.shards import REJECTED

COUNTED = ("asked", "right", "wrong", "truncated", "unjudged", "picked", "tokens", "decided")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a step keeps of the responses to a prompt."""

    name: str
    """The step's, for the reason of what it drops itself."""
    bars: Sequence[Bar]
    want: int
    pick: str
    """A key of PICKS."""
    stops: bool
    """Whether asking stops when `want` are right, which the estimate of a pass rate has to know."""

    def rate(self, record: Sequence[Sampled]) -> PassRate:
        """The pass rate behind a prompt's responses."""
        return pass_rate_of([one.outcome for one in record], want=self.want if self.stops else None)


def accepted(bars: Sequence[Bar], scores: Mapping[str, Score]) -> bool | None:
    """Whether a response with these scores passes every bar; None where it could not be judged."""
    for bar in bars:
        score = scores.get(bar.scorer.name)
        if score is None:
            return None
        if not bar.passes(score):
            return None if score.value is None else False
    return True


def parts_of(block: Block, rows: pl.DataFrame, kept: Kept) -> dict[str, pl.DataFrame]:
    """The rows of each part of a finished block; `rows` are its responses, prompt after prompt, sample after sample."""
    records = {index: block.record(index) for index in range(block.first, block.first + len(block.problems))}
    rates = {index: kept.rate(record) for index, record in records.items()}
    flat = [(index, one) for index, record in records.items() for one in record]
    assert len(flat) == len(rows)
    ours = schema(SAMPLED)
    judged = pl.DataFrame(
        [
            pl.Series("accepted", [one.outcome.accepted for _, one in flat], dtype=ours["accepted"]),
            pl.Series("cap", [one.cap for _, one in flat], dtype=ours["cap"]),
            *_rate_columns([rates[index] for index, _ in flat], ours),
            *(_score_column(bar, [one for _, one in flat]) for bar in kept.bars),
        ]
    )
    rows = pl.concat([rows.drop([name for name in judged.columns if name in rows.columns]), judged], how="horizontal")
    picked = _picked(rows, records, kept)
    chosen = pl.Series(picked, dtype=pl.Boolean)
    reasons = [_why(one, kept) for (_, one), taken in zip(flat, picked, strict=True) if not taken]
    dropped = [pl.Series(name, [why[i] for why in reasons], dtype=dtype) for i, (name, dtype) in enumerate(schema(REJECTION).items())]
    return {
        "": rows.filter(chosen),
        REJECTED: pl.concat([rows.filter(~chosen).drop(schema(REJECTION), strict=False), pl.DataFrame(dropped)], how="horizontal"),
        PROMPTS: _prompts(block, records, rates, kept),
    }


def _rate_columns(rates: Sequence[PassRate], types: Mapping[str, Any]) -> list[pl.Series]:
    values = {"pass_rate": "rate", "pass_low": "low", "pass_high": "high", "judged": "judged"}
    return [pl.Series(name, [getattr(rate, field) for rate in rates], dtype=types[name]) for name, field in values.items() if name in types]


def _score_column(bar: Bar, sampled: Sequence[Sampled]) -> pl.Series:
    scores = [one.scores.get(bar.scorer.name) for one in sampled]
    values = [None if score is None else {"value": score.value, "reason": score.reason} for score in scores]
    return pl.Series(bar.scorer.name, values, dtype=SCORE)


def _picked(rows: pl.DataFrame, records: Mapping[int, Sequence[Sampled]], kept: Kept) -> list[bool]:
    """For each row whether it goes into the main part."""
    taken = [False] * len(rows)
    start = 0
    for record in records.values():
        right = [start + place for place, one in enumerate(record) if one.outcome.accepted]
        if len(right) > kept.want:
            read = [name for name in ("sample", "row_id", "response_tokens", "response") if name in rows.columns]
            candidates = rows[pl.Series(right, dtype=pl.UInt32)].select(read).to_dicts()
            right = [right[i] for i in PICKS[kept.pick](candidates, kept.want)]
        for place in right:
            taken[place] = True
        start += len(record)
    return taken


def _why(one: Sampled, kept: Kept) -> tuple[str, str]:
    """(dropped_by, dropped_because) of a row that was not picked."""
    if one.outcome.accepted:
        return kept.name, f"surplus: right, and {kept.want} others were picked ({kept.pick})"
    if one.outcome.truncated:
        return kept.name, f"truncated at {one.outcome.tokens} tokens" if one.outcome.tokens else "truncated"
    if one.finish_reason in UNANSWERED:
        return kept.name, f"not answered: {one.finish_reason}"
    for bar in kept.bars:
        score = one.scores.get(bar.scorer.name)
        if score is not None and not bar.passes(score):
            return bar.scorer.name, score.reason if score.value is not None else f"unjudged: {score.reason}"
    lost = list(one.scores) or [kept.bars[0].scorer.name]
    return lost[-1], f"unjudged: {one.scores[lost[-1]].reason if one.scores else 'no verdict'}"


def _prompts(block: Block, records: Mapping[int, Sequence[Sampled]], rates: Mapping[int, PassRate], kept: Kept) -> pl.DataFrame:
    types = schema(ASKED)
    counted = []
    for index, record in records.items():
        outcomes = [one.outcome for one in record]
        right = sum(outcome.accepted is True for outcome in outcomes)
        wrong = sum(outcome.accepted is False for outcome in outcomes)
        truncated = sum(outcome.truncated and outcome.accepted is None for outcome in outcomes)
        counted.append(
            {
                "asked": len(record),
                "right": right,
                "wrong": wrong,
                "truncated": truncated,
                "unjudged": len(record) - right - wrong - truncated,
                "picked": min(right, kept.want),
                "tokens": sum(outcome.tokens for outcome in outcomes),
                "decided": block.decided[index].why,
            }
        )
    columns = [pl.Series(name, [row[name] for row in counted], dtype=types[name]) for name in COUNTED]
    made = pl.DataFrame([block.problems["prompt_id"], *columns, *_rate_columns([rates[index] for index in records], types)])
    return made.select(list(types))
