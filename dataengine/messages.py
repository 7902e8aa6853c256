"""A conversation as the prompt itself: for services that take messages and render them with a chat template of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dataengine.templates import Message, Template, _compiled

OPENING = '{"messages": ['


@dataclass(frozen=True, kw_only=True)
class Messages(Template):
    """`MESSAGES.render(messages)` is JSON that the engine `openai` sends to /chat/completions as it is; `text` makes the last question."""

    system: str = ""
    """A system message before all others; empty for none."""

    def __post_init__(self) -> None:
        if self.prefill:
            raise ValueError(f"a service that takes messages begins its response itself: {self.name!r} can have no prefill")

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt: `{"messages": [{"role": "user", "content": "1+1?"}]}`; ValueError where there is no user message."""
        asked = [index for index, message in enumerate(messages) if message["role"] == "user"]
        if not asked:
            raise ValueError(f"the template {self.name!r} wants a user message; the row has roles {[m['role'] for m in messages]}")
        said = [{"role": message["role"], "content": message["content"]} for message in messages]
        last = asked[-1]
        said[last]["content"] = _compiled(self.text).render(messages=messages, question=messages[last]["content"])
        system = [{"role": "system", "content": self.system}] if self.system else []
        return json.dumps({"messages": [*system, *said]}, ensure_ascii=False)

    def identity(self) -> dict[str, Any]:
        """The template as plain JSON values, for fingerprints."""
        return {**super().identity(), "system": self.system}


MESSAGES = Messages(name="messages", text="{{ question }}")
"""The conversation of the row, unchanged."""


def messages_in(prompt: str) -> list[dict[str, str]] | None:
    """The messages of a prompt that is a conversation, or None where it is text."""
    if not prompt.startswith(OPENING):
        return None
    try:
        return json.loads(prompt)["messages"]
    except (ValueError, LookupError):
        return None
