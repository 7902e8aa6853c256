"""What a format of rows is: the columns it is known by, our rows as its rows, and its rows as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from dataengine.columns import MESSAGES
from dataengine.templates import Form

Row = Mapping[str, Any]

LINEAGE = {
    "row_id": pl.String,
    "prompt_id": pl.String,
    "source": pl.String,
    "source_row": pl.Int64,
    "license": pl.String,
}
"""Columns that lead back from somebody else's file to the row here."""
KNOWN = {"answer": pl.String, "domain": pl.String, "language": pl.String, "checks": pl.String}
"""What is known of a problem beside its messages."""


CARRIED = ("role", "content", "from", "value")
"""What is read of a message, and of ShareGPT's turns."""
CALLS = ("tool_calls", "function_call")
THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""How servers and data sets call thoughts that stand beside the content of a message."""


class CannotCarry(ValueError):
    """This row does not fit into the format; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One shape of rows: `Format(name="sharegpt", marks=({"conversations"},), ...)`"""

    name: str
    marks: tuple[frozenset[str], ...]
    """Columns that say it is this format: all of any of these sets."""
    unless: frozenset[str] = frozenset()
    """Columns of a format that says more, which is meant where they are there."""
    unit: Literal["response", "prompt", "responses"]
    """What one of its rows holds: one response, one prompt, or all responses to one prompt."""
    read: Callable[[Row], list[dict[str, Any]]]
    """One of its rows as ours; CannotCarry where it is none."""
    write: Callable[[Sequence[Row]], dict[str, Any]] | None = None
    """Our rows of one unit as one of its, those of several responses without any that is null; None where we only read it."""
    schema: Mapping[str, Any] | None = None
    """Types of the written columns; JSON lines where there are none."""
    loses: str = ""
    """What of our rows it has no place for."""

    def fits(self, columns: Sequence[str]) -> bool:
        """Whether rows with these columns are of this format."""
        return any(mark <= set(columns) for mark in self.marks) and not self.unless & set(columns)


def asked(row: Row) -> list[dict[str, str]]:
    """A row's messages as plain dicts; CannotCarry where one has no text."""
    return as_messages(row["messages"])


def as_messages(value: Any) -> list[dict[str, str]]:
    """Messages, or a text as one user message; CannotCarry where one calls a tool or has no text."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if not isinstance(value, list | tuple) or not value:
        raise CannotCarry(f"no messages but {type(value).__name__}")
    for message in value:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str) or not isinstance(message.get("content"), str):
            raise CannotCarry("a message without role or text: tool calls and pictures are not carried")
        if called := [key for key in CALLS if message.get(key)]:
            raise CannotCarry(f"a message with {called[0]}: tool calls are not carried")
    return [{"role": message["role"], "content": message["content"]} for message in value]


def response_of(row: Row) -> str:
    """A row's response; CannotCarry where there is none."""
    if row.get("response") is None:
        raise CannotCarry(f"no response ({row.get('finish_reason') or 'no finish reason'})")
    return row["response"]


def said(row: Row) -> list[dict[str, str]]:
    """Prompt and response as one conversation; reasoning stays in the content, as `<think>...</think>`."""
    return [*asked(row), {"role": "assistant", "content": response_of(row)}]


def last_said(messages: Any) -> tuple[list[dict[str, str]], str]:
    """(what was asked, what was answered last) of a conversation; CannotCarry where the assistant does not have the last word."""
    found = as_messages(messages)
    if found[-1]["role"] != "assistant":
        raise CannotCarry(f"the last message is the {found[-1]['role']}'s: there is no response")
    if len(found) == 1:
        raise CannotCarry("an answer to nothing: no message before the assistant's")
    return found[:-1], _with_thoughts(found[-1]["content"], messages[-1])


def _with_thoughts(content: str, message: Mapping[str, Any]) -> str:
    """What was answered, with thoughts that stand beside it before it, in R1's form."""
    thoughts = next((message[key] for key in THOUGHTS if isinstance(message.get(key), str) and message[key].strip()), None)
    if thoughts is None or thoughts.strip() in content:
        return content
    try:
        return Form().write(thoughts.strip("\n"), content.lstrip("\n"))
    except ValueError as error:
        raise CannotCarry(f"thoughts beside the text that can not be joined to it: {error}") from error


def left_behind(row: Row, *, joined: bool) -> Iterator[str]:
    """The keys of a row's messages that hold something and are carried nowhere, each as often as it does.

    `joined`: thoughts beside the last message are joined to it, as `last_said` does.
    """
    for talk in row.values():
        turns = talk if isinstance(talk, list) else []
        for turn in turns:
            if isinstance(turn, Mapping) and (turn.keys() >= {"role", "content"} or turn.keys() >= {"from", "value"}):
                carried = (*CARRIED, *(THOUGHTS if joined and turn is turns[-1] else ()))
                yield from (key for key, value in turn.items() if key not in carried and value not in (None, "", [], {}))


def chosen(row: Row, names: Mapping[str, Any]) -> dict[str, Any]:
    """Some columns of a row, null where it has none."""
    return {name: row.get(name) for name in names}


def others(row: Row, *taken: str) -> dict[str, Any]:
    """The columns that were not read: kept as they are."""
    return {name: value for name, value in row.items() if name not in taken}


CONVERSATION: Mapping[str, Any] = {"messages": MESSAGES}
