from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dataengine.storage.lock import Holder, only_one

REPOSITORY = Path(__file__).resolve().parents[3]
HOLDS = """
import sys
from pathlib import Path
from dataengine.storage.lock import only_one
with only_one(Path(sys.argv[1]), doing="writing here"):
    print("held", flush=True)
    input()
"""


def holding(lock: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(lock)], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_the_second_is_told_who_holds_it_and_since_when(tmp_path: Path) -> None:
    lock = tmp_path / "there" / ".lock"
    with holding(lock) as other:
        with pytest.raises(ValueError, match="another run is writing here right now") as told, only_one(lock, doing="writing here"):
            pass
        said = str(told.value)
        assert f"process {other.pid} of " in said
        assert f" on {socket.gethostname()}, since 20" in said
        other.communicate(b"\n")
    with only_one(lock, doing="writing here"):
        assert (Holder.of(lock.read_bytes()) or Holder("", 0, "", "")).pid == os.getpid()
    assert not lock.exists()


def test_a_lock_of_a_killed_process_is_in_nobodys_way(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with holding(lock) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert lock.exists(), "the dead process left its file behind"
    with only_one(lock, doing="writing here"):
        pass


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"host": 1}', b"\xff\xfe"])
def test_a_lock_file_with_anything_in_it_can_be_taken_and_told(tmp_path: Path, left: bytes) -> None:
    lock = tmp_path / ".lock"
    lock.write_bytes(left)
    with only_one(lock, doing="writing here"):
        lock.write_bytes(left)
        with pytest.raises(ValueError, match="it left no name"), only_one(lock, doing="writing here"):
            pass


def test_only_one_of_many_that_come_and_go_is_inside(tmp_path: Path) -> None:
    """Whoever is inside makes a file and removes it; one that is there already means two at once."""
    script = """
import os, sys
from pathlib import Path
from dataengine.storage.lock import only_one
lock, inside = Path(sys.argv[1]) / ".lock", Path(sys.argv[1]) / "inside"
entered = 0
while entered < 100:
    try:
        with only_one(lock, doing="in"):
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
            entered += 1
            inside.unlink()
    except ValueError:
        pass
"""
    many = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=REPOSITORY) for _ in range(3)]
    assert [process.wait() for process in many] == [0, 0, 0]
