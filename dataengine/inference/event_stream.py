"""A reply that arrives token by token (server-sent events), put together to the JSON object that would have come at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import aiohttp

from dataengine.inference.endpoint import MOST_BYTES, Endpoint, whole
from dataengine.inference.failures import ANSWERED, Failure, read_json, reply_of
from dataengine.inference.served_reply import THOUGHTS, text_of

PARTS = ("text", "content", "refusal", *THOUGHTS)
LONGEST_LINE = 8 * 2**20
STREAMS_BEGIN = (b"data:", b"event:", b"id:", b"retry:", b":")
"""No JSON value begins like this."""


async def streamed(
    endpoint: Endpoint, session: aiohttp.ClientSession, path: str, body: bytes, *, silent: float, deadline: float, stop: Sequence[str]
) -> dict[str, Any]:
    """The whole reply. It is a Failure where nothing arrives for `silent` seconds or the end never comes; once one of the texts in
    `stop` has arrived the request is ended from here, so that no more tokens are made and paid for: their number, which servers tell at
    the end, is then missing."""
    async with endpoint.replying(session, "POST", path, body, deadline=deadline) as reply:
        if reply.status != ANSWERED or "event-stream" not in reply.headers.get("Content-Type", ""):
            return _read(reply.status, reply.headers, endpoint.without_key(await whole(reply)))
        built = _Built(stop)
        async with aclosing(_events(reply, silent, endpoint)) as events:
            async for event in events:
                if built.ends_with(event):
                    break
        return built.reply()


async def answered(endpoint: Endpoint, session: aiohttp.ClientSession, path: str, body: bytes, *, deadline: float) -> dict[str, Any]:
    """The reply to a request that wants it at once; some servers know streams alone, and send one all the same."""
    return _read(*await endpoint.raw(session, "POST", path, body, deadline=deadline))


def _read(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """A body as what it is, whatever its Content-Type says: a stream that came whole, or JSON."""
    if status != ANSWERED or not body.lstrip().startswith(STREAMS_BEGIN):
        return reply_of(status, headers, body)
    built = _Built(())
    for event in _events_in(body.split(b"\n")):
        built.ends_with(event)
    return built.reply()


async def _events(reply: aiohttp.ClientResponse, silent: float, endpoint: Endpoint) -> AsyncGenerator[dict[str, Any]]:
    held, size, parts = b"", 0, reply.content.iter_any()
    while True:
        try:
            part = await asyncio.wait_for(anext(parts), silent)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Failure(f"nothing sent for {silent:.0f} s", late=True) from None
        *lines, held = (held + part).split(b"\n")
        size += len(part)
        if len(held) > LONGEST_LINE or size > MOST_BYTES:
            raise Failure("lines without an end")
        for event in _events_in(map(endpoint.without_key, lines)):
            yield event


def _events_in(lines: Iterator[bytes] | Sequence[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        data = line.strip().removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        try:
            event = read_json(data)
        except ValueError:
            raise Failure(f"a line that is not JSON: {data[:200]!r}") from None
        if not isinstance(event, dict) or event.get("error"):
            raise Failure(f"an error: {data[:200]!r}")
        yield event


class _Built:
    """`built.ends_with(event)` for each event, then `built.reply()`. Of several choices, which arrive woven into each other, the one that
    speaks first is the reply."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop, self._longest, self._tail = stop, max(map(len, stop), default=0), ""
        self._pieces: dict[str, list[str]] = {name: [] for name in PARTS}
        self._ids: list[int] = []
        self._finish, self._usage, self._is_chat = None, None, False
        self._index: object = None

    def ends_with(self, event: Mapping[str, Any]) -> bool:
        """Whether a text of `stop` has arrived with this event."""
        try:
            usage = event.get("usage")
            self._usage = usage if isinstance(usage, dict) and usage else self._usage
            choice = self._choice_in(event)
            if choice is None:
                return False
            self._add(choice)
        except (TypeError, AttributeError) as error:
            raise Failure(f"an event of an unknown form ({error})") from None
        if self._finish is not None or not any(text in self._tail for text in self._stop):
            return False
        self._finish = "stop"
        self._usage = usage if usage and usage is self._usage else {"prompt_tokens": (self._usage or {}).get("prompt_tokens")}
        return True

    def _choice_in(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """That of our index; a server that numbers none has one alone."""
        for choice in event.get("choices") or ():
            if isinstance(choice, dict):
                index = choice.get("index")
                self._index = index if self._index is None else self._index
                if index in (None, self._index):
                    return choice
        return None

    def _add(self, choice: Mapping[str, Any]) -> None:
        self._is_chat = self._is_chat or "delta" in choice
        given = choice.get("delta") or {} if self._is_chat else choice
        for name in PARTS:
            if given.get(name):
                self._pieces[name].append(text_of(given[name]))
        self._ids += choice.get("token_ids") or ()
        self._finish = choice.get("finish_reason") or self._finish
        kept = self._tail[-self._longest :] if self._longest else ""
        self._tail = kept + text_of(given.get("content" if self._is_chat else "text"))

    def reply(self) -> dict[str, Any]:
        """What would have come at once."""
        said = {name: "".join(parts) for name, parts in self._pieces.items() if parts}
        choice = {"message": {"content": None, **said}} if self._is_chat else {"text": "", **said}
        return {"choices": [{**choice, "finish_reason": self._finish, "token_ids": self._ids or None}], "usage": self._usage}
