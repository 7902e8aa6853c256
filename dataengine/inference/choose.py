"""Which engine answers for a folder: recorded responses are replayed, a model folder is run in this process."""

from __future__ import annotations

from pathlib import Path

from dataengine.inference.engine import Engine
from dataengine.machine import Machine

CONTEXT_STEP = 256


def open_engine(folder: Path, *, longest: int, machine: Machine) -> Engine:
    """The engine of one folder, with room for `longest` tokens of prompt and response (or what the model can do).

    ValueError where the folder is neither a model nor recorded responses.
    """
    if not (folder / "config.json").exists() and any(folder.glob("*.parquet")):
        from dataengine.inference.replay import ReplayEngine

        return ReplayEngine.of(folder)
    from dataengine.inference.local import LocalEngine

    context = -(-longest // CONTEXT_STEP) * CONTEXT_STEP
    return LocalEngine.of(folder, slots=machine.slots, context=context, device=machine.device)
