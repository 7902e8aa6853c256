"""Kill dedup and decontaminate anywhere: the next run ends with the same bytes, whatever the number of workers."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def start(root: Path, *, workers: int = 1) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.filters.clean_road", str(root), str(workers)]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE)


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.glob("*-*/**/*") if path.suffix in (".parquet", ".json")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    root = tmp_path_factory.mktemp("undisturbed") / "root"
    process = start(root)
    assert process.stderr is not None
    process.stderr.readline()
    begun = time.monotonic()
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said
    return contents(root), time.monotonic() - begun


@pytest.mark.timeout(600)
@pytest.mark.parametrize("attempt", range(4))
def test_killed_at_random_moments_the_end_is_the_same_to_the_byte(
    undisturbed: tuple[dict[str, bytes], float], tmp_path: Path, attempt: int
) -> None:
    expected, seconds = undisturbed
    luck = random.Random(attempt)
    root = tmp_path / "root"
    for _ in range(1 + attempt // 2):
        process = start(root, workers=1 + attempt % 2)
        assert process.stderr is not None
        process.stderr.readline()
        time.sleep(luck.uniform(0.0, 0.8) * seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = start(root, workers=2 - attempt % 2)
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said
    assert len(expected) > 20 * 6
    assert contents(root) == expected
