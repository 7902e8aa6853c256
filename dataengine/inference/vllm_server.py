"""A vLLM server over HTTP, ours or somebody's: is it there, is it the right one, and what is it doing?"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import aiohttp

from dataengine.inference.endpoint import Endpoint
from dataengine.inference.failures import BadRequest, Failure, KeyRefused, NotThere, Unanswered
from dataengine.inference.flow import Flow, Load, load_in
from dataengine.inference.served_reply import said_in
from dataengine.inference.served_tokens import ServedTokens
from dataengine.inference.server import Server
from dataengine.names import nearest
from dataengine.progress import say

ANSWER_SECONDS = 10.0
FIRST_TOKEN_SECONDS = 300.0
"""The first token of a server that has just loaded its model may wait for kernels to be compiled."""
MOST = 4096
"""Requests open at most at a server that is not ours, whatever its queue says."""
BYTES = re.compile(r"(<0x[0-9A-F]{2}>)+")
NO = (Unanswered, BadRequest, NotThere, KeyRefused)


class NotUp(ValueError):
    """A server that is not ready to answer (yet, or any more)."""


class VllmServer:
    """One of the engine's servers: an address, the process behind it where it is ours, and what was last seen of it."""

    def __init__(self, url: str, *, process: Server | None, limit: int, slowest: float) -> None:
        """`url` may change with every start of the process."""
        self.process, self.flow = process, Flow()
        self.endpoint = Endpoint(url.rstrip("/").removesuffix("/v1"), limit=limit, slowest=slowest)
        self.endpoint.most, self.endpoint.up = (MOST if process is None else limit), False
        self.model = self.version = ""
        self.context = 0
        self.deaths = 0
        self.away_since = 0.0
        self.answered_before = 0
        self.gone = False
        """Not started again any more."""
        self.tokens = -1
        self.moved_at = 0.0

    async def is_ready(self, session: aiohttp.ClientSession) -> bool:
        """Whether it answers at /health."""
        try:
            status, _, _ = await self.endpoint.raw(session, "GET", "/health", None, deadline=ANSWER_SECONDS)
        except Failure:
            return False
        return status == 200

    async def load(self, session: aiohttp.ClientSession) -> Load | None:
        """What it is doing right now; None where it does not say."""
        try:
            _, _, body = await self.endpoint.raw(session, "GET", "/metrics", None, deadline=ANSWER_SECONDS)
        except Failure:
            return None
        return load_in(body)

    async def meet(self, session: aiohttp.ClientSession, tokens: ServedTokens, *, model: str, only: bool) -> None:
        """Learn the model's name, context and the server's version; ValueError where it is not what we need.

        `only`: `model` is a guess, and a server that has a single one is taken at its word.
        """
        try:
            listed = (await self.endpoint.get(session, "/v1/models", deadline=ANSWER_SECONDS))["data"]
            version = (await self.endpoint.get(session, "/version", deadline=ANSWER_SECONDS)).get("version", "unknown")
            names = {str(each["id"]): each for each in listed}
        except (*NO, LookupError, TypeError) as error:
            raise ValueError(f"{self.endpoint.shown} is no server of vLLM ({error}): use --engine openai for others") from None
        if only and model not in names and len(names) == 1:
            model = next(iter(names))
        if model not in names:
            raise ValueError(f"{self.endpoint.shown} has no model {model!r}. {nearest(model, names)} Name it with --vllm.model")
        self.model, self.version, self.context = model, str(version), int(names[model].get("max_model_len") or 0)
        if not self.context:
            raise ValueError(
                f"{self.endpoint.shown} does not tell its context (max_model_len of /v1/models): vLLM 0.10.2 or newer is needed"
            )
        await self._same_tokenizer(session, tokens)
        await self._tokens_in_and_out(session, tokens)

    async def _same_tokenizer(self, session: aiohttp.ClientSession, tokens: ServedTokens) -> None:
        """ValueError where ids mean other texts there than here. A server that only cuts text otherwise (transformers reads some
        tokenizer folders in its own way) is taken: we send ids and are sent ids."""
        cuts_otherwise = False
        for probe in tokens.probes():
            ours = await tokens.encode(probe)
            theirs = (await self._post(session, "/tokenize", {"model": self.model, "prompt": probe})).get("tokens")
            if theirs == ours:
                continue
            cuts_otherwise = True
            read = (await self._post(session, "/detokenize", {"model": self.model, "tokens": ours})).get("prompt")
            if _bytes_read(str(read)) != _bytes_read(tokens.decode(ours)):
                here, there = str(ours)[:80], str(theirs)[:80]
                raise ValueError(
                    f"the tokenizer of {self.endpoint.shown} differs from that of {tokens.folder}: {probe[:60]!r} is {there} there and "
                    f"{here} here, which it reads as {str(read)[:60]!r}. Serve that folder, or name the folder that is served"
                )
        if cuts_otherwise:
            say(f"{self.endpoint.shown} cuts text into other tokens than {tokens.folder} says; the ids mean the same, and ours are sent")

    async def _tokens_in_and_out(self, session: aiohttp.ClientSession, tokens: ServedTokens) -> None:
        """ValueError where the server does not take or tell token ids; the first token also warms it up."""
        ids = await tokens.encode("Hello")
        asked = {"model": self.model, "prompt": ids, "max_tokens": 1, "return_token_ids": True, "temperature": 0}
        reply = await self._post(session, "/v1/completions", asked, deadline=FIRST_TOKEN_SECONDS)
        if said_in(reply).token_ids is None:
            raise ValueError(f"{self.endpoint.shown} (vLLM {self.version}) tells no token ids: vLLM 0.10.2 or newer is needed")

    async def _post(self, session: aiohttp.ClientSession, path: str, asked: dict[str, Any], *, deadline: float = 60.0) -> dict[str, Any]:
        try:
            return await self.endpoint.post(session, path, json.dumps(asked).encode(), deadline=deadline)
        except NO as error:
            raise ValueError(f"{self.endpoint.shown} refuses {path} ({error}): the engine vllm needs vLLM 0.10.2 or newer") from None

    async def wait_until_ready(self, session: aiohttp.ClientSession, seconds: float) -> None:
        """Until /health answers; ValueError with the end of the log where the process ends before that, or time does."""
        clock = asyncio.get_running_loop().time
        began, process = clock(), self.process
        while not await self.is_ready(session):
            if process is not None and not process.alive:
                raise NotUp(_died(process))
            if clock() - began > seconds:
                raise NotUp(self._not_there(seconds))
            await asyncio.sleep(0.25)

    def _not_there(self, seconds: float) -> str:
        if self.process is None:
            return f"nothing answers at {self.endpoint.shown}/health within {seconds:.0f} s: start the server, or see to --vllm.urls"
        tail = self.process.tail()
        return f"the server was not ready within {seconds:.0f} s: give more --vllm.start_seconds, or see {self.process.log}:\n{tail}"


def _bytes_read(text: str) -> str:
    """A tokenizer whose decoder was replaced writes a byte as <0xE4>."""
    return BYTES.sub(lambda run: bytes.fromhex(run.group().replace("<0x", "").replace(">", "")).decode(errors="replace"), text)


def _died(process: Server) -> str:
    tail = process.tail()
    if "No module named 'vllm" in tail or "No module named vllm" in tail:
        return (
            "this interpreter has no vllm: install it there (pip install 'r1-dataengine[vllm]'), or give the interpreter of an environment "
            f"that has it with --vllm.python. Its words:\n{tail}"
        )
    return (
        "a server of vLLM ended before it was ready; its log says why. Often: too little memory (fewer --vllm.sequences, less "
        f"--vllm.context, more GPUs by --vllm.tensor_parallel), or an argument it does not know. All of it: {process.log}\n{tail}"
    )
