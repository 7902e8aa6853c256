"""Engines of a cluster that are all there before the first question, and hand on few responses until a test lets them go on.

`python -m tests.integration.ray.held_engine FOLDER run rejection ...` is `dataengine` with them; FOLDER is one of `hold.held`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

from dataengine import cli
from dataengine.cluster.ray_team import Team
from dataengine.inference import ray_engine
from dataengine.inference.engine import Response, Sampling
from tests.integration.ray.hold import is_held

FEW = 60
"""Responses that come while they are held."""


class HeldEngine(ray_engine.RayEngine):
    """All engines of a cluster, held in a folder."""

    folder: ClassVar[Path]

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self._handed_on = 0
        wait_for_all(self._team)

    async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
        async with aclosing(super().respond(prompt, sampling, samples)) as answers:  # type: ignore[type-var]  # async generators close
            async for response in answers:
                while self._handed_on >= FEW and is_held(self.folder):
                    await asyncio.sleep(0.05)
                self._handed_on += 1
                yield response


def wait_for_all(team: Team) -> None:
    """Until each actor of a team is there."""
    while len(team.there()) < len(team.members):
        time.sleep(0.1)


def hold_engines(folder: Path) -> None:
    """From now on the engines of this process are held in that folder."""
    HeldEngine.folder = folder
    ray_engine.RayEngine = HeldEngine


if __name__ == "__main__":
    hold_engines(Path(sys.argv.pop(1)))
    sys.exit(cli.main())
