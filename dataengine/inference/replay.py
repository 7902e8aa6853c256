"""Recorded responses as an engine: for tests, and for running a funnel again on what some model once said."""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.inference.engine import FinishReason, Response, Sampling
from dataengine.inference.served_reply import ENDED
from dataengine.names import nearest
from dataengine.own_version import own_version

REPLAYED = "replay"
"""How the version of this engine begins, as it stands in the rows: how tokens were drawn is not known of those."""
DEFAULTS: dict[str, Any] = {"finish_reason": "stop", "prompt_tokens": 0, "response_tokens": 0, "model": REPLAYED}
"""What stands in for a column that a recording lacks, or some of its shards or rows."""
READ = ("prompt", "response", "sample", *DEFAULTS)
"""The columns of a recording that are replayed."""
REASONS: dict[str, FinishReason] = {**ENDED, "prompt_too_long": "prompt_too_long", "refused": "refused"}
"""How recordings say that a response is over: our words, and those of servers."""


class ReplayEngine:
    """Answers each prompt with what is recorded for it: `ReplayEngine({"1+1?": [response, ...]})`; sample i is the i-th."""

    def __init__(self, recorded: Mapping[str, Sequence[Response]], *, model: str = "replay", revision: str = "") -> None:
        """By default the revision is a content hash of the texts."""
        self._recorded = recorded
        texts = "\0".join(f"{prompt}\0{one.sample}\0{one.text}" for prompt, found in recorded.items() for one in found)
        self.model, self.revision = model, revision or hashlib.blake2b(texts.encode(), digest_size=6).hexdigest()
        self.version = f"{REPLAYED}, {own_version()}"

    @classmethod
    def of(cls, path: Path, *, prefill: str = "") -> ReplayEngine:
        """The responses of a folder of Parquet shards or of one `.parquet` or `.jsonl` file, see `of_rows`."""
        shards = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not shards:
            raise ValueError(f"{path} holds no recorded responses: give a folder of .parquet files with the columns prompt and response")
        scan = pl.scan_ndjson if path.suffix == ".jsonl" else pl.scan_parquet
        found = [scan(shard).select(pl.selectors.by_name(*READ, require_all=False)) for shard in shards]
        return cls.of_rows(pl.concat(found, how="diagonal_relaxed").collect(), prefill=prefill)

    @classmethod
    def of_rows(cls, rows: pl.DataFrame, *, prefill: str = "") -> ReplayEngine:
        """The columns `prompt` (as rendered) and `response`, and where there are `sample` (else counted), `finish_reason`, `prompt_tokens`,
        `response_tokens`, `model`.

        `prefill` is the beginning of each response that its prompt holds already; it is taken off. Where only the number of tokens
        is recorded, every token id is -1 and every log-probability nan.
        """
        if missing := [name for name in ("prompt", "response") if name not in rows.columns]:
            raise ValueError(f"recorded responses lack the column {', '.join(missing)}; there are {', '.join(rows.columns)}: rename them")
        rows = _with_all_columns(rows)
        recorded: dict[str, list[Response]] = {}
        for row in rows.sort("sample").iter_rows(named=True):
            recorded.setdefault(row["prompt"], []).append(_response(row, prefill))
        return cls(recorded, model=", ".join(rows["model"].unique(maintain_order=True)) or DEFAULTS["model"])

    @property
    def capacity(self) -> int:
        """Nothing is decoded; as many as one likes."""
        return 1024

    async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        """Yield the recorded responses of these numbers; ValueError where there are not so many."""
        found = {one.sample: one for one in self._recorded.get(prompt, ())}
        if absent := [sample for sample in samples if sample not in found]:
            raise ValueError(
                f"{len(found)} responses are recorded to the prompt {_short(prompt)}, sample {absent[0]} is not among them "
                f"({len(self._recorded)} prompts are recorded): ask for fewer samples, or render with the template of the recording"
            )
        for sample in samples:
            yield found[sample]

    def close(self) -> None:
        """Nothing to give back."""


def _with_all_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with nothing missing: samples are counted where a prompt has responses without a number."""
    counted = pl.int_range(pl.len()).over("prompt")
    known = pl.col("sample") if "sample" in rows.columns else pl.lit(None, dtype=pl.Int64)
    rows = rows.with_columns(sample=pl.when(known.is_null().any().over("prompt")).then(counted).otherwise(known))
    filled = [pl.col(name).fill_null(value) if name in rows.columns else pl.lit(value).alias(name) for name, value in DEFAULTS.items()]
    rows = rows.with_columns(filled).with_columns(pl.col("finish_reason").str.to_lowercase())
    if unknown := sorted(set(rows["finish_reason"].unique()) - REASONS.keys()):
        raise ValueError(
            f"{len(rows.filter(pl.col('finish_reason').is_in(unknown)))} recorded responses have the finish_reason "
            f"{', '.join(map(repr, unknown))}, which says nothing about how they ended: leave them out, or put one of ours in its place. "
            f"{nearest(unknown[0], REASONS)}"
        )
    return rows.with_columns(pl.col("finish_reason").replace_strict(REASONS, return_dtype=pl.String))


def _response(row: dict, prefill: str) -> Response:
    text = row["response"] or ""
    if text and not text.startswith(prefill):
        raise ValueError(f"a recorded response does not begin with the prefill {prefill!r} but with {_short(text)}: set the right prefill")
    tokens = row["response_tokens"]
    return Response(
        sample=row["sample"],
        token_ids=[-1] * tokens,
        text=text.removeprefix(prefill),
        logprobs=[math.nan] * tokens,
        finish_reason=row["finish_reason"],
        prompt_tokens=row["prompt_tokens"],
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:40] + " ... " + text[-40:])
