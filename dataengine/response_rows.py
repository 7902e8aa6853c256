"""Stored responses as rows: a problem's columns, then everything that is known of the response and of how it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from dataengine.columns import RESPONSE, schema
from dataengine.inference.engine import Sampling
from dataengine.inference.replay import REPLAYED
from dataengine.storage.responses import Responses
from dataengine.templates import Template, split_r1, split_zero

SPLITS: dict[str, Callable[[str], tuple[str | None, str | None]]] = {"zero": split_zero, "r1": split_r1}
"""How reasoning and summary are told apart: think and answer tags, or thoughts and then a summary."""

RECORDED = json.dumps({"recorded": True})
"""What stands for the sampling of a recorded response: whoever recorded it knows how its tokens were drawn, we do not.
Nor do we know then which weights said it, nor by which seed."""
UNANSWERED = ("prompt_too_long", "refused")
"""Finish reasons without a response."""


@dataclass(frozen=True, kw_only=True)
class SaidBy:
    """What all responses of a step have in common."""

    template: Template
    parts: str
    """A key of SPLITS."""
    sampling: Sampling

    @cached_property
    def sampling_text(self) -> str:
        """How tokens were drawn, as it stands in a row."""
        return json.dumps(self.sampling.identity(), ensure_ascii=False, sort_keys=True)


def response_rows(
    problems: pl.DataFrame, asked: Sequence[tuple[str, Sequence[int]]], responses: Responses, *, said_by: SaidBy
) -> pl.DataFrame:
    """One row for each (problem, sample): `asked` holds the rendered prompt and the sample numbers of each problem, in order."""
    found = []
    for prompt_id, (prompt, samples) in zip(problems["prompt_id"].to_list(), asked, strict=True):
        for sample in samples:
            found.append(response_row(prompt_id, prompt, responses.get(prompt, sample), said_by=said_by))
    ours = schema(RESPONSE)
    made = pl.DataFrame([pl.Series(name, [row[name] for row in found], dtype=dtype) for name, dtype in ours.items()])
    repeated = problems[pl.Series([index for index, (_, samples) in enumerate(asked) for _ in samples], dtype=pl.UInt32)]
    return pl.concat([repeated.drop([name for name in ours if name in repeated.columns]), made], how="horizontal")


def response_row(prompt_id: str, prompt: str, stored: Mapping[str, Any], *, said_by: SaidBy) -> dict[str, Any]:
    """One stored response with the columns of RESPONSE and the id of its problem."""
    replayed = stored["engine"].startswith(f"{REPLAYED},")
    how = {"sampling": RECORDED, "model_revision": None, "seed": None} if replayed else {"sampling": said_by.sampling_text}
    return finished({"prompt_id": prompt_id, **stored, **how, "prompt": prompt}, said_by=said_by)


def finished(row: dict[str, Any], *, said_by: SaidBy) -> dict[str, Any]:
    """A stored response with prefilled beginning, parts and row_id."""
    text = None if row["finish_reason"] in UNANSWERED else said_by.template.prefill + row["response"]
    reasoning, summary = (None, None) if text is None else SPLITS[said_by.parts](text)
    made = {**row, "response": text, "reasoning": reasoning, "summary": summary}
    return {**made, "row_id": row_id(made)}


def row_id(row: dict[str, Any]) -> str:
    """Content hash of a response's row, 16 hex digits."""
    said = [row[name] for name in ("prompt_id", "model_revision", "sampling", "sample", "response")]
    return hashlib.blake2b(json.dumps(said, ensure_ascii=False).encode(), digest_size=8).hexdigest()
