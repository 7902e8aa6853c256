"""The engine `vllm` with servers that die, hang and lie (a stand-in program; the real vLLM is in tests/integration/vllm)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dataengine.errors import Stopped
from dataengine.inference import server as server_module
from dataengine.inference.endpoint import Endpoint
from dataengine.inference.engine import Engine, Response, Sampling
from dataengine.inference.flow import Flow, Load, load_in
from dataengine.inference.served_tokens import ServedTokens
from dataengine.inference.server import Server, servers_for
from dataengine.inference.vllm import VllmEngine
from dataengine.machine import Vllm
from dataengine.messages import MESSAGES

BASE = Path(__file__).resolve().parents[3] / "dataengine" / "recipes" / "tiny_base" / "base"
SAMPLING = Sampling(max_tokens=40)
PROMPTS = [f"What is {number}?" for number in range(20)]


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An interpreter whose vLLM is the stand-in."""
    folder = tmp_path / "fake"
    folder.mkdir()
    monkeypatch.setenv("FAKE_VLLM", str(folder))
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} {Path(__file__).with_name("fake_vllm.py")} "$@"\n')
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def fake(python: str) -> Path:
    """Where the stand-in is told how to misbehave."""
    return Path(python).parent


def opened(python: str, logs: Path, **settings: object) -> VllmEngine:
    chosen = replace(Vllm(python=python, sequences=8, start_seconds=60, patience=60), **settings)
    return VllmEngine.of(BASE, chosen, context=512, device="cpu", logs=logs)


def asked(engine: Engine, prompts: list[str] = PROMPTS, samples: int = 5) -> list[tuple[str, Response]]:
    found: list[tuple[str, Response]] = []

    async def one(prompt: str) -> None:
        async with aclosing(engine.respond(prompt, SAMPLING, range(samples))) as answers:  # type: ignore[type-var]
            async for response in answers:
                found.append((prompt, response))

    async def everything() -> None:
        await asyncio.gather(*map(one, prompts))

    try:
        asyncio.run(everything())
    finally:
        engine.close()
    return found


def each_once(found: list[tuple[str, Response]], prompts: list[str] = PROMPTS, samples: int = 5) -> bool:
    """Every sample once, and each says its seed."""
    right = [(prompt, sample) for prompt in prompts for sample in range(samples)]
    return sorted((prompt, one.sample) for prompt, one in found) == sorted(right) and all(
        [token - 270 for token in one.token_ids] == [int(digit) for digit in str(SAMPLING.seed_of(prompt, one.sample))]
        for prompt, one in found
    )


def group(leader: int) -> list[int]:
    """The living processes of a group."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == leader and (path / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                found.append(int(path.name))
        except (ProcessLookupError, FileNotFoundError):
            continue
    return found


def wait_for(true: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def test_every_sample_comes_once_with_the_seed_of_its_own(python: str, tmp_path: Path) -> None:
    engine = opened(python, tmp_path / "logs")
    assert engine.version == "vllm 0.0-fake"
    assert each_once(asked(engine))
    assert engine.spent.responses == 100


def test_a_server_that_dies_is_started_again_and_asked_again(python: str, fake: Path, tmp_path: Path) -> None:
    (fake / "die-after").write_text("30")
    engine = opened(python, tmp_path / "logs")
    assert each_once(asked(engine))
    assert engine.spent.asked_again > 0
    assert sorted(path.name for path in (tmp_path / "logs").glob("*.log")) == ["vllm-base-0.001.log", "vllm-base-0.002.log"]


def test_what_one_of_two_servers_leaves_is_done_by_the_other(python: str, fake: Path, tmp_path: Path) -> None:
    (fake / "die-after").write_text("20")
    began = time.monotonic()
    assert each_once(asked(opened(python, tmp_path / "logs", servers=2)))
    assert time.monotonic() - began < 60


def test_a_server_that_hangs_is_ended_and_started_again(python: str, fake: Path, tmp_path: Path) -> None:
    (fake / "hang-after").write_text("30")
    assert each_once(asked(opened(python, tmp_path / "logs", silent_seconds=2.0, sequences=1)))
    assert len(list((tmp_path / "logs").glob("*.log"))) == 2


def test_a_server_that_dies_again_and_again_stops_the_run(python: str, fake: Path, tmp_path: Path) -> None:
    engine = opened(python, tmp_path / "logs", deaths=2)
    (fake / "die-always").write_text("0")
    with pytest.raises(Stopped, match=r"died 3 times in a row without a response between[\s\S]*guard: the server ended with status 9"):
        asked(engine)


def test_dying_before_it_was_ready_is_our_mistake_with_the_servers_words(python: str, fake: Path, tmp_path: Path) -> None:
    (fake / "die").touch()
    with pytest.raises(ValueError, match=r"ended before it was ready[\s\S]*the weights are of cheese"):
        opened(python, tmp_path / "logs")


def test_nobody_at_an_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataengine.inference.vllm.ATTACH_SECONDS", 0.5)
    with pytest.raises(ValueError, match=r"nothing answers at http://127\.0\.0\.1:9/health"):
        VllmEngine.of(BASE, Vllm(urls=("http://127.0.0.1:9",)))


def test_a_bad_prompt_is_refused_and_the_others_are_answered(python: str, tmp_path: Path) -> None:
    tokens = ServedTokens(BASE)
    bad = tokens.decode([483])
    tokens.close()
    found = dict(asked(opened(python, tmp_path / "logs"), ["fine", f"good {bad}"], samples=1))
    assert [one.finish_reason for one in found.values()] != ["stop", "stop"]
    assert found["fine"].finish_reason == "stop"


def test_prompts_too_long_are_not_even_sent(python: str, tmp_path: Path) -> None:
    ((_, response),) = asked(opened(python, tmp_path / "logs"), ["a b " * 400], samples=1)
    assert response.finish_reason == "prompt_too_long"


def test_a_conversation_is_for_services(python: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="chat template"):
        asked(opened(python, tmp_path / "logs"), [MESSAGES.render([{"role": "user", "content": "hi"}])])


def test_the_queue_of_the_server_is_kept_short(python: str, tmp_path: Path) -> None:
    engine = opened(python, tmp_path / "logs", sequences=200)  # the stand-in decodes eight at a time, whatever it is told
    assert engine.capacity > 200
    asked(engine, PROMPTS * 1, samples=60)
    assert engine.capacity < 100


def test_all_of_its_processes_end_with_the_engine(python: str, tmp_path: Path) -> None:
    engine = opened(python, tmp_path / "logs")
    process = engine._servers[0].process
    assert process is not None
    assert process._process is not None
    leader = process._process.pid
    assert len(group(leader)) >= 2
    engine.close()
    assert group(leader) == []
    engine.close()


@contextmanager
def running(program: str) -> Iterator[subprocess.Popen[str]]:
    """A program of its own, which does not outlive a test that fails."""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


STUBBORN = (
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {more}; print('up', flush=True); time.sleep(1000)"
)


@pytest.mark.parametrize("who", ["program", "server", "leader", "watching", "program and leader"])
def test_kill_9_of_any_one_of_them_leaves_nobody_behind(who: str, tmp_path: Path) -> None:
    """The server here is deaf to SIGTERM and has started a process of its own. (A dying worker of Ray kills its child, the leader, too.)"""
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])"
    program = f"""
import time
from pathlib import Path
from dataengine.inference.server import Server
import sys
server = Server([sys.executable, "-c", {STUBBORN.format(more=child)!r}], environment={{}}, logs=Path({str(tmp_path)!r}), name="s")
server.start()
print(server._process.pid, flush=True)
time.sleep(1000)
"""
    with running(program) as started:
        assert started.stdout is not None
        leader = int(started.stdout.readline())
        assert wait_for(lambda: len(group(leader)) == 4 and "up" in (tmp_path / "s.001.log").read_text())
        lines = {pid: (Path("/proc") / str(pid) / "cmdline").read_bytes() for pid in group(leader)}
        pids = {
            "program": started.pid,
            "leader": leader,
            "watching": next(pid for pid, line in lines.items() if b"guard.py" in line and pid != leader),
            "server": next(pid for pid, line in lines.items() if b"guard.py" not in line and b"import signal" in line),
        }
        for each in reversed(who.split(" and ")):
            os.kill(pids[each], signal.SIGKILL)
        assert wait_for(lambda: group(leader) == [])


def test_logs_are_numbered_by_attempt(tmp_path: Path) -> None:
    server = Server([sys.executable, "-c", "import sys; sys.exit('so it goes')"], environment={}, logs=tmp_path, name="s")
    for attempt in (1, 2):
        server.start()
        assert wait_for(lambda: not server.alive)
        assert server.log.name == f"s.{attempt:03d}.log"
        assert "so it goes" in server.tail()
    server.end()


def test_the_end_of_a_log_comes_with_what_was_raised_above_it(tmp_path: Path) -> None:
    """As vLLM 0.32 ends: its core has died, and the server around it says so at length."""
    log = ["(EngineCore pid=7) ERROR 11-21 [core.py:1510] Traceback (most recent call last):"]
    log += ["(EngineCore pid=7) ERROR 11-21 [core.py:1510] ValueError: No available memory for the cache blocks."]
    log += ["ValueError: No available memory for the cache blocks.", "INFO 11-21 Error parsing config", *["  File"] * 60]
    log += ["RuntimeError: Engine core initialization failed. See root cause above."]
    server = Server([sys.executable, "-c", f"print({chr(10).join(log)!r})"], environment={}, logs=tmp_path, name="s")
    server.start()
    assert wait_for(lambda: not server.alive)
    shown = server.tail().splitlines()
    assert shown[:3] == ["  | ValueError: No available memory for the cache blocks.", "  | ...", "  |   File"]
    assert "  | RuntimeError: Engine core initialization failed. See root cause above." in shown
    server.end()


def test_servers_that_start_at_once_in_one_folder_have_logs_of_their_own(tmp_path: Path) -> None:
    servers = [Server([sys.executable, "-c", f"print('I am {number}')"], environment={}, logs=tmp_path, name="s") for number in range(8)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wait_for(lambda: not any(server.alive for server in servers))
    assert [f"I am {number}" in server.tail() for number, server in enumerate(servers)] == [True] * 8
    assert len({server.log for server in servers}) == 8
    for server in servers:
        server.end()


def test_an_interpreter_is_found_from_the_working_folder(python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = asked(opened(str(Path(python).relative_to(tmp_path)), tmp_path / "logs"), PROMPTS[:1])
    assert each_once(found, PROMPTS[:1])


def test_gpus_are_shared_out_in_groups(tmp_path: Path) -> None:
    def visible(**settings: object) -> list[str]:
        chosen = replace(Vllm(python=sys.executable, gpus=tuple("01234567")), **settings)
        made = servers_for(BASE, BASE, chosen, context=512, device="auto", logs=tmp_path)
        return [each._environment["CUDA_VISIBLE_DEVICES"] for each in made]

    assert visible() == list("01234567")
    assert visible(tensor_parallel=4) == ["0,1,2,3", "4,5,6,7"]
    assert visible(tensor_parallel=2, servers=3) == ["0,1", "2,3", "4,5"]
    with pytest.raises(ValueError, match="want 16 GPUs, there are 8"):
        visible(tensor_parallel=8, servers=2)


def test_visible_gpus_are_those_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 3")
    assert server_module.visible_gpus() == ["2", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert server_module.visible_gpus() == []


def test_the_load_is_read_over_all_engines_of_a_server() -> None:
    text = b"""# HELP vllm:num_requests_running x
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 2.0
vllm:num_preemptions_total{engine="0",model_name="m"} 1.0
vllm:generation_tokens_total{engine="0",model_name="m"} 1.5e+06
vllm:prompt_tokens_total{engine="0",model_name="m"} 10.0
"""
    assert load_in(text) == Load(running=7, waiting=2, preempted=1, tokens=1_500_010)
    assert load_in(b"nothing") is None


def test_the_flow_finds_how_many_a_server_decodes_and_keeps_a_short_queue() -> None:
    """A server that decodes 100 at a time: from 16 as from 1,000 the limit comes to 100 and a few, and stays."""
    for start in (16, 1000):
        endpoint, flow, limits = Endpoint("http://127.0.0.1:1", limit=start, slowest=1), Flow(), []
        endpoint.most = 4096
        for _ in range(30):
            endpoint.in_flight = int(endpoint.limit)
            running = min(100, endpoint.in_flight)
            flow.look(endpoint, Load(running=running, waiting=endpoint.in_flight - running, preempted=0, tokens=0), more=True)
            limits.append(endpoint.limit)
        assert all(100 <= limit <= 140 for limit in limits[-10:]), limits


def test_the_flow_takes_back_what_does_not_fit_into_the_servers_memory() -> None:
    endpoint, flow = Endpoint("http://127.0.0.1:1", limit=100, slowest=1), Flow()
    endpoint.in_flight = 100
    flow.look(endpoint, Load(running=100, waiting=0, preempted=0, tokens=0), more=False)
    flow.look(endpoint, Load(running=90, waiting=10, preempted=5, tokens=0), more=True)
    assert endpoint.limit == pytest.approx(81)
