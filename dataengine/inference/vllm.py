"""The engine `vllm`: servers of vLLM that it starts, feeds just as fast as they can take it, and starts again when they die."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from dataengine.errors import Stopped
from dataengine.inference.endpoint import Endpoint, new_session
from dataengine.inference.endpoints import Endpoints
from dataengine.inference.engine import Response, Sampling
from dataengine.inference.failures import BadRequest, Failure, KeyRefused, NotThere, Unanswered
from dataengine.inference.loop_thread import LoopThread
from dataengine.inference.refusals import Refusals
from dataengine.inference.served_reply import Said, said_in
from dataengine.inference.served_tokens import ServedTokens
from dataengine.inference.server import servers_for
from dataengine.inference.spent import Spent
from dataengine.inference.vllm_server import NotUp, VllmServer
from dataengine.inference.weights import PLAIN_TOKENIZERS, weights_revision
from dataengine.machine import Vllm
from dataengine.messages import messages_in
from dataengine.progress import say

ADVICE = "see the servers' logs and run the same command again"
LOOK_SECONDS = 1.0
ATTACH_SECONDS = 30.0
LONGEST_PAUSE = 60.0
SLOWEST = 0.5
"""Tokens a second of one response, until its pace has been measured: a server that makes none at all is noticed long before."""
ATTACHED_LIMIT = 256
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


class VllmEngine:
    """`VllmEngine.of(folder, Vllm(python="/path/to/python"))`; token ids in, token ids out, every sample with the seed of its own."""

    def __init__(self, folder: Path, servers: Sequence[VllmServer], settings: Vllm, *, tokens: ServedTokens) -> None:
        """Waits until the servers are ready (those that run already: until one is)."""
        self.model, self.revision, self.version = folder.name, weights_revision(folder), "vllm"
        self.spent = Spent()
        self._servers, self._settings, self._tokens = list(servers), settings, tokens
        self._by_endpoint = {each.endpoint: each for each in self._servers}
        self._endpoints = Endpoints([each.endpoint for each in self._servers], patience=settings.patience, advice=ADVICE)
        self._watching: list[asyncio.Task[None]] = []
        self._thread = LoopThread("dataengine-vllm")
        try:
            self._thread.run(self._open())
        except BaseException:
            self.close()
            raise

    @classmethod
    def of(cls, folder: Path, settings: Vllm, *, context: int = 4096, device: str = "auto", logs: Path | None = None) -> VllmEngine:
        """Servers for a model folder, started here or reached at `settings.urls`, with room for `context` tokens (or what the model
        can do); their logs lie under `logs`."""
        tokens = ServedTokens(folder)
        if settings.urls:
            made = [VllmServer(url, process=None, limit=ATTACHED_LIMIT, slowest=SLOWEST) for url in settings.urls]
            return cls(folder, made, settings, tokens=tokens)
        logs = logs or Path(tempfile.mkdtemp(prefix="dataengine-vllm-"))
        asked = settings.context or min(context, tokens.context or context)
        processes = servers_for(
            folder.resolve(), _tokenizer_folder(folder, logs), settings, context=asked, device=device, logs=logs.resolve()
        )
        limit = settings.sequences + settings.sequences // 8
        made = [VllmServer("http://127.0.0.1:1", process=each, limit=limit, slowest=SLOWEST) for each in processes]
        return cls(folder, made, settings, tokens=tokens)

    @property
    def capacity(self) -> int:
        """Responses that the servers decode at the same time, and a few that wait there."""
        return max(1, sum(int(each.endpoint.limit) for each in self._servers if not each.gone))

    async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        """Yield one response for each number in `samples`, each a request of its own at the same server, as it is finished."""
        if messages_in(prompt) is not None:
            raise ValueError("the engine vllm wants text: render with the model's chat template (dataengine.chat_template), not MESSAGES")
        asked = _Asked(prompt, sampling)
        makers = [lambda sample=sample: self._one(asked, sample) for sample in samples]
        async with aclosing(self._thread.each(makers)) as responses:  # type: ignore[type-var]  # async generators close
            async for response in responses:
                yield response

    def close(self) -> None:
        """End the servers that were started here, with everything they started; whoever waits gets an error."""
        self._thread.close(self._shut)
        self._tokens.close()

    # Opening and watching

    async def _open(self) -> None:
        self._session, self._refusals = new_session(), Refusals()
        own = [each for each in self._servers if each.process is not None]
        if own:
            say(f"starting {len(own)} vLLM server{'s' if len(own) > 1 else ''} for {self.model} ...")
            await asyncio.gather(*(self._bring_up(each) for each in own))
        else:
            found = await asyncio.gather(*(self._bring_up(each) for each in self._servers), return_exceptions=True)
            wrong = [each for each in found if isinstance(each, BaseException)]
            if len(wrong) == len(found) or not all(isinstance(each, NotUp) for each in wrong):
                raise wrong[0]
            for each in wrong:
                say(f"warning: {each}; it is asked again every few seconds, the others are used")
        up = next(each for each in self._servers if each.endpoint.up)
        self.version = f"vllm {up.version}"
        self._watching = [asyncio.create_task(self._watch(each)) for each in self._servers]

    async def _bring_up(self, server: VllmServer) -> None:
        """Start it where it is ours, wait for it, check it, and open it for requests."""
        if server.process is not None:
            await asyncio.to_thread(server.process.start)
            server.endpoint.url = server.endpoint.shown = server.process.url
        await server.wait_until_ready(self._session, self._settings.start_seconds if server.process is not None else ATTACH_SECONDS)
        guessed = not self._settings.model
        try:
            await server.meet(self._session, self._tokens, model=self._settings.model or self.model, only=guessed)
        except Failure as error:
            raise NotUp(f"{server.endpoint.shown} answers at /health, but then: {error}") from None
        server.tokens, server.moved_at = -1, asyncio.get_running_loop().time()
        server.answered_before = server.endpoint.answered
        server.endpoint.failed_in_row, server.endpoint.rests_until = 0, 0.0
        server.endpoint.up = True
        self._endpoints.wake()

    async def _watch(self, server: VllmServer) -> None:
        """Keep its queue just full, notice that it is dead or stuck, and bring it up again; ends when it is given up."""
        try:
            while not server.gone:
                await asyncio.sleep(LOOK_SECONDS)
                why = "it cannot be reached" if not server.endpoint.up else await self._look(server)
                if why:
                    await self._again(server, why)
        except (ValueError, Stopped, OSError) as error:
            self._endpoints.give_up(error)

    async def _look(self, server: VllmServer) -> str:
        """Why it must be brought up again, or nothing."""
        if server.process is not None and not server.process.alive:
            return "its process has ended"
        load, now = await server.load(self._session), asyncio.get_running_loop().time()
        busy = server.endpoint.in_flight > 0
        if load is not None:
            server.flow.look(server.endpoint, load, more=self._endpoints.waiting > 0)
            self._endpoints.wake()
            if load.tokens != server.tokens or not busy:
                server.tokens, server.moved_at = load.tokens, now
        elif server.process is None and not await server.is_ready(self._session):
            return "it cannot be reached"
        if now - server.moved_at > self._settings.silent_seconds and busy:
            return f"it has made no token for {now - server.moved_at:.0f} s"
        return ""

    async def _again(self, server: VllmServer, why: str) -> None:
        """A dead or stuck server is ended and started again after a pause; what it was asked is asked elsewhere, or of it again."""
        server.endpoint.up = False
        server.endpoint.drop()
        server.deaths = server.deaths + 1 if server.endpoint.answered == server.answered_before else 1
        server.answered_before = server.endpoint.answered
        if server.process is None:
            await self._look_again(server, why)
            return
        log = server.process.log
        if server.deaths > self._settings.deaths:
            self._give_up(server, why)
            return
        say(f"warning: a vLLM server is started again ({why}; its log: {log})")
        await asyncio.to_thread(server.process.end)
        await asyncio.sleep(random.uniform(0.5, 1) * min(LONGEST_PAUSE, 2 ** (server.deaths - 1)))
        try:
            await self._bring_up(server)
        except ValueError as error:
            say(f"warning: it did not come up again: {str(error).splitlines()[0]}")

    async def _look_again(self, server: VllmServer, why: str) -> None:
        """Somebody else's server that is away: it is waited for, and with all of them away only as long as patience lasts."""
        now = asyncio.get_running_loop().time()
        server.away_since = server.away_since or now
        if await server.is_ready(self._session):
            with contextlib.suppress(NotUp):
                await self._bring_up(server)
                server.away_since = 0.0
                return
        if now - server.away_since > self._settings.patience and not any(each.endpoint.up for each in self._servers):
            shown = ", ".join(each.endpoint.shown for each in self._servers)
            raise Stopped(
                f"no server of {shown} answers since {now - server.away_since:.0f} s ({why}). What was answered is kept: {ADVICE}"
            )

    def _give_up(self, server: VllmServer, why: str) -> None:
        assert server.process is not None
        server.gone = True
        died = f"a vLLM server died {server.deaths} times in a row without a response between ({why})"
        last = f"{died}; the end of its log {server.process.log}:"
        if all(each.gone for each in self._servers):
            raise Stopped(f"{last}\n{server.process.tail()}\nWhat was answered is kept: {ADVICE}")
        say(f"warning: {last}\n{server.process.tail()}\nit is given up, the others go on")

    async def _shut(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(each.process.end) for each in self._servers if each.process is not None))
        if hasattr(self, "_session"):
            await self._session.close()

    # Asking

    async def _one(self, asked: _Asked, sample: int) -> Response:
        ids = await asked.ids(self._tokens)
        context = self._context(asked.sampling)
        if len(ids) >= context:
            return Response(sample=sample, token_ids=[], text="", logprobs=[], finish_reason="prompt_too_long", prompt_tokens=len(ids))
        body = asked.body(ids, context=context, logprobs=self._settings.logprobs, ends=sorted(self._tokens.end_tokens))
        asked.prefer = asked.prefer or self._endpoints.least_busy()
        seed = asked.sampling.seed_of(asked.prompt, sample)
        try:
            said = await self._ask(body, seed=seed, most=asked.most(context), prefer=asked.prefer, prompt=asked.prompt)
        except (Unanswered, BadRequest) as no:
            await self._sure_it_is_the_prompt(asked, context, no)
            return Response(sample=sample, token_ids=[], text="", logprobs=[], finish_reason="refused", prompt_tokens=len(ids))
        self._refusals.answered(asked.form)
        assert said.token_ids is not None
        text, reason = await self._tokens.finish(said.token_ids, asked.sampling.stop, said.finish_reason)
        self._count(len(ids), len(said.token_ids))
        return Response(
            sample=sample,
            token_ids=said.token_ids,
            text=text,
            logprobs=said.logprobs if said.logprobs is not None else [math.nan] * len(said.token_ids),
            finish_reason=reason,
            prompt_tokens=len(ids),
        )

    def _context(self, sampling: Sampling) -> int:
        """Tokens that fit; ValueError where the servers, not the model, are too small for what is asked."""
        known = [each.context for each in self._servers if each.context]
        context, able = min(known), self._tokens.context
        if sampling.max_tokens >= context and (able is None or context < able):
            raise ValueError(
                f"the server's context of {context:,} tokens cannot hold responses of max_tokens={sampling.max_tokens:,} (the model can do "
                f"{able or 'more'}): give more --vllm.context, or start the server with a larger --max-model-len, or ask for fewer tokens"
            )
        return context

    async def _ask(self, body: str, *, seed: int, most: int, prefer: Endpoint | None, prompt: str = "", first: bool = False) -> Said:
        clock = asyncio.get_running_loop().time

        async def attempt(endpoint: Endpoint, late: int) -> Said:
            began, model = clock(), json.dumps(self._by_endpoint[endpoint].model)
            content = f'{{"model": {model}, "seed": {seed}, {body[1:]}'.encode()
            try:
                reply = await endpoint.post(self._session, "/v1/completions", content, deadline=endpoint.pace.deadline(most, late=late))
            except (NotThere, KeyRefused) as error:
                raise Failure(str(error)) from None
            said = said_in(reply)
            if said.token_ids is None:
                raise Failure("the reply has no token_ids")
            endpoint.pace.note(clock() - began, len(said.token_ids))
            return said

        said, _ = await self._endpoints.ask(attempt, prompt=prompt, prefer=prefer, first=first)
        return said

    async def _sure_it_is_the_prompt(self, asked: _Asked, context: int, no: Unanswered | BadRequest) -> None:
        harmless = _Asked("Hello", asked.sampling)
        body = harmless.body(
            await harmless.ids(self._tokens), context=context, logprobs=self._settings.logprobs, ends=sorted(self._tokens.end_tokens)
        )
        also = await self._refusals.everything(
            asked.form, lambda: self._ask(body, seed=0, most=harmless.most(context), prefer=None, first=True)
        )
        if also is not None:
            raise ValueError(
                f"vLLM refuses everything that is asked with {asked.sampling}: {also}. Mend the sampling, or the server's arguments"
            )

    def _count(self, prompt_tokens: int, response_tokens: int) -> None:
        self.spent.responses += 1
        self.spent.asked_again = self._endpoints.again
        self.spent.prompt_tokens += prompt_tokens
        self.spent.response_tokens += response_tokens


class _Asked:
    """One call of `respond`: its prompt is cut into tokens and written as JSON once for all its samples."""

    def __init__(self, prompt: str, sampling: Sampling) -> None:
        self.prompt, self.sampling = prompt, sampling
        self.prefer: Endpoint | None = None
        self.form = json.dumps(sampling.identity())
        self._ids: asyncio.Task[list[int]] | None = None
        self._body = ""

    async def ids(self, tokens: ServedTokens) -> list[int]:
        if self._ids is None:
            self._ids = asyncio.create_task(tokens.encode(self.prompt))
        return await asyncio.shield(self._ids)

    def most(self, context: int) -> int:
        """Tokens of the response at most."""
        assert self._ids is not None
        return min(self.sampling.max_tokens, context - len(self._ids.result()))

    def body(self, ids: Sequence[int], *, context: int, logprobs: bool, ends: Sequence[int]) -> str:
        """Everything but model and seed. What a model folder or server might set by default is set here."""
        if not self._body:
            sampling = self.sampling
            fields: dict[str, Any] = {
                "prompt": list(ids),
                "max_tokens": self.most(context),
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": 0,
                "min_p": 0.0,
                "repetition_penalty": 1.0,
                "presence_penalty": 0.0,
                "frequency_penalty": 0.0,
                "stop_token_ids": list(ends),
                "skip_special_tokens": False,
                "spaces_between_special_tokens": False,
                "return_token_ids": True,
            }
            fields |= {"stop": list(sampling.stop), "include_stop_str_in_output": True} if sampling.stop else {}
            fields |= {"logprobs": 0} if logprobs else {}
            self._body = json.dumps(fields, separators=(",", ":"))
        return self._body


def _tokenizer_folder(folder: Path, logs: Path) -> Path:
    """Where a server reads the tokenizer from. transformers replaces parts of a plain fast tokenizer by those of the model's
    architecture, if it lies beside the model's configuration: such a one is copied to a folder of its own."""
    config = folder / "tokenizer_config.json"
    said = json.loads(config.read_text(encoding="utf-8")).get("tokenizer_class") if config.is_file() else None
    if said not in PLAIN_TOKENIZERS:
        return folder.resolve()
    alone = logs / f"tokenizer-{weights_revision(folder)}"
    alone.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        with contextlib.suppress(FileNotFoundError), tempfile.TemporaryDirectory(dir=logs) as whole:  # another engine's server reads there
            shutil.copyfile(folder / name, Path(whole) / name)
            (Path(whole) / name).replace(alone / name)
    return alone.resolve()
