"""Verdicts that were reached, so that a resumed run does not pay for an expensive verifier twice.

One `KeyedLog` for each (responses, scorer with its version and settings), whose promises hold here too. A verdict is keyed by the row's
id and by the values of every other column that the scorer reads: with another reference answer, another version or other settings it is
another verdict. What could not be judged because the scorer, or a process that it asked, raised, died or hung is not kept: the next run
tries again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl

from dataengine.keep import Bar
from dataengine.sampling.verifiers import LOST
from dataengine.score import ERROR, Score, Scorer
from dataengine.storage.keyed_log import KeyedLog
from dataengine.workers import DIED, TIMEOUT

HAPPENED = re.compile(rf"(?:^|: )(?:{'|'.join(map(re.escape, (ERROR, LOST, TIMEOUT, DIED)))})")
"""How the reason of a row begins that lost its scorer, also behind the name of another scorer that was asked."""
STORED = {"row_id": pl.String, "value": pl.Float64, "reason": pl.String}


class Verdicts:
    """`with Verdicts(root, of=responses.name, bars=bars) as verdicts: verdicts.known(row); verdicts.add(row, scores)`"""

    def __init__(self, root: Path, *, of: str, bars: Sequence[Bar]) -> None:
        self.bars = bars
        self._stack = ExitStack()
        folders = [root / "verdicts" / of / f"{bar.scorer.name}-{_hash(bar.scorer.identity())[:8]}" for bar in bars]
        self._logs = [KeyedLog(folder, schema=STORED) for folder in folders]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for log in self._logs:
                stack.enter_context(log)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def known(self, row: Mapping[str, Any]) -> dict[str, Score]:
        """The stored verdicts on a row, bar after bar up to the first that is not stored or that the row does not pass."""
        found: dict[str, Score] = {}
        for bar, log in zip(self.bars, self._logs, strict=True):
            try:
                stored = log.get(_key(bar.scorer, row))
            except KeyError:
                break
            score = Score(stored["value"], stored["reason"])
            if not _lasts(score):
                break
            found[bar.scorer.name] = score
            if not bar.passes(score):
                break
        return found

    def add(self, row: Mapping[str, Any], scores: Mapping[str, Score]) -> None:
        """Keep verdicts on a row; they survive the death of this process from here on."""
        for bar, log in zip(self.bars, self._logs, strict=True):
            score = scores.get(bar.scorer.name)
            if score is not None and _lasts(score):
                log.add(_key(bar.scorer, row), {"row_id": row["row_id"], "value": score.value, "reason": score.reason})

    def sync(self) -> None:
        """Force everything stored so far to the disk."""
        for log in self._logs:
            log.sync()


def _lasts(score: Score) -> bool:
    return score.value is not None or not HAPPENED.search(score.reason)


def _key(scorer: Scorer, row: Mapping[str, Any]) -> bytes:
    read = [row.get(name, row.get(scorer.instead.get(name, ""))) for name in scorer.columns if name != "response"]
    return bytes.fromhex(_hash([row["row_id"], read]))


def _hash(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()
