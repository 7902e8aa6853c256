"""An environment of verifiers on an exported folder: its rows, and a rollout's state as its rubric sees it."""

# The packages are those of another environment.
# pyright: reportMissingImports=false
from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import verifiers as vf
from datasets import load_dataset
from verifiers.types import ClientConfig

NOBODY = ClientConfig(api_base_url="http://127.0.0.1:9/v1")
"""A server that is never asked."""


def right_answer(completion: Any, answer: str, info: dict[str, Any]) -> float:
    """A reward by the names that verifiers hands in."""
    assert isinstance(info, dict)
    return float(completion[-1]["content"].endswith(answer))


async def scored(environment: Any, row: dict[str, Any]) -> dict[str, Any]:
    """The reward of a state in which the model says the reference."""
    state = await environment.init_state(row, client=NOBODY, model="none")
    state["completion"] = [{"role": "assistant", "content": f"It is {row['answer']}"}]
    await environment.rubric.score_rollout(state)
    return {"reward": state["reward"], "info": state["info"], "prompt": [dict(message) for message in state["prompt"]]}


if __name__ == "__main__":
    rows = load_dataset(sys.argv[1], split="train", cache_dir=sys.argv[2])
    environment = vf.SingleTurnEnv(dataset=rows, rubric=vf.Rubric(funcs=[right_answer]))
    seen = environment.get_dataset()
    print("FOUND " + json.dumps({"rows": len(seen), "columns": seen.column_names, **asyncio.run(scored(environment, seen[0]))}))
