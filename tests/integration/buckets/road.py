"""Runs with a bucket as their second home, in processes of their own: `python -m tests.integration.buckets.road ROOT ADDRESS [SETTINGS]`"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
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


def hold_until(there: Path) -> None:
    """Let the recorded model say nothing before this file is there."""

    async def respond(self: ReplayEngine, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        while not there.exists():
            await asyncio.sleep(0.05)
        async for response in answer_at_once(self, prompt, sampling, samples):
            yield response

    ReplayEngine.respond = respond


def stand_still_at_a_check() -> None:
    """Stop this process before it looks whether the lock is ours, at the first look for which there are pieces of logs in the store.

    Nothing is on its way then: one thread does all that writes, and the lock is not to be signed by another in these runs.
    """
    check, stood = store_lock.StoreLock.check, threading.Event()

    def stands(self: store_lock.StoreLock) -> None:
        if not stood.is_set() and any(".log/" in name for name in self.store.sizes("responses")):
            stood.set()
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # this very thread, which else would go on for a moment
        check(self)

    store_lock.StoreLock.check = stands


def main(
    root: str,
    address: str,
    *,
    prompts: int = stored_road.PROMPTS,
    pieces: float = 0.05,
    slow: float = 0.0,
    hold: str = "",
    stand: bool = False,
    **times: float,
) -> int:
    """As the command does: 0, or 1 or 2 after a message.

    `pieces`, `times`: seconds of the storage's pauses, `slow`: of one answer; `hold`: a file without
    which there is none; `stand`: see `stand_still_at_a_check`.
    """
    second_home.SECONDS_BETWEEN_PIECES = pieces
    for name, seconds in times.items():
        setattr(store if hasattr(store, name) else store_lock, name, seconds)
    if slow:
        slow_by(slow)
    if hold:
        hold_until(Path(hold))
    if stand:
        stand_still_at_a_check()
    try:
        run(stored_road.whole(prompts), Path(root), machine=Machine(workers=1, store=address))
    except (Stopped, ValueError) as error:
        sys.stderr.write(f"stopped: {error}\n")
        return 2 if isinstance(error, ValueError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3], **json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}")))
