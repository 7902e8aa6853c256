"""Tests against a real vLLM: its interpreter is named by DATAENGINE_VLLM_PYTHON (`.ci/vllm` makes one), else they are skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataengine.inference.vllm import VllmEngine
from dataengine.machine import Vllm
from tests.integration.ray.drivers import end_all

BASE = Path(__file__).resolve().parents[3] / "dataengine" / "recipes" / "tiny_base" / "base"


def group(leader: int) -> dict[int, str]:
    """The living processes of a group, with their command lines."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == leader and (path / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (ProcessLookupError, FileNotFoundError):
            continue
    return found


@pytest.fixture(autouse=True)
def no_driver_outlives_its_test() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture(scope="session")
def vllm_python() -> str:
    """The interpreter of an environment that has vLLM."""
    python = os.environ.get("DATAENGINE_VLLM_PYTHON", "")
    if not Path(python).is_file():
        pytest.skip("no vLLM here: set DATAENGINE_VLLM_PYTHON to the python of an environment that has it (.ci/vllm makes one)")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    return python


@pytest.fixture(scope="session")
def settings(vllm_python: str) -> Vllm:
    """A small server of the shipped model on the CPU."""
    return Vllm(python=vllm_python, sequences=64, start_seconds=900)


@pytest.fixture(scope="module")
def engine(settings: Vllm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    """One server for the tests that leave it alive."""
    made = VllmEngine.of(BASE, settings, context=512, device="cpu", logs=tmp_path_factory.mktemp("logs"))
    yield made
    made.close()
