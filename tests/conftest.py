"""What many tests need: the folder of real data, where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real problems and model outputs; tests that want it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[1].parent / "shared"
    folder = Path(os.environ.get("DATAENGINE_SHARED", default)) / "data"
    if not folder.is_dir():
        pytest.skip("the folder of shared real data is not here (set DATAENGINE_SHARED to its parent)")
    return folder
