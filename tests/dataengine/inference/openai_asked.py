"""The engine `openai` over servers of a test, and all that it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

from dataengine.inference.engine import Response, Sampling
from dataengine.inference.openai import OpenAIEngine
from dataengine.machine import OpenAI
from tests.dataengine.inference.bad_server import Asked, BadServer, Broken

SAMPLING = Sampling(max_tokens=16)


def engine_of(*servers: BadServer, **settings: Any) -> OpenAIEngine:
    urls = tuple(server.url for server in servers)
    return OpenAIEngine(OpenAI(urls=urls, **{"patience": 20.0, **settings}), model="tiny", revision="r1")


def ask(engine: OpenAIEngine, *prompts: str, samples: int = 1, sampling: Sampling = SAMPLING) -> list[tuple[str, Response]]:
    """All responses to all prompts, asked for at the same time; the engine is closed."""
    found: list[tuple[str, Response]] = []

    async def one(prompt: str) -> None:
        async with aclosing(engine.respond(prompt, sampling, range(samples))) as answers:  # type: ignore[type-var]
            async for response in answers:
                found.append((prompt, response))

    async def everything() -> None:
        await asyncio.gather(*(one(prompt) for prompt in prompts))

    try:
        asyncio.run(everything())
    finally:
        engine.close()
    return found


def only(engine: OpenAIEngine, prompt: str = "2+2?", sampling: Sampling = SAMPLING) -> Response:
    ((_, response),) = ask(engine, prompt, sampling=sampling)
    return response


def first_then(first: Sequence[Any], then: Callable[[Asked], Any]) -> Callable[[Asked], Any]:
    """Answers the first requests with what is listed (exceptions are raised), all later ones with `then`."""

    def answer(asked: Asked) -> Any:
        given = first[asked.number] if asked.number < len(first) else then(asked)
        given = given(asked) if callable(given) and not isinstance(given, type) else given
        if given is Broken:
            raise Broken
        return given

    return answer
