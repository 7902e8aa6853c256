from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
from dataengine.kernels.compiled import compiled

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


def test_a_change_in_another_file_that_is_called_is_compiled_again(tmp_path: Path) -> None:
    def ran() -> str:
        return subprocess.run([sys.executable, "-c", "import caller"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    called = "from dataengine.kernels.compiled import compiled\n\n@compiled()\ndef add(x):\n    return x + {}\n"
    (tmp_path / "called.py").write_text(called.format(1))
    (tmp_path / "caller.py").write_text(
        "from called import add\nfrom dataengine.kernels.compiled import compiled\n\n@compiled()\ndef once(x):\n    return add(x)\n"
        "\n@compiled()\ndef twice(x):\n    return 2 * once(x)\n"
        "\nprint(twice(20), sum(twice.stats.cache_hits.values()))\n"
    )
    assert [ran(), ran()] == ["42 0\n", "42 1\n"]
    (tmp_path / "called.py").write_text(called.format(2))
    assert ran() == "44 0\n"
