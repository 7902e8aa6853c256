"""What a large run costs, from figures that were measured: tokens, GPU-hours, days, cores, disk, memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

INDEX_BYTES = 34
"""Memory of a response's key while its store is open, at most (measured: a table of a million keys)."""
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
    samples_per_kept: float = 1.9
    """Samples generated for each accepted one: 1.9 where the mean pass rate is .7, 3.7 where it is .4 (docs/sampling.md)."""
    longer: float = 1.5
    """Tokens of a generated sample, as a multiple of an accepted one's: wrong answers are longer (recorded: 1.07 to 3.2)."""
    survive: float = 0.9
    """Share of accepted rows that filters, dedup, decontamination and quotas leave."""
    busy: float = 0.9
    """Share of the time that the GPUs generate: starts, restarts and the tail of a run are the rest."""
    verify_seconds: float = 0.026
    """CPU seconds to verify one sample (docs/benchmarks.md: mathematics 0.0006, programs with ten cases 0.026)."""
    filter_seconds: float = 0.0017
    """CPU seconds of all text filters for one accepted row (docs/benchmarks.md)."""
    bytes_per_token: float = 4.0
    """Text of a token in UTF-8; English prose has about four, mathematics fewer."""
    packed: float = 0.28
    """Size of text in our Parquet files (zstd), as a share of the text (R1 outputs: 0.26 to 0.28)."""

    def __post_init__(self) -> None:
        for name in ("tokens_per_second", "gpus", "rows", "tokens", "samples_per_kept", "longer", "bytes_per_token"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is more than 0, got {getattr(self, name)}")
        if not 0 < self.survive <= 1 or not 0 < self.busy <= 1 or not 0 < self.packed <= 1:
            raise ValueError("survive, busy and packed are shares: more than 0, at most 1")

    @property
    def accepted(self) -> float:
        """Rows to accept, so that enough are left."""
        return self.rows / self.survive

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
        """GB of the driver for the index of responses and that of verdicts."""
        return 2 * self.samples * INDEX_BYTES / 1e9

    def lines(self) -> Iterator[str]:
        """What a person wants to know before paying for it."""
        yield f"samples to generate   {self.samples:>14,.0f}   {self.samples_per_second:,.2f} a second on {self.gpus} GPUs"
        yield f"tokens to generate    {self.generated:>14,.0f}   {self.generated / (self.rows * self.tokens):.2f} for each kept one"
        yield f"GPU-hours             {self.gpu_hours:>14,.0f}   {self.days:,.1f} days on {self.gpus} GPUs"
        yield f"cores that verify     {self.cores:>14,.2f}   {self.samples * self.verify_seconds / 3600:,.0f} core-hours in all"
        yield f"core-hours that filter{self.accepted * self.filter_seconds / 3600:>14,.1f}"
        yield f"disk, responses       {self.store_gb:>11,.0f} GB"
        yield f"disk, folders         {self.folders_gb:>11,.0f} GB"
        yield f"memory of the index   {self.memory_gb:>11,.2f} GB"
