"""The prompts that ask for a cold-start response: thoughts with reflection and verification, then a summary; English and Chinese.

What is asked for is DeepSeek-R1's (v1 2.3.1; v2 B.3.2); the wording is ours, since few-shot and direct prompts were not published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dataengine.cold_start.few_shot import Example
from dataengine.templates import Form, Template

SHAPES = ("chat", "text")
"""A request to a model that follows instructions, or a document that a base model goes on with (`continuation`)."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """The prompts of one language; `{opening}` and `{closing}` are the special tokens."""

    language: str
    problem: str
    """Head of a problem; `{number}` where there are several."""
    solution: str
    how: str
    """What is wanted of the thoughts and of the summary."""
    result: Mapping[str, str]
    """How the result is written, by domain; "" for every other one."""
    shown: str
    """Introduces worked examples to a chat model."""
    asked: str
    """Introduces the problem to a chat model."""
    document: str
    """How a document for a base model begins."""


ENGLISH = Words(
    language="en",
    problem="=== Problem {number}===",
    solution="=== Solution {number}===",
    how=(
        "Write {opening} first, then your thoughts, then {closing}, then a summary; the marks stand nowhere else.\n\n"
        "The thoughts are what you say to yourself, in the first person, in plain sentences and short paragraphs without headings, lists "
        "or code blocks. First make sure that you understand what is given and what is wanted. Then try ideas in detail. Doubt your own "
        'steps as you go ("wait, ..."), say so when an idea fails, and drop it. Before you stop, verify the result in another way.\n\n'
        "The summary is for a reader who does not see the thoughts: a clear and concise solution that follows from them and adds nothing "
        "new. {result}\n\n"
        "Write all of it in the language of the problem."
    ),
    result={
        "code": "It ends with the whole program in one fenced code block.",
        "general": "Where the question has one definite answer, it ends with that answer in \\boxed{{}}.",
        "": "It ends with the final answer in \\boxed{{}}.",
    },
    shown="Solve the last problem the way in which the problems before it are solved.",
    asked="Solve the following problem in detail.",
    document=(
        "Problems, each with a detailed solution by somebody who first thinks aloud, doubts and verifies, and then sums up the result. "
        "The thoughts stand after {opening} and end with {closing}; the summary follows. {result}"
    ),
)
CHINESE = Words(
    language="zh",
    problem="=== 题目 {number}===",
    solution="=== 解答 {number}===",
    how=(
        "先写 {opening}，接着写思考过程，再写 {closing}，最后写总结；别的地方不要出现这些标记。\n\n"
        "思考过程是你对自己说的话：用第一人称，用平实的句子和短小的段落，不要标题、列表和代码块。先弄清楚已知什么、要求什么，再详细地尝试各种思路。"
        "一边想一边怀疑自己的步骤（“等等，……”），思路行不通就说出来并且放弃它。结束之前，换一种方法验证结果。\n\n"
        "总结是写给看不到思考过程的读者的：清楚简洁地写出解答，内容都来自思考过程，不添加新的东西。{result}\n\n"
        "全文使用题目的语言。"
    ),
    result={
        "code": "最后用一个代码块给出完整的程序。",
        "general": "如果问题有确定的答案，最后把它写在 \\boxed{{}} 里。",
        "": "最后把答案写在 \\boxed{{}} 里。",
    },
    shown="请仿照前面各题的解法，解答最后一道题。",
    asked="请详细解答下面的题目。",
    document=(
        "下面的每道题都有详细的解答：解题的人先把想法说出来，不断怀疑和验证，再总结结果。"
        "想法写在 {opening} 之后，到 {closing} 结束，后面是总结。{result}"
    ),
)

WORDS = (ENGLISH, CHINESE)
"""Part of a step's settings, so that another wording is another folder."""

NEXT_PROBLEM = ("=== Problem", "=== Solution", "=== 题目", "=== 解答")
"""Beginnings of lines where a response runs on into another problem."""


def worded(words: Words, form: Form, *, domain: str | None) -> str:
    """What is wanted, for one domain and with the form's tokens."""
    return words.how.format(opening=form.opening, closing=form.closing, result=_result(words, domain))


def _result(words: Words, domain: str | None) -> str:
    return words.result.get(domain or "", words.result[""]).format()


def words_for(question: str, language: str | None) -> Words:
    """The prompts in a language; where nobody said, Chinese ones for a question with more Han characters than Latin words."""
    if language is None:
        return CHINESE if len(re.findall(r"[\u4e00-\u9fff]", question)) > len(re.findall(r"[A-Za-z]{2,}", question)) else ENGLISH
    return CHINESE if language == "zh" else ENGLISH


def prompt_text(question: str, examples: Sequence[Example], *, shape: str, form: Form, domain: str | None, language: str | None) -> str:
    """The whole prompt: of a chat model a request, of a base model the beginning of a document that ends where the thoughts begin."""
    words = words_for(question, language)
    several = bool(examples)
    shown = [
        "\n\n".join((_head(words.problem, number, several), each.question, _head(words.solution, number, several), written(each, form)))
        for number, each in enumerate(examples, start=1)
    ]
    problem = f"{_head(words.problem, len(examples) + 1, several)}\n\n{question}"
    if shape == "chat":
        intro = words.shown if examples else words.asked
        return "\n\n".join((intro, worded(words, form, domain=domain), *shown, problem))
    document = words.document.format(opening=form.opening, closing=form.closing, result=_result(words, domain))
    return "\n\n".join((document, *shown, problem, _head(words.solution, len(examples) + 1, several))) + "\n\n"


def _head(head: str, number: int, several: bool) -> str:  # noqa: FBT001
    return head.format(number=f"{number} " if several else "")


def written(example: Example, form: Form) -> str:
    """An example's solution as the model is to write one."""
    return form.write(example.thoughts, example.summary)


def continuation(form: Form) -> Template:
    """The template for the shape `text`: the prompt as it is, the thoughts opened, and an end where the next problem begins."""
    return Template(
        name="continuation",
        text="{{ question }}",
        prefill=form.opening + ("\n" if form.apart else ""),
        stop=tuple(f"\n{head}" for head in NEXT_PROBLEM),
    )
