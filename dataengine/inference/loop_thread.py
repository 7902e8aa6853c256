"""An event loop in a thread of its own: an engine's requests go on while its caller's loop renders, writes or is not there at all."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from dataengine.errors import Stopped

T = TypeVar("T")


class LoopThread:
    """`thread.run(coroutine)` from plain code, `async for each in thread.each([make, ...])` from any loop of any thread."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns, waiting for it; never from the thread itself."""
        asked = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return asked.result()
        except BaseException:
            asked.cancel()
            raise

    async def each(self, makers: Sequence[Callable[[], Coroutine[Any, Any, T]]]) -> AsyncIterator[T]:
        """Run all at once and yield each result as it is there; the first error is raised. Closing it early cancels what still runs."""
        here, done = asyncio.get_running_loop(), asyncio.Queue[T | BaseException]()
        tasks: list[asyncio.Task[T]] = []

        def deliver(task: asyncio.Task[T]) -> None:
            closed = Stopped("the engine was closed while responses were still being made")
            outcome = closed if task.cancelled() else task.exception() or task.result()
            with contextlib.suppress(RuntimeError):  # the caller's event loop was closed: nobody waits any more
                here.call_soon_threadsafe(done.put_nowait, outcome)

        def start() -> None:
            for make in makers:
                task = self._loop.create_task(make())
                task.add_done_callback(deliver)
                tasks.append(task)

        def cancel() -> None:
            for task in tasks:
                task.cancel()

        if self._loop.is_closed():
            raise ValueError("the engine is closed: make a new one")
        self._loop.call_soon_threadsafe(start)
        try:
            for _ in makers:
                outcome = await done.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome
        finally:
            with contextlib.suppress(RuntimeError):  # closed meanwhile, and everything cancelled with it
                self._loop.call_soon_threadsafe(cancel)

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel everything, run `last`, and end the thread; a second call does nothing."""
        if self._loop.is_closed():
            return

        async def end() -> None:
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await last()

        self.run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
