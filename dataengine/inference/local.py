"""The in-process engine: continuous batching on the very model object that a trainer updates."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dataengine.inference import attention
from dataengine.inference.batching import Batch, Request
from dataengine.inference.engine import Response, Sampling
from dataengine.inference.weights import load_model, load_tokenizer, prompt_ids, weights_revision
from dataengine.own_version import own_version


class LocalEngine:
    """Answers prompts with a model in this process: `for i, response in engine.generate(prompts, Sampling(), samples=16): ...`.

    It reads the weights of the model object it is given at every step and holds no copy, so an update is seen at once. On the
    CPU in float32 a response is bit for bit a function of (weights, prompt, sample, sampling), whatever else runs beside it
    (see `Batch`). `generate` and `respond` may be used from several threads.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        slots: int = 64,
        context: int = 4096,
        name: str = "in-process",
        revision: str = "in-memory",
    ) -> None:
        """`slots` responses run at the same time, each with its prompt at most `context` tokens (or what the model can do)."""
        if model.config._attn_implementation != attention.NAME:
            raise ValueError(
                f"the engine decodes through its own attention, the model has {model.config._attn_implementation!r}: "
                "load it with dataengine.inference.weights.load_model"
            )
        context = min(context, model.config.max_position_embeddings)
        sliding = "sliding_attention" in getattr(model.config, "layer_types", ())
        window = model.config.sliding_window if sliding else None
        if window is not None and window < context:
            raise ValueError(f"the model sees {window} tokens back, the engine all of {context}: give a context of at most {window}")
        self.model, self.revision, self.version, self.tokenizer = name, revision, f"local, {own_version()}", tokenizer
        self._capacity = slots
        with _evaluating(model):
            self._batch = Batch(model, tokenizer, slots=slots, context=context)
        self._inbox: deque[Request] = deque()
        self._stepping = threading.Lock()
        self._state = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    @classmethod
    def of(
        cls, folder: Path, *, slots: int = 0, context: int = 4096, dtype: torch.dtype | None = None, device: str = "auto"
    ) -> LocalEngine:
        """An engine over a model folder, named after it; by default on the GPU in bfloat16 if there is one, else in float32."""
        device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        dtype = dtype or (torch.float32 if device == "cpu" else torch.bfloat16)
        model, tokenizer = load_model(folder, dtype=dtype, device=device), load_tokenizer(folder)
        return cls(model, tokenizer, slots=slots or 64, context=context, name=folder.name, revision=weights_revision(folder))

    @property
    def capacity(self) -> int:
        """Slots."""
        return self._capacity

    def generate(
        self, prompts: Sequence[str | Sequence[int]], sampling: Sampling, samples: int | Sequence[Sequence[int]] = 1
    ) -> Iterator[tuple[int, Response]]:
        """Yield (index of the prompt, response) as each is finished, `samples` of each prompt (or those numbers, listed for each).

        Prompts are texts or token ids; runs in the calling thread. Leaving the loop early drops what still runs.
        """
        wanted = [range(samples)] * len(prompts) if isinstance(samples, int) else samples
        done: deque[tuple[int, Response | Exception]] = deque()
        requests = [
            self._request(prompt, sampling, numbers, lambda response, i=i: done.append((i, response)))
            for i, (prompt, numbers) in enumerate(zip(prompts, wanted, strict=True))
            if numbers
        ]
        left = sum(len(request.samples) for request in requests)
        self._accept(requests)
        try:
            while left:
                while not done:
                    self._step()
                index, response = done.popleft()
                if isinstance(response, Exception):
                    raise response
                left -= 1
                yield index, response
        finally:
            for request in requests:
                request.cancelled = True

    async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        """Yield one response for each number in `samples`, as each is finished; one background thread runs the batch of all calls."""
        loop, done = asyncio.get_running_loop(), asyncio.Queue[Response | Exception]()

        def deliver(response: Response | Exception) -> None:
            with contextlib.suppress(RuntimeError):  # the caller's event loop was closed: nobody waits any more
                loop.call_soon_threadsafe(done.put_nowait, response)

        request = self._request(prompt, sampling, samples, deliver)
        self._accept([request])
        self._ensure_thread()
        try:
            for _ in samples:
                response = await done.get()
                if isinstance(response, Exception):
                    raise response
                yield response
        finally:
            request.cancelled = True

    def close(self) -> None:
        """End the background thread; whoever still waits gets an error."""
        with self._state:
            self._closed, thread = True, self._thread
        if thread is not None:
            thread.join()

    def _request(
        self, prompt: str | Sequence[int], sampling: Sampling, samples: Sequence[int], deliver: Callable[[Response | Exception], None]
    ) -> Request:
        ids = prompt_ids(self.tokenizer, prompt) if isinstance(prompt, str) else list(prompt)
        if not ids:
            raise ValueError("a prompt has no tokens: give at least the tokenizer's beginning token")
        text = prompt if isinstance(prompt, str) else " ".join(map(str, ids))
        seeds = deque(sampling.seed_of(text, sample) for sample in samples)
        return Request(prompt=ids, sampling=sampling, samples=deque(samples), seeds=seeds, deliver=deliver)

    def _accept(self, requests: Sequence[Request]) -> None:
        with self._state:
            if self._closed:
                raise ValueError("the engine is closed: make a new one")
            self._inbox.extend(requests)

    def _step(self) -> None:
        """One step of the shared batch; an error reaches everyone in it, through `deliver`."""
        with self._stepping, _evaluating(self._batch.model):
            while self._inbox:
                self._batch.waiting.append(self._inbox.popleft())
            try:
                self._batch.step()
            except Exception as error:  # the worker's boundary: a waiting caller must never hang
                self._batch.fail(error)

    def _ensure_thread(self) -> None:
        with self._state:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dataengine-local", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        """Step while there is work; the thread ends with it, and the next call starts another."""
        while True:
            with self._state:
                if self._closed or not (self._inbox or self._batch.busy):
                    self._thread = None
                    break
            self._step()
        if self._closed:
            with self._stepping:
                self._batch.waiting.extend(self._inbox)
                self._batch.fail(RuntimeError("the engine was closed while responses were still being made"))


@contextlib.contextmanager
def _evaluating(model: PreTrainedModel) -> Iterator[None]:
    """A trainer's model decodes without dropout or activation checkpointing, and is given back as it was."""
    training = model.training
    if training:
        model.eval()
    try:
        yield
    finally:
        if training:
            model.train()
