"""Rows of messages and responses as token documents for fine-tuning, and why a row cannot be one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl
from transformers import PreTrainedTokenizerBase

from dataengine.inference.weights import prompt_ids
from dataengine.names import nearest
from dataengine.templates import Template
from trainers.packing import Document

TrainOn = Literal["response", "all"]


def sft_documents(
    rows: pl.DataFrame, tokenizer: PreTrainedTokenizerBase, *, template: Template, train_on: TrainOn, max_tokens: int, eos: int
) -> tuple[list[Document], dict[int, str]]:
    """A document for each row that can be trained on, and the reason for each row number that cannot.

    Prompt and response are tokenised apart, as they are when the response is generated, so the border between them is exact; a
    response gets the end token unless it was cut off (`finish_reason` length). Nothing is ever cut here.
    """
    texts, refused = {}, {}
    for number, row in enumerate(rows.iter_rows(named=True)):
        found = _texts(row, template)
        if isinstance(found, str):
            refused[number] = found
        else:
            texts[number] = found
    prompts = [prompt_ids(tokenizer, prompt) for prompt, _ in texts.values()]
    responses = encode_responses(tokenizer, [response for _, response in texts.values()])
    finished = rows["finish_reason"].fill_null("stop").to_list() if "finish_reason" in rows.columns else ["stop"] * len(rows)
    documents = []
    for number, prompt, response in zip(texts, prompts, responses, strict=True):
        if finished[number] != "length":
            response = [*response, eos]
        if not prompt or not response:
            refused[number] = f"no token to train: {len(prompt)} prompt and {len(response)} response tokens"
        elif (tokens := len(prompt) + len(response)) > max_tokens:
            refused[number] = f"{tokens} tokens, and max_tokens is {max_tokens}"
        else:
            documents.append(Document(prompt=prompt, responses=[response], rows=[number], train_prompt=train_on == "all"))
    return documents, refused


def encode_responses(tokenizer: PreTrainedTokenizerBase, responses: list[str]) -> list[list[int]]:
    """Token ids of texts that continue a prompt: nothing is put before or after them."""
    return tokenizer(responses, add_special_tokens=False)["input_ids"] if responses else []


def check_columns(name: str, rows: pl.DataFrame, *wanted: str) -> None:
    """Refuse rows that lack a column the trainer called `name` reads."""
    for column in wanted:
        if column not in rows.columns:
            there = ", ".join(rows.columns) or "no columns (no rows came in)"
            raise ValueError(f"{name} wants the column {column!r}; the rows have {there}. {nearest(column, rows.columns)}")


def end_token(tokenizer: PreTrainedTokenizerBase, end: str | None) -> int:
    """The id of the token that ends a response: the tokenizer's own, or the one named `end`."""
    found = tokenizer.eos_token_id if end is None else tokenizer.convert_tokens_to_ids(end)
    if not isinstance(found, int) or found == tokenizer.unk_token_id:
        raise ValueError(f"the tokenizer has no end token {end or '(eos_token)'!r}: name one of its tokens as `end`")
    return found


def _texts(row: Mapping[str, Any], template: Template) -> tuple[str, str] | str:
    """Prompt and trained text of a row, or the reason why there are none."""
    response = row["response"]
    if response is None:
        return "no response"
    if not response.startswith(template.prefill):
        return f"the response does not begin with {template.prefill!r}, which the template {template.name!r} puts before it"
    try:
        return template.render(row["messages"]), response[len(template.prefill) :]
    except ValueError as error:
        return str(error)
