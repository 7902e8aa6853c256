"""What came of one request: a reply, a failure of the infrastructure that is asked again, or a refusal of this very prompt."""

from __future__ import annotations

import datetime
import email.utils
import json
import re
from collections.abc import Mapping
from typing import Any

from dataengine.errors import Stopped
from dataengine.inference.engine import FinishReason

REFUSALS = ("content_filter", "content filter", "content_policy", "content policy", "content management policy", "moderation", "flagged")
REFUSALS += ("data_inspection_failed", "safety")
TOO_LONG = ("context_length", "context length", "maximum context", "max_model_len", "too long", "context window", "exceeds the model")
BROKE = ("insufficient_quota", "insufficient_balance", "insufficient balance", "billing", "credit balance")
ANSWERED, TROUBLE = 200, 500
OVERLOADED = (429, 503, 529)
AGAIN = (408, 409, 421, 423, 425)
SHOWN = 300
"""Characters of a reply that an error shows."""


class Failure(Exception):
    """One attempt came to nothing, through no fault of the prompt."""

    def __init__(self, reason: str, *, wait: float = 0.0, overloaded: bool = False, late: bool = False) -> None:
        """`wait`: seconds that the server asks for; `late`: the deadline passed."""
        super().__init__(reason)
        self.wait, self.overloaded, self.late = wait, overloaded, late


class Unanswered(Exception):
    """The server will not answer this very prompt."""

    def __init__(self, reason: str, finish_reason: FinishReason) -> None:
        super().__init__(reason)
        self.finish_reason: FinishReason = finish_reason


class BadRequest(Exception):
    """400 without a known reason: this prompt, or everything that is asked in this form."""


class NotThere(Exception):
    """404: the model's name or the address is wrong."""


class KeyRefused(Exception):
    """401 or 403."""


def reply_of(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The JSON object of a good reply; every other status and every other content raises one of the errors above."""
    if ANSWERED <= status < 300:
        return _object(body)
    said = message_of(body)
    known = said.lower() + " " + body[:2000].decode(errors="replace").lower()
    if status == 402 or (status == 429 and any(word in known for word in BROKE)):
        raise Stopped(f"the account has no credit left ({status}: {said}). What was answered is kept: see to it, then run the same command")
    if status >= TROUBLE or status in OVERLOADED or status in AGAIN:
        overloaded = status in OVERLOADED
        raise Failure(f"{status}: {said}", wait=retry_after(headers) if overloaded else 0.0, overloaded=overloaded)
    if status in (400, 403, 413, 422):
        if any(word in known for word in REFUSALS):
            raise Unanswered(said, "refused")
        if any(word in known for word in TOO_LONG) and "greater than max_model_len" not in known:
            raise Unanswered(said, "prompt_too_long")
    if status in (401, 403):
        raise KeyRefused(f"{status}: {said}")
    if status in (400, 413, 422):
        raise BadRequest(f"{status}: {said}")
    raise NotThere(f"{status}: {said}")


def _object(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except ValueError:
        raise Failure(f"the reply is not JSON: {message_of(body)}" if body else "the reply is empty") from None
    if not isinstance(read, dict):
        raise Failure(f"the reply is no JSON object: {message_of(body)}")
    if read.get("error"):
        raise Failure(f"the reply is an error: {message_of(body)}")
    return read


def message_of(body: bytes) -> str:
    """What a server says was wrong, in its own words, shortened."""
    text = body.decode(errors="replace")
    try:
        read = json.loads(text)
        found = read.get("error") or read.get("message") or read.get("detail") if isinstance(read, dict) else None
        found = found.get("message") or found if isinstance(found, dict) else found
        text = found if isinstance(found, str) else json.dumps(found) if found else text
    except ValueError:
        pass
    text = " ".join(text.split())
    return (text if len(text) <= SHOWN else text[:SHOWN] + " ...") or "nothing"


def context_in(message: str) -> tuple[int, int] | None:
    """The server's context and the length of the prompt, where it says both."""
    context = re.search(r"(?:maximum context length|context length|context window|max_model_len)\D{0,20}?(\d[\d,]*)", message)
    prompt = re.search(r"(\d[\d,]*) (?:in the messages|in the prompt|input tokens|prompt tokens|of text input|in your prompt)", message)
    if context is None or prompt is None:
        return None
    return int(context.group(1).replace(",", "")), int(prompt.group(1).replace(",", ""))


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait: a number, or a date, which is read by the server's own clock where it tells it."""
    said = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    until = _date(said)
    if until is None:
        return 0.0
    now = _date(headers.get("Date", "")) or datetime.datetime.now(datetime.UTC)
    return max(0.0, (until - now).total_seconds())


def _date(text: str) -> datetime.datetime | None:
    try:
        read = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return read if read.tzinfo else read.replace(tzinfo=datetime.UTC)
