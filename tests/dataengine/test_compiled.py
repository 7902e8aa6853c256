from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
from dataengine.compiled import compiled

@compiled()
def double(x):
    return 2 * x
"""


@pytest.mark.parametrize("cached", [True, False])
def test_a_function_is_kept_where_a_folder_can_be_written_to_and_works_where_none_can(tmp_path: Path, *, cached: bool) -> None:
    (tmp_path / "kernel.py").write_text(SOURCE)
    nowhere = "" if cached else "import numba.core.caching as c; c.CacheImpl._locator_classes = []; "
    code = f"{nowhere}import kernel; print(kernel.double(21))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == "42\n"
    assert bool(list(tmp_path.rglob("*.nbi"))) == cached
