"""A short real road for tests that interrupt it: problems, a random little model's rollouts, a filter, a mix."""

from __future__ import annotations

import sys
from pathlib import Path

from dataengine.generate import generate
from dataengine.inference.engine import Sampling
from dataengine.keep import keep
from dataengine.machine import Machine
from dataengine.mix import Quota, mix
from dataengine.run import run
from dataengine.score import Score, scorer
from dataengine.sources import rows
from dataengine.step import Model, Step
from dataengine.templates import QUESTION
from tests.dataengine.inference.tiny_models import characters, tiny


def saved_model(folder: Path) -> Path:
    """The random little model as a folder."""
    tiny().save_pretrained(folder)
    characters().save_pretrained(folder)
    return folder


@scorer
def short_of_e(response: str) -> Score:
    """A verdict that splits random text about evenly."""
    return Score(float(response.count("e") < 2), f"{response.count('e')} times e")


def rollouts(model: Path, *, prompts: int = 40, samples: int = 4, max_tokens: int = 160) -> Step:
    """What the model says to `prompts` questions of different lengths."""
    problems = rows([{"question": f"{'how much is ' * (n % 3)}{n}+{n * n}?", "answer": str(n + n * n)} for n in range(prompts)])
    sampling = Sampling(temperature=1.0, max_tokens=max_tokens, seed=3)
    return generate(problems, Model.at(model, name="model"), samples=samples, template=QUESTION, sampling=sampling)


def whole(model: Path, **settings: int) -> Step:
    """The road to a mix."""
    return mix({"kept": keep(rollouts(model, **settings), short_of_e)}, [Quota(part="kept", rows=30)], seed=1)


if __name__ == "__main__":
    run(whole(Path(sys.argv[1])), Path(sys.argv[2]), machine=Machine(workers=1, slots=16))
