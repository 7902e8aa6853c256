"""Verifier processes: whatever a row or a person does to one of them, no row is lost and none is called wrong for it."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dataengine.errors import Stopped
from dataengine.keep import Bar
from dataengine.machine import Machine
from dataengine.sampling import verifiers
from dataengine.sampling.verifiers import Verifiers, open_verifiers
from dataengine.score import Score, scorer
from tests.dataengine import judging

COLUMNS = {"response": pl.String, "answer": pl.String, "number": pl.Int64}
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def obedient() -> Iterator[Verifiers]:
    pool = Verifiers([Bar(scorer=judging.obeys)], columns=COLUMNS, count=2, deadline=1.5)
    yield pool
    pool.close()


def judged(pool: Verifiers, responses: Sequence[str]) -> list[Score]:
    async def all_of_them() -> list[Score]:
        found = await asyncio.gather(*(pool.judge({"response": response, "answer": "1"}) for response in responses))
        return [next(iter(scores.values())) for scores in found]

    return asyncio.run(all_of_them())


def test_many_rows_at_once_get_each_its_own_score(obedient: Verifiers) -> None:
    responses = [("wrong" if number % 3 else f"right {number}") for number in range(500)]
    assert [score.value for score in judged(obedient, responses)] == [0.0 if number % 3 else 1.0 for number in range(500)]


def test_bars_are_tried_in_order_and_end_with_the_first_that_is_not_passed() -> None:
    pool = Verifiers([Bar(scorer=judging.says), Bar(scorer=judging.short)], columns=COLUMNS, count=1)

    async def four() -> list[dict[str, Score]]:
        rows = [{"response": "7", "answer": "7"}, {"response": "8", "answer": "7"}, {"response": "7" * 500, "answer": "7"}]
        return [*[await pool.judge(row) for row in rows], await pool.judge(rows[1], since=1)]

    right, wrong, long, only_second = asyncio.run(four())
    pool.close()
    assert right == {"says": Score(1.0, "ends with 7"), "short": Score(1.0, "1 characters")}
    assert wrong == {"says": Score(0.0, "ends with 8")}
    assert [score.value for score in long.values()] == [1.0, 0.0]
    assert only_second == {"short": Score(1.0, "1 characters")}


def test_a_row_that_hangs_or_kills_is_unjudged_and_its_neighbours_are_not(obedient: Verifiers) -> None:
    scores = judged(obedient, ["a", "die", "b", "spin", *"cdefgh"])
    assert [score.value for score in scores] == [1.0, None, 1.0, None, *[1.0] * 6]
    assert scores[1].reason == "verifier lost: it died 3 times over this row"
    assert scores[3].reason == "verifier lost: it gave no verdict within 1.5 s"


def test_a_run_that_is_suspended_and_goes_on_loses_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, suspended = Verifiers([Bar(scorer=judging.obeys)], columns=COLUMNS, count=1, deadline=1.0), []
    judged(pool, ["a"])

    def stopped_with_its_verifiers(connections: list[Any], timeout: float) -> list[Any]:
        if suspended or threading.current_thread() is not pool._thread or not pool._verifiers[0].batch:
            return wait(connections, timeout)
        os.kill(pool.pids[0], signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(pool.pids[0], signal.SIGCONT)
        suspended.append(pool.pids[0])
        return wait(connections, 0)

    wait = verifiers.wait
    monkeypatch.setattr(verifiers, "wait", stopped_with_its_verifiers)
    monkeypatch.setattr(verifiers, "PATIENCE", 1.0)
    assert judged(pool, ["sleep 0.3"])[0].value == 1.0
    assert (len(suspended), pool.replaced) == (1, 0)
    pool.close()


def test_a_row_whose_verifier_was_killed_once_is_judged(obedient: Verifiers, tmp_path: Path) -> None:
    scores = judged(obedient, [*"abc", f"once {tmp_path / 'killed'}", "wrong"])
    assert [score.value for score in scores] == [1.0, 1.0, 1.0, 1.0, 0.0]


def test_killed_from_outside_all_the_time_they_still_give_every_verdict(obedient: Verifiers) -> None:
    async def with_a_killer() -> list[Score]:
        rows = [obedient.judge({"response": "wrong" if number % 2 else "sleep 0.01"}) for number in range(150)]
        working = asyncio.gather(*rows)
        for _ in range(5):
            await asyncio.sleep(0.4)
            for pid in obedient.pids[:1]:
                os.kill(pid, signal.SIGKILL)
        return [scores["obeys"] for scores in await working]

    scores = asyncio.run(with_a_killer())
    assert [score.value for score in scores] == [0.0 if number % 2 else 1.0 for number in range(150)]
    assert obedient.replaced >= 5


def test_the_event_loop_goes_on_while_rows_are_judged(obedient: Verifiers) -> None:
    async def longest_pause() -> float:
        working = asyncio.gather(*(obedient.judge({"response": "sleep 0.05"}) for _ in range(20)))
        longest, last = 0.0, time.monotonic()
        while not working.done():
            await asyncio.sleep(0.005)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return longest

    assert asyncio.run(longest_pause()) < 0.5


def test_scorers_that_raise_leave_the_row_unjudged(obedient: Verifiers) -> None:
    assert judged(obedient, ["raise"]) == [Score(None, "scorer error: RuntimeError: no verdict")]


def test_a_scorer_that_breaks_its_contract_stops_the_run() -> None:
    pool = Verifiers([Bar(scorer=judging.one_too_few)], columns=COLUMNS, count=1)
    with pytest.raises(Stopped, match=r"one_too_few\(\) cannot judge at all: AssertionError: one_too_few returned 0 .* mend the scorer"):
        judged(pool, ["a"])
    with pytest.raises(Stopped, match="one_too_few"):
        judged(pool, ["b"])
    pool.close()
    pool.close()


def test_verifiers_that_hang_while_they_import_are_ended_and_stop_the_run_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = tmp_path / "hangs_in_verifiers.py"
    module.write_text(
        f"import os, time\nfrom dataengine.score import Score, scorer\ntime.sleep(1000 * (os.getpid() != {os.getpid()}))\n"
        "@scorer\ndef slow(response: str) -> Score:\n    return Score(1.0, response)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(verifiers, "READY_WITHIN", 0.3)
    pool = Verifiers([Bar(scorer=importlib.import_module("hangs_in_verifiers").slow)], columns=COLUMNS, count=2)
    with pytest.raises(Stopped, match=r"hang before they are ready \(3 in a row\). Import hangs_in_verifiers by hand"):
        judged(pool, ["a"])
    pool.close()
    assert "hangs while it imports hangs_in_verifiers" in capsys.readouterr().err


def test_a_verifier_that_does_not_take_what_is_sent_to_it_is_replaced() -> None:
    pool = Verifiers([Bar(scorer=judging.obeys)], columns=COLUMNS, count=1)
    judged(pool, ["a"])
    with socket.socket(fileno=os.dup(pool._verifiers[0].connection.fileno())) as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 200_000))
    os.kill(pool.pids[0], signal.SIGSTOP)
    assert [score.value for score in judged(pool, ["a" * 5_000_000])] == [1.0]
    assert pool.replaced == 1
    pool.close()


def test_closing_tells_those_who_wait() -> None:
    pool = Verifiers([Bar(scorer=judging.obeys)], columns=COLUMNS, count=1)

    async def close_in_the_middle() -> None:
        waiting = asyncio.ensure_future(pool.judge({"response": "sleep 60"}))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(pool.close)
        with pytest.raises(Stopped, match="closed"):
            await waiting

    asyncio.run(close_in_the_middle())


def test_scorers_that_processes_cannot_load_are_refused() -> None:
    @scorer
    def local(response: str) -> Score:
        return Score(1.0, response)

    local.function.__module__ = "__main__"
    with pytest.raises(ValueError, match="put it into a module of its own"):
        open_verifiers([Bar(scorer=local)], columns=COLUMNS, machine=Machine(workers=1))
    with pytest.raises(ValueError, match="wants the column 'answer'"):
        open_verifiers([Bar(scorer=judging.says)], columns={"response": pl.String}, machine=Machine(workers=1))


def test_verifiers_die_with_the_process_that_started_them() -> None:
    program = """
import asyncio, os, signal, polars as pl
from dataengine.keep import Bar
from dataengine.sampling.verifiers import Verifiers
from tests.dataengine import judging
pool = Verifiers([Bar(scorer=judging.obeys)], columns={"response": pl.String}, count=2, deadline=60)
async def main():
    await asyncio.gather(*(pool.judge({"response": "a"}) for _ in range(8)))
    spinning = [asyncio.ensure_future(pool.judge({"response": "spin"})) for _ in range(2)]
    await asyncio.sleep(0.3)
    print(*pool.pids, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2, done.stderr
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "a verifier outlived its parent"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
