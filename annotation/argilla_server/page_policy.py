"""Argilla's page loads nothing from elsewhere: neither its own fonts nor what a text that people review would like to be fetched.

The page shows fields as HTML. It is sanitised, but a picture in it would be asked for at any address, which tells somebody that it is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "  # its own scripts and styles are inline in part
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


def with_policy(app: App) -> App:
    """The application, with a Content-Security-Policy on everything it answers."""
    header = (b"content-security-policy", POLICY.encode())

    async def served(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), header]
            await send(message)

        await app(scope, receive, sent)

    return served
