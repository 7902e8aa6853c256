"""What an actor that Ray has started again says; the rest of the team is in tests/integration/ray."""

from __future__ import annotations

import asyncio
from pathlib import Path

import polars as pl
import pytest

from dataengine.cluster.ray_team import Restarted
from dataengine.cluster.ray_verifiers import VerifiersOnNode
from dataengine.inference.engine import Response, Sampling
from dataengine.inference.ray_engine import EngineOnNode, _python
from dataengine.keep import Bar
from dataengine.machine import Machine, Vllm
from tests.dataengine.test_score import has_letter


def test_an_engine_that_was_started_again_is_opened_first() -> None:
    actor = EngineOnNode(Path("model"), "0", {}, longest=10, machine=Machine())

    async def ask() -> list[tuple[Response, int]]:
        return [each async for each in actor.respond("what?", Sampling(), [0])]

    with pytest.raises(Restarted, match="its actor was started again"):
        asyncio.run(ask())


def test_verifiers_that_were_started_again_are_opened_first() -> None:
    actor = VerifiersOnNode([Bar(scorer=has_letter)], columns={"response": pl.String}, deadline=1)
    with pytest.raises(Restarted, match="its actor was started again"):
        asyncio.run(actor.judge({"response": "a"}, 0))


def test_nodes_look_for_the_interpreter_where_the_driver_means_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _python(Machine(vllm=Vllm(python="env/bin/python"))) == str(tmp_path / "env/bin/python")
    assert [_python(Machine(vllm=Vllm(python=name))) for name in ("", "python3.11", "/a/python")] == ["", "python3.11", "/a/python"]
