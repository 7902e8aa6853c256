"""Does a response keep to one of the two output formats of the R1 road?

R1-Zero: `<think> reasoning </think> <answer> answer </answer>` (DeepSeek-R1, Table 1; format reward of section 2.2.2).
R1: `<think>\\n reasoning \\n</think>\\n\\n summary`; the cold-start form `|special_token|reasoning|special_token|summary`
(section 2.3.1) is the same with both tokens set to the special one and `line_breaks=False`.
"""

from __future__ import annotations

import re

from dataengine.cold_start.end_tokens import without_end_tokens
from dataengine.score import Score, scorer


@scorer
def zero_format(
    response: str,
    *,
    opening: str = "<think>",
    closing: str = "</think>",
    answer_opening: str = "<answer>",
    answer_closing: str = "</answer>",
    prefilled: bool = False,
    code: str | None = None,
) -> Score:
    """1 where the response is one thought and one answer in their tags and nothing else, or 0 and the first fault found.

    `prefilled`: the prompt already held `opening` and the response was recorded without it. `code`: the answer must hold a closed
    fenced block of this language (open-r1's `code_format`). White space around the tags, and tokens such as `<|im_end|>` at the end, are
    no faults.

    >>> zero_format("<think> 2 and 2 </think> <answer> 4 </answer>")
    Score(value=1.0, reason='in format')
    >>> zero_format("<think> 2 and 2 </think> <answer> 4 </answer> Done!").reason
    'text after </answer>'
    >>> zero_format("<think>a</think><answer>```python\\nprint(4)\\n```</answer>", code="python").value
    1.0

    | response | reason |
    |---|---|
    | `Sure! <think>a</think> <answer>b</answer>` | text before <think> |
    | `<think>a` | unclosed <think> (thought cut off) |
    | `<think>a <think>b</think> <answer>c</answer>` | repeated <think> |
    | `<think>a</think> b` | no <answer> |
    | `<think>a</think> so <answer>b</answer>` | text between thought and <answer> |
    | `<think>a</think> <answer>b` | unclosed <answer> (answer cut off) |
    | `<think>a <answer>b</answer></think> <answer>b</answer>` | <answer> inside the thought |
    | `a</think> <answer>b</answer>`, prefilled | in format |
    """
    text = without_end_tokens(response)
    text = opening + text if prefilled else text
    fault = _thought_fault(text, opening=opening, closing=closing)
    if fault is None:
        fault = _answer_fault(text.split(closing, 1)[1].strip(), opening=answer_opening, closing=answer_closing)
    if fault is None and text.index(closing) > text.index(answer_opening):
        fault = f"{answer_opening} inside the thought"
    if fault is None and code is not None and not re.search(rf"```{re.escape(code)}[ \t]*\n.*?```", text.split(closing, 1)[1], re.DOTALL):
        fault = f"no ```{code} block in the answer"
    return Score(0.0, fault) if fault else Score(1.0, "in format")


@scorer
def r1_format(
    response: str,
    *,
    opening: str = "<think>",
    closing: str = "</think>",
    line_breaks: bool = True,
    prefilled: bool = False,
) -> Score:
    """1 where the response is one thought in its tags and a summary after it, or 0 and the first fault found.

    `line_breaks`: the tags stand on their own lines with an empty line before the summary, as R1 writes them.
    `prefilled`: the prompt already held `opening` (with its line break) and the response was recorded without it.

    >>> r1_format("<think>\\n2 and 2\\n</think>\\n\\nIt is 4.")
    Score(value=1.0, reason='in format')
    >>> r1_format("2 and 2</think>It is 4.", prefilled=True).reason
    'no line breaks around <think> and </think>'
    >>> r1_format("|t|2 and 2|t|It is 4.", opening="|t|", closing="|t|", line_breaks=False).value
    1.0
    """
    text = without_end_tokens(response)
    text = opening + ("\n" if line_breaks else "") + text if prefilled else text
    fault = _thought_fault(text, opening=opening, closing=closing)
    if fault is None:
        thought, summary = text.lstrip()[len(opening) :].split(closing, 1)
        if not summary.strip():
            fault = "empty summary"
        elif line_breaks and not (thought.startswith("\n") and thought.endswith("\n") and summary.startswith("\n\n")):
            fault = f"no line breaks around {opening} and {closing}"
    return Score(0.0, fault) if fault else Score(1.0, "in format")


def _thought_fault(text: str, *, opening: str, closing: str) -> str | None:
    """The first fault of the thought at the beginning of the text; one token may open and close."""
    openings, closings = text.count(opening), text.count(closing)
    if opening == closing:
        openings, closings = min(openings, 1), max(openings - 1, 0)
    if not openings:
        return f"no {opening}"
    if not text.lstrip().startswith(opening):
        return f"text before {opening}"
    if not closings:
        return f"unclosed {opening} (thought cut off)"
    if openings > 1:
        return f"repeated {opening}"
    if closings > 1:
        return f"repeated {closing}"
    if not text.lstrip()[len(opening) :].split(closing, 1)[0].strip():
        return "empty thought"
    return None


def _answer_fault(text: str, *, opening: str, closing: str) -> str | None:
    """The first fault of what follows the thought: exactly one answer and no text around it."""
    if opening not in text:
        return f"no {opening}"
    if not text.startswith(opening):
        return f"text between thought and {opening}"
    if closing not in text:
        return f"unclosed {opening} (answer cut off)"
    if text.count(opening) > 1:
        return f"repeated {opening}"
    if text.count(closing) > 1:
        return f"repeated {closing}"
    inside, _, after = text[len(opening) :].partition(closing)
    if after.strip():
        return f"text after {closing}"
    return None if inside.strip() else "empty answer"
