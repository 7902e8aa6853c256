"""Runs with a bucket as their second home, in processes of their own: `python -m tests.integration.buckets.road ROOT ADDRESS [SETTINGS]`"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from dataengine.errors import Stopped
from dataengine.inference.engine import Response, Sampling
from dataengine.inference.replay import ReplayEngine
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.storage import second_home, store, store_lock
from tests.dataengine import stored_road

answer_at_once = ReplayEngine.respond


def slow_by(seconds: float) -> None:
    """Let the recorded model think before each answer, one after the other."""
    one_at_a_time = asyncio.Lock()

    async def respond(self: ReplayEngine, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        async for response in answer_at_once(self, prompt, sampling, samples):
            async with one_at_a_time:
                await asyncio.sleep(seconds)
            yield response

    ReplayEngine.respond = respond


def main(root: str, address: str, *, prompts: int = stored_road.PROMPTS, pieces: float = 0.05, slow: float = 0.0, **times: float) -> int:
    """As the command does: 0, or 1 or 2 after a message; `pieces`, `times`: seconds of the storage's pauses, `slow`: of one answer."""
    second_home.SECONDS_BETWEEN_PIECES = pieces
    for name, seconds in times.items():
        setattr(store if hasattr(store, name) else store_lock, name, seconds)
    if slow:
        slow_by(slow)
    try:
        run(stored_road.whole(prompts), Path(root), machine=Machine(workers=1, store=address))
    except (Stopped, ValueError) as error:
        sys.stderr.write(f"stopped: {error}\n")
        return 2 if isinstance(error, ValueError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3], **json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}")))
