"""A program that speaks like a server of vLLM, with words that are a function of the request: so that it can be killed and hung in tests.

Its command line is vLLM's; how it misbehaves is told by files in the folder named by FAKE_VLLM: `die` (at once), `die-after` and
`hang-after` (a number of responses; the file is taken away when it has been obeyed), `die-always` (likewise, and it stays), `wait-after`
(likewise, and the rest is answered when somebody takes it away).
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from aiohttp import web
from tokenizers import Tokenizer

HERE = Path(os.environ["FAKE_VLLM"])
GIVEN = dict(zip(sys.argv[1:], sys.argv[2:], strict=False))
RUNNING, WAITING, MADE = 0, 0, 0
PLACES = 8


def number_in(name: str, *, keep: bool = False) -> int | None:
    path = HERE / name
    try:
        wanted = int(path.read_text())
    except FileNotFoundError:
        return None
    if not keep and wanted <= MADE:
        path.unlink()
    return wanted


async def completions(request: web.Request) -> web.StreamResponse:
    global RUNNING, WAITING, MADE
    asked = await request.json()
    if 483 in asked["prompt"]:
        return web.json_response({"error": {"message": "bad token"}}, status=400)
    WAITING += 1
    while RUNNING >= PLACES:
        await asyncio.sleep(0.002)
    WAITING -= 1
    RUNNING += 1
    try:
        await asyncio.sleep(0.02)
        while (limit := number_in("wait-after", keep=True)) is not None and limit <= MADE:
            await asyncio.sleep(0.02)
        for name in ("die-after", "die-always"):
            limit = number_in(name, keep=name == "die-always")
            if limit is not None and limit <= MADE:
                os._exit(9)
        limit = number_in("hang-after")
        if limit is not None and limit <= MADE:
            await asyncio.sleep(1000)
        MADE += 1
    finally:
        RUNNING -= 1
    digits = [int(digit) for digit in str(asked.get("seed", 0))]
    ids = [270 + digit for digit in digits][: asked["max_tokens"]]
    reason = "length" if len(digits) >= asked["max_tokens"] else "stop"
    choice = {"index": 0, "text": "", "finish_reason": reason, "token_ids": ids, "logprobs": {"token_logprobs": [-0.5] * len(ids)}}
    usage = {"prompt_tokens": len(asked["prompt"]), "completion_tokens": len(ids)}
    return web.json_response({"choices": [choice], "usage": usage})


async def metrics(_: web.Request) -> web.Response:
    facts = {"num_requests_running": RUNNING, "num_requests_waiting": WAITING, "generation_tokens_total": MADE, "num_preemptions_total": 0}
    return web.Response(text="".join(f'vllm:{name}{{engine="0"}} {value}.0\n' for name, value in facts.items()))


def main() -> None:
    if (HERE / "die").exists():
        sys.exit("ValueError: the weights are of cheese")
    tokenizer = Tokenizer.from_file(str(Path(GIVEN["--tokenizer"]) / "tokenizer.json"))
    name, context = GIVEN["--served-model-name"], int(GIVEN["--max-model-len"])

    async def tokenize(request: web.Request) -> web.Response:
        return web.json_response({"tokens": tokenizer.encode((await request.json())["prompt"]).ids})

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name, "max_model_len": context}]})

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"version": "0.0-fake"})

    async def health(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/completions", completions)
    app.router.add_post("/tokenize", tokenize)
    for path, answer in (("/metrics", metrics), ("/v1/models", models), ("/version", version), ("/health", health)):
        app.router.add_get(path, answer)
    web.run_app(app, host=GIVEN["--host"], port=int(GIVEN["--port"]), print=None)


main()
