"""Problems in blocks of a few hundred: read when their turn comes, landed as shards when every prompt of them is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.sampling.spending import Decision, Outcome
from dataengine.score import Score

BLOCK = 512
"""Prompts of one block, and of one shard."""
PROMPTS = "prompts"
"""The sub-folder with one row for each prompt, asked or not."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """What is known of one response without its text; `Outcome` is what the decision sees of it."""

    outcome: Outcome
    finish_reason: str
    cap: int | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)


@dataclass(eq=False)
class Block:
    """Consecutive problems with what was sampled for them so far."""

    number: int
    first: int
    """Number of its first prompt in the whole input."""
    problems: pl.DataFrame
    landed: dict[int, dict[int, Sampled]] | None = None
    """What an earlier attempt has landed, by number of the prompt; None where nothing of this block has."""
    records: dict[int, dict[int, Sampled]] = field(default_factory=dict)
    """By number of the prompt and sample."""
    decided: dict[int, Decision] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Name of its shards."""
        return f"{self.number:05d}.parquet"

    @property
    def finished(self) -> bool:
        """Whether every prompt is decided."""
        return len(self.decided) == len(self.problems)

    def problem(self, index: int) -> dict[str, Any]:
        """The row of one prompt, by its number in the whole input."""
        return self.problems.row(index - self.first, named=True)

    def record(self, index: int) -> list[Sampled]:
        """The responses to one decided prompt, in sample order."""
        known = self.records.get(index, {})
        return [known[sample] for sample in range(self.decided[index].samples)]


def blocks(problems: Path) -> Iterator[Block]:
    """The problems of a finished folder, block by block; a block never spans two shards."""
    number = first = 0
    for path in shards.shard_paths(problems):
        rows = pl.scan_parquet(path)
        for start in range(0, rows.select(pl.len()).collect().item(), BLOCK):
            part = rows.slice(start, BLOCK).collect()
            yield Block(number, first, part)
            number, first = number + 1, first + len(part)


def read_landed(folder: Path, block: Block) -> dict[int, dict[int, Sampled]] | None:
    """What an earlier attempt landed of a block, from narrow columns alone; None where prompts of the block cannot be told apart."""
    ids = block.problems["prompt_id"].to_list()
    if len(set(ids)) != len(ids):
        return None
    number = {prompt_id: block.first + position for position, prompt_id in enumerate(ids)}
    found: dict[int, dict[int, Sampled]] = {index: {} for index in number.values()}
    for part in ("", shards.REJECTED):
        rows = pl.read_parquet(folder / part / block.file, columns=["prompt_id", "sample", "accepted", "response_tokens", "finish_reason"])
        for prompt_id, sample, accepted, tokens, finish_reason in rows.iter_rows():
            outcome = Outcome(accepted, tokens, truncated=finish_reason == "length")
            found[number[prompt_id]][sample] = Sampled(outcome, finish_reason)
    return found
