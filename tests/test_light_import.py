"""`import dataengine` stays light: no heavy package, under half a second."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "transformers", "vllm", "ray", "argilla", "datasets", "matplotlib"}
LIMIT = 0.5
"""Seconds of wall clock, the start of Python included; best of three."""


def loaded_by(statement: str) -> set[str]:
    """The top-level packages in `sys.modules` of a fresh Python after this statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_no_heavy_package() -> None:
    assert not loaded_by("import dataengine") & HEAVY


def test_the_command_line_opens_without_the_heavy_packages() -> None:
    assert not loaded_by("import dataengine.cli") & HEAVY


def test_import_takes_under_half_a_second() -> None:
    def once() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import dataengine"], cwd=ROOT, check=True)
        return time.perf_counter() - start

    assert min(once() for _ in range(3)) < LIMIT
