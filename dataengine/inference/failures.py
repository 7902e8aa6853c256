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

FILTERED = ("content_filter", "content_policy_violation", "moderation_blocked", "data_inspection_failed", "flagged_input")
"""Codes of a 403 that is about the prompt; every other 403 is about the key, whatever words are in it."""
TOO_LONG = ("context_length", "context length", "maximum context", "max_model_len", "too long", "context window", "exceeds the model")
BROKE = ("insufficient_quota", "insufficient_balance", "billing_hard_limit_reached", "billing_not_active", "exceeded_current_quota_error")
"""Codes, not words, though proxies quote them in a message: that of an ordinary 429 names the page for billing."""
LOW_BALANCE = "credit balance is too low"
"""Anthropic's words, under a code that says nothing (a 400, invalid_request_error)."""
ANSWERED, TROUBLE = 200, 500
OVERLOADED = (429, 503, 529)
AGAIN = (408, 409, 421, 423, 425)
MOST_REST = 366 * 86_400.0
"""Seconds; who asks for a longer rest means for ever."""
SHOWN = 300
"""Characters of a reply that an error shows."""


class Failure(Exception):
    """One attempt came to nothing, through no fault of the prompt."""

    def __init__(self, reason: str, *, wait: float = 0.0, overloaded: bool = False, late: bool = False) -> None:
        """`wait`: seconds that the server asks for; `late`: the deadline passed."""
        super().__init__(reason)
        self.wait, self.overloaded, self.late = wait, overloaded, late


class Unanswered(Exception):
    """The model or its filter would not answer this very prompt: a good reply says so."""


class BadRequest(Exception):
    """400 and the like: this prompt, or everything that is asked in this form. Only a harmless prompt can tell (`refusals`)."""

    def __init__(self, reason: str, finish_reason: FinishReason = "refused") -> None:
        """`finish_reason`: of the response, where it is the prompt."""
        super().__init__(reason)
        self.finish_reason: FinishReason = finish_reason


class NotThere(Exception):
    """404: the model's name or the address is wrong."""


class KeyRefused(Exception):
    """401 or 403."""


def reply_of(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The JSON object of a good reply; every other status and every other content raises one of the errors above."""
    if ANSWERED <= status < 300:
        return _object(body)
    said, codes = message_of(body), _codes(body)
    if status == 402 or not codes.isdisjoint(BROKE) or LOW_BALANCE in said or (status == 429 and any(code in said for code in BROKE)):
        raise Stopped(f"the account has no credit left ({status}: {said}). What was answered is kept: see to it, then run the same command")
    if status >= TROUBLE or status in OVERLOADED or status in AGAIN:
        overloaded = status in OVERLOADED
        raise Failure(f"{status}: {said}", wait=retry_after(headers) if overloaded else 0.0, overloaded=overloaded)
    if status in (400, 413, 422):
        raise BadRequest(f"{status}: {said}", "prompt_too_long" if _too_long(said, body) else "refused")
    if status == 403 and not codes.isdisjoint(FILTERED):
        raise BadRequest(f"{status}: {said}")
    if status in (401, 403):
        raise KeyRefused(f"{status}: {said}")
    raise NotThere(f"{status}: {said}")


def _too_long(said: str, body: bytes) -> bool:
    known = said.lower() + " " + body[:2000].decode(errors="replace").lower()
    return any(word in known for word in TOO_LONG) and "greater than max_model_len" not in known


def read_json(content: bytes) -> Any:
    """A JSON value; ValueError where it is none, or one nested deeper than can be read."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def whole_text(text: str) -> str:
    """JSON may hold half a character (a lone surrogate), which no file can: halves are joined, one that stays alone becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _object(body: bytes) -> dict[str, Any]:
    try:
        read = read_json(body)
    except ValueError:
        page = " (a page for people: is this the right address, and does a login or a gateway stand before the server?)"
        hint = page if body.lstrip()[:1] == b"<" else ""
        raise Failure(f"the reply is not JSON{hint}: {message_of(body)}" if body else "the reply is empty") from None
    if not isinstance(read, dict):
        raise Failure(f"the reply is no JSON object: {message_of(body)}")
    if read.get("error"):
        raise Failure(f"the reply is an error: {message_of(body)}")
    return read


def message_of(body: bytes) -> str:
    """What a server says was wrong, in its own words, shortened."""
    text = body.decode(errors="replace")
    try:
        read = read_json(body)
        found = read.get("error") or read.get("message") or read.get("detail") if isinstance(read, dict) else None
        found = found.get("message") or found if isinstance(found, dict) else found
        text = found if isinstance(found, str) else json.dumps(found) if found else text
    except (ValueError, RecursionError):
        pass
    text = " ".join("".join(each if each.isprintable() else " " for each in whole_text(text)).split())
    return (text if len(text) <= SHOWN else text[:SHOWN] + " ...") or "nothing"


def _codes(body: bytes) -> set[str]:
    """What a server calls its error: `code` and `type`, and whatever OpenRouter says beside its moderation."""
    try:
        read = read_json(body)
    except ValueError:
        return set()
    error = read.get("error") if isinstance(read, dict) else None
    places = [place for place in (read, error) if isinstance(place, dict)]
    said = [place.get(name) for place in places for name in ("code", "type")]
    beside = error.get("metadata") if isinstance(error, dict) else None
    return {each.lower() for each in (*said, *(beside if isinstance(beside, dict) else ())) if isinstance(each, str)}


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
        return min(MOST_REST, max(0.0, float(said)))
    except ValueError:
        pass
    until = _date(said)
    if until is None:
        return 0.0
    now = _date(headers.get("Date", "")) or datetime.datetime.now(datetime.UTC)
    return min(MOST_REST, max(0.0, (until - now).total_seconds()))


def _date(text: str) -> datetime.datetime | None:
    try:
        read = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return read if read.tzinfo else read.replace(tzinfo=datetime.UTC)
