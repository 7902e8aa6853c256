"""A model's own chat template as one of ours: the text that its tokenizer folder brings, rendered the way transformers does."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataengine.templates import Message, Template

DAY = datetime.date(2025, 1, 20)
"""What `strftime_now` tells templates that ask for the date (Llama 3.1): with the real one every prompt, and so the key of every stored
response, would change at midnight. Ours; the day DeepSeek-R1 came out."""

OPENINGS = ("<think>\n", "<think>")
"""What newer templates write for the model: it is recorded as the beginning of the response (huggingface/trl#2919)."""

PROBE = [{"role": "user", "content": "1+1?"}]


@dataclass(frozen=True, kw_only=True)
class ChatTemplate(Template):
    """`chat_template("models/qwen")`; messages are a conversation that ends with the user."""

    names: Mapping[str, Any] = field(default_factory=dict)
    """What the template sees beside `messages`: the special tokens, and switches such as `enable_thinking`."""

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt text, what the template writes for the model included; ValueError where the template refuses the messages."""
        import jinja2
        from transformers.utils.chat_template_utils import render_jinja_template

        if not any(message["role"] == "user" for message in messages):
            raise ValueError(f"the template {self.name!r} wants a user message; the row has roles {[m['role'] for m in messages]}")
        try:
            rendered, _ = render_jinja_template(
                [[dict(message) for message in messages]],
                chat_template=self.text,
                add_generation_prompt=True,
                strftime_now=DAY.strftime,
                **self.names,
            )
        except jinja2.TemplateError as error:
            raise ValueError(f"the chat template {self.name!r} refuses the messages {[m['role'] for m in messages]}: {error}") from error
        return rendered[0]

    def identity(self) -> dict[str, Any]:
        """The template as plain JSON values, for fingerprints."""
        return {**super().identity(), "names": dict(self.names)}


def chat_template(folder: str | Path, **switches: Any) -> ChatTemplate:
    """The chat template of a model folder; `switches` are its own variables (`enable_thinking=True`).

    ValueError where the folder has none: base models want a template of ours, such as R1_ZERO.
    """
    folder = Path(folder)
    config = folder / "tokenizer_config.json"
    said = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    separate = folder / "chat_template.jinja"
    text = separate.read_text(encoding="utf-8") if separate.is_file() else said.get("chat_template")
    if isinstance(text, list):  # several named ones, as older folders have them
        text = {each["name"]: each["template"] for each in text}.get("default")
    if not text:
        raise ValueError(f"{folder} has no chat template: it is a base model; use the template r1_zero or question")
    names = {**_special_tokens(said), **switches}
    unopened = ChatTemplate(name=f"chat of {folder.name}", text=text, names=names)
    rendered = unopened.render(PROBE)
    prefill = next((opening for opening in OPENINGS if rendered.endswith(opening)), "")
    return ChatTemplate(name=unopened.name, text=text, names=names, prefill=prefill)


def _special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """`bos_token` and its like; a token is a text, or an object with its `content`."""
    tokens = {key: value.get("content") if isinstance(value, dict) else value for key, value in config.items() if key.endswith("_token")}
    return {key: value for key, value in tokens.items() if isinstance(value, str)}
