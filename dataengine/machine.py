"""What a run may use of the machine: settings that only change the speed and are never part of a fingerprint."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What only changes the speed: never part of a fingerprint."""

    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Worker processes for scoring and filtering."""
    device: str = "auto"
    """Where models run: cpu, cuda, cuda:1; auto takes the GPU when there is one."""
    slots: int = 0
    """Responses decoded at the same time by the local engine; 0 lets the engine choose."""
    on: str = "local"
    """Who works: `local` (processes of this machine) or `ray` (every node of a Ray cluster)."""
    ray_address: str = "auto"
    """Where the Ray cluster is: HOST:PORT of its head; auto finds the one this machine belongs to."""
    store: str = ""
    """A second home of everything under the root, such as s3://bucket/prefix; empty for none."""

    def __post_init__(self) -> None:
        if self.on not in ("local", "ray"):
            raise ValueError(f"--on is local or ray, got {self.on!r}")
