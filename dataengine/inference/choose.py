"""Which engine answers for a folder: recorded responses are replayed, a model is run here, by servers of vLLM, or asked for elsewhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from dataengine.inference.engine import Engine
from dataengine.machine import Machine
from dataengine.step import SERVED

CONTEXT_STEP = 256


def open_engine(folder: Path, *, longest: int, machine: Machine, logs: Path | None = None) -> Engine:
    """The engine of one folder, with room for `longest` tokens of prompt and response (or what the model can do).

    `logs`: where servers that it starts write. ValueError where the folder is neither a model nor recorded responses.
    """
    if (folder / SERVED).is_file():
        return _served(json.loads((folder / SERVED).read_text(encoding="utf-8")), machine)
    if not (folder / "config.json").exists() and any(folder.glob("*.parquet")):
        from dataengine.inference.replay import ReplayEngine

        return ReplayEngine.of(folder)
    context = -(-longest // CONTEXT_STEP) * CONTEXT_STEP
    kind = kind_of(machine)
    if kind == "openai":
        from dataengine.inference.openai import OpenAIEngine
        from dataengine.inference.served_tokens import ServedTokens
        from dataengine.inference.weights import weights_revision

        return OpenAIEngine(machine.openai, model=folder.name, revision=weights_revision(folder), tokens=ServedTokens(folder))
    if kind == "vllm":
        from dataengine.inference.vllm import VllmEngine

        return VllmEngine.of(folder, machine.vllm, context=context, device=machine.device, logs=logs)
    from dataengine.inference.local import LocalEngine

    return LocalEngine.of(folder, slots=machine.slots, context=context, device=machine.device)


def kind_of(machine: Machine) -> str:
    """The engine that runs model folders: `local`, `vllm` or `openai`."""
    if machine.engine != "auto":
        return machine.engine
    return "vllm" if machine.vllm.urls or machine.vllm.python else "openai" if machine.openai.urls else "local"


def _served(said: dict, machine: Machine) -> Engine:
    """A model without a folder; its revision is a hash of all that is known of it."""
    from dataengine.inference.openai import OpenAIEngine

    if machine.engine in ("local", "vllm"):
        raise ValueError(
            f"{said['name']} is a model at a server: the engine {machine.engine} runs model folders. Ask for it with --engine openai, "
            f"or fetch it with `hf download {said['name']} --local-dir FOLDER` and use Model.at"
        )
    known = json.dumps(said, sort_keys=True, ensure_ascii=False).encode()
    model = f"{said['name']}@{said['revision']}" if said["revision"] else said["name"]
    revision = hashlib.blake2b(known, digest_size=6).hexdigest()
    return OpenAIEngine(machine.openai, model=model, revision=revision, asked_as=said["name"], body=said["body"])
