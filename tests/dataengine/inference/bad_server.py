"""A real HTTP server on loopback that stands for a remote one: it answers as a test tells it to, however badly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[["Asked"], Any]
"""What to send: a dict (as JSON), a web.Response, an exception class to break the connection, or a coroutine that gives one of them."""


@dataclass(eq=False)
class Asked:
    """One request as the server saw it."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    number: int
    at: float
    request: web.Request = field(repr=False)

    @property
    def prompt(self) -> Any:
        return self.body.get("prompt", self.body.get("messages"))


class Broken(Exception):
    """The connection is cut."""


@dataclass(eq=False)
class BadServer:
    url: str
    asked: list[Asked] = field(default_factory=list)
    """Requests for responses, in the order they came."""
    cancelled: int = 0
    """Requests whose client went away before the answer."""
    open_now: int = 0
    most_open: int = 0


def completion(text: str = "four", *, finish: str | None = "stop", prompt_tokens: int = 3, tokens: int = 2, **more: Any) -> dict[str, Any]:
    """A good reply of /completions."""
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens}
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish, **more}], "usage": usage}


def chat(content: str | None, *, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A good reply of /chat/completions."""
    message = {"role": "assistant", "content": content, **more}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}


def failing(status: int, message: str = "no", **headers: str) -> web.Response:
    """An error as OpenAI's protocol writes it."""
    return web.json_response({"error": {"message": message, "code": status}}, status=status, headers=headers)


@contextlib.contextmanager
def serving(
    answer: Answer, *, models: tuple[str, ...] = ("tiny",), routes: dict[str, Any] | None = None, port: int = 0
) -> Iterator[BadServer]:
    """The server for the duration of the `with`, in a thread of its own; `routes` are more paths with fixed JSON answers."""
    loop, ready, server = asyncio.new_event_loop(), threading.Event(), BadServer(url="")
    runner: list[web.AppRunner] = []

    async def respond(request: web.Request) -> web.StreamResponse:
        asked = Asked(request.path, await request.json(), dict(request.headers), len(server.asked), loop.time(), request)
        server.asked.append(asked)
        server.open_now += 1
        server.most_open = max(server.most_open, server.open_now)
        try:
            given = answer(asked)
            given = await given if asyncio.iscoroutine(given) else given
        except asyncio.CancelledError:
            server.cancelled += 1
            raise
        except Broken:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        finally:
            server.open_now -= 1
        return web.json_response(given) if isinstance(given, dict) else given

    async def listed(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name} for name in models]})

    def fixed(value: Any) -> Callable[[web.Request], Any]:
        async def give(request: web.Request) -> web.StreamResponse:
            found = value(await request.json() if request.method == "POST" else None) if callable(value) else value
            return found if isinstance(found, web.StreamResponse) else web.json_response(found)

        return give

    async def start() -> None:
        app = web.Application()
        app.router.add_post("/v1/completions", respond)
        app.router.add_post("/v1/chat/completions", respond)
        if models:
            app.router.add_get("/v1/models", listed)
        for path, value in (routes or {}).items():
            app.router.add_route("*", path, fixed(value))
        runner.append(web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1))
        await runner[0].setup()
        site = web.TCPSite(runner[0], "127.0.0.1", 0)
        await site.start()
        address = runner[0].addresses[0]
        server.url = f"http://{address[0]}:{address[1]}/v1"
        loop.call_later(0.001, ready.set)  # once it runs for ever: a stop before that would be lost

    def run() -> None:
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner[0].cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def event_stream(asked: Asked, events: list[Any], *, pause: float = 0.0) -> web.StreamResponse:
    """Server-sent events: dicts as JSON, texts as they are."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(asked.request)
    for event in events:
        await asyncio.sleep(pause)
        await response.write(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
    await response.write_eof()
    return response
