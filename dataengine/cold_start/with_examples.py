"""Problems as they are put to a model that writes cold-start responses: with worked examples, or asked for a detailed answer.

Both steps write the whole prompt text into the last user message, in the question's language, and keep the bare messages beside it;
`prompt_id` stays the bare question's. Examples stand inside of that one message, never as earlier turns: chat templates of reasoning
models take the thoughts out of earlier turns (DeepSeek-R1, Qwen3). `one_form.in_form` puts the bare messages back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.cold_start.cold_start_prompts import SHAPES, WORDS, prompt_text, words_for, written
from dataengine.cold_start.few_shot import Bank, Example, few_shot, token_counter
from dataengine.columns import MESSAGES
from dataengine.sources import Content
from dataengine.step import Step
from dataengine.templates import Form, Message
from dataengine.work import Work

HEADS = 24
"""Tokens that the heads around one example take, at most; the whole prompt is counted again in the end."""

Text = Callable[[str, str | None, str | None], tuple[str, list[str]]]
"""From question, domain and language to the prompt text and the names of the examples in it."""


def with_examples(
    problems: Step,
    *,
    most: int = 2,
    budget: int = 6_000,
    tokenizer: str | Path = "",
    shape: str = "chat",
    form: Form | None = None,
    bank: Bank | None = None,
    seed: int = 0,
    name: str = "few-shot",
) -> Step:
    """The problems, each asked with up to `most` worked examples chosen by its `domain` and `language`.

    `budget`: tokens of the whole prompt, by the model's tokenizer (a folder or tokenizer.json), else by its bytes. A question that leaves
    no room is asked without examples. `shape`: chat or text. `form`: the tokens to write (`Form()`).
    New columns: `bare_messages`, `examples` (names of those shown).
    """
    if most < 1 or budget < 1:
        raise ValueError(f"most and budget are at least 1, got {most} and {budget}; without examples ask with in_detail()")
    path = Path(tokenizer) if tokenizer else None
    file = Content(path / "tokenizer.json" if path.is_dir() else path) if path else None
    settings = {
        "most": most,
        "budget": budget,
        "tokenizer": file,
        "shape": _shape(shape),
        "form": form or Form(),
        "bank": bank or Bank(),
        "seed": seed,
        "words": WORDS,
    }
    return Step(name=name, make=_make_with_examples, inputs={"data": problems}, settings=settings)


def in_detail(problems: Step, *, shape: str = "chat", form: Form | None = None, name: str = "direct") -> Step:
    """The problems, each asked for a detailed answer with reflection and verification; `shape`: chat or text. New: `bare_messages`."""
    settings = {"shape": _shape(shape), "form": form or Form(), "words": WORDS}
    return Step(name=name, make=_make_in_detail, inputs={"data": problems}, settings=settings)


def _shape(shape: str) -> str:
    if shape not in SHAPES:
        raise ValueError(f"shape is one of {', '.join(SHAPES)}; got {shape!r}")
    return shape


def _make_with_examples(work: Work) -> None:
    work.each_shard(_show_examples)


def _make_in_detail(work: Work) -> None:
    work.each_shard(_ask_in_detail)


def _ask_in_detail(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    def text(question: str, domain: str | None, language: str | None) -> tuple[str, list[str]]:
        return prompt_text(question, [], shape=settings["shape"], form=settings["form"], domain=domain, language=language), []

    return {"": _rewritten(rows, text).drop("examples")}


def _show_examples(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    count = token_counter(settings["tokenizer"].path if settings["tokenizer"] else None)
    bank, form = settings["bank"].examples(), settings["form"]
    cost = {each.name: count(written(each, form) + each.question) + HEADS for each in bank}

    def text(question: str, domain: str | None, language: str | None) -> tuple[str, list[str]]:
        def render(chosen: Sequence[Example]) -> str:
            return prompt_text(question, chosen, shape=settings["shape"], form=form, domain=domain, language=language)

        code = language if any(each.language == language for each in bank) else words_for(question, language).language
        room = settings["budget"] - count(render([]))
        chosen = few_shot(
            question, domain=domain, language=code, examples=bank, cost=cost, budget=room, most=settings["most"], seed=settings["seed"]
        )
        while chosen and count(render(chosen)) > settings["budget"]:
            chosen = chosen[1:]
        return render(chosen), [each.name for each in chosen]

    return {"": _rewritten(rows, text)}


def _rewritten(rows: pl.DataFrame, text: Text) -> pl.DataFrame:
    """The rows with the last user message replaced by `text(question, domain, language)`."""
    if "bare_messages" in rows.columns:
        raise ValueError("these rows are asked already (bare_messages is there): give the step the problems themselves")
    domains, languages = (rows[name].to_list() if name in rows.columns else [None] * len(rows) for name in ("domain", "language"))
    made = [_asked(*row, text) for row in zip(rows["messages"].to_list(), domains, languages, strict=True)]
    return rows.with_columns(
        pl.Series("messages", [messages for messages, _ in made], dtype=MESSAGES),
        bare_messages=pl.col("messages"),
        examples=pl.Series([names for _, names in made], dtype=pl.List(pl.String)),
    )


def _asked(
    messages: Sequence[Message],
    domain: str | None,
    language: str | None,
    text: Text,
) -> tuple[list[dict[str, str]], list[str]]:
    last = max((at for at, message in enumerate(messages) if message["role"] == "user"), default=None)
    if last is None:
        raise ValueError(f"a problem needs a user message; a row has roles {[message['role'] for message in messages]}")
    prompt, names = text(messages[last]["content"], domain, language)
    return [{**message, "content": prompt} if at == last else dict(message) for at, message in enumerate(messages)], names
