"""The sandbox itself: limits, clean starts, failures that say nothing of the program, and no walls without a word."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataengine.errors import Stopped
from filters.running import sandbox as rooms
from filters.running.program_run import Judging, judge
from filters.running.program_tests import read_tests
from filters.running.sandbox import Sandbox, Sandboxes, SandboxFailure
from filters.running.sandbox_confine import Limits
from filters.running.sandbox_syscalls import ARCH, common_code, program_code

LIMITS = Limits(cpu=1.0, wall=3.0, memory=256 << 20, output=1 << 20, scratch=8 << 20)
TESTS = read_tests('{"inputs": [""], "outputs": ["1"]}')


@pytest.fixture(scope="module")
def walls() -> Iterator[Sandbox]:
    try:
        sandbox = Sandbox("namespaces")
    except SandboxFailure as failure:
        pytest.skip(f"no namespaces here: {failure}")
    yield sandbox
    sandbox.close()


def output(walls: Sandbox, *sources: str) -> list[bytes]:
    """What each program prints, one after another in one sandbox."""
    found = []
    for source in sources:
        with walls.program(source.encode(), LIMITS, python=True) as program:
            found.append(program.run({"how": "main"}).output)
    return found


def test_each_program_and_each_case_starts_clean(walls: Sandbox) -> None:
    dirty = """
import builtins, os, sys
print(os.listdir('.'), hasattr(builtins, 'mine'), sys.argv)
open('left', 'w').write('x')
builtins.mine = 1
"""
    with walls.program(dirty.encode(), LIMITS, python=True) as program:
        program.begin({"how": "main"}, [(b"", b"")] * 3)
        assert {outcome.output for outcome in program.end(3)} == {b"[] False ['program.py']\n"}
    assert output(walls, dirty) == [b"[] False ['program.py']\n"]


def test_a_program_finds_what_an_interpreter_gives_it(walls: Sandbox) -> None:
    source = """
import sys, threading
print(__name__, sys.stdin.readline().strip(), open("/dev/stdin").readline().strip(), sys.getrecursionlimit() >= 1000)
def later(): print("thread")
thread = threading.Thread(target=later)
thread.start()
import atexit
atexit.register(print, "at exit")
"""
    with walls.program(source.encode(), LIMITS, python=True) as program:
        outcome = program.run({"how": "main"}, b"one\ntwo\n")
    assert outcome.output == b"__main__ one one True\nthread\nat exit\n"
    assert outcome.status == 0


def test_a_parent_may_have_children_where_it_is_allowed(walls: Sandbox) -> None:
    source = b"import subprocess, sys\nprint(subprocess.run(['/bin/echo', 'hi'], capture_output=True).stdout)"
    for processes, printed in ((1, b""), (4, b"b'hi\\n'\n")):
        with walls.program(source, Limits(cpu=1.0, wall=3.0, processes=processes), python=True) as program:
            assert program.run({"how": "main"}).output == printed


def test_a_cpu_limit_is_kept_to_a_tenth_of_a_second(walls: Sandbox) -> None:
    with walls.program(b"while True: pass", Limits(cpu=0.3, wall=20.0), python=True) as program:
        outcome = program.run({"how": "main"})
    assert outcome.ended == "cpu"
    assert outcome.cpu < 0.5


def test_a_program_that_was_suspended_with_the_whole_run_is_not_out_of_time(walls: Sandbox) -> None:
    limits = LIMITS._replace(wall=2.0)
    with walls.program(b"import time\nfor _ in range(20): time.sleep(0.05)\nprint(1)", limits, python=True) as program:
        program.begin({"how": "main"}, [(b"", b"")])
        time.sleep(0.5)
        below = descendants(os.getpid())
        for stopping in (signal.SIGSTOP, signal.SIGCONT):
            for pid in below:
                os.kill(pid, stopping)
            time.sleep(2.5 if stopping == signal.SIGSTOP else 0)
        (outcome,) = program.end(1)
    assert (outcome.ended, outcome.output) == ("", b"1\n")


def descendants(root: int) -> list[int]:
    """All processes that came from one."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            found.extend(map(int, task.read_text().split()))
    return found[1:]


@pytest.mark.usefixtures("any_walls")
def test_a_dead_sandbox_is_a_failure_and_the_next_one_judges() -> None:
    with rooms.sandboxes.borrow("auto") as sandbox:
        os.kill(sandbox.pid, signal.SIGKILL)
        time.sleep(0.1)
    assert judge("print(1)", TESTS, Judging(limits=LIMITS)).verdict == "passed"


def test_a_sandbox_that_dies_during_a_case_is_a_failure(walls: Sandbox) -> None:
    sandbox = Sandbox(walls.isolation)
    program = sandbox.program(b"import time\ntime.sleep(2)", LIMITS, python=True)
    program.begin({"how": "main"}, [(b"", b"")])
    os.kill(sandbox.pid, signal.SIGKILL)
    with pytest.raises(SandboxFailure, match="died"):
        program.end(1)
    program.close()
    sandbox.close()


@pytest.mark.usefixtures("any_walls")
def test_a_sandbox_that_keeps_failing_leaves_the_program_unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise SandboxFailure("the guard has died")

    monkeypatch.setattr(Sandbox, "program", fails)
    found = judge("print(1)", TESTS, Judging(limits=LIMITS))
    assert found.verdict == "sandbox failure"
    assert found.share is None
    assert "the guard has died" in found.reason


def test_without_walls_nothing_is_run_and_the_error_says_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(rooms, "WALLS", ("bubblewrap",))
    pool = Sandboxes()
    with pytest.raises(Stopped, match=r'bwrap is not installed.*Install bubblewrap.*isolation="limits"'), pool.borrow("auto"):
        pass
    with pool.borrow("limits") as sandbox:
        assert sandbox.isolation == "limits"
    pool.close()


def test_nothing_is_left_behind(walls: Sandbox) -> None:
    before = set(Path("/tmp").iterdir())
    pool = Sandboxes()
    for isolation in ("namespaces", "limits"):
        with pool.borrow(isolation) as sandbox, sandbox.program(b"open('x', 'w')", LIMITS, python=True) as program:
            program.run({"how": "main"})
    pool.close()
    gc.collect()
    time.sleep(0.3)
    assert not {path for path in set(Path("/tmp").iterdir()) - before if path.name.startswith("program-")}
    with pytest.raises(ProcessLookupError):
        os.kill(sandbox.pid, 0)


@pytest.mark.parametrize("machine", ARCH)
def test_every_jump_of_the_filters_stays_inside(machine: str) -> None:
    for code in (common_code(machine), program_code(machine, processes=False), program_code(machine, processes=True)):
        steps = [code[at : at + 8] for at in range(0, len(code), 8)]
        for place, step in enumerate(steps):
            jumps = step[0] & 7 == 5
            assert not jumps or place + 1 + max(step[2], step[3]) < len(steps)
        assert steps[-1][0] & 7 == 6, "the last step returns"


@pytest.mark.usefixtures("walls")
def test_an_interpreter_in_the_folder_for_temporary_files_is_no_obstacle(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    response = "```python\nimport tempfile\ntempfile.TemporaryFile()\nopen('own', 'w')\nprint(2)\n```"
    code = f"from filters.programs import passes_tests; print(passes_tests({response!r}, {{'inputs': [''], 'outputs': ['2']}}).reason)"
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([str(tmp_path / "env/bin/python"), "-c", code], env=known, capture_output=True, text=True, check=False)
    assert ran.stdout.startswith("passed: 1 of 1 cases"), ran.stderr
