"""What a training run needs to go on as if it had never stopped, written so that a crash leaves the old state or the new one.

A state is one file `state/<update>.pt`; the figures beside it (metrics.jsonl, samples.jsonl) are cut back to it on resume.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dataengine.shards import write_atomically

FOLDER = "state"


def save_state(folder: Path, *, update: int, state: Mapping[str, Any]) -> None:
    """Write the state after `update` updates under `folder`/state, with the random generators; older ones go when it is safe."""
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    final = place / f"{update:08d}.pt"
    write_atomically(final, lambda file: torch.save({**state, "update": update, "rng": _generators()}, file))
    for old in place.iterdir():
        if old != final:
            old.unlink()


def load_state(folder: Path, *, device: str) -> dict[str, Any] | None:
    """The newest state, the random generators set to it; None where training has not begun."""
    found = sorted((folder / FOLDER).glob("*.pt"))
    if not found:
        return None
    state = torch.load(found[-1], map_location=device, weights_only=True)
    torch.set_rng_state(state["rng"]["cpu"].cpu())
    if "cuda" in state["rng"]:
        torch.cuda.set_rng_state_all([generator.cpu() for generator in state["rng"]["cuda"]])
    return state


def drop_state(folder: Path) -> None:
    """Remove the state of a finished run."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


class Figures:
    """One JSON object per line and update, on disk before the next update begins."""

    def __init__(self, path: Path, *, update: int) -> None:
        """Go on after `update`: lines of later updates, of a run that was cut off, are removed."""
        kept = [line for line in _lines(path) if json.loads(line)["step"] <= update]
        write_atomically(path, lambda file: file.write("".join(kept).encode()))
        self.path = path

    def add(self, figures: Mapping[str, Any]) -> None:
        """Append one object, which has a `step`."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures, ensure_ascii=False) + "\n")


def _lines(path: Path) -> list[str]:
    """The whole lines of a file; a last one that was cut off is not one."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="\n") as file:
        return [line for line in file if line.endswith("\n")]


def _generators() -> dict[str, Any]:
    cpu = {"cpu": torch.get_rng_state()}
    return {**cpu, "cuda": torch.cuda.get_rng_state_all()} if torch.cuda.is_available() else cpu
