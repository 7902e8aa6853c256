"""Every response that was ever made, durable before anything uses it and keyed by content, never by row position.

One folder per (model revision, sampling), in it a `KeyedLog`, whose docstring says what is promised of crashes, full disks and power
cuts. The key is the hash of (prompt, sample). A response that was cut at a cap below the sampling's `max_tokens` is kept as `length` with
its `cap`: it answers every wish up to that cap, a wish for more asks anew, and the longer response takes its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl

from dataengine.inference.engine import Engine, Response, Sampling
from dataengine.lines import whole
from dataengine.storage.keyed_log import KeyedLog

STORED = {
    "model": pl.String,
    "model_revision": pl.String,
    "engine": pl.String,
    "sample": pl.Int32,
    "response": pl.String,
    "finish_reason": pl.String,
    "prompt_tokens": pl.Int32,
    "response_tokens": pl.Int32,
    "seed": pl.Int64,
    "cap": pl.Int32,
}


class Responses:
    """The stored responses of one model under one sampling; one process at a time has them open, any of its threads may use them."""

    def __init__(self, root: Path, *, revision: str, sampling: Sampling) -> None:
        self.name = (
            f"{revision[:16]}-{hashlib.blake2b(json.dumps(sampling.identity(), sort_keys=True).encode(), digest_size=4).hexdigest()}"
        )
        self.folder = root / "responses" / self.name
        self.max_tokens = sampling.max_tokens
        self._log = KeyedLog(self.folder, schema=STORED, mark="cap")

    def __enter__(self) -> Self:
        self._log.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._log.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return len(self._log)

    def missing(self, prompt: str, samples: Sequence[int], *, cap: int | None = None) -> list[int]:
        """Those of the samples that nobody has made yet with at least `cap` tokens allowed (None: all that the sampling allows)."""
        return [sample for sample in samples if not self._has(_key(prompt, sample), cap)]

    def add(self, prompt: str, response: Response, *, seed: int, engine: Engine, cap: int | None = None) -> dict[str, Any]:
        """Store one response, made with at most `cap` tokens; what is stored survives the death of this process from here on.

        Raises DiskFull.
        """
        cut = cap is not None and cap < self.max_tokens and response.finish_reason == "length"
        kept = {
            "model": engine.model,
            "model_revision": engine.revision,
            "engine": engine.version,
            "sample": response.sample,
            "response": whole(response.text),
            "finish_reason": response.finish_reason,
            "prompt_tokens": response.prompt_tokens,
            "response_tokens": len(response.token_ids),
            "seed": seed,
            "cap": cap if cut else None,
        }
        self._log.add(_key(prompt, response.sample), kept)
        return kept

    def sync(self) -> None:
        """Force everything stored so far to the disk."""
        self._log.sync()

    def get(self, prompt: str, sample: int) -> dict[str, Any]:
        """One stored response as it goes into a row, with the `cap` it was cut at where that was below the sampling's."""
        return self._log.get(_key(prompt, sample))

    def compact(self) -> None:
        """Pack every closed segment into Parquet now; it happens by itself when there is enough."""
        self._log.compact()

    def _has(self, key: bytes, cap: int | None) -> bool:
        cut = self._log.marked(key)
        return cut is not None and (not cut or (cap is not None and cap <= self._log.get(key)["cap"]))


def _key(prompt: str, sample: int) -> bytes:
    return hashlib.blake2b(f"{sample}\0{prompt}".encode(), digest_size=16).digest()
