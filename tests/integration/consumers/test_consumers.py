"""What we export, opened by those it is for, each in its own environment (`.ci/consumers` builds them)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dataengine import shards
from dataengine.export import export
from dataengine.run import run
from dataengine.sources import prompt_id
from dataengine.step import Step
from dataengine.work import Work

HERE = Path(__file__).parent
ENVIRONMENTS = Path(os.environ.get("DATAENGINE_CONSUMERS", HERE.parents[2] / ".venv" / "consumers"))
ROWS = 6
THOUGHTS = "<think>\nLet me see: {n} and {n}.\n</think>\n\nIt is {m}"


def land_rows(work: Work) -> None:
    made = []
    for number in range(work.settings["rows"]):
        system = [{"role": "system", "content": "Answer briefly."}] if number % 2 else []
        messages = [*system, {"role": "user", "content": f"How much is {number}+{number}? 等于多少"}]
        known = {"messages": messages, "prompt_id": prompt_id(messages), "answer": str(2 * number), "domain": "math", "language": "en"}
        said = {"response": THOUGHTS.format(n=number, m=2 * number), "row_id": f"{number:016x}", "finish_reason": "stop", "sample": 0}
        made.append({**known, "source": "sums.jsonl", "source_row": number, "license": None, "checks": None, "pass_rate": 0.5, **said})
    work.land("00000.parquet", pl.DataFrame(made, infer_schema_length=None))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(Step(name="said", make=land_rows, settings={"rows": ROWS}), tmp_path_factory.mktemp("runs"))


def opened(consumer: str, *arguments: Path, tmp_path: Path) -> dict[str, Any]:
    """What the consumer's own code found, run by the consumer's own interpreter."""
    python = ENVIRONMENTS / consumer / "bin" / "python"
    if not python.exists():
        pytest.skip(
            f"{consumer} has no environment at {python.parent.parent} (.ci/consumers builds it; DATAENGINE_CONSUMERS names another)"
        )
    asked = [str(python), str(HERE / f"open_with_{consumer}.py"), *map(str, arguments)]
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "CUDA_VISIBLE_DEVICES": "", "WANDB_DISABLED": "true"}
    done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, **offline})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("FOUND ")).removeprefix("FOUND "))


def test_trl_trains_on_what_we_export(rows: Path, tmp_path: Path) -> None:
    folders = [export(rows, to=to, out=tmp_path / to).folder for to in ("trl", "trl-prompt-completion", "trl-prompt")]
    found = opened("trl", *folders, tmp_path, tmp_path=tmp_path)
    said = THOUGHTS.format(n=0, m=0)
    for to in ("trl", "trl-prompt-completion"):
        assert found[to]["rows"] == ROWS
        assert said in found[to]["text"], "the reasoning is in the text that is trained on"
        assert found[to]["loss"] > 0
    assert "<think>" in found["trl-prompt-completion"]["trained"]
    assert "How much" not in found["trl-prompt-completion"]["trained"], "the prompt is not"
    assert found["trl-prompt"]["rows"] == ROWS
    assert set(found["trl-prompt"]["solution"]) <= {str(2 * number) for number in range(ROWS)}
    assert {"answer", "prompt_id", "source"} <= set(found["trl-prompt"]["columns"])


def test_verl_reads_prompts_references_and_conversations(rows: Path, tmp_path: Path) -> None:
    prompts, talks = (export(rows, to=to, out=tmp_path / to).folder for to in ("verl", "trl"))
    found = opened("verl", prompts, talks, tmp_path / "cache", tmp_path=tmp_path)
    ours = shards.read(rows)
    assert found["prompts"] == ours["messages"].to_list()
    assert found["truths"] == ours["answer"].to_list()
    assert found["scores"] == [1.0] * ROWS
    assert found["index"] == list(range(ROWS))
    assert set(found["sources"]) == {"sums.jsonl"}
    assert (found["rows"], found["talks"]) == (ROWS, ROWS)
    assert THOUGHTS.format(n=0, m=0) in found["talk"]


def test_an_environment_of_verifiers_judges_by_our_rows(rows: Path, tmp_path: Path) -> None:
    found = opened("verifiers", export(rows, to="verifiers", out=tmp_path / "out").folder, tmp_path / "cache", tmp_path=tmp_path)
    assert found["rows"] == ROWS
    assert {"prompt", "answer", "info", "example_id"} <= set(found["columns"])
    assert found["reward"] == 1.0
    assert found["info"]["source"] == "sums.jsonl"
    assert found["prompt"] == shards.read(rows)["messages"].to_list()[0]


def test_llama_factory_aligns_every_row(rows: Path, tmp_path: Path) -> None:
    found = opened("llamafactory", export(rows, to="sharegpt", out=tmp_path / "out").folder, tmp_path / "work", tmp_path=tmp_path)
    assert found["rows"] == ROWS
    assert THOUGHTS.format(n=0, m=0) in found["trained"], "the reasoning is in what is trained on"
    assert "How much is 0+0? 等于多少" in found["text"]
    assert "How much" not in found["trained"]
