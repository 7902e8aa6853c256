"""The simulated model behind a server in a process of its own, and the engine that starts it again when it is killed.

`python -m tests.dataengine.served SECONDS` serves one JSON object a line; it prints its port and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.dataengine.said import said

if TYPE_CHECKING:
    from dataengine.inference.engine import Response, Sampling

STRAGGLERS = 0.01
REPOSITORY = Path(__file__).resolve().parents[2]


class Served:
    """An engine over the server; what a killed server owed is asked again of the next."""

    model, revision, version, capacity = "served", "served-1", "served 1", 24

    def __init__(self, *, seconds: float) -> None:
        """`seconds` for a token."""
        self.seconds = seconds
        self._server: subprocess.Popen[bytes] | None = None
        self._port = 0

    async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        from dataengine.inference.engine import Response

        left = list(samples)
        while left:
            with contextlib.suppress(OSError, ValueError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._alive())
                try:
                    asked = {"prompt": prompt, "samples": left, "seed": sampling.seed, "max_tokens": sampling.max_tokens}
                    writer.write(json.dumps(asked).encode() + b"\n")
                    while left and (line := await reader.readline()):
                        one = json.loads(line)
                        left.remove(one["sample"])
                        yield Response(
                            sample=one["sample"],
                            token_ids=[-1] * one["tokens"],
                            text=one["text"],
                            logprobs=[math.nan] * one["tokens"],
                            finish_reason=one["finish_reason"],
                            prompt_tokens=len(prompt),
                        )
                finally:
                    writer.close()
            await asyncio.sleep(0.01)

    def _alive(self) -> int:
        """The port of a server that runs; it is started where there is none."""
        if self._server is None or self._server.poll() is not None:
            command = [sys.executable, "-S", "-m", "tests.dataengine.served", str(self.seconds)]
            self._server = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert self._server.stdout is not None
            self._port = int(self._server.stdout.readline())
        return self._port

    def close(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait()


async def serve(seconds: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())

        async def one(number: int) -> None:
            tokens, text = said(asked["prompt"], number, asked["seed"], stragglers=STRAGGLERS)
            cut = tokens > asked["max_tokens"]
            tokens = min(tokens, asked["max_tokens"])
            await asyncio.sleep(seconds * tokens)
            made = {
                "sample": number,
                "tokens": tokens,
                "text": text[:tokens] if cut else text,
                "finish_reason": "length" if cut else "stop",
            }
            writer.write(json.dumps(made).encode() + b"\n")

        await asyncio.gather(*(one(number) for number in asked["samples"]))
        await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    asyncio.get_running_loop().add_reader(0, lambda: os._exit(0))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
