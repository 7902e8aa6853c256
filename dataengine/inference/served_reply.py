"""A server's JSON reply as plain facts: the text it said, with its thoughts, why it ended, and how many tokens that was."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataengine.inference.engine import FinishReason
from dataengine.inference.failures import Failure, Unanswered

ENDED: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_calls": "stop",
    "function_call": "stop",
    "repetition": "length",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "refused",
    "refusal": "refused",
}
"""How servers say that a response is over; every other word (abort, error, insufficient_system_resource, none at all) is a failure."""
THOUGHTS = ("reasoning_content", "reasoning")
BYTES_PER_TOKEN = 4
"""Where a server does not count its tokens."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """One choice of a reply."""

    text: str
    finish_reason: FinishReason
    token_ids: Sequence[int] | None
    """None where the server does not tell them. [T]"""
    logprobs: Sequence[float] | None
    prompt_tokens: int | None
    response_tokens: int
    counted: bool
    """Whether the server counted its tokens; else they are guessed from the bytes."""


def said_in(reply: Mapping[str, Any]) -> Said:
    """The only choice of a reply; Failure where something is missing, Unanswered where the model or its filter refused."""
    try:
        choice = reply["choices"][0]
        word = choice["finish_reason"]
        text = choice["text"] if "text" in choice else _message(choice["message"])
        usage = reply.get("usage") or {}
        ids, logprobs = choice.get("token_ids"), (choice.get("logprobs") or {}).get("token_logprobs")
        made = usage.get("completion_tokens")
        if not isinstance(text, str) or not isinstance(made, int | None) or not isinstance(word, str):
            raise TypeError
    except (LookupError, TypeError, AttributeError):
        raise Failure(f"the reply lacks a choice with a text and a finish_reason: {_short(reply)}") from None
    if word not in ENDED:
        raise Failure(f"the reply ended with finish_reason {word!r}")
    if ENDED[word] == "refused":
        raise Unanswered(f"finish_reason {word!r}", "refused")
    if ids is not None and (not isinstance(ids, list) or not all(isinstance(token, int) for token in ids)):
        raise Failure(f"the reply's token_ids are no list of numbers: {_short(reply)}")
    count = made if made is not None else len(ids) if ids is not None else math.ceil(len(text.encode()) / BYTES_PER_TOKEN)
    asked = usage.get("prompt_tokens")
    return Said(
        text=text,
        finish_reason=ENDED[word],
        token_ids=ids,
        logprobs=logprobs,
        prompt_tokens=asked if isinstance(asked, int) else None,
        response_tokens=count,
        counted=made is not None or ids is not None,
    )


def _message(message: Mapping[str, Any]) -> str:
    """Thoughts that a service sends apart stand before the content again, in the form of R1; nothing of them is lost."""
    thoughts = next((message[name] for name in THOUGHTS if message.get(name)), None)
    content = message.get("content")
    if message.get("refusal") and not content:
        raise Unanswered(str(message["refusal"]), "refused")
    if content is None and thoughts is None:
        raise TypeError
    if thoughts is None:
        return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or ())
    thoughts = thoughts.strip("\n")
    return f"<think>\n{thoughts}\n</think>\n\n{content}" if content else f"<think>\n{thoughts}"


def _short(reply: Mapping[str, Any]) -> str:
    text = str(dict(reply))
    return text if len(text) <= 200 else text[:200] + " ..."
