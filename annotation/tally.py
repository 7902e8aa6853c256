"""How far people are with a queue, and what a run says while it waits for them and when it goes on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from annotation.answer import Answer
from annotation.items import asked_item
from annotation.outcome import WAITING, Outcome, outcome_of
from annotation.questions import Questions

SHOWN = 5
"""Unusable answers that a message names."""


@dataclass(kw_only=True)
class Tally:
    """What all asked rows come to; answers without their texts, so that memory does not grow with these."""

    questions: Questions
    superseded: int = 0
    """Answers to texts that rows no longer have."""
    asked: int = 0
    done: int = 0
    another: int = 0
    """Rows that are answered and want one more annotator."""
    conflicts: int = 0
    """Rows of which two people edited the same text differently."""
    left: Counter[str] = field(default_factory=Counter)
    """Rows that wait, by why people are asked."""
    drafts: Counter[str] = field(default_factory=Counter)
    """What each annotator has begun and not submitted."""
    states: Counter[str] = field(default_factory=Counter)
    rescued: Counter[str] = field(default_factory=Counter)
    """Rows that people keep or fix, by what the bars said of them."""
    counted: list[Answer] = field(default_factory=list)
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    """(row_id, annotator, why) of answers that can not be used."""

    def add(self, rows: pl.DataFrame, answers: Mapping[str, Sequence[Answer]]) -> None:
        """Count the rows of one shard."""
        for row in rows.filter(pl.col("rank").is_not_null()).iter_rows(named=True):
            given = answers.get(row["item_id"], ())
            outcome = outcome_of(given, asked_item(row, self.questions.form), self.questions)
            self.drafts.update(answer.annotator for answer in given if answer.status == "draft")
            self._count(row, outcome)

    def _count(self, row: Mapping[str, Any], outcome: Outcome) -> None:
        self.asked += 1
        self.done += outcome.done
        self.another += bool(outcome.counted) and not outcome.done
        self.conflicts += bool(outcome.conflicts)
        self.states[outcome.state] += 1
        self.left[row["why"]] += not outcome.done
        self.rescued[row["standing"]] += outcome.state in ("keep", "fix")
        self.problems += [(row["row_id"], annotator, why) for annotator, found in outcome.problems.items() for why in found]
        self.counted += [_light(answer) for answer in outcome.counted]

    def needed(self, enough: float) -> int:
        """Rows that must be done."""
        return math.ceil(enough * self.asked - 1e-9)

    @property
    def unusable(self) -> int:
        """Submitted answers that can not be used."""
        return len({(row_id, annotator) for row_id, annotator, _ in self.problems})

    @property
    def other_guideline(self) -> int:
        """Answers that were given by another version of the questions."""
        return sum(bool(answer.guideline) and answer.guideline != self.questions.version for answer in self.counted)

    def waiting(self, folder: Path, *, enough: float) -> str:
        """The message that stops a run until people have answered."""
        return "\n".join(self._waiting(folder, enough=enough))

    def _waiting(self, folder: Path, *, enough: float) -> Iterator[str]:
        left = ", ".join(f"{count:,} {why}" for why, count in self.left.items() if count)
        yield f"{self.asked - self.done:,} of {self.asked:,} rows wait for people ({left})."
        if self.another:
            yield f"{self.another:,} of them are answered, and want another annotator's answer as well (the queue's `overlap`)."
        yield f"{self.done:,} are done; the run goes on when {self.needed(enough):,} are (enough={enough:g})."
        if self.drafts:
            yield f"Begun and not submitted: {', '.join(f'{count:,} by {who}' for who, count in sorted(self.drafts.items()))}."
        if self.problems:
            yield f"{self.unusable:,} submitted answers can not be used:"
            yield from (f"  row {row_id}, {annotator}: {why}" for row_id, annotator, why in self.problems[:SHOWN])
            if len(self.problems) > SHOWN:
                yield f"  and {len(self.problems) - SHOWN:,} more"
        if self.superseded:
            yield f"{self.superseded:,} answers are to texts that rows no longer have: those rows are asked again."
        yield f"Open them: dataengine review {folder}   (through Argilla: dataengine argilla push {folder})"
        yield "Then run the same command again."

    def strange(self) -> Iterator[str]:
        """What a person should know when rows go home."""
        if self.conflicts:
            yield (
                f"{self.conflicts:,} rows have a text that two people edited differently: the latest edit of it is taken, "
                "`human` says whose is not, and `answers` has all"
            )
        if self.other_guideline:
            yield f"{self.other_guideline:,} answers were given by other guidelines: they count, and the column `guideline` says which"
        if self.superseded:
            yield f"{self.superseded:,} answers are to texts that rows no longer have: they do not count"
        if self.problems:
            row_id, annotator, why = self.problems[0]
            yield f"{self.unusable:,} submitted answers can not be used, first that of {annotator} to {row_id}: {why}"
        if self.states[WAITING]:
            yield f"{self.states[WAITING]:,} rows are not answered yet and lie in rejected/: raise `round` to take them in later"

    def notes(self) -> dict[str, Any]:
        """Figures for the manifest."""
        people = sorted({answer.annotator for answer in self.counted})
        return {
            "asked": self.asked,
            "done": self.done,
            "outcome": dict(sorted(self.states.items())),
            "rescued": {standing: count for standing, count in sorted(self.rescued.items()) if standing != "kept" and count},
            "answers": len(self.counted),
            "seconds": _seconds(self.counted),
            "different_edits": self.conflicts,
            "unusable": self.unusable,
            "superseded": self.superseded,
            "other_guideline": self.other_guideline,
            "guideline": self.questions.version,
            "by": {annotator: _of([answer for answer in self.counted if answer.annotator == annotator]) for annotator in people},
        }


def _of(answers: Sequence[Answer]) -> dict[str, Any]:
    """What one annotator did."""
    verdicts = Counter(answer.verdict or "" for answer in answers)
    return {"answers": len(answers), **dict(sorted(verdicts.items())), "seconds": _seconds(answers)}


def _seconds(answers: Sequence[Answer]) -> float | None:
    times = [answer.seconds for answer in answers if answer.seconds is not None]
    return round(sum(times), 1) if times else None


def _light(answer: Answer) -> Answer:
    """The answer without its texts."""
    return replace(answer, values={name: answer.values.get(name) for name in ("verdict", "readability", "language")})
