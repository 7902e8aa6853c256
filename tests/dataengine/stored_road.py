"""A short road with recorded responses whose second home is a bucket, for tests that take the machine away."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataengine.generate import generate
from dataengine.inference.engine import Sampling
from dataengine.keep import keep
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.sources import rows
from dataengine.step import Model, Step
from dataengine.storage import second_home, store, store_lock
from dataengine.templates import Template
from dataengine.work import Work
from tests.dataengine import buckets
from tests.dataengine.test_score import has_letter

ASKED = Template(name="asked", text="{{ question }}")
PROMPTS, SAMPLES = 2_500, 2
"""Three shards of responses."""


def said(number: int, sample: int) -> str:
    """What the recorded model says."""
    return f"{number} by {sample}: {number * 7919 % 1009}"


def make_recording(work: Work) -> None:
    """The folder of a model that says it."""
    asked = [(number, sample) for number in range(work.settings["prompts"]) for sample in range(SAMPLES)]
    made = [{"prompt": f"{number}?", "sample": sample, "response": said(number, sample)} for number, sample in asked]
    work.land("00000.parquet", pl.DataFrame(made))


def recording(prompts: int = PROMPTS) -> Model:
    """The recorded model."""
    return Model(name="recorded", make=make_recording, settings={"prompts": prompts})


def rollouts(prompts: int = PROMPTS) -> Step:
    """All that it says."""
    problems = rows([{"question": f"{number}?", "answer": str(number)} for number in range(prompts)])
    return generate(problems, recording(prompts), samples=SAMPLES, template=ASKED, sampling=Sampling(max_tokens=9))


def whole(prompts: int = PROMPTS) -> Step:
    """The road to those with a 7, and then with an 8."""
    return keep(keep(rollouts(prompts), has_letter.with_(letter="7"), name="sevens"), has_letter.with_(letter="8"), name="eights")


def main(root: str, address: str) -> None:
    """A whole run, with short pauses."""
    store.FIRST_PAUSE = 0.001
    second_home.SECONDS_BETWEEN_PIECES = 0.01
    store_lock.SECONDS_TO_SETTLE = 0.05
    assert buckets.Buckets.protocol == "buckets"
    run(whole(), Path(root), machine=Machine(workers=1, store=address))
