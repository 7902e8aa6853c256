"""A reply that arrives token by token (server-sent events), put together to the JSON object that would have come at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import aiohttp

from dataengine.inference.endpoint import MOST_BYTES, Endpoint, whole
from dataengine.inference.failures import Failure, read_json, reply_of
from dataengine.inference.served_reply import THOUGHTS, text_of

PARTS = ("text", "content", "refusal", *THOUGHTS)
LONGEST_LINE = 8 * 2**20


async def streamed(
    endpoint: Endpoint, session: aiohttp.ClientSession, path: str, body: bytes, *, silent: float, deadline: float, stop: Sequence[str]
) -> dict[str, Any]:
    """The whole reply. It is a Failure where nothing arrives for `silent` seconds or the end never comes; once one of the texts in
    `stop` has arrived the request is ended from here, so that no more tokens are made and paid for: their number, which servers tell at
    the end, is then missing."""
    async with endpoint.replying(session, "POST", path, body, deadline=deadline) as reply:
        if reply.status != 200 or "event-stream" not in reply.headers.get("Content-Type", ""):
            return reply_of(reply.status, reply.headers, endpoint.without_key(await whole(reply)))
        async with aclosing(_events(reply, silent, endpoint)) as events:
            try:
                return await _put_together(events, stop)
            except (TypeError, AttributeError) as error:
                raise Failure(f"an event of an unknown form ({error})") from None


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
        for line in lines:
            data = line.strip().removeprefix(b"data:").strip()
            if not line.startswith(b"data:") or data == b"[DONE]":
                continue
            try:
                event = read_json(data)
            except ValueError:
                raise Failure(f"a line that is not JSON: {endpoint.without_key(data)[:200]!r}") from None
            if not isinstance(event, dict) or event.get("error"):
                raise Failure(f"an error: {endpoint.without_key(data)[:200]!r}")
            yield event


async def _put_together(events: AsyncIterator[dict[str, Any]], stop: Sequence[str]) -> dict[str, Any]:
    pieces: dict[str, list[str]] = {name: [] for name in PARTS}
    ids: list[int] = []
    finish, usage, is_chat, longest = None, None, False, max(map(len, stop), default=0)
    tail = ""
    async for event in events:
        usage = event.get("usage") or usage
        choice = next(iter(event.get("choices") or ()), None)
        if not isinstance(choice, dict):
            continue
        is_chat = is_chat or "delta" in choice
        given = choice.get("delta") or {} if is_chat else choice
        for name in PARTS:
            if given.get(name):
                pieces[name].append(text_of(given[name]))
        ids += choice.get("token_ids") or ()
        finish = choice.get("finish_reason") or finish
        tail = tail[-longest:] + text_of(given.get("content" if is_chat else "text"))
        if finish is None and any(text in tail for text in stop):
            finish = "stop"
            usage = event.get("usage") or {"prompt_tokens": (usage or {}).get("prompt_tokens")}
            break
    said = {name: "".join(parts) for name, parts in pieces.items() if parts}
    choice = {"message": {"content": None, **said}} if is_chat else {"text": "", **said}
    return {"choices": [{**choice, "finish_reason": finish, "token_ids": ids or None}], "usage": usage}
