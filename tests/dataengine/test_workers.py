"""Processes that are killed at a deadline: from any thread, after a fork, inside daemonic workers, and nothing left behind."""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dataengine import workers as workers_module
from dataengine.errors import Stopped
from dataengine.workers import Lost, Workers


def answer(question: object) -> object:
    """What the workers under test do: sleep, spin, die, eat memory or square a number."""
    match question:
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(60)
        case "made up":
            exec("import made_up")
        case "doze":
            time.sleep(0.3)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "eat":
            return len(bytearray(8 << 30))
        case "import":
            importlib.import_module("a_module_that_nobody_has")
        case int(number):
            return number * number
    return os.getpid()


TARGET = f"{__name__}:answer"


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    pool = Workers(TARGET, count=2, memory=1 << 30)
    yield pool
    pool.close()


def test_answers_come_in_the_order_of_the_questions(workers: Workers) -> None:
    assert workers.ask(list(range(200)), deadline=5) == [k * k for k in range(200)]


def test_what_takes_too_long_is_lost_and_the_rest_is_answered(workers: Workers) -> None:
    begun = time.monotonic()
    answers = workers.ask([1, "spin", 2, 3, "sleep", 4], deadline=0.3)
    assert [answers[k] for k in (0, 2, 3, 5)] == [1, 4, 9, 16]
    assert answers[1] == answers[4] == Lost("timeout after 0.3 s")
    assert time.monotonic() - begun < 20


def test_a_run_that_is_suspended_and_goes_on_loses_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, suspended = Workers(TARGET, count=1, memory=1 << 30), []
    pool.ask([1], deadline=5)

    def stopped_with_its_workers(connections: list[Any], timeout: float) -> list[Any]:
        if suspended:
            return wait(connections, timeout)
        pid = pool._workers[0].pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(pid, signal.SIGCONT)
        suspended.append(pid)
        return wait(connections, 0)

    wait = workers_module.wait
    monkeypatch.setattr(workers_module, "wait", stopped_with_its_workers)
    monkeypatch.setattr(workers_module, "PATIENCE", 1.0)
    assert pool.ask(["doze", 2], deadline=1.0) == [suspended[0], 4]
    pool.close()


def test_a_worker_that_dies_loses_one_question(workers: Workers) -> None:
    assert workers.ask([1, "die", 2, "eat", 3], deadline=5) == [
        1,
        Lost("worker died (out of memory?)"),
        4,
        Lost("worker died (out of memory?)"),
        9,
    ]


def test_threads_and_asyncio_may_ask_at_once(workers: Workers) -> None:
    found: dict[int, list[object]] = {}

    def ask(number: int) -> None:
        found[number] = workers.ask([number] * 20, deadline=5)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [number * number] * 20 for number in range(6)}

    async def together() -> list[list[object]]:
        return await asyncio.gather(*(asyncio.to_thread(workers.ask, [number], deadline=5) for number in range(4)))

    assert asyncio.run(together()) == [[0], [1], [4], [9]]


def test_the_callers_alarm_is_left_alone(workers: Workers) -> None:
    previous = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        signal.alarm(60)
        workers.ask([1, "spin"], deadline=0.2)
        assert signal.alarm(0) > 30
    finally:
        signal.signal(signal.SIGALRM, previous)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork_the_child_starts_its_own_and_the_parent_keeps_its_workers(workers: Workers) -> None:
    before = workers.ask(["who"], deadline=5)
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if workers.ask([7], deadline=5) == [49] else 2
            workers.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert workers.ask(["who"], deadline=5) == before


def _inside_a_daemon(numbers: list[int]) -> list[object]:
    return Workers(TARGET, count=1, memory=1 << 30).ask(numbers, deadline=5)


def test_daemonic_spawned_workers_may_have_them() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_inside_a_daemon, ([3, 4],)) == [9, 16]


def test_a_script_without_a_main_guard_runs_once_and_leaves_no_process() -> None:
    script = (
        f"import sys; sys.path[:] = {sys.path!r}\nfrom dataengine.workers import Workers\n"
        f"print('once'); w = Workers('{TARGET}', count=1, memory=1 << 30); print(w.ask([5, 'who'], deadline=5))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("once\n[25, ")
    assert not done.stderr
    pid = int(done.stdout.rstrip("]\n").split(", ")[1])
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}"):  # noqa: PTH110 - a process, not a file
            return
        time.sleep(0.05)
    raise AssertionError(f"worker {pid} outlived its parent")


def test_what_is_not_installed_stops_the_run_and_is_no_questions_fault() -> None:
    pool = Workers(TARGET, count=1, memory=1 << 30)
    with pytest.raises(Stopped, match=r"can answer nothing here .*a_module_that_nobody_has.*: install"):
        pool.ask([1, "import", 2], deadline=5)
    assert pool.ask([3, "made up", 4], deadline=5) == [9, Lost("worker died (out of memory?)"), 16]
    pool.close()


def test_a_target_that_cannot_be_imported_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="could not start"):
        Workers("no_such_module:f", count=1, memory=1 << 30).ask([1], deadline=5)
