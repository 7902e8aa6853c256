"""The tiny world as steps: questions, small talk, prompts with worked examples, and the forms that rows are brought into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dataengine.recipes.tiny_corpus import SMALL_TALK
from dataengine.recipes.tiny_world import BOXED, examples, problems
from dataengine.score import Score, scorer
from dataengine.sources import frame, prompt_id
from dataengine.step import Step
from dataengine.templates import Template
from dataengine.work import Work
from filters.final_answers.extraction import final_answer
from filters.reflection import reflection


def arithmetic(count: int, *, seed: int, split: str, name: str) -> Step:
    """`count` different questions of one split of the world."""
    return Step(name=name, make=_make_arithmetic, version="3", settings={"count": count, "seed": seed, "split": split})


def small_talk(*, name: str) -> Step:
    """Everything that people of the tiny world say beside arithmetic."""
    return Step(
        name=name, make=_make_small_talk, version="2", settings={"said": sorted(text for talk in SMALL_TALK.values() for text in talk)}
    )


def short_answers(questions: Step, *, name: str) -> Step:
    """The questions with their bare reference answers as responses: fine-tuning without reasoning."""
    return Step(name=name, make=_make_short, inputs={"data": questions})


def in_r1_form(data: Step, *, name: str) -> Step:
    """R1-Zero responses rewritten as R1 writes: the thoughts on lines of their own, then a summary in the question's language."""
    return Step(name=name, make=_make_r1_form, inputs={"data": data})


def few_shot(*, seed: int) -> Template:
    """A worked example in the question's language in front of it: few-shot long-CoT prompting (DeepSeek-R1 v1 2.3.1)."""
    shown = {"en": "", "zh": ""}
    for language in shown:
        worked = [row for row in examples(40, seed=seed) if row["language"] == language and reflection(row["response"]).value]
        chosen = sorted(worked, key=lambda row: len(row["response"]))[:1]
        shown[language] = "".join(f"{row['messages'][0]['content']}\n{row['response']}\n\n" for row in chosen)
    text = (
        "{% if question.isascii() %}{% raw %}" + shown["en"] + "{% endraw %}{% else %}{% raw %}" + shown["zh"] + "{% endraw %}{% endif %}"
        "{{ question }}\n"
    )
    return Template(name="few_shot", text=text, stop=("</answer>",))


def answer_text(response: str) -> str | None:
    """What a response votes for."""
    return final_answer(response).text


@scorer
def kind_reply(response: str, messages: Sequence[Mapping[str, str]]) -> Score:
    """1 for a kind reply to small talk, 0 for a curt or a strange one: the rule that stands for a preference model in this world."""
    said = messages[-1]["content"]
    replies = next((talk[said] for talk in SMALL_TALK.values() if said in talk), None)
    if replies is None:
        return Score(None, "no small talk")
    kind, curt = replies
    if response.strip() in kind:
        return Score(1.0, "kind")
    return Score(0.0, "curt" if response.strip() in curt else "strange")


def _make_arithmetic(work: Work) -> None:
    ask = work.settings
    _land(work, problems(ask["count"], seed=ask["seed"], split=ask["split"]))


def _make_small_talk(work: Work) -> None:
    languages = {text: language for language, talk in SMALL_TALK.items() for text in talk}
    said = ({"messages": [{"role": "user", "content": text}], "language": languages[text]} for text in work.settings["said"])
    _land(work, [{**row, "domain": "general"} for row in said])


def _land(work: Work, made: Sequence[dict[str, Any]]) -> None:
    rows = [{**row, "prompt_id": prompt_id(row["messages"]), "source": "tiny world", "license": "Apache-2.0"} for row in made]
    work.land("00000.parquet", frame(rows))


def _make_short(work: Work) -> None:
    work.each_shard(_short)


def _short(rows: pl.DataFrame, _settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    return {"": rows.with_columns(response=_boxed(rows))}


def _make_r1_form(work: Work) -> None:
    work.each_shard(_rewritten)


def _rewritten(rows: pl.DataFrame, _settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    summary = _boxed(rows)
    response = pl.format("<think>\n{}\n</think>\n\n{}", "reasoning", summary)
    return {"": rows.with_columns(raw_response=pl.col("response"), response=response, summary=summary)}


def _boxed(rows: pl.DataFrame) -> pl.Series:
    """The summary of each row: its right answer, in its language."""
    said = [BOXED[language].format(answer) for language, answer in rows.select("language", "answer").iter_rows()]
    return pl.Series("summary", said, dtype=pl.String)
