"""sample: what the folder holds follows from the responses alone, and nothing is lost, doubled, asked twice or called wrong unjustly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dataengine import shards
from dataengine.columns import ASKED, PROBLEM, REJECTION, RESPONSE, SAMPLED, schema
from dataengine.errors import Stopped
from dataengine.generate import generate
from dataengine.inference.engine import Response, Sampling
from dataengine.keep import Bar
from dataengine.sampling import prompt_blocks, prompts_coming, spending
from dataengine.sampling.prompt_blocks import Block, blocks
from dataengine.sampling.sampler import LANDING
from dataengine.sampling.spending import Fixed
from dataengine.score import SCORE
from dataengine.sources import rows
from dataengine.step import Model, Step
from dataengine.templates import QUESTION
from tests.dataengine import judging
from tests.dataengine.simulated import BARS, MODEL, Simulated, made_with, problems, sampled

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_blocks, "BLOCK", 16)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def everything(folder: Path) -> pl.DataFrame:
    return pl.concat([shards.read(folder), shards.read(folder, "rejected")], how="diagonal")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prompt_blocks, "BLOCK", 16)
        return made_with(Simulated(stragglers=0.02), sampled(), tmp_path_factory.mktemp("sampled"))


def test_what_is_written_is_what_the_table_of_columns_says(folder: Path) -> None:
    known = {**schema(PROBLEM), "difficulty": pl.String, **schema(RESPONSE), **schema(SAMPLED), "says": SCORE, "short": SCORE}
    assert dict(shards.read(folder).schema) == known
    assert dict(shards.read(folder, "rejected").schema) == {**known, **schema(REJECTION)}
    assert dict(shards.read(folder, "prompts").schema) == schema(ASKED)


def test_every_response_is_recorded_once_and_at_most_want_are_picked(folder: Path) -> None:
    found, prompts = everything(folder), shards.read(folder, "prompts")
    assert found["row_id"].n_unique() == len(found) == prompts["asked"].sum()
    counted = found.group_by("prompt_id").agg(pl.col("sample").sort(), right=pl.col("accepted").sum()).join(prompts, on="prompt_id")
    assert all(row["sample"] == list(range(row["asked"])) for row in counted.iter_rows(named=True))
    assert len(prompts) == 100
    assert shards.read(folder).group_by("prompt_id").len()["len"].max() == 3
    assert (prompts["picked"] == prompts["right"].clip(0, 3)).all()
    assert (counted["right"] == counted["right_right"]).all()


def test_truncated_is_neither_right_nor_wrong_and_says_so(folder: Path) -> None:
    cut = everything(folder).filter(finish_reason="length")
    assert len(cut)
    assert cut["accepted"].null_count() == cut["says"].null_count() == len(cut)
    assert set(cut["dropped_by"]) == {"sample"}
    assert all(why.startswith("truncated at ") for why in cut["dropped_because"])
    assert shards.read_manifest(folder)["notes"]["sampling"]["finish_reasons"]["length"] == len(cut)


def test_what_is_dropped_names_who_dropped_it_and_why(folder: Path) -> None:
    rejected = shards.read(folder, "rejected").filter(pl.col("finish_reason") != "length")
    unjudged = rejected.filter(pl.col("answer").is_null())
    assert set(unjudged["dropped_by"]) == {"says"}
    assert set(unjudged["dropped_because"]) == {"unjudged: no answer"}
    assert unjudged["accepted"].null_count() == len(unjudged)
    wrong = rejected.filter(accepted=False)
    assert len(wrong)
    assert set(wrong["dropped_by"]) == {"says"}
    surplus = rejected.filter(accepted=True)
    assert set(surplus["dropped_because"]) <= {"surplus: right, and 3 others were picked (shortest)"}
    assert set(surplus["dropped_by"]) <= {"sample"}


def test_the_pass_rate_of_a_prompt_stands_in_all_its_rows_with_its_interval(folder: Path) -> None:
    found = everything(folder)
    apart = found.group_by("prompt_id").agg(pl.col("pass_rate", "pass_low", "pass_high", "judged").n_unique())
    assert apart.drop("prompt_id").max().row(0) == (1, 1, 1, 1)
    known = found.filter(pl.col("pass_rate").is_not_null())
    assert (known["pass_low"] <= known["pass_rate"]).all()
    assert (known["pass_rate"] <= known["pass_high"]).all()
    mean = {row["difficulty"]: row["pass_rate"] for row in found.group_by("difficulty").agg(pl.col("pass_rate").mean()).to_dicts()}
    assert mean["0"] > mean["1"] > mean["2"] > mean["4"]
    assert mean["5"] == 0.0


@pytest.mark.parametrize(
    "engine",
    [{"capacity": 1}, {"capacity": 200, "shuffled": 1}, {"capacity": 7, "shuffled": 2, "slots": True, "seconds": 0.001}],
    ids=["one at a time", "many, shuffled", "slots, shuffled"],
)
@pytest.mark.parametrize("workers", [1, 3])
def test_speed_order_and_number_of_verifiers_change_no_byte(folder: Path, tmp_path: Path, engine: dict[str, Any], workers: int) -> None:
    other = Simulated(stragglers=0.02, **engine)
    assert files(made_with(other, sampled(), tmp_path, workers=workers)) == files(folder)


def test_a_changed_policy_pays_for_nothing_twice(folder: Path, tmp_path: Path) -> None:
    first, second, third = Simulated(), Simulated(), Simulated()
    made_with(first, sampled(), tmp_path)
    folder = made_with(second, sampled(policy=Fixed(samples=5)), tmp_path)
    assert not set(first.asked) & set(second.asked)
    assert len(everything(folder)) == 500
    made_with(third, generate(problems(100), MODEL, samples=4, template=QUESTION, sampling=Sampling(max_tokens=1_500)), tmp_path)
    assert third.asked == []


def test_a_run_that_the_engine_ended_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    class Dying(Simulated):
        async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
            if len(self.asked) > 300:
                raise Stopped("the server is gone")
            async for response in super().respond(prompt, sampling, samples):
                yield response

    first, second = Dying(stragglers=0.02), Simulated(stragglers=0.02)
    with pytest.raises(Stopped, match="the server is gone"):
        made_with(first, sampled(), tmp_path)
    assert files(made_with(second, sampled(), tmp_path)) == files(folder)
    assert not set(first.asked) & set(second.asked)


def test_what_has_landed_is_not_made_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shards.land_packed

    def ends_at_the_fourth(folder: Path, file: str, shard: bytes, *, rows: int) -> shards.Landed:
        if file == "00003.parquet":
            raise Stopped("here")
        return real(folder, file, shard, rows=rows)

    with monkeypatch.context() as patched:
        patched.setattr(shards, "land_packed", ends_at_the_fourth)
        with pytest.raises(Stopped, match="here"):
            made_with(Simulated(stragglers=0.02), sampled(), tmp_path)
    unfinished = next(tmp_path.glob("sample-*"))
    before = {path: path.stat().st_ino for path in unfinished.rglob("*.parquet")}
    assert len(before) >= 3
    again = Simulated(stragglers=0.02)
    assert files(made_with(again, sampled(), tmp_path)) == files(folder)
    whole = [path for path in before if path.parent == unfinished]
    assert all(path.stat().st_ino == before[path] for path in whole)


def test_an_engine_that_says_too_little_too_much_and_twice_is_asked_for_the_rest(folder: Path, tmp_path: Path) -> None:
    class Odd(Simulated):
        async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
            said = 0
            async for response in super().respond(prompt, sampling, [*samples, samples[-1] + 1]):
                yield response
                yield response
                said += 1
                if said > len(samples) // 2:
                    return

    assert files(made_with(Odd(stragglers=0.02), sampled(), tmp_path)) == files(folder)

    class Silent(Simulated):
        async def respond(self, prompt: str, sampling: Sampling, samples: Sequence[int]) -> AsyncIterator[Response]:
            for nothing in ():
                yield nothing

    with pytest.raises(Stopped, match="ended 3 times without"):
        made_with(Silent(), sampled(), tmp_path / "silent")


def test_problems_that_read_alike_share_their_responses(tmp_path: Path) -> None:
    from dataengine.sample import sample

    asked = {"role": "user", "content": "what is 2+2? (rate 0.5)"}
    twice = rows([{"messages": [{"role": "system", "content": who}, asked], "answer": "is 4"} for who in "ab"])
    engine = Simulated(shuffled=3)
    step = sample(twice, MODEL, accept=BARS, want=2, at_most=8, template=QUESTION, sampling=Sampling())
    found = everything(made_with(engine, step, tmp_path))
    assert len(engine.asked) == len(set(engine.asked)) == found["sample"].n_unique()
    assert found["prompt_id"].n_unique() == 2


def test_an_empty_input_makes_an_empty_folder_with_its_columns(tmp_path: Path) -> None:
    nothing = Step(name="nothing", make=_make_nothing)
    from dataengine.sample import sample

    found = made_with(Simulated(), sample(nothing, MODEL, accept=BARS, template=QUESTION, sampling=Sampling()), tmp_path)
    assert shards.read(found).height == 0
    assert {*schema(RESPONSE), *schema(SAMPLED), "says"} <= set(shards.read(found).columns)


def _make_nothing(work: Any) -> None:
    work.land("00000.parquet", pl.DataFrame(schema=schema(PROBLEM)))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one bar"):
        sampled(accept=())
    with pytest.raises(ValueError, match="names a scorer twice"):
        sampled(accept=(*BARS, BARS[0]))
    with pytest.raises(ValueError, match="pick is one of shortest, random, diverse"):
        sampled(pick="longest")
    with pytest.raises(ValueError, match="parts is one of"):
        sampled(parts="r2")
    with pytest.raises(ValueError, match="want"):
        sampled(want=0)


def test_a_broken_scorer_stops_the_run_and_keeps_the_responses(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="broken_on_all"):
        made_with(Simulated(), sampled(accept=(Bar(scorer=judging.broken_on_all),)), tmp_path)
    mended = Simulated()
    made_with(mended, sampled(), tmp_path)
    assert 0 < len(mended.asked) < 900


def test_a_misspelt_quota_is_refused_and_one_that_nothing_can_meet_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"quotas name 'maths', and no problem has that domain\. Did you mean 'math'"):
        made_with(Simulated(), sampled(quotas={"maths": 3, "logic": 3}), tmp_path)
    found = made_with(Simulated(), sampled(quotas={"code": 3, "logic": 3}), tmp_path)
    assert "quotas name 'code', and no problem has that domain, so nothing can meet it" in capsys.readouterr().err
    assert shards.read(found).filter(domain="math").height > 10


def test_a_budget_that_the_first_round_may_overrun_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = made_with(Simulated(), sampled(budget=1), tmp_path)
    assert shards.read(found, "prompts")["asked"].sum() == 8
    assert "a budget of 1 tokens may be overrun by the first round" in capsys.readouterr().err
    made_with(Simulated(), sampled(budget=10**9), tmp_path / "enough")
    assert "overrun" not in capsys.readouterr().err


def test_at_the_end_of_a_budget_the_rest_of_the_input_waits_for_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[int] = []

    def counted(problems: Path) -> Iterator[Block]:
        for block in blocks(problems):
            alive.append(block.number + 1 - len(list(tmp_path.glob("sample-*/*.parquet"))))
            yield block

    monkeypatch.setattr("dataengine.sample.blocks", counted)
    for module in (prompts_coming, spending):
        monkeypatch.setattr(module, "PORTION", 16)
    found = made_with(Simulated(), sampled(800, budget=3_000), tmp_path)
    assert len(alive) == 50
    assert max(alive) <= LANDING + 3
    assert shards.read(found, "prompts").height == 800


def test_a_verifier_that_dies_on_every_row_stops_the_run_before_all_tokens_are_spent(tmp_path: Path) -> None:
    engine = Simulated()
    with pytest.raises(Stopped, match=r"scorers failed on 11 of 11 rows, last dies: verifier lost: it died 3 times .* mend it"):
        made_with(engine, sampled(accept=(Bar(scorer=judging.dies),)), tmp_path, workers=4)
    assert len(engine.asked) < 300


def test_the_clock_may_jump(folder: Path, tmp_path: Path) -> None:
    program = f"""
import time, random, sys
real, jumps = time.time, random.Random(1)
time.time = lambda: real() + jumps.uniform(-1e8, 1e7)
time.time_ns = lambda: int(time.time() * 1e9)
from tests.dataengine import simulated
simulated.main({str(tmp_path)!r}, {{"stragglers": 0.02}})
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert files(next(tmp_path.glob("sample-*"))) == files(folder)


def test_one_process_after_another_makes_the_same_folder(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.dataengine.simulated", str(tmp_path), json.dumps({"stragglers": 0.02})]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert done.returncode == 0, done.stderr
    assert files(next(tmp_path.glob("sample-*"))) == files(folder)


def test_a_real_model_is_sampled_by_the_local_engine_and_nothing_is_asked_again(tmp_path: Path) -> None:
    from dataengine.machine import Machine
    from dataengine.run import run
    from dataengine.sample import sample
    from tests.dataengine import roads

    model = Model.at(roads.saved_model(tmp_path / "model"), name="model")
    drawn = {"template": QUESTION, "sampling": Sampling(max_tokens=80, seed=3)}
    step = sample(problems(8), model, accept=[Bar(scorer=roads.short_of_e)], want=2, at_most=6, **drawn)
    found = everything(run(step, tmp_path, machine=Machine(workers=1, slots=16)))
    assert found["engine"].str.starts_with("local").all()
    stored = sum(path.read_bytes().count(b"\n") for path in tmp_path.glob("responses/*/*.log"))
    assert stored == len(found)
    run(generate(problems(8), model, samples=1, **drawn), tmp_path, machine=Machine(workers=1, slots=16))
    assert sum(path.read_bytes().count(b"\n") for path in tmp_path.glob("responses/*/*.log")) == stored
