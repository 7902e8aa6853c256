"""What a model is asked to rewrite in a rollout, as a prompt and its parts, and how its reply is read."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.meta

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
