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
