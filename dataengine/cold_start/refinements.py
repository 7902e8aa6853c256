"""What a model is asked to rewrite in a rollout: the prompts of the cold start's refinement, and how its reply is read.

The purposes are those of DeepSeek-R1 v2 B.3.2 (natural first-person thoughts, one language, a summary after Listing 1, short thoughts for
trivial questions after Listing 3); the wording and the examples (dataengine/cold_start/refinement_examples.py) are ours, in English and
Chinese.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.meta

from dataengine.cold_start import refinement_examples as examples
from dataengine.cold_start.end_tokens import without_end_tokens
from dataengine.cold_start.stray_text import says_nothing, strays
from dataengine.names import nearest
from dataengine.templates import Form, split_r1

PARTS = ("reasoning", "summary")
"""What can be rewritten."""

ALWAYS = ("question", "language")
"""Names that every prompt may use beside the row's columns: the last user message, and its language (zh or another)."""


@dataclass(frozen=True, kw_only=True)
class Refinement:
    """One way of making a row better: `Refinement(name="summary", text="...{{ reasoning }}...", rewrites=("summary",))`"""

    name: str
    text: str
    """Jinja text over the row's columns, `question` and `language`; an empty column is an empty text."""
    rewrites: tuple[str, ...] = ("reasoning",)
    """What the reply holds: reasoning, summary, or both."""
    needs: tuple[str, ...] = ("question", "reasoning")
    """Columns without which a row can not be asked about."""
    tagged: bool = True
    """Whether each part stands between tags of its name (`<summary>...</summary>`); else the reply is the text, or both parts in a Form."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rewrites", tuple(self.rewrites))
        object.__setattr__(self, "needs", tuple(self.needs))
        if not self.rewrites or not set(self.rewrites) <= set(PARTS):
            raise ValueError(f"a refinement rewrites reasoning, summary or both, got {self.rewrites}")

    def check_columns(self, columns: Sequence[str]) -> None:
        """ValueError where the prompt wants a column that the rows do not have."""
        there = [*ALWAYS, *columns]
        for name in sorted({*jinja2.meta.find_undeclared_variables(_environment().parse(self.text)), *self.needs}):
            if name not in there:
                raise ValueError(f"the refinement {self.name!r} wants the column {name!r}. {nearest(name, there)}")

    def lacks(self, row: Mapping[str, Any]) -> str | None:
        """What the row has nothing of and the prompt can not do without."""
        return next((name for name in self.needs if not row[name]), None)

    def prompt(self, row: Mapping[str, Any]) -> str:
        """What the model is asked about a row that `seen` has prepared."""
        return _compiled(self.text).render(row)

    def read(self, reply: str, form: Form) -> dict[str, str] | str:
        """The rewritten parts of a reply, or what is wrong with it; the model's own thoughts (up to `</think>`) are no part of it."""
        reply = without_end_tokens(reply)
        if self.tagged:
            said = reply.rpartition("</think>")[2]
            parts = {name: _between(said, name, closed=name != self.rewrites[-1]) for name in self.rewrites}
        elif len(self.rewrites) == 1:
            parts = {self.rewrites[0]: reply.rpartition("</think>")[2]}
        else:
            reasoning, summary = split_r1(reply, opening=form.opening, closing=form.closing)
            parts = {"reasoning": reasoning, "summary": summary}
        for name, text in parts.items():
            if text is None:
                return f"no <{name}>...</{name}> in the reply" if self.tagged else f"no {name} in the reply"
            if says_nothing(text):
                return f"the {name} of the reply is empty"
            if self.tagged and (tag := next((f"<{other}>" for other in self.rewrites if re.search(f"</?{other}>", text)), None)):
                return f"{tag} more than once in the reply: nobody can tell which is meant"
            if stray := next(iter(strays(text, form)), None):
                return f"{'the special token ' if stray.is_token else ''}{stray} stands inside the {name} of the reply"
        return {name: text.strip() for name, text in parts.items() if text is not None}


def seen(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as prompts see it: its columns, the last question, and the question's language where nobody said it."""
    asked = [message["content"] for message in row.get("messages") or [] if message["role"] == "user"]
    question = (asked[-1] or "") if asked else ""
    return {**row, "question": question, "language": row.get("language") or language_of(question)}


def language_of(question: str) -> str:
    """zh where a question has a Han character to four Latin letters at least, and no kana; else en (prompts know no others)."""
    letters = len(re.findall(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", "", question)))
    return "zh" if 4 * len(re.findall(r"[\u4e00-\u9fff]", question)) > letters and not re.search(r"[\u3040-\u30ff]", question) else "en"


def _between(reply: str, name: str, *, closed: bool) -> str | None:
    """What stands between the last opening tag and the last closing one behind it; the last part may go on to the end.

    A teacher may speak of the tags before it writes them, so that the first opening tag need not be meant.
    """
    before, found, _ = reply.rpartition(f"</{name}>")
    if not found and closed:
        return None
    _, opened, inside = (before if found else reply).rpartition(f"<{name}>")
    return inside if opened else None


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False, finalize=_written)


def _written(value: Any) -> Any:
    return "" if value is None else value


@functools.cache
def _compiled(text: str) -> jinja2.Template:
    return _environment().from_string(text)


def _in_two_languages(*, english: str, chinese: str) -> str:
    return "{% if language[:2] == 'zh' %}" + chinese.strip() + "{% else %}" + english.strip() + "{% endif %}"


_FIRST_PERSON = {
    "en": (
        """
Below are a question and the thoughts of somebody who worked on it. Tell the same thoughts again the way a person thinks aloud.

- Speak as "I", naturally, as in a conversation with yourself; never "we", "us" or "let's", and never as somebody who explains to others.
- Short paragraphs with an empty line between them, one idea each. No headings, lists, bold type, tables or code blocks.
- Keep every step, every number, every doubt, every check and every wrong turn, in the same order, and arrive at the same answer.
- Add nothing: no new step, no new fact, no correction of your own. Shorten nothing that was thought.
- Formulas stay as they are. Write in the language of the question.

""",
        """
Question:
{{ question }}

Thoughts:
{{ reasoning }}

Write the thoughts told again between <reasoning> and </reasoning>, and nothing else.""",
    ),
    "zh": (
        """
下面是一道题，和某人解题时的思考。请把同样的思考重新讲一遍，就像一个人自言自语地想。

- 用“我”来说，自然、口语化，像在和自己对话；不要用“我们”“咱们”，也不要像在给别人讲解。
- 段落要短，一段一个意思，段与段之间空一行。不要标题、列表、加粗、表格和代码块。
- 每一步、每个数、每次怀疑、每次检查、每次走错的路都要保留，顺序不变，得到同样的答案。
- 不要添加：没有新的步骤，没有新的事实，也不要自己去纠正。想过的内容不要缩短。
- 公式保持原样。用题目的语言来写。

""",
        """
题目：
{{ question }}

思考：
{{ reasoning }}

把重新讲的思考写在 <reasoning> 和 </reasoning> 之间，此外什么都不要写。""",
    ),
}


def first_person(pairs: Mapping[str, Sequence[examples.Example]]) -> Refinement:
    """Thoughts told again in the first person, conversationally, in short paragraphs, as the pairs show it (DeepSeek-R1 v2 B.3.2).

    `pairs`: for en and zh, examples with question, thoughts (before) and reasoning (after), such as people's edits of raw rollouts.
    """
    asked = {language: examples.told(language, pairs).join(around) for language, around in _FIRST_PERSON.items()}
    return Refinement(name="first_person", text=_in_two_languages(english=asked["en"], chinese=asked["zh"]))


FIRST_PERSON = first_person(examples.FIRST_PERSON)
"""First person, conversational, short paragraphs (DeepSeek-R1 v2 B.3.2: people rewrite some, a model follows their examples)."""

ONE_LANGUAGE = Refinement(
    name="one_language",
    text=_in_two_languages(
        english="""
Translate the following thoughts into the language of the question. Only what stands in another language changes; numbers, formulas, names
and everything that is in the right language already stay exactly as they are. Keep the paragraphs, leave nothing out and add nothing.

Question:
{{ question }}

Thoughts:
{{ reasoning }}

Write the translated thoughts between <reasoning> and </reasoning>, and nothing else.""",
        chinese="""
请把下面的思考翻译成题目所用的语言（中文）。只改其他语言的部分；数、公式、名称，以及本来就是中文的内容，都原样保留。保持分段，不遗漏，不添加。

题目：
{{ question }}

思考：
{{ reasoning }}

把翻译后的思考写在 <reasoning> 和 </reasoning> 之间，此外什么都不要写。""",
    ),
)
"""Mixed languages are repaired by one instruction: translate the thoughts into the question's language (DeepSeek-R1 v2 B.3.2)."""

SUMMARY = Refinement(
    name="summary",
    text=_in_two_languages(
        english="""
Below are a question and the thoughts that answer it. Write the solution that a reader is shown.

- It says what the thoughts found, and nothing else: take the steps and numbers from them, add no step, no check and no knowledge of your
  own, and do not solve the question anew, not even where you would do it otherwise.
- Begin with the solution at once. Be concise and clear; a written style, no chatting, no doubts, no attempts that were given up.
- Never mention that there were thoughts: the reader knows nothing of them.
- Key steps as formulas in LaTeX. The final answer, or each of them, in \\boxed{}; a program that is asked for stands in one code block.
- Write in the language of the question.

"""
        + examples.told("en", examples.SUMMARY)
        + """
Question:
{{ question }}

Thoughts:
{{ reasoning }}

Write the solution between <summary> and </summary>, and nothing else.""",
        chinese="""
下面是一道题，和得出答案的思考。请写出给读者看的解答。

- 只写思考中得到的内容：步骤和数都取自思考，不添加步骤、检验或你自己的知识；即使你会用别的方法，也不要重新解题。
- 直接从解答写起。简洁、清楚，用书面语，不闲聊，不写犹豫，也不写放弃了的尝试。
- 绝不要提到有过思考：读者并不知道它。
- 关键步骤用 LaTeX 公式。最终答案（若有几个则每一个）写在 \\boxed{} 中；若要求写程序，程序放在一个代码块里。
- 用题目的语言来写。

"""
        + examples.told("zh", examples.SUMMARY)
        + """
题目：
{{ question }}

思考：
{{ reasoning }}

把解答写在 <summary> 和 </summary> 之间，此外什么都不要写。""",
    ),
    rewrites=("summary",),
)
"""The summary for the reader, faithful to the thoughts (in the spirit of DeepSeek-R1 v2 Listing 1)."""

SHORT_THOUGHTS = Refinement(
    name="short_thoughts",
    text=_in_two_languages(
        english="""
Some questions need hardly any thought. Answer the last one as the examples do: two or three plain sentences of thought, told by an "I",
then a short solution step by step with the final answer in \\boxed{}.

"""
        + examples.told("en", examples.SHORT_THOUGHTS)
        + """
Question:
{{ question }}

Write the thoughts between <reasoning> and </reasoning>, then the solution between <summary> and </summary>, and nothing else.""",
        chinese="""
有些题几乎不用想。请像例子那样回答最后一题：先用“我”的口吻写两三句朴素的思考，再写简短的分步解答，最终答案放在 \\boxed{} 中。

"""
        + examples.told("zh", examples.SHORT_THOUGHTS)
        + """
题目：
{{ question }}

先把思考写在 <reasoning> 和 </reasoning> 之间，再把解答写在 <summary> 和 </summary> 之间，此外什么都不要写。""",
    ),
    rewrites=("reasoning", "summary"),
    needs=("question",),
)
"""Easy questions keep short thoughts: few-shot, two worked examples (in the spirit of DeepSeek-R1 v2 Listing 3)."""
