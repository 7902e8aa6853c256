"""What every inference engine offers: prompts in, one response per asked sample out, as each is finished."""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

FinishReason = Literal["stop", "length", "prompt_too_long", "refused"]
"""`length`: cut at max_tokens, so neither right nor wrong. `refused`: the server will not answer this very prompt (400, content filter)."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How tokens are drawn; part of a response's identity."""

    temperature: float = 1.0
    """0 is greedy."""
    top_p: float = 1.0
    max_tokens: int = 32_768
    """Tokens of one response at most; a response cut here has the finish reason `length`."""
    stop: tuple[str, ...] = ()
    """Texts that end a response; the text found is kept as its end. The model's own end tokens always end it."""
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.stop, str) or not all(self.stop):
            raise ValueError(f"sampling wants the stop texts as a list of texts that are not empty, got stop={self.stop!r}: give ['...']")
        object.__setattr__(self, "stop", tuple(self.stop))
        if not 0 <= self.temperature < math.inf or not 0 < self.top_p <= 1 or not self.max_tokens >= 1:
            raise ValueError(f"sampling wants temperature >= 0, 0 < top_p <= 1 and max_tokens >= 1, got {self}")

    def identity(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return {**asdict(self), "stop": list(self.stop)}

    def seed_of(self, prompt: str, sample: int) -> int:
        """The 63-bit seed of one response: a function of (prompt, sample, seed), never of its neighbours."""
        digest = hashlib.blake2b(f"{self.seed}\0{sample}\0{prompt}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 1


@dataclass(frozen=True, kw_only=True)
class Response:
    """One finished sample: `Response(sample=3, token_ids=[..], text="<think>..", logprobs=[..], finish_reason="stop", prompt_tokens=31)`"""

    sample: int
    """Which of the asked samples this is."""
    token_ids: Sequence[int]
    """Generated tokens, the end token included when the model wrote one; -1 each where a server tells only their number. [T]"""
    text: str
    """The tokens as text, special tokens of the end left out."""
    logprobs: Sequence[float]
    """log p of each generated token under the sampling temperature's distribution at temperature 1; nan where unknown. [T]"""
    finish_reason: FinishReason
    prompt_tokens: int


class Engine(Protocol):
    """Answers prompts; many calls may be open at once, and each yields its responses in the order they finish."""

    model: str
    """Name of the model, as written into the rows."""
    revision: str
    """Content hash of the weights, or what the server calls its version."""
    version: str
    """The program that decodes, as written into the rows: "dataengine local 0.1.0", "vllm 0.32.0"."""

    @property
    def capacity(self) -> int:
        """How many responses it makes well at the same time: callers keep a small multiple in flight."""
        ...

    def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        """Yield one response for each number in `samples`; a prompt that does not fit yields `prompt_too_long` responses.

        Infrastructure failure is never a response: the engine asks again, elsewhere if it can, and raises Stopped when it has given up.
        Closing the iterator early cancels what is still running. `sampling.max_tokens` may differ from call to call.
        """
        ...

    def close(self) -> None:
        """Give back processes and memory."""
        ...
