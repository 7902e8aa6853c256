"""How many tokens will a student train on? A step that counts each row with the student's own tokenizer, shard by shard."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataengine.names import nearest
from dataengine.sources import Content
from dataengine.step import Step
from dataengine.templates import QUESTION, Message, Template
from dataengine.work import Work
from filters.texts.tokens import TokenCounter

AS_TRAINED = ("messages", "response")


def count_tokens(
    data: Step, tokenizer: Path | str, columns: Sequence[str] = AS_TRAINED, *, template: Template = QUESTION, name: str = "tokens"
) -> Step:
    """The rows with `tokens`: those of prompt and response as `sft` trains on them, by the tokenizer of a folder or tokenizer.json.

    `messages` is rendered by `template` and begins with the tokens that the tokenizer puts before a text; `response` is counted apart,
    without the template's prefill, and with its end token unless it was cut off (`finish_reason` length). Other `columns` are texts,
    counted as they are. Null where a text is null or the template refuses the messages.
    """
    if not columns or isinstance(columns, str):
        raise ValueError(f"count_tokens wants a list of columns, such as {list(AS_TRAINED)}; got {columns!r}")
    path = Path(tokenizer)
    file = Content(path / "tokenizer.json" if path.is_dir() else path)
    return Step(name=name, make=_make, inputs={"data": data}, settings={"tokenizer": file, "columns": list(columns), "template": template})


def _make(work: Work) -> None:
    work.each_shard(_count_shard)


def _count_shard(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    for column in settings["columns"]:
        if column not in rows.columns:
            raise ValueError(f"count_tokens wants the column {column!r}. {nearest(column, rows.columns)}")
    counter, template = _counter(settings["tokenizer"].path), settings["template"]
    total_R, counted_R = np.zeros(len(rows), dtype=np.int64), np.ones(len(rows), dtype=bool)
    for column in settings["columns"]:
        if column == "messages":
            texts = pl.Series([_rendered(template, messages) for messages in rows["messages"].to_list()], dtype=pl.String)
            total_R += _put_before(settings["tokenizer"].path, texts)
        elif column == "response":
            texts = rows["response"].str.strip_prefix(template.prefill)
            total_R += _ended(rows)
        else:
            texts = rows[column].cast(pl.String)
        total_R += counter.count(texts)
        counted_R &= texts.is_not_null().to_numpy()
    tokens = pl.Series("tokens", total_R).cast(pl.Int32).set(pl.Series(~counted_R), None)
    return {"": rows.with_columns(tokens)}


@functools.cache
def _counter(tokenizer: Path) -> TokenCounter:
    """One for each process: it remembers the pieces it has seen."""
    return TokenCounter(tokenizer)


def _rendered(template: Template, messages: Sequence[Message] | None) -> str | None:
    try:
        return template.render(messages or ())
    except ValueError:
        return None


def _put_before(tokenizer: Path, prompts: pl.Series) -> np.ndarray:
    """_R int64: tokens that are put around a prompt; none where the template has written the first of them itself."""
    from tokenizers import Tokenizer

    added = Tokenizer.from_file(str(tokenizer)).encode("", add_special_tokens=True).tokens
    written = prompts.str.starts_with(added[0]) if added else prompts.is_null()
    return np.where(written.fill_null(value=False).to_numpy(), 0, len(added))


def _ended(rows: pl.DataFrame) -> np.ndarray:
    """_R int64: 1 where an end token follows the response."""
    if "finish_reason" not in rows.columns:
        return np.ones(len(rows), dtype=np.int64)
    return (rows["finish_reason"].fill_null("stop") != "length").to_numpy().astype(np.int64)
