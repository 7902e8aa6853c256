"""Which engine answers for a folder: recorded responses are replayed, a model folder is run in this process."""

from __future__ import annotations

from pathlib import Path

from dataengine.inference.engine import Engine


def open_engine(folder: Path, *, device: str = "auto", slots: int = 0) -> Engine:
    """The engine of one folder; ValueError where it is neither a model nor recorded responses."""
    if not (folder / "config.json").exists() and any(folder.glob("*.parquet")):
        from dataengine.inference.replay import ReplayEngine

        return ReplayEngine.of(folder)
    from dataengine.inference.local import LocalEngine

    return LocalEngine.of(folder, device=device, slots=slots)
