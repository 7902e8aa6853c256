"""Responses of every source become the one form of a cold-start row: thoughts between the special tokens, then a summary.

Sources: few-shot and direct responses, `<think>...</think> summary`, and R1-Zero's `<think>...</think> <answer>...</answer>`. What runs on
into another problem is cut off. The step comes before the verdicts, so that what is judged is what is kept.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dataengine.cold_start.cold_start_prompts import NEXT_PROBLEM
from dataengine.cold_start.end_tokens import without_end_tokens
from dataengine.cold_start.stray_text import says_nothing, strays
from dataengine.shards import REJECTED
from dataengine.step import Step
from dataengine.templates import Form
from dataengine.work import Work

SOURCES = ("few_shot", "direct", "zero")
ANSWER = ("<answer>", "</answer>")
NEXT_TURN = re.compile(r"\s*(?:User|Human|Assistant)\s*[:：]")
"""How a base model goes on behind R1-Zero's answer: with the conversation of its template."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The two parts of a response, or why it has not got them."""

    reasoning: str = ""
    summary: str = ""
    fault: str = ""


def in_form(
    data: Step,
    *,
    source_kind: str,
    form: Form | None = None,
    said: Form | None = None,
    prefilled: bool = False,
    next_problem: Sequence[str] = NEXT_PROBLEM,
    name: str = "",
) -> Step:
    """The rows with `reasoning`, `summary` and `response` in `form` (`Form()`); those that can not be brought into it are in rejected/.

    `source_kind`: few_shot, direct or zero; it becomes a column. `said`: the tokens that the responses were asked to use (`Form()`).
    `prefilled`: the prompt held the opening token already, and responses may be recorded without it (ours are recorded with it).
    `next_problem`: how a line begins where a response runs on into another problem, as few-shot prompts do; it is cut off there.
    `raw_response` keeps what the model said; `bare_messages`, where there are any, become `messages` again.
    """
    if source_kind not in SOURCES:
        raise ValueError(f"source_kind is one of {', '.join(SOURCES)}; got {source_kind!r}")
    if isinstance(next_problem, str):
        raise ValueError(f"next_problem is a list of beginnings of lines, got {next_problem!r}")
    settings = {"source_kind": source_kind, "form": form or Form(), "said": said or Form()}
    settings |= {"prefilled": prefilled, "next_problem": list(next_problem)}
    return Step(name=name or f"{source_kind.replace('_', '-')}-in-form", make=_make, inputs={"data": data}, settings=settings)


def parts_of(
    response: str | None,
    *,
    source_kind: str,
    form: Form,
    said: Form,
    prefilled: bool = False,
    next_problem: Sequence[str] = NEXT_PROBLEM,
    finish_reason: str | None = None,
) -> Parts:
    """Reasoning and summary of one response, without white space around them, as they go into `form`.

    >>> parts_of("<think> 2 and 2 </think> <answer> 4 </answer>", source_kind="zero", form=Form(), said=Form())
    Parts(reasoning='2 and 2', summary='4', fault='')
    >>> parts_of("<think>2 and 2", source_kind="direct", form=Form(), said=Form()).fault
    'no </think>: the thoughts are not closed'
    """
    if response is None:
        return Parts(fault="no response")
    text = without_end_tokens(response)
    following = _next(tuple(next_problem)).search(text) if next_problem else None
    if following:
        text = text[: following.start()]
    opened = text.lstrip()
    if prefilled and opened and not opened.startswith(said.opening):
        opened = said.opening + opened
    if not opened.startswith(said.opening):
        return Parts(fault=_unopened(opened, said))
    reasoning, closed, rest = opened[len(said.opening) :].partition(said.closing)
    if not closed:
        return Parts(fault=f"no {said.closing}: the thoughts are not closed{' before another problem begins' if following else ''}")
    summary, whole, fault = _without_tags(rest, wanted=source_kind == "zero")
    if fault:
        return Parts(fault=fault)
    if finish_reason == "length" and not (following or whole):
        return Parts(fault="truncated: the tokens ran out in the summary")
    parts = Parts(reasoning=reasoning.strip(), summary=summary.strip())
    return Parts(fault=fault) if (fault := _fault(parts, form=form, said=said)) else parts


@functools.cache
def _next(beginnings: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"\n[ \t]*(?:{'|'.join(map(re.escape, beginnings))})")


def _unopened(text: str, said: Form) -> str:
    if not text:
        return "empty response"
    if said.opening not in text:
        half = (
            f", though {said.closing} is there: half a pair (set prefilled, where the prompt held the other half)"
            if said.closing in text
            else ""
        )
        return f"no {said.opening}{half}"
    return f"text before {said.opening}: {text[:40]!r}"


def _without_tags(rest: str, *, wanted: bool) -> tuple[str, bool, str]:
    """The summary, whether its end was seen, and a fault: the answer inside of answer tags, or all of the text where there are none."""
    opening, closing = ANSWER
    if opening not in rest and closing not in rest:
        return rest, False, f"no {opening}" if wanted else ""
    before, _, inside = rest.partition(opening)
    answer, closed, after = inside.partition(closing)
    if before.strip():
        return "", False, f"text between the thoughts and {opening}: {before.strip()[:40]!r}"
    if not closed:
        return "", False, f"no {closing}: the answer is not closed"
    if after.strip() and not NEXT_TURN.match(after):
        return "", False, f"text after {closing}: {after.strip()[:40]!r}"
    return answer, True, f"{opening} inside the answer" if opening in answer else ""


def _fault(parts: Parts, *, form: Form, said: Form) -> str:
    for name, text in (("thoughts", parts.reasoning), ("summary", parts.summary)):
        if says_nothing(text):
            return f"the {'summary is' if name == 'summary' else 'thoughts are'} empty"
        if stray := next(iter(strays(text, form, said)), None):
            return f"a stray {stray.text} in the {name}" if stray.is_token else f"{stray} in the {name}"
    try:
        form.write(parts.reasoning, parts.summary)
    except ValueError as error:
        return str(error)
    return ""


def _make(work: Work) -> None:
    work.each_shard(_form_rows)


def _form_rows(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    how = {name: settings[name] for name in ("source_kind", "form", "said", "prefilled", "next_problem")}
    finished = rows["finish_reason"].to_list() if "finish_reason" in rows.columns else [None] * len(rows)
    found = [parts_of(text, **how, finish_reason=why) for text, why in zip(rows["response"].to_list(), finished, strict=True)]
    good = pl.Series([not each.fault for each in found], dtype=pl.Boolean)
    rows = _bare(rows).with_columns(source_kind=pl.lit(settings["source_kind"]))
    kept = rows.filter(good).with_columns(
        pl.Series("reasoning", [each.reasoning for each in found if not each.fault], dtype=pl.String),
        pl.Series("summary", [each.summary for each in found if not each.fault], dtype=pl.String),
        pl.Series("response", [settings["form"].write(each.reasoning, each.summary) for each in found if not each.fault], dtype=pl.String),
    )
    faults = pl.Series("dropped_because", [each.fault for each in found if each.fault], dtype=pl.String)
    return {"": kept, REJECTED: rows.filter(~good).with_columns(faults, dropped_by=pl.lit("in_form"))}


def _bare(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the bare question and the raw response; what is kept already stays."""
    if "raw_response" not in rows.columns:
        rows = rows.with_columns(raw_response=pl.col("response"))
    return rows.with_columns(messages=pl.col("bare_messages")).drop("bare_messages") if "bare_messages" in rows.columns else rows
