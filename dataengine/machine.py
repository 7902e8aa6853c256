"""What a run may use of the machine: settings that only change the speed and are never part of a fingerprint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dataengine.names import nearest

ENGINES = ("auto", "local", "vllm", "openai")
ENDS = ("stop", "length", "refused", "again")


def _at_least(group: str, settings: object, least: int, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) >= least:
            raise ValueError(f"--{group}.{name} is {least} or more, got {getattr(settings, name)!r}")


def _above(group: str, settings: object, least: int, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > least:
            raise ValueError(f"--{group}.{name} is more than {least}, got {getattr(settings, name)!r}")


@dataclass(frozen=True, kw_only=True)
class Vllm:
    """Servers of vLLM that the engine starts and watches, or that run already."""

    python: str = ""
    """The interpreter that has vllm; empty: the one that runs this program."""
    urls: tuple[str, ...] = ()
    """Servers that run already, such as http://node7:8000; none is started then."""
    model: str = ""
    """What running servers call the model; empty: its folder's name, or the only one they have."""
    servers: int = 0
    """Servers to start; 0: one for each group of GPUs, or one on the CPU."""
    tensor_parallel: int = 1
    """GPUs that share one copy of the model."""
    gpus: tuple[str, ...] = ()
    """Which GPUs, as in CUDA_VISIBLE_DEVICES; none: those in that variable, or all there are."""
    sequences: int = 256
    """Responses that one started server decodes at the same time (--max-num-seqs)."""
    context: int = 0
    """Tokens of prompt and response (--max-model-len); 0: what the step asks for at most, or what the model can do."""
    arguments: tuple[str, ...] = ()
    """More arguments of the server, such as '["--gpu-memory-utilization","0.95"]'; they win over ours."""
    logprobs: bool = True
    """Ask for the log-probability of each token; without, they are nan."""
    start_seconds: float = 900.0
    """How long a server may take to load the model."""
    silent_seconds: float = 120.0
    """A server that makes no token for so long while it has requests is ended and started again."""
    patience: float = 600.0
    """Seconds that one response is asked for again after its first failure, or that nobody is answered, before the run stops."""
    deaths: int = 5
    """Deaths of started servers in a row, with no response between them, before the run stops."""

    def __post_init__(self) -> None:
        if self.python.startswith("~"):  # a file of settings has no shell that reads it
            object.__setattr__(self, "python", str(Path(self.python).expanduser()))
        _above("vllm", self, 0, "start_seconds", "silent_seconds")
        _at_least("vllm", self, 1, "tensor_parallel", "sequences")
        _at_least("vllm", self, 0, "servers", "context", "patience", "deaths")


@dataclass(frozen=True, kw_only=True)
class OpenAI:
    """Servers or services that speak OpenAI's protocol (/v1/completions, /v1/chat/completions)."""

    urls: tuple[str, ...] = ()
    """One or more of them, such as https://api.example.com/v1; the least busy healthy one is asked."""
    key_variables: tuple[str, ...] = ()
    """Names of the environment variables that hold the keys: one for all urls, or one for each ("" for none). Keys are never written."""
    model: str = ""
    """What the servers call the model; empty: the model's own name."""
    in_flight: int = 64
    """Requests open at the same time at one url; fewer while it says that it is overloaded."""
    requests_per_minute: float = 0.0
    """At each url; 0: no limit."""
    tokens_per_minute: float = 0.0
    """Prompt and response tokens at each url; 0: no limit."""
    price_in: float = 0.0
    """Price of a million prompt tokens, in whatever money."""
    price_out: float = 0.0
    """Price of a million response tokens."""
    stream: bool = False
    """Receive token by token: a server that falls silent is noticed within `silent_seconds`, whatever the length of the response."""
    silent_seconds: float = 120.0
    """When streaming: how long nothing may arrive."""
    slowest: float = 5.0
    """Tokens a second of one response at least, until its pace has been measured; with `max_tokens` it makes the deadline of a request."""
    patience: float = 600.0
    """Seconds that one response is asked for again after its first failure, or that nobody is answered, before the run stops."""
    max_tokens_name: str = "max_tokens"
    """What chat services call the most tokens of a response; newer ones say max_completion_tokens."""
    ended: Mapping[str, str] = field(default_factory=dict)
    """What finish_reasons of these servers mean that nobody told us of, such as '{"eot_id":"stop"}': stop, length (it was cut), refused
    (by a filter), or again (it broke off)."""

    def __post_init__(self) -> None:
        _above("openai", self, 0, "slowest", "silent_seconds")
        _at_least("openai", self, 1, "in_flight")
        _at_least("openai", self, 0, "requests_per_minute", "tokens_per_minute", "price_in", "price_out", "patience")
        object.__setattr__(self, "ended", {word.strip().lower(): meaning for word, meaning in self.ended.items()})
        for word, meaning in self.ended.items():
            if meaning not in ENDS:
                raise ValueError(f"--openai.ended says what {word!r} means: one of {', '.join(ENDS)}; got {meaning!r}")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What only changes the speed: never part of a fingerprint."""

    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Worker processes for scoring and filtering."""
    device: str = "auto"
    """Where models run: cpu, cuda, cuda:1; auto takes the GPU when there is one."""
    slots: int = 0
    """Responses decoded at the same time by the local engine; 0 lets the engine choose."""
    engine: str = "auto"
    """Who answers: `local` (in this process), `vllm`, `openai`; auto: recorded responses are replayed, a served model is asked by `openai`,
    and a model folder is run by `local`, or by `vllm` or `openai` where urls of theirs are given."""
    vllm: Vllm = field(default_factory=Vllm)
    openai: OpenAI = field(default_factory=OpenAI)
    on: str = "local"
    """Who works: `local` (processes of this machine) or `ray` (every node of a Ray cluster)."""
    ray_address: str = "auto"
    """Where the Ray cluster is: HOST:PORT of its head; auto finds the one this machine belongs to."""
    store: str = ""
    """A second home of everything under the root, such as s3://bucket/prefix; empty for none."""

    def __post_init__(self) -> None:
        if self.on not in ("local", "ray"):
            raise ValueError(f"--on is local or ray, got {self.on!r}")
        if self.engine not in ENGINES:
            raise ValueError(f"there is no engine {self.engine!r}. {nearest(self.engine, ENGINES)}")
