"""Compiled functions are kept on disk where that is possible, and run where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RUN = "import os; from dataengine.kernels.hashing import mixed; import numpy as np; print(int(mixed(np.uint64(1))), mixed.stats.cache_path)"


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("home", ["writable", "read-only"])
def test_a_package_in_a_read_only_folder_works(home: str, public: Path) -> None:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write to read-only folders, and there is no setpriv to become somebody else")
    package, cache = public / "package", public / "home"
    cache.mkdir()
    (package / "dataengine" / "kernels").mkdir(parents=True)
    for name in ("__init__.py", "kernels/__init__.py", "kernels/compiled.py", "kernels/hashing.py"):
        shutil.copy(ROOT / "dataengine" / name, package / "dataengine" / name)
    cache.chmod(0o777 if home == "writable" else 0o555)
    folders = (package / "dataengine" / "kernels", package / "dataengine", package)
    for path in folders:
        path.chmod(0o555)
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    if subprocess.run([*become, sys.executable, "-c", ""], capture_output=True, check=False, cwd="/").returncode != 0:
        pytest.skip("the interpreter lies where nobody else may read it")
    environment = {
        **os.environ,
        "HOME": str(cache),
        "XDG_CACHE_HOME": str(cache),
        "PYTHONPATH": str(package),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run([*become, sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=False, cwd="/")
    for path in (*folders, cache):
        path.chmod(0o755)  # so that they can be removed
    assert done.returncode == 0, done.stderr
    number, _, place = done.stdout.strip().partition(" ")
    assert number == "6238072747940578789"
    assert place.startswith(str(cache)) if home == "writable" else place == "None"
