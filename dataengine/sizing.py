"""What a large run costs, from figures that were measured: tokens, GPU-hours, days, cores, disk, memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.reporting.funnel import folders_before
from dataengine.storage.key_table import LOAD, SMALLEST

SLOT_BYTES = 16
"""Of the index of a log: two numbers of 8 bytes, in a table whose slots double when two thirds are taken."""
FOLDERS = 6
"""Folders that hold the kept rows whole: sample, three filters, dedup, decontaminated; the mix is counted apart."""
TWICE = 2
"""A row holds its response whole and in parts (`reasoning`, `summary`)."""


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """The size of a run; defaults are the published 800k set, eight GPUs, and figures of docs/scale.md."""

    tokens_per_second: float
    """Tokens that one GPU generates a second for this model at these lengths with its queue full. Measure it: docs/scale.md says how."""
    gpus: int = 8
    rows: int = 804_745
    """Rows of the corpus that are sampled."""
    tokens: float = 5_355.3
    """Tokens of a row's response, mean."""
    samples_per_kept: float = 2.1
    """Samples generated for each one kept (at most `want` a problem): 2.1 where the mean pass rate is .64, 3.9 where it is .42, with
    want = 4 (docs/sampling.md)."""
    kept_per_prompt: float = 3.35
    """Samples kept of a problem, mean over all that are asked: 3.35 where the mean pass rate is .64, 2.60 where it is .42."""
    longer: float = 1.5
    """Tokens of a generated sample, as a multiple of a kept one's: wrong answers are longer (recorded: 1.07 to 3.2)."""
    survive: float = 0.9
    """Share of kept samples that filters, dedup, decontamination and quotas leave."""
    busy: float = 0.9
    """Share of the time that the GPUs generate: starts, restarts and the tail of a run are the rest."""
    bars: int = 4
    """Scorers that judge a sample, each with a log of its verdicts: four in the recipe `rejection`, five where answers wear tags."""
    verify_seconds: float = 0.026
    """CPU seconds to verify one sample (docs/benchmarks.md: mathematics 0.0006, programs with ten cases 0.026)."""
    filter_seconds: float = 0.0017
    """CPU seconds of all text filters for one accepted row (docs/benchmarks.md)."""
    bytes_per_token: float = 4.0
    """Text of a token in UTF-8; English prose has about four, mathematics fewer."""
    packed: float = 0.28
    """Size of text in our Parquet files (zstd), as a share of the text (R1 outputs: 0.26 to 0.28)."""

    def __post_init__(self) -> None:
        for name in ("tokens_per_second", "gpus", "rows", "tokens", "samples_per_kept", "kept_per_prompt", "longer", "bytes_per_token"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is more than 0, got {getattr(self, name)}")
        if self.samples_per_kept < 1:
            raise ValueError(f"samples_per_kept is 1 or more: a sample that is kept was generated; got {self.samples_per_kept}")
        if self.bars < 1:
            raise ValueError(f"bars is 1 or more, got {self.bars}")
        if not 0 < self.survive <= 1 or not 0 < self.busy <= 1 or not 0 < self.packed <= 1:
            raise ValueError("survive, busy and packed are shares: more than 0, at most 1")

    @property
    def accepted(self) -> float:
        """Rows to accept, so that enough are left."""
        return self.rows / self.survive

    @property
    def problems(self) -> float:
        """Problems to ask, without those that dedup and decontamination take away before anything is asked."""
        return self.accepted / self.kept_per_prompt

    @property
    def samples(self) -> float:
        """Samples to generate."""
        return self.accepted * self.samples_per_kept

    @property
    def generated(self) -> float:
        """Tokens to generate."""
        return self.samples * self.tokens * self.longer

    @property
    def gpu_hours(self) -> float:
        """GPU-hours, idle ones included."""
        return self.generated / (self.tokens_per_second * self.busy) / 3600

    @property
    def days(self) -> float:
        """Days from the first token to the last."""
        return self.gpu_hours / self.gpus / 24

    @property
    def samples_per_second(self) -> float:
        """Samples that all GPUs finish a second."""
        return self.gpus * self.tokens_per_second / (self.tokens * self.longer)

    @property
    def cores(self) -> float:
        """CPU cores that keep up with the GPUs in verifying."""
        return self.samples_per_second * self.verify_seconds

    @property
    def store_gb(self) -> float:
        """GB of all responses in their store, packed."""
        return self.generated * self.bytes_per_token * self.packed / 1e9

    @property
    def folders_gb(self) -> float:
        """GB of the folders with accepted rows, the sampled rows that were not accepted, and the mix."""
        row = TWICE * self.tokens * self.bytes_per_token * self.packed / 1e9
        return row * (self.accepted * FOLDERS + (self.samples - self.accepted) * self.longer + self.rows)

    @property
    def memory_gb(self) -> float:
        """GB of the driver for the indexes: one of the responses, and one of each bar's verdicts, of which some bars see fewer."""
        return (1 + self.bars) * index_bytes(self.samples) / 1e9

    def lines(self) -> Iterator[str]:
        """What a person wants to know before paying for it."""
        yield f"problems to ask       {self.problems:>14,.0f}   {self.kept_per_prompt:.2f} samples kept of each"
        yield f"samples to generate   {self.samples:>14,.0f}   {self.samples_per_second:,.2f} a second on {self.gpus} GPUs"
        yield f"tokens to generate    {self.generated:>14,.0f}   {self.generated / (self.rows * self.tokens):.2f} for each kept one"
        yield f"GPU-hours             {self.gpu_hours:>14,.0f}   {self.days:,.1f} days on {self.gpus} GPUs"
        yield f"cores that verify     {self.cores:>14,.2f}   {self.samples * self.verify_seconds / 3600:,.0f} core-hours in all"
        yield f"core-hours that filter{self.accepted * self.filter_seconds / 3600:>14,.1f}"
        yield f"disk, responses       {self.store_gb:>11,.0f} GB"
        yield f"disk, folders         {self.folders_gb:>11,.0f} GB"
        yield f"memory of the indexes {self.memory_gb:>11,.2f} GB"


def index_bytes(keys: float) -> int:
    """Memory of a log's index while it is open: 24 to 48 bytes a key."""
    slots = SMALLEST
    while keys > slots * LOAD:
        slots *= 2
    return slots * SLOT_BYTES


def of_trial(folder: Path) -> dict[str, float]:
    """Settings of `Sizing` that a trial has measured: of the step that sampled on the way to a folder, and of the filters behind it."""
    folder = folder.resolve()
    manifests = {each: shards.read_manifest(each) for each in [*folders_before(folder, folder.parent)] or [folder]}
    sampled = [each for each, manifest in manifests.items() if "sampling" in manifest["notes"]]
    if len(sampled) != 1:
        there = ", ".join(each.name for each in sampled) or "there is none"
        raise ValueError(f"a trial is a folder with one step that sampled on its way; on the way to {folder}: {there}")
    last = _before_the_mix(sampled[0], manifests)
    survive = manifests[last]["rows"] / max(manifests[sampled[0]]["rows"], 1)
    return _of_sampled(sampled[0], manifests[sampled[0]]) | ({"survive": round(survive, 3)} if last != sampled[0] else {})


def _of_sampled(folder: Path, manifest: Mapping[str, Any]) -> dict[str, float]:
    figures = manifest["notes"]["sampling"]
    if not figures["kept"]:
        raise ValueError(f"{folder} kept none of {figures['asked']:,} samples: nothing can be reckoned from it")
    tokens = shards.scan(folder).select(pl.col("response_tokens").mean()).collect().item()
    return {
        "tokens": round(tokens, 1),
        "samples_per_kept": round(figures["asked"] / figures["kept"], 3),
        "kept_per_prompt": round(figures["kept"] / figures["prompts"], 3),
        "longer": round(figures["tokens"] / figures["asked"] / tokens, 3),
        "bars": len(manifest["settings"]["accept"]),
    }


def _before_the_mix(sampled: Path, manifests: Mapping[Path, Mapping[str, Any]]) -> Path:
    """The last folder whose rows are those of `sampled`, less what filters took: quotas, and other parts of a mix, are not behind it."""
    last = sampled
    for folder, manifest in manifests.items():
        if "quotas" not in manifest["notes"] and last.name in (Path(before).name for before in manifest["inputs"].values()):
            last = folder
    return last
