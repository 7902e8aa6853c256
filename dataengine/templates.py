"""Prompt templates as Jinja text over `messages`, and the two output formats of the R1 road."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

Message = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Template:
    """How messages become the text a model continues: `R1_ZERO.render([{"role": "user", "content": "1+1?"}])`."""

    name: str
    text: str
    """Jinja text; sees `messages` and `question` (the content of the last user message)."""
    prefill: str = ""
    """Beginning of the response that the prompt already holds; responses are recorded with it, so that every checker sees whole text."""
    stop: tuple[str, ...] = ()
    """Texts that end a response beside the model's own end tokens."""

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt text, prefill included; ValueError where there is no user message."""
        asked = [message["content"] for message in messages if message["role"] == "user"]
        if not asked:
            raise ValueError(f"the template {self.name!r} wants a user message; the row has roles {[m['role'] for m in messages]}")
        return _compiled(self.text).render(messages=messages, question=asked[-1]) + self.prefill

    def identity(self) -> dict[str, Any]:
        """The template as plain JSON values, for fingerprints."""
        return {"name": self.name, "text": self.text, "prefill": self.prefill, "stop": list(self.stop)}


@functools.cache
def _compiled(text: str) -> jinja2.Template:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(text)


QUESTION = Template(name="question", text="{{ question }}\n")
"""The bare question and a line break, for base models that know the shape of documents."""

R1_ZERO = Template(
    name="r1_zero",
    text=(
        "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. "
        "The assistant first thinks about the reasoning process in the mind and then provides the user with the answer. "
        "The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., "
        "<think> reasoning process here </think> <answer> answer here </answer>. User: {{ question }}. Assistant:"
    ),
    stop=("</answer>",),
)
"""The published R1-Zero template (DeepSeek-R1 v1 Table 1); `<think>` is not prefilled."""


def split_zero(response: str) -> tuple[str | None, str | None]:
    """(reasoning, answer) of `<think>...</think> <answer>...</answer>`; None for a part that is not closed."""
    reasoning = _between(response, "<think>", "</think>")
    return reasoning, _between(response.rpartition("</think>")[2], "<answer>", "</answer>")


def split_r1(response: str, *, opening: str = "<think>", closing: str = "</think>") -> tuple[str | None, str | None]:
    """(reasoning, summary) of `<think>\\n...\\n</think>\\n\\nsummary`; None for a part that is not there. Both tokens may be the same."""
    before, opened, inside = response.partition(opening)
    if opened and (opening == closing or closing not in before):
        response = inside
    elif opening == closing or closing not in response:
        return None, None
    reasoning, _, summary = response.partition(closing)
    return reasoning.strip(), summary.strip() or None


@dataclass(frozen=True, kw_only=True)
class Form:
    """How thoughts and summary become one text (DeepSeek-R1 v1 2.3.1): `Form().write("1+1", "2")`, or with tokens of your own.

    >>> Form(opening="|special_token|", closing="|special_token|", apart=False).write("I add.", "2")
    '|special_token|I add.|special_token|2'
    """

    opening: str = "<think>"
    """The token before the thoughts."""
    closing: str = "</think>"
    """The token behind them; it may be the same."""
    apart: bool = True
    """Tokens on lines of their own, and an empty line before the summary, as the released models write."""

    def __post_init__(self) -> None:
        if not self.opening or not self.closing:
            raise ValueError(f"the special tokens can not be empty, got {self.opening!r} and {self.closing!r}")

    def write(self, reasoning: str, summary: str) -> str:
        """The response; ValueError where it could not be read again: a token stands inside a part, or would begin with its end."""
        for name, part in (("reasoning", reasoning), ("summary", summary)):
            if token := self.stray(part):
                raise ValueError(f"the special token {token!r} stands inside the {name}: take it out, or use other tokens")
        line, gap = ("\n", "\n\n") if self.apart else ("", "")
        response = f"{self.opening}{line}{reasoning}{line}{self.closing}{gap}{summary}"
        if self.read(response) != (reasoning, summary):
            raise ValueError(
                f"the reasoning ends with {reasoning[-len(self.closing) :]!r}, which would be read as one with {self.closing!r} behind it: "
                "change its end, put the tokens on lines of their own (apart), or use other tokens"
            )
        return response

    def read(self, response: str) -> tuple[str, str] | None:
        """(reasoning, summary) exactly as they were written; None where the text is not in this form."""
        line, gap = ("\n", "\n\n") if self.apart else ("", "")
        before, found, inside = response.partition(f"{self.opening}{line}")
        reasoning, closed, summary = inside.partition(f"{line}{self.closing}{gap}")
        whole = found and closed and not before and not self.stray(reasoning) and not self.stray(summary)
        return (reasoning, summary) if whole else None

    def stray(self, text: str) -> str | None:
        """A special token that stands inside a part where none belongs."""
        return next((token for token in (self.opening, self.closing) if token in text), None)


def _between(text: str, opening: str, closing: str) -> str | None:
    if opening not in text or closing not in text:
        return None
    inside, found, _ = text.split(opening, 1)[1].partition(closing)
    return inside.strip() if found else None
