"""A server's JSON reply as plain facts: the text it said, with its thoughts, why it ended, and how many tokens that was."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from dataengine.inference.engine import FinishReason
from dataengine.inference.failures import Failure, Unanswered, whole_text

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
    "max_output_tokens": "length",
    "model_length": "length",
    "content_filter": "refused",
    "refusal": "refused",
    "safety": "refused",
    "recitation": "refused",
    "prohibited_content": "refused",
}
"""How servers say that a response is over, in small letters."""
BROKEN = (
    "abort",
    "aborted",
    "cancelled",
    "canceled",
    "error",
    "network_error",
    "timeout",
    "insufficient_system_resource",
    "other",
    "unknown",
)
"""How they say that it broke off; none at all says so too."""
THOUGHTS = ("reasoning_content", "reasoning")
BYTES_PER_TOKEN = 4
"""Where a server does not count its tokens."""
MOST_TOKENS = 2**24
"""What says that it has more is garbage."""


AGAIN = "again"
"""What a setting calls a word of BROKEN."""


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


def said_in(reply: Mapping[str, Any], *, most: int = MOST_TOKENS, ended: Mapping[str, str] = MappingProxyType({})) -> Said:
    """The only choice of a reply: Unanswered where the model or its filter refused, Failure where something is missing or broke off,
    ValueError where it ended in a way that nobody has told us of.

    `most`: tokens that were asked for at most; `ended`: more finish_reasons (small letters) and what they mean, a FinishReason or "again".
    """
    try:
        choice = reply["choices"][0]
        word = choice["finish_reason"].strip().lower()
        end = ended.get(word) or ENDED.get(word) or (AGAIN if word in BROKEN else None)
        if end == "refused":
            raise Unanswered(f"finish_reason {word!r}")
        text = whole_text(text_of(choice["text"]) if "text" in choice else message_text(choice["message"]))
        ids, logprobs = choice.get("token_ids"), (choice.get("logprobs") or {}).get("token_logprobs")
    except (LookupError, TypeError, AttributeError):
        raise Failure(f"the reply lacks a choice with a text and a finish_reason: {_short(reply)}") from None
    if end not in ("stop", "length"):
        raise _not_ended(word, text, known=end is not None)
    asked = _count(reply, "prompt_tokens", least=1, most=MOST_TOKENS)
    made = _count(reply, "completion_tokens", least=1 if text else 0, most=most)
    if ids is not None and (not isinstance(ids, list) or not all(isinstance(token, int) for token in ids)):
        raise Failure(f"the reply's token_ids are no list of numbers: {_short(reply)}")
    return Said(
        text=text,
        finish_reason=end,
        token_ids=ids,
        logprobs=logprobs if isinstance(logprobs, list) and all(isinstance(each, int | float) for each in logprobs) else None,
        prompt_tokens=asked,
        response_tokens=made if made is not None else len(ids) if ids is not None else tokens_of(text),
        counted=made is not None or ids is not None,
    )


def tokens_of(text: str) -> int:
    """A guess."""
    return math.ceil(len(text.encode()) / BYTES_PER_TOKEN)


def _count(reply: Mapping[str, Any], name: str, *, least: int, most: int) -> int | None:
    """Some write 3.0; what cannot be the number of tokens is none, for the text beside it is good and paid for."""
    usage = reply.get("usage")
    said = usage.get(name) if isinstance(usage, dict) else None
    return int(said) if isinstance(said, int | float) and least <= said <= most and said == int(said) else None


def _not_ended(word: str, text: str, *, known: bool) -> Failure | ValueError:
    if known or not text:
        return Failure(f"the reply ended with finish_reason {word!r}")
    return ValueError(
        f"a response ended with finish_reason {word!r}, of which we do not know whether it is an end, a cut or a failure. It is not asked "
        f"for again, which would be paid again. Say what it means and run the same command again: --openai.ended '{{{json.dumps(word)}: "
        f'"stop"}}\' (or "length" for a cut, "refused", "{AGAIN}" for a failure); what was answered is kept. Text: {text[:100]!r}'
    )


def message_text(message: Mapping[str, Any]) -> str:
    """Thoughts that a service sends apart stand before the content again, in the form of R1; nothing of them is lost or doubled."""
    thoughts = next((message[name] for name in THOUGHTS if message.get(name)), None)
    content = text_of(message.get("content"))
    if message.get("refusal") and not content:
        raise Unanswered(whole_text(str(message["refusal"])))
    if thoughts is None:
        return content
    thoughts = text_of(thoughts).strip("\n")
    own, closed, answer = content.partition("</think>")
    if closed and own.strip().removeprefix("<think>").strip() in ("", thoughts.strip()):  # the same ones in the content, or empty tags
        content = answer.lstrip("\n")
    elif own.lstrip().startswith("<think>"):
        return content
    return f"<think>\n{thoughts}\n</think>\n\n{content}" if content or closed else f"<think>\n{thoughts}"


def text_of(said: str | Sequence[Mapping[str, Any]] | None) -> str:
    """A text, or parts of one; null where nothing was said, which is an answer too: it ended at once, or all went into hidden thoughts."""
    return said if isinstance(said, str) else "".join(part.get("text", "") for part in said or ())


def _short(reply: Mapping[str, Any]) -> str:
    text = reprlib.repr(dict(reply))
    return text if len(text) <= 200 else text[:200] + " ..."
