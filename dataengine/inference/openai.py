"""The engine `openai`: any server or service that speaks OpenAI's protocol, several of them at once, within their limits."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import yarl

from dataengine.errors import Stopped
from dataengine.inference.endpoint import Endpoint, new_session
from dataengine.inference.endpoints import Endpoints
from dataengine.inference.engine import FinishReason, Response, Sampling
from dataengine.inference.event_stream import answered, streamed
from dataengine.inference.failures import BadRequest, Failure, KeyRefused, NotThere, Unanswered, context_in
from dataengine.inference.loop_thread import LoopThread
from dataengine.inference.refusals import Refusals
from dataengine.inference.served_reply import BYTES_PER_TOKEN, MOST_TOKENS, Said, said_in, tokens_of
from dataengine.inference.served_tokens import ServedTokens, until_stop
from dataengine.inference.spent import Spent
from dataengine.machine import OpenAI
from dataengine.messages import messages_in
from dataengine.names import nearest
from dataengine.progress import say

ADVICE = "see to the servers and run the same command again, or give more --openai.patience"
LEARN_SECONDS = 10.0
SEEDS = 2**31
"""Many servers take no larger seed."""
HARMLESS = "Hello"
UNTOLD_MOST = 4096
"""Tokens of a response for which a deadline is set where the model's body takes their limit away."""
UNTOLD = ("prompt", "messages", "seed", "stream_options")
"""Fields that say nothing about what was wrong with a request."""


class OpenAIEngine:
    """`OpenAIEngine(OpenAI(urls=("http://127.0.0.1:8000/v1",)), model="qwen", revision="...")`

    A prompt that is a conversation (template MESSAGES) goes to /chat/completions, every other one to /completions: as token ids
    where a model folder's tokenizer is there and all servers take ids, else as text.
    """

    def __init__(
        self,
        settings: OpenAI,
        *,
        model: str,
        revision: str,
        asked_as: str = "",
        body: Mapping[str, Any] | None = None,
        tokens: ServedTokens | None = None,
    ) -> None:
        """`asked_as`: what the servers call the model; `body`: more fields of every request (null takes one of ours away)."""
        if not settings.urls:
            raise ValueError("the engine openai wants at least one address: --openai.urls '[\"http://127.0.0.1:8000/v1\"]'")
        self.model, self.revision = model, revision
        self._settings, self._body = settings, _allowed(body or {})
        self._asked_as = settings.model or asked_as or model
        everything = _endpoints(settings)
        self.version = f"openai protocol, {', '.join(dict.fromkeys(each.shown for each in everything))}"
        self._endpoints = Endpoints(everything, patience=settings.patience, advice=ADVICE)
        self.spent = Spent()
        self._tokens, self._takes_ids, self._keeps_stop = tokens, False, False
        self._thread = LoopThread("dataengine-openai")
        try:
            self._thread.run(self._open())
        except BaseException:
            self.close()
            raise

    @property
    def capacity(self) -> int:
        """Requests that may be open at the same time; fewer while servers say that they are overloaded."""
        return self._endpoints.capacity

    async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        """Yield one response for each number in `samples`, each a request of its own, as it is finished."""
        makers = [lambda sample=sample: self._one(prompt, sampling, sample) for sample in samples]
        async with aclosing(self._thread.each(makers)) as responses:  # type: ignore[type-var]  # async generators close
            async for response in responses:
                yield response

    def close(self) -> None:
        """Cancel what still runs; whoever waits gets an error."""
        self._thread.close(self._shut)
        if self._tokens is not None:
            self._tokens.close()

    async def _open(self) -> None:
        self._session = new_session()
        self._refusals = Refusals()
        versions = await asyncio.gather(*(self._vllm_version(each) for each in self._endpoints.all))
        self._keeps_stop = all(versions)
        if self._tokens is not None:
            self._takes_ids = await self._all_offer_ids()

    async def _shut(self) -> None:
        if hasattr(self, "_session"):
            await self._session.close()

    async def _vllm_version(self, endpoint: Endpoint) -> bool:
        """Whether a server is vLLM, which can keep the stop text (`include_stop_str_in_output`)."""
        root = Endpoint(endpoint.url.removesuffix("/v1"), limit=1, slowest=1)
        try:
            return "version" in await root.get(self._session, "/version", deadline=LEARN_SECONDS)
        except (Failure, Unanswered, BadRequest, NotThere, KeyRefused):
            return False

    async def _all_offer_ids(self) -> bool:
        """Whether all servers do: one must answer within our patience; those that are away by then are taken to be like the others."""
        offers, first = await self._endpoints.ask(self._offers_ids)
        return offers and all(await asyncio.gather(*(self._offers_too(each) for each in self._endpoints.all if each is not first)))

    async def _offers_too(self, endpoint: Endpoint) -> bool:
        patience = min(LEARN_SECONDS, self._settings.patience)
        try:
            return (await Endpoints([endpoint], patience=patience, advice=ADVICE).ask(self._offers_ids))[0]
        except Stopped as error:
            say(f"warning: {error}; the others are used until it answers")
            return True

    async def _offers_ids(self, endpoint: Endpoint, late: int) -> bool:
        """Whether a server takes a prompt as token ids and tells the ids of what it says."""
        assert self._tokens is not None
        ids = await self._tokens.encode(HARMLESS)
        asked = json.dumps({"model": self._asked_as, "prompt": ids, "max_tokens": 1, "return_token_ids": True}).encode()
        try:
            deadline = endpoint.pace.deadline(1, late=late)
            said = said_in(await answered(endpoint, self._session, "/completions", asked, deadline=deadline), ended=self._settings.ended)
        except (BadRequest, Unanswered):
            return False
        except (NotThere, KeyRefused) as error:
            raise await self._mistake(endpoint, error) from None
        return said.token_ids is not None and said.prompt_tokens == len(ids)

    async def _one(self, prompt: str, sampling: Sampling, sample: int) -> Response:
        path, body = await self._request(prompt, sampling, sample)
        try:
            said = await self._asked(path, body, sampling.stop, prompt=prompt)
        except (Unanswered, BadRequest) as no:
            reason: FinishReason = "refused"
            if isinstance(no, BadRequest):
                await self._sure_it_is_the_prompt(path, body)
                reason = no.finish_reason
            tokens = len(body["prompt"]) if isinstance(body.get("prompt"), list) else 0
            return Response(sample=sample, token_ids=[], text="", logprobs=[], finish_reason=reason, prompt_tokens=tokens)
        return await self._response(sample, said, sampling)

    async def _response(self, sample: int, said: Said, sampling: Sampling) -> Response:
        ids, text, reason = said.token_ids, said.text, said.finish_reason
        if ids is not None and self._tokens is not None and self._takes_ids:
            text, reason = await self._tokens.finish(ids, sampling.stop, reason)
        elif (cut := until_stop(text, sampling.stop)) is not None:
            text, reason = cut, "stop"
        known = said.logprobs if ids is not None and said.logprobs is not None and len(said.logprobs) == len(ids) else None
        return Response(
            sample=sample,
            token_ids=ids if ids is not None else [-1] * said.response_tokens,
            text=text,
            logprobs=known if known is not None else [math.nan] * (len(ids) if ids is not None else said.response_tokens),
            finish_reason=reason,
            prompt_tokens=said.prompt_tokens or 0,
        )

    async def _request(self, prompt: str, sampling: Sampling, sample: int) -> tuple[str, dict[str, Any]]:
        """Path and body of one response. Where stop texts would be cut off by the server they are not sent: they are found here."""
        messages, settings = messages_in(prompt), self._settings
        body: dict[str, Any] = {
            "model": self._asked_as,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens" if messages is None else settings.max_tokens_name: sampling.max_tokens,
            "seed": sampling.seed_of(prompt, sample) % SEEDS,
        }
        if settings.stream or (sampling.stop and not self._keeps_stop):
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if sampling.stop and self._keeps_stop:
            body |= {"stop": list(sampling.stop), "include_stop_str_in_output": True}
        if messages is not None:
            body["messages"] = messages
        elif self._takes_ids and self._tokens is not None:
            body |= {"prompt": await self._tokens.encode(prompt), "return_token_ids": True}
            body |= {"skip_special_tokens": False, "stop_token_ids": sorted(self._tokens.end_tokens)}
        else:
            body["prompt"] = prompt
        body = {name: value for name, value in {**body, **self._body}.items() if value is not None}
        return "/completions" if messages is None else "/chat/completions", body

    async def _asked(self, path: str, body: dict[str, Any], stop: Sequence[str], *, prompt: str = "", first: bool = False) -> Said:
        """The answer to one request. A prompt that fits, but not with so many tokens more, is asked for as many as there is room for."""
        form = _form(body)
        while True:
            try:
                said = await self._ask_somebody(path, body, stop, prompt=prompt, first=first)
                self._refusals.answered(form)
                return said
            except BadRequest as no:
                name = next((name for name in (self._settings.max_tokens_name, "max_tokens") if name in body), None)
                context, taken = context_in(str(no)) or (0, 0)
                if name is None or not 0 < context - taken < body[name]:
                    raise
                if context <= body[name]:
                    raise ValueError(_too_small(context, body[name])) from None
                body = {**body, name: context - taken}

    async def _ask_somebody(self, path: str, body: dict[str, Any], stop: Sequence[str], *, prompt: str, first: bool) -> Said:
        content, clock, settings = json.dumps(body).encode(), asyncio.get_running_loop().time, self._settings
        told = body.get("max_tokens") or body.get(settings.max_tokens_name)
        most = int(told or UNTOLD_MOST)

        async def attempt(endpoint: Endpoint, late: int) -> Said:
            started, deadline = clock(), endpoint.pace.deadline(most, late=late)
            try:
                if body.get("stream"):
                    silent = settings.silent_seconds * 2**late
                    cut = () if "stop" in body else stop
                    reply = await streamed(endpoint, self._session, path, content, silent=silent, deadline=deadline, stop=cut)
                else:
                    reply = await answered(endpoint, self._session, path, content, deadline=deadline)
                said = said_in(reply, most=most if told else MOST_TOKENS, ended=settings.ended)
            except (NotThere, KeyRefused) as error:
                if isinstance(error, NotThere) and endpoint.answered:  # it was right a moment ago: a server on its way up
                    raise Failure(str(error)) from None
                raise await self._mistake(endpoint, error) from None
            if said.prompt_tokens is None:
                said = _prompt_guessed(said, body.get("prompt", body.get("messages")))
            endpoint.pace.note(clock() - started, said.response_tokens)
            endpoint.tokens.take((said.prompt_tokens or 0) + said.response_tokens - wanted, clock())
            return said

        wanted = len(content) / BYTES_PER_TOKEN + self._usual(most)
        try:
            said, _ = await self._endpoints.ask(attempt, prompt=prompt, tokens=wanted, first=first)
        finally:
            self.spent.asked_again = self._endpoints.again
        self._count(said)
        return said

    def _usual(self, most: int) -> float:
        """Tokens that a response will probably have."""
        spent = self.spent
        return min(most, spent.response_tokens / spent.responses) if spent.responses else most

    def _count(self, said: Said) -> None:
        spent, settings = self.spent, self._settings
        spent.responses += 1
        spent.prompt_tokens += said.prompt_tokens or 0
        spent.response_tokens += said.response_tokens
        spent.money = (spent.prompt_tokens * settings.price_in + spent.response_tokens * settings.price_out) / 1e6
        if spent.counted and not said.counted:
            spent.counted = False
            say(
                f"warning: {self.version} does not tell how many tokens every prompt and response has (after a stop text that is found "
                f"here no server does): one for every {BYTES_PER_TOKEN} bytes is counted there"
            )

    async def _sure_it_is_the_prompt(self, path: str, body: dict[str, Any]) -> None:
        """ValueError where a harmless prompt is not answered either: then it is what we ask for, and nothing may be put down to prompts."""
        harmless: dict[str, Any] = {**body}
        if "messages" in body:
            harmless["messages"] = [{"role": "user", "content": HARMLESS}]
        elif isinstance(body["prompt"], list):
            assert self._tokens is not None
            harmless["prompt"] = await self._tokens.encode(HARMLESS)
        else:
            harmless["prompt"] = HARMLESS
        also = await self._refusals.everything(_form(body), lambda: self._asked(path, harmless, (), first=True))
        if also is not None:
            settings = ", ".join(f"{name}={value!r}" for name, value in body.items() if name not in UNTOLD)
            raise ValueError(
                f"the server refuses everything that is asked in this form: {also}. Asked: {settings}. "
                "Mend the sampling (max_tokens beside the server's context), or the body of Model.served"
            )

    async def _mistake(self, endpoint: Endpoint, error: NotThere | KeyRefused) -> ValueError:
        """A wrong key, model or address, with the names that there are."""
        if isinstance(error, KeyRefused):
            return ValueError(
                f"{endpoint.shown} refuses us ({error}): name the environment variable that holds its key with --openai.key_variables"
            )
        try:
            listed = await endpoint.get(self._session, "/models", deadline=LEARN_SECONDS)
            names = [str(each["id"]) for each in listed["data"]]
        except (Failure, Unanswered, BadRequest, NotThere, KeyRefused, LookupError, TypeError):
            unknown = f"{endpoint.shown} does not know this address or the model {self._asked_as!r} ({error})"
            return ValueError(f"{unknown}: see to --openai.urls (mostly with /v1 at the end) and --openai.model")
        if self._asked_as in names:
            return ValueError(f"{endpoint.shown} has the model {self._asked_as!r} but does not answer there: {error}")
        return ValueError(f"{endpoint.shown} has no model {self._asked_as!r}. {nearest(self._asked_as, names)} Name it with --openai.model")


def _endpoints(settings: OpenAI) -> list[Endpoint]:
    keys = settings.key_variables or ("",)
    if len(keys) not in (1, len(settings.urls)):
        raise ValueError(f'{len(keys)} key_variables for {len(settings.urls)} urls: give one for all, or one for each ("" for none)')
    keys = keys * len(settings.urls) if len(keys) == 1 else keys
    return [
        Endpoint(
            url if yarl.URL(url).path.strip("/") else url.rstrip("/") + "/v1",
            key_variable=key,
            limit=settings.in_flight,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
            slowest=settings.slowest,
        )
        for url, key in zip(settings.urls, keys, strict=True)
    ]


def _too_small(context: int, most: int) -> str:
    return (
        f"the server's context of {context:,} tokens cannot hold responses of max_tokens={most:,}: every long one would be cut. "
        "Start it with a larger context, or ask for fewer tokens"
    )


def _allowed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The model's own fields of every request; ValueError where one would pay for what is thrown away, or make all requests the same."""
    for name in ("n", "best_of"):
        if body.get(name, 1) not in (1, None):
            raise ValueError(
                f"the body of the model asks for {name}={body[name]}: one response of each request would be kept and all be paid. "
                "Leave it out: every sample is a request of its own, ask for more samples"
            )
    for name in ("prompt", "messages"):
        if name in body:
            raise ValueError(
                f"the body of the model has {name!r}, which would take the place of every prompt: all would be answered alike. Leave it "
                "out; what stands before every prompt (a system message) belongs to the template"
            )
    if body.get("seed") is not None:
        raise ValueError(
            f"the body of the model has seed={body['seed']!r}: all samples of a prompt would be the same one. Leave it out, for "
            "Sampling(seed=...) gives every sample one of its own; null sends none"
        )
    return dict(body)


def _prompt_guessed(said: Said, prompt: object) -> Said:
    """With the prompt's tokens, where the server does not tell them: as many as we sent, or a guess from its text."""
    if isinstance(prompt, list) and all(isinstance(token, int) for token in prompt):
        return replace(said, prompt_tokens=len(prompt))
    return replace(said, prompt_tokens=tokens_of(json.dumps(prompt, ensure_ascii=False)), counted=False)


def _form(body: Mapping[str, Any]) -> str:
    """What a request asks for, whatever its prompt."""
    return json.dumps({name: value for name, value in body.items() if name not in ("prompt", "messages", "seed")}, sort_keys=True)
