"""The engine `vllm` on a real vLLM with the shipped tiny model: same words as the local engine, and nothing lost when it is killed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
import urllib.request
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from dataengine import shards
from dataengine.generate import generate
from dataengine.inference.engine import Engine, Response, Sampling
from dataengine.inference.local import LocalEngine
from dataengine.inference.openai import OpenAIEngine
from dataengine.inference.served_tokens import ServedTokens
from dataengine.inference.vllm import VllmEngine
from dataengine.machine import Machine, OpenAI, Vllm
from dataengine.run import run
from dataengine.sources import problems
from dataengine.step import Model
from dataengine.templates import QUESTION
from tests.dataengine.inference.test_vllm import running
from tests.integration.vllm.conftest import BASE, group

PROMPTS = [f"What is {a} + {b}?\n" for a in range(10, 20) for b in (7, 19)]


async def ask(engine: Engine, prompts: list[str], sampling: Sampling, samples: int) -> list[tuple[str, Response]]:
    found: list[tuple[str, Response]] = []

    async def one(prompt: str) -> None:
        async with aclosing(engine.respond(prompt, sampling, range(samples))) as answers:  # type: ignore[type-var]
            async for response in answers:
                found.append((prompt, response))

    await asyncio.gather(*map(one, prompts))
    return found


def asked(engine: Engine, prompts: list[str], sampling: Sampling, samples: int = 1) -> dict[tuple[str, int], Response]:
    return {(prompt, response.sample): response for prompt, response in asyncio.run(ask(engine, prompts, sampling, samples))}


def url_of(engine: VllmEngine) -> str:
    return engine._servers[0].endpoint.url


def pids_of(engine: VllmEngine) -> dict[int, str]:
    """Every process of the server's group, with its command line."""
    process = engine._servers[0].process
    assert process is not None
    assert process._process is not None
    return group(process._process.pid)


@pytest.mark.parametrize("stop", [(), ("</answer>",), (" = ", "7")])
def test_greedy_it_says_what_the_local_engine_says(engine: VllmEngine, stop: tuple[str, ...]) -> None:
    sampling = Sampling(temperature=0, max_tokens=80, stop=stop)
    theirs = asked(engine, PROMPTS, sampling)
    local = LocalEngine.of(BASE, context=512, device="cpu")
    ours = asked(local, PROMPTS, sampling)
    local.close()
    assert {key: (list(one.token_ids), one.text, one.finish_reason) for key, one in theirs.items()} == {
        key: (list(one.token_ids), one.text, one.finish_reason) for key, one in ours.items()
    }
    assert all(one.logprobs == pytest.approx(list(ours[key].logprobs), abs=1e-3) for key, one in theirs.items())
    assert engine.revision == local.revision


def test_a_response_is_a_function_of_prompt_sample_and_seed(engine: VllmEngine) -> None:
    sampling = Sampling(max_tokens=60)
    alone = asked(engine, PROMPTS[:2], sampling, samples=4)
    among_others = asked(engine, PROMPTS, sampling, samples=4)
    assert {key: one.text for key, one in alone.items()} == {key: among_others[key].text for key in alone}
    assert len({one.text for one in alone.values()}) > 2
    assert {key: one.text for key, one in asked(engine, PROMPTS[:2], replace(sampling, seed=1), samples=4).items()} != {
        key: one.text for key, one in alone.items()
    }


def test_its_version_is_told(engine: VllmEngine) -> None:
    assert engine.version.startswith("vllm 0.")


def test_a_prompt_that_does_not_fit_is_too_long_and_a_long_one_is_cut_at_the_context(engine: VllmEngine) -> None:
    longest = asked(engine, ["a " * 600], Sampling(max_tokens=20), samples=2)
    assert {one.finish_reason for one in longest.values()} == {"prompt_too_long"}
    fits = "a" * 500
    (cut,) = asked(engine, [fits], Sampling(max_tokens=100, temperature=0)).values()
    assert cut.prompt_tokens + len(cut.token_ids) <= 512


def test_a_burst_of_long_prompts_is_read_whole(engine: VllmEngine) -> None:
    """More prompt tokens at once than the server reads in one step: vLLM 0.32 on the CPU dies of seeds where a prompt is split."""
    prompts = [f"{number} " + "a" * 400 for number in range(60)]
    found = asked(engine, prompts, Sampling(max_tokens=5), samples=2)
    assert len(found) == 120
    process = engine._servers[0].process
    assert process is not None
    assert process.log.name.endswith(".001.log")


def test_closing_the_iterator_ends_the_request_at_the_server(engine: VllmEngine) -> None:
    async def leave() -> None:
        async with aclosing(engine.respond("count", Sampling(max_tokens=500, temperature=2.0), range(64))) as answers:  # type: ignore[type-var]
            async for _ in answers:
                break

    asyncio.run(leave())
    deadline, counts, running = time.monotonic() + 20, list[str](), ["not asked yet"]
    while running and time.monotonic() < deadline:
        time.sleep(0.2)
        metrics = urllib.request.urlopen(f"{url_of(engine)}/metrics").read().decode()
        counts = [line for line in metrics.splitlines() if line.startswith(("vllm:num_requests_running", "vllm:num_requests_waiting{"))]
        running = [line for line in counts if not line.endswith(" 0.0")]
    assert counts
    assert not running


def test_a_server_that_runs_already_is_used_by_its_address(engine: VllmEngine) -> None:
    attached = VllmEngine.of(BASE, Vllm(urls=(url_of(engine),)))
    greedy = Sampling(temperature=0, max_tokens=40)
    try:
        assert asked(attached, PROMPTS[:5], greedy) == asked(engine, PROMPTS[:5], greedy)
    finally:
        attached.close()
    assert pids_of(engine), "an attached engine ends no server"


def test_the_engine_openai_on_the_same_server_says_the_same(engine: VllmEngine) -> None:
    tokens = ServedTokens(BASE)
    other = OpenAIEngine(OpenAI(urls=(url_of(engine),)), model="base", revision=engine.revision, tokens=tokens)
    greedy = Sampling(temperature=0, max_tokens=60, stop=("</answer>",))
    try:
        theirs, ours = asked(other, PROMPTS[:5], greedy), asked(engine, PROMPTS[:5], greedy)
    finally:
        other.close()
    assert {key: (list(one.token_ids), one.text) for key, one in theirs.items()} == {
        key: (list(one.token_ids), one.text) for key, one in ours.items()
    }


def test_a_wrong_model_name_is_answered_with_the_right_one(engine: VllmEngine) -> None:
    with pytest.raises(ValueError, match=r"no model 'bose'\. Did you mean 'base'"):
        VllmEngine.of(BASE, Vllm(urls=(url_of(engine),), model="bose"))


def test_a_tokenizer_that_differs_is_refused(engine: VllmEngine, tmp_path: Path) -> None:
    other = tmp_path / "base"
    shutil.copytree(BASE, other)
    told = json.loads((other / "tokenizer.json").read_text())
    vocabulary = told["model"]["vocab"]
    vocabulary["1"], vocabulary["2"] = vocabulary["2"], vocabulary["1"]
    (other / "tokenizer.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=r"the tokenizer of .* differs"):
        VllmEngine.of(other, Vllm(urls=(url_of(engine),)))


def test_killed_in_the_middle_nothing_is_lost_and_nothing_comes_twice(settings: Vllm, tmp_path: Path) -> None:
    engine = VllmEngine.of(BASE, settings, context=512, device="cpu", logs=tmp_path)
    sampling = Sampling(max_tokens=100, temperature=1.0)
    killed: list[int] = []

    async def kill_twice() -> None:
        for wanted in ("EngineCore", "api_server"):
            enough = engine.spent.responses + 30
            while engine.spent.responses < enough or len(list(tmp_path.glob("*.log"))) == len(killed):  # the killed one is not there again
                await asyncio.sleep(0.05)
            victims = {pid: line for pid, line in pids_of(engine).items() if wanted in line and "guard.py" not in line}
            pid = next(iter(victims))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    async def both() -> list[tuple[str, Response]]:
        killing = asyncio.create_task(kill_twice())
        found = await ask(engine, PROMPTS, sampling, 20)
        killing.cancel()
        return found

    try:
        found = asyncio.run(both())
        again = asked(engine, PROMPTS[:3], sampling, samples=20)
    finally:
        engine.close()
    assert len(killed) == 2
    assert sorted((prompt, one.sample) for prompt, one in found) == sorted((prompt, sample) for prompt in PROMPTS for sample in range(20))
    assert engine.spent.asked_again > 0
    texts = {(prompt, one.sample): one.text for prompt, one in found}
    assert {key: one.text for key, one in again.items()} == {key: texts[key] for key in again}
    assert [path.name for path in sorted(tmp_path.glob("*.log"))] == [f"vllm-base-0.{number:03d}.log" for number in (1, 2, 3)]


def test_kill_9_of_this_program_ends_the_server_too(settings: Vllm, tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from dataengine.inference.vllm import VllmEngine
from dataengine.machine import Vllm
settings = Vllm(python={settings.python!r}, sequences=16)
engine = VllmEngine.of(Path({str(BASE)!r}), settings, context=256, device="cpu", logs=Path({str(tmp_path)!r}))
print(engine._servers[0].process._process.pid, flush=True)
time.sleep(600)
"""
    with running(program) as child:
        assert child.stdout is not None
        leader = int(child.stdout.readline())
        assert len(group(leader)) >= 3
    deadline = time.monotonic() + 30
    while group(leader) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert group(leader) == {}


def test_what_the_server_says_when_it_dies_at_the_start_is_shown(settings: Vllm, tmp_path: Path) -> None:
    wrong = replace(settings, arguments=("--no-such-argument", "1"))
    with pytest.raises(ValueError, match="ended before it was ready") as died:
        VllmEngine.of(BASE, wrong, context=512, device="cpu", logs=tmp_path)
    assert "no-such-argument" in str(died.value)


def test_an_interpreter_without_vllm_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no vllm.*--vllm\.python"):
        VllmEngine.of(BASE, Vllm(python=sys.executable), context=512, device="cpu", logs=tmp_path)


def test_a_context_that_cannot_hold_what_is_asked_is_our_mistake(settings: Vllm, tmp_path: Path) -> None:
    engine = VllmEngine.of(BASE, replace(settings, context=64), context=512, device="cpu", logs=tmp_path)
    try:
        with pytest.raises(ValueError, match="context of 64 tokens cannot hold responses of max_tokens=100"):
            asked(engine, PROMPTS[:1], Sampling(max_tokens=100))
        (response,) = asked(engine, ["a" * 100], Sampling(max_tokens=10)).values()
        assert response.finish_reason == "prompt_too_long"
    finally:
        engine.close()


def test_a_step_is_made_by_vllm(vllm_python: str, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    rows = [{"question": prompt.strip(), "answer": "0"} for prompt in PROMPTS]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked_of = problems(str(questions), columns={"question": "question", "answer": "answer"}, constants={"domain": "math"})
    step = generate(asked_of, Model.at(BASE), samples=2, template=QUESTION, sampling=Sampling(max_tokens=60), parts="zero")
    machine = Machine(engine="vllm", device="cpu", vllm=Vllm(python=vllm_python, sequences=32))
    made = shards.read(run(step, tmp_path / "runs", machine=machine))
    assert len(made) == 2 * len(PROMPTS)
    assert made["engine"].str.starts_with("vllm 0.").all()
    assert list((tmp_path / "runs" / "logs").glob("*.log"))
