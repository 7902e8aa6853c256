"""Continuous batching: the loop that keeps every slot busy and makes one token for all of them at each step.

Axes: S slots, B rows of a step (the first B slots), C context.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dataengine.inference import slots
from dataengine.inference.draw import draw, uniform
from dataengine.inference.endings import Endings
from dataengine.inference.engine import FinishReason, Response, Sampling
from dataengine.inference.slots import Decode, Prefill, SlotCache, proven

PREFILL_TOKENS = 512
"""Prompts of similar length are read together up to this many tokens, padding included."""
LOOK_AHEAD = 1024
"""Among so many waiting prompts others of the same padded length are looked for."""
SLOT_STEP = 16
"""A step runs multiples of this many slots: matrix products of few rows have kernels, and roundings, of their own."""


@dataclass(kw_only=True, eq=False)
class Request:
    """One prompt and the samples still wanted of it."""

    prompt: Sequence[int]
    sampling: Sampling
    samples: deque[int]
    """Sample numbers not yet in a slot."""
    seeds: deque[int]
    """The seed of each of them."""
    deliver: Callable[[Response | Exception], None]
    """Called once for each sample, or once with the error that ended them all."""
    cancelled: bool = False
    prefix: Tensor | None = None
    """Keys and values of all prompt tokens but the last, once read. [Z, K, T, D]"""


@dataclass(kw_only=True, eq=False)
class Running:
    """A sample in a slot; its tokens lie in the row of the same number."""

    request: Request
    sample: int


@dataclass(eq=False)
class Rows:
    """What is known of each slot, as arrays over slots."""

    slots: int
    context: int
    tokens: np.ndarray = field(init=False)
    """Made so far. [S, C]"""

    def __post_init__(self) -> None:
        self.tokens = np.zeros((self.slots, self.context), np.int64)
        self.logprobs = np.zeros((self.slots, self.context), np.float32)
        self.last, self.position, self.made, self.limit = np.zeros((4, self.slots), np.int64)
        self.seed = np.zeros(self.slots, np.uint64)
        self.temperature, self.top_p = np.zeros(self.slots), np.ones(self.slots)
        self.running: list[Running | None] = [None] * self.slots

    def move(self, source: Sequence[int], target: Sequence[int]) -> None:
        """Copy whole rows and free where they came from."""
        for array in vars(self).values():
            if isinstance(array, np.ndarray):
                array[target] = array[source]
        for old, new in zip(source, target, strict=True):
            self.running[new], self.running[old] = self.running[old], None
            self.position[old] = 0


class Batch:
    """All that runs and waits on one model; `step` is called by one thread at a time.

    On the CPU in float32 a response is bit for bit a function of (weights, prompt, sample number, seed) for a fixed number of
    slots and threads: a short prompt is read in a batch of a size proven to give each row the numbers of the full batch, a long
    one alone; every step runs over the first B slots for a B proven likewise; attention and draws are computed per row. How
    many slots are busy, in which order requests came and which slot they got changes nothing.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, slots: int, context: int) -> None:
        slots = -(-slots // SLOT_STEP) * SLOT_STEP
        self.model, self.context = model, context
        self.endings = Endings(model, tokenizer)
        self.waiting: deque[Request] = deque()
        self._device, self._exact = model.device, model.device.type == "cpu" and model.dtype == torch.float32
        self._cache = SlotCache(model.config, slots=slots, context=context, dtype=model.dtype, device=model.device)
        self._rows = Rows(slots, context)
        self._prefill_sizes: dict[int, list[int]] = {}
        self._decode_sizes = self._sizes(self._probe_decode, _sizes(SLOT_STEP, slots))

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.waiting) or any(self._rows.running)

    def step(self) -> None:
        """One more token for every running sample, after the free slots are filled."""
        self._cancel()
        self._admit()
        active = self._active()
        if len(active):
            self._decode(self._rows_for(active))

    def fail(self, error: Exception) -> None:
        """Tell everyone who waits, and forget them."""
        requests = {one.request: None for one in self._rows.running if one is not None} | dict.fromkeys(self.waiting)
        self.waiting.clear()
        self._rows = Rows(self._rows.slots, self.context)
        for request in requests:
            request.deliver(error)

    def _active(self) -> np.ndarray:
        return np.array([i for i, one in enumerate(self._rows.running) if one is not None], np.int64)

    def _cancel(self) -> None:
        for i, one in enumerate(self._rows.running):
            if one is not None and one.request.cancelled:
                self._free(i)

    def _free(self, slot: int) -> None:
        self._rows.running[slot] = None
        self._rows.position[slot] = 0

    # Filling slots

    def _admit(self) -> None:
        free = deque(i for i, one in enumerate(self._rows.running) if one is None)
        while self.waiting and (free or self.waiting[0].cancelled or len(self.waiting[0].prompt) >= self.context):
            request = self.waiting[0]
            if request.cancelled:
                self.waiting.popleft()
                continue
            if len(request.prompt) >= self.context:
                self._refuse(request)
                continue
            if request.prefix is None and len(request.prompt) > 1:
                self._read_prompts(request)
            taken = [free.popleft() for _ in range(min(len(free), len(request.samples)))]
            if request.prefix is not None:
                self._cache.fill(taken, request.prefix)
            for slot in taken:
                self._start(slot, request)
            if not request.samples:
                request.prefix = None
                self.waiting.popleft()

    def _refuse(self, request: Request) -> None:
        self.waiting.popleft()
        for sample in request.samples:
            request.deliver(_response(sample, [], "", [], "prompt_too_long", request))

    def _start(self, slot: int, request: Request) -> None:
        rows, prompt, sampling = self._rows, request.prompt, request.sampling
        rows.running[slot] = Running(request=request, sample=request.samples.popleft())
        rows.seed[slot] = request.seeds.popleft()
        # The prompt's last token is fed as the first step's input: the first drawn token takes the same road as all others.
        rows.last[slot], rows.position[slot], rows.made[slot] = prompt[-1], len(prompt) - 1, 0
        rows.limit[slot] = min(sampling.max_tokens, self.context - len(prompt))
        rows.temperature[slot], rows.top_p[slot] = sampling.temperature, sampling.top_p

    def _read_prompts(self, first: Request) -> None:
        """Keys and values of the first waiting prompt, and of others of its padded length that can be read with it."""
        length = padded(len(first.prompt) - 1)
        most = max(1, PREFILL_TOKENS // length) if length <= slots.SHORT else 1
        alike = (r for r in itertools.islice(self.waiting, LOOK_AHEAD) if 1 < len(r.prompt) < self.context and r.prefix is None)
        together = list(itertools.islice((r for r in alike if not r.cancelled and padded(len(r.prompt) - 1) == length), most))
        if length not in self._prefill_sizes:
            sizes = [*(2**power for power in range(most.bit_length()) if 2**power < most), most]
            self._prefill_sizes[length] = self._sizes(lambda size: self._probe_prefill(size, length), sizes)
        size = next(size for size in self._prefill_sizes[length] if size >= len(together))
        ids = torch.zeros(size, length, dtype=torch.long)
        for row, request in enumerate(together):
            ids[row, : len(request.prompt) - 1] = torch.as_tensor(request.prompt[:-1])
        kv = self._prefill(ids.to(self._device))
        for row, request in enumerate(together):
            request.prefix = kv[:, row, :, : len(request.prompt) - 1]

    # The model

    @torch.no_grad()
    def _prefill(self, ids: Tensor) -> Tensor:
        """[N, T] -> [Z, N, K, T, D]"""
        prefill, positions = Prefill(), torch.arange(ids.shape[1], device=self._device).expand(ids.shape)
        self.model.base_model(ids, position_ids=positions, slots=prefill, use_cache=False)
        return prefill.kv

    @torch.no_grad()
    def _logits(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """[B], [B] -> [B, V]"""
        tokens, positions = tokens.to(self._device), positions.to(self._device)
        decode = Decode(self._cache, positions)
        return self.model(tokens[:, None], position_ids=positions[:, None], slots=decode, use_cache=False).logits[:, 0]

    def _sizes(self, run: Callable[[int], Tensor], sizes: list[int]) -> list[int]:
        """Batch sizes in use: only proven ones where we promise exactness."""
        return proven(run, sizes) if self._exact else sizes

    def _probe_decode(self, rows: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        tokens = torch.randint(self.model.config.vocab_size, (self._rows.slots,), generator=generator)
        return self._logits(tokens[:rows], torch.zeros(rows, dtype=torch.long))

    def _probe_prefill(self, prompts: int, length: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        ids = torch.randint(self.model.config.vocab_size, (PREFILL_TOKENS, length), generator=generator)
        return self._prefill(ids[:prompts]).transpose(0, 1)

    # One step

    def _rows_for(self, active: np.ndarray) -> int:
        """How many rows the step runs; at the tail the running samples move together, so that fewer suffice."""
        size = next(size for size in self._decode_sizes if size >= len(active))
        outside = active[active >= size].tolist()
        if outside:
            inside = [i for i in range(size) if self._rows.running[i] is None][: len(outside)]
            self._cache.move(outside, inside, int(self._rows.position[outside].max()))
            self._rows.move(outside, inside)
        return size

    def _decode(self, size: int) -> None:
        rows = self._rows
        logits = self._logits(torch.from_numpy(rows.last[:size]), torch.from_numpy(rows.position[:size]))
        chance = uniform(rows.seed[:size], rows.made[:size])
        tokens, logprobs = draw(logits, temperature=rows.temperature[:size], top_p=rows.top_p[:size], uniform=chance)
        active = self._active()
        if not np.isfinite(logprobs[active]).all():
            raise ValueError("the model's log-probabilities are not finite: its weights hold inf or nan, go back to an earlier checkpoint")
        tokens, logprobs = tokens[active], logprobs[active]
        rows.tokens[active, rows.made[active]], rows.logprobs[active, rows.made[active]] = tokens, logprobs
        rows.last[active] = tokens
        rows.made[active] += 1
        rows.position[active] += 1
        self._finish(active, tokens)

    def _finish(self, active: np.ndarray, tokens: np.ndarray) -> None:
        """Free the slots whose sample is over, and hand the responses out."""
        ended, full = self.endings.is_end[tokens], self._rows.made[active] >= self._rows.limit[active]
        for slot, token, end, cut in zip(active.tolist(), tokens.tolist(), ended, full, strict=True):
            one = self._rows.running[slot]
            assert one is not None
            made = self._rows.tokens[slot, : self._rows.made[slot]]
            stop, text = one.request.sampling.stop, None
            reason: FinishReason = "stop"
            if end:
                text = self.endings.decode(made[:-1])
            elif stop and self.endings.may_complete(stop)[token]:
                text = self.endings.text_until_stop(made, stop)
            if text is None and cut:
                text, reason = self.endings.decode(made), "length"
            if text is not None:
                logprobs = self._rows.logprobs[slot, : len(made)].tolist()
                self._free(slot)
                one.request.deliver(_response(one.sample, made.tolist(), text, logprobs, reason, one.request))


def _sizes(step: int, most: int) -> list[int]:
    """Batch sizes to choose from: step x 1 ... 8, 10, 12, 14, 16, 20 ... and `most`."""
    sizes = {step * times * 2**power for power in range(16) for times in (1, 5, 6, 7)} | {3 * step}
    return [*sorted(size for size in sizes if size < most), most]


def padded(length: int) -> int:
    """The length a prompt is padded to: a multiple of 8, 16 or 32, an eighth to a quarter of it at most; long ones not at all."""
    step = 8 if length <= 64 else 16 if length <= 128 else 32
    return length if length > slots.SHORT else -(-length // step) * step


def _response(sample: int, tokens: list[int], text: str, logprobs: list[float], reason: FinishReason, request: Request) -> Response:
    return Response(sample=sample, token_ids=tokens, text=text, logprobs=logprobs, finish_reason=reason, prompt_tokens=len(request.prompt))
