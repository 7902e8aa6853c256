"""Stored responses under load, under caps and on a full disk."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataengine.generate import generate
from dataengine.inference.engine import Response, Sampling
from dataengine.sampling.asking import Asking
from dataengine.sources import rows
from dataengine.storage import keyed_log
from dataengine.storage.responses import Responses
from dataengine.templates import QUESTION
from tests.dataengine.simulated import MODEL, Simulated, made_with

REPOSITORY = Path(__file__).resolve().parents[3]
SAMPLING = Sampling(max_tokens=1_000)


def responses_at(root: Path) -> Responses:
    return Responses(root, revision="r1", sampling=SAMPLING)


def response(sample: int, *, text: str = "text", tokens: int = 3, cut: bool = False) -> Response:
    reason = "length" if cut else "stop"
    return Response(sample=sample, token_ids=[1] * tokens, text=text, logprobs=[0.0] * tokens, finish_reason=reason, prompt_tokens=1)


def test_two_hundred_at_once_are_stored_by_one_writer_while_segments_are_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed_log, "SEGMENT", 50_000)
    engine = Simulated(capacity=200, shuffled=1, chatter=200)

    async def all_of_them(responses: Responses) -> int:
        asking = Asking(engine, responses, SAMPLING)

        async def one(number: int) -> int:
            return len([sample async for sample, _ in asking.ask(f"what is {number}+1? (rate 0.5)", range(5))])

        return sum(await asyncio.gather(*(one(number) for number in range(200))))

    with responses_at(tmp_path) as responses:
        assert asyncio.run(all_of_them(responses)) == 1_000
        responses.compact()
    with responses_at(tmp_path) as responses:
        assert len(responses) == 1_000
        assert all(not responses.missing(f"what is {number}+1? (rate 0.5)", range(5)) for number in range(200))
        found = [responses.get(f"what is {number}+1? (rate 0.5)", sample)["sample"] for number in range(200) for sample in range(5)]
        assert found == list(range(5)) * 200
    assert list(tmp_path.rglob("*.parquet"))


def test_what_was_cut_at_a_cap_answers_wishes_up_to_it_and_no_larger_one(tmp_path: Path) -> None:
    with responses_at(tmp_path) as responses:
        responses.add("p", response(0, text="cut", tokens=100, cut=True), seed=1, engine=Simulated(), cap=100)
        responses.add("p", response(1, text="whole", tokens=90), seed=1, engine=Simulated(), cap=100)
        assert responses.missing("p", [0, 1], cap=100) == []
        assert responses.missing("p", [0, 1], cap=50) == []
        assert responses.missing("p", [0, 1], cap=101) == [0]
        assert responses.missing("p", [0, 1]) == [0]
        assert responses.get("p", 0)["cap"] == 100
        assert responses.get("p", 1)["cap"] is None
    with responses_at(tmp_path) as responses:
        responses.compact()
        assert responses.missing("p", [0, 1]) == [0]
        responses.add("p", response(0, text="longer", tokens=1_000, cut=True), seed=1, engine=Simulated())
        assert responses.missing("p", [0, 1]) == []
    with responses_at(tmp_path) as responses:
        assert responses.get("p", 0)["response"] == "longer"
        assert responses.get("p", 0)["cap"] is None


def test_what_sampling_had_cut_is_asked_again_in_full_by_generate(tmp_path: Path) -> None:
    problems, sampling = rows([{"question": f"what is {n}+1? (rate 0.5)"} for n in range(10)]), Sampling(max_tokens=500)
    first, second = Simulated(), Simulated()

    async def capped(responses: Responses) -> None:
        asking = Asking(first, responses, sampling)
        for n in range(10):
            assert [sample async for sample, _ in asking.ask(f"what is {n}+1? (rate 0.5)\n", range(3), cap=40)]

    with Responses(tmp_path, revision=first.revision, sampling=sampling) as responses:
        asyncio.run(capped(responses))
        cut = [(n, s) for n in range(10) for s in range(3) if responses.get(f"what is {n}+1? (rate 0.5)\n", s)["cap"] == 40]
    assert 0 < len(cut) < 30
    made_with(second, generate(problems, MODEL, samples=3, template=QUESTION, sampling=sampling), tmp_path)
    assert sorted(second.asked) == sorted((f"what is {n}+1? (rate 0.5)\n", s) for n, s in cut)


def test_half_a_character_is_stored_as_its_replacement(tmp_path: Path) -> None:
    with responses_at(tmp_path) as responses:
        responses.add("p", response(0, text="half \ud800 character"), seed=1, engine=Simulated())
        assert responses.get("p", 0)["response"] == "half \ufffd character"


def test_a_real_full_disk_keeps_what_was_stored_and_takes_more_when_there_is_room_again(tmp_path: Path) -> None:
    """A tmpfs of 200 KB in a mount namespace of its own: full in the middle of a line, then made larger."""
    program = """
import os, sys
from pathlib import Path
from dataengine.errors import DiskFull
from tests.dataengine.simulated import Simulated
from tests.dataengine.storage.test_responses import response, responses_at
root = Path(sys.argv[1])
kept = 0
with responses_at(root) as responses:
    try:
        while True:
            responses.add("p", response(kept, text="x" * 3_000), seed=1, engine=Simulated())
            kept += 1
    except DiskFull as error:
        assert "What was stored is kept" in str(error), error
    assert responses.missing("p", range(kept + 1)) == [kept]
    assert os.system(f"mount -o remount,size=2m {root}") == 0
    responses.add("p", response(kept, text="again"), seed=1, engine=Simulated())
with responses_at(root) as responses:
    assert responses.missing("p", range(kept + 2)) == [kept + 1]
    assert all(responses.get("p", sample)["response"] == "x" * 3_000 for sample in range(kept))
print(kept)
"""
    (tmp_path / "disk").mkdir()
    script = f'mount -t tmpfs -o size=200k tmpfs {tmp_path}/disk || exit 77; {sys.executable} -c "$PROGRAM" {tmp_path}/disk'
    command = ["unshare", "--mount", "--map-root-user", "bash", "-c", script]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False, env={**os.environ, "PROGRAM": program})
    if done.returncode == 77 or b"unshare" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.decode()}")
    assert done.returncode == 0, done.stderr.decode()
    assert int(done.stdout) > 30
    assert b"is half-written" in done.stderr
