"""Rows with duplicates and leaks on the road through dedup and decontaminate, for tests that interrupt it."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from dataengine import shards, work
from dataengine.dedup import dedup
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.step import Step
from filters.decontaminate import decontaminate
from tests.dataengine.given_rows import given_rows, response


def road(problems: Path, *, rows: int = 600, shard: int = 30) -> Step:
    """Twenty shards; every fifth response is nearly another one, every seventh holds a problem."""
    luck = random.Random(4)
    texts: list[list[str]] = []
    for number in range(rows):
        text = [f"w{luck.randrange(10**5)}" for _ in range(120)]
        texts.append([*luck.choice(texts)[:-1], "end"] if number % 5 == 4 else text)
    asked = [" ".join(text[:20]) for text in texts[::100]]
    lines = "".join(json.dumps({"question": text}) + "\n" for text in asked)
    shards.write_atomically(problems, lambda out: out.write(lines.encode()))
    responses = []
    for number, text in enumerate(texts):
        more = luck.choice(asked) if number % 7 == 6 else ""
        responses.append(response(f"question {number // 4}", f"{' '.join(text)} {more}", number=luck.randrange(10**12)))
    data = given_rows(responses, shard=shard)
    return decontaminate(dedup(dedup(data, on="response"), on="messages", similarity=None, name="prompts"), problems)


if __name__ == "__main__":
    root, workers = Path(sys.argv[1]), int(sys.argv[2])
    work.ROWS_WORTH_A_PROCESS = 1
    run(road(root.parent / "problems.jsonl"), root, machine=Machine(workers=workers))
