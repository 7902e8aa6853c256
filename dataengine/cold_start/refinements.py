"""The prompts of the cold start's refinement: first person, one language, the summary, short thoughts.

The purposes are those of DeepSeek-R1 v2 B.3.2 (natural first-person thoughts, one language, a summary after Listing 1, short thoughts for
trivial questions after Listing 3); the wording and the examples (dataengine/cold_start/refinement_examples.py) are ours, in English and
Chinese.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dataengine.cold_start import refinement_examples as examples
from dataengine.cold_start.refinement import Refinement


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
