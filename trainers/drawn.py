"""The responses of a rollout that is still under way: each is on disk before it is used, so that a crash costs none of them.

They lie beside the state to resume from (trainers/state.py), one file per rollout, and go with the next state, which holds them.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from dataengine.inference.engine import Response
from dataengine.storage import crc_lines
from trainers.state import FOLDER


class Drawn:
    """What a rollout has drawn so far: `with Drawn(folder, rollout=12) as drawn: drawn.add(place, response)`."""

    def __init__(self, folder: Path, *, rollout: int) -> None:
        self.path = folder / FOLDER / f"drawn-{rollout:08d}.log"
        self.responses: dict[tuple[int, int], Response] = {}
        """By (place of the question in the rollout, sample)."""

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._read()
        self._out = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._out)

    def add(self, place: int, response: Response) -> None:
        """Keep one response; it survives the death of this process from here on."""
        crc_lines.append(self._out, json.dumps({"place": place, **asdict(response)}, ensure_ascii=False).encode())
        self.responses[place, response.sample] = response

    def _read(self) -> None:
        for body, _, _ in crc_lines.whole(self.path):
            kept = json.loads(body)
            place = kept.pop("place")
            self.responses[place, kept["sample"]] = Response(**kept)
