"""rescore: other verdicts on the same responses, without asking anybody anything."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from dataengine import by_prompt, shards, work
from dataengine.bring import bring
from dataengine.cluster import on_ray
from dataengine.commands import rescore as verb
from dataengine.generate import generate
from dataengine.inference.engine import Sampling
from dataengine.keep import Bar, keep
from dataengine.machine import Machine
from dataengine.mix import Quota, mix
from dataengine.rescore import REGROUPED, folder_here, moved, rescore
from dataengine.run import run
from dataengine.sampling import prompt_blocks
from dataengine.step import Step
from dataengine.templates import QUESTION
from dataengine.work import Work
from filters.answers import answer_matches
from tests.dataengine import judging
from tests.dataengine.cluster.hidden_nodes import HiddenNodes
from tests.dataengine.given_rows import given_rows, response
from tests.dataengine.simulated import BARS, MODEL, Simulated, made_with, problems, sampled


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prompt_blocks, "BLOCK", 16)
        return made_with(Simulated(stragglers=0.02), sampled(60), tmp_path_factory.mktemp("sampled"))


def everything(folder: Path) -> pl.DataFrame:
    return pl.concat([shards.read(folder), shards.read(folder, "rejected")], how="diagonal")


def test_the_same_bars_say_the_same(folder: Path, tmp_path: Path) -> None:
    again = run(rescore(folder_here(folder), BARS, want=3), tmp_path, machine=Machine(workers=1))
    assert shards.read(again).drop("accepted_before", "pass_rate").equals(shards.read(folder).drop("pass_rate"))
    old, new = shards.read(folder, "rejected"), shards.read(again, "rejected")
    ours = new.with_columns(pl.col("dropped_by").replace("rescore", "sample"))
    assert ours.drop("accepted_before", "pass_rate").equals(old.drop("pass_rate"))
    assert moved(again).filter(pl.col("before") != pl.col("now")).is_empty()
    assert shards.read(again, "prompts").drop("pass_rate").equals(shards.read(folder, "prompts").drop("pass_rate"))


def test_another_scorer_moves_verdicts_and_every_row_is_still_there(folder: Path, tmp_path: Path) -> None:
    again = run(rescore(folder_here(folder), [Bar(scorer=judging.even)]), tmp_path, machine=Machine(workers=1))
    assert set(everything(again)["row_id"]) == set(everything(folder)["row_id"])
    assert shards.read(again)["even"].struct.field("value").eq(1.0).all()
    table = {(row["before"], row["now"]): row["rows"] for row in moved(again).to_dicts()}
    assert table["right", "right"] > 0
    assert table["wrong", "wrong"] > 0
    assert sum(table.values()) == len(everything(folder))
    cut = everything(again).filter(finish_reason="length")
    assert len(cut)
    assert cut["accepted"].null_count() == len(cut)


def test_generated_and_kept_rows_can_be_judged_again(tmp_path: Path) -> None:
    made = generate(problems(20), MODEL, samples=3, template=QUESTION, sampling=Sampling(max_tokens=900))
    kept = keep(made, judging.says)
    made_with(Simulated(), kept, tmp_path)
    rated = run(rescore(made, BARS), tmp_path, machine=Machine(workers=1))
    assert len(everything(rated)) == 60
    assert set(moved(rated)["before"]) == {"unjudged"}
    again = run(rescore(kept, BARS), tmp_path, machine=Machine(workers=1))
    assert moved(again).filter(pl.col("before") != pl.col("now")).is_empty()
    assert shards.read(again).sort("row_id")["row_id"].equals(shards.read(rated).sort("row_id")["row_id"])


def test_rows_that_do_not_say_how_they_ended_are_judged_as_they_are(tmp_path: Path) -> None:
    made = generate(problems(5), MODEL, samples=2, template=QUESTION, sampling=Sampling(max_tokens=900))
    whole = shards.read(made_with(Simulated(), made, tmp_path))
    bare = Step(name="bare", make=_make_bare, settings={"rows": whole.drop("finish_reason", "response_tokens").to_dicts()})
    found = run(rescore(bare, BARS), tmp_path, machine=Machine(workers=1))
    assert len(everything(found)) == 10
    assert everything(found)["accepted"].null_count() == 0


def _make_bare(work: Work) -> None:
    work.land("00000.parquet", pl.DataFrame(work.settings["rows"]))


def spread(rows: int, *, prompts: int, shard: int) -> Step:
    """Responses to sums in turn, every other one to each right; the rows of a prompt lie in several shards."""
    made = []
    for number in range(rows):
        prompt, sample = number % prompts, number // prompts
        said = f"\\boxed{{{2 * prompt + sample % 2}}}"
        made.append(response(f"{prompt}+{prompt}?", said, number=number, answer=str(2 * prompt), sample=sample))
    return given_rows(made, shard=shard)


@pytest.mark.parametrize(("made", "shard"), [("sampled", 16), ("kept", 3), ("kept", 24)])
def test_nodes_that_see_no_folder_of_the_driver_make_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, shard: int
) -> None:
    monkeypatch.setattr(by_prompt, "SHARD_ROWS", 7)
    monkeypatch.setattr(work, "ROWS_WORTH_A_PROCESS", 1)
    given = run(keep(spread(24, prompts=4, shard=shard), answer_matches), tmp_path / "given") if made == "kept" else folder
    step = rescore(folder_here(given), [Bar(scorer=answer_matches if made == "kept" else judging.even)], want=1)
    here = run(step, tmp_path / "here", machine=Machine(workers=1))
    whole = by_prompt.whole_prompts(given)
    nodes = HiddenNodes(given if whole else tmp_path / "there" / step.folder / REGROUPED)
    monkeypatch.setattr(on_ray, "connected", lambda _: nodes)
    there = run(step, tmp_path / "there", machine=Machine(workers=1, on="ray"))
    assert nodes.tasks == len(shards.shard_paths(there))
    assert shards.read_manifest(there)["files"] == shards.read_manifest(here)["files"]
    assert shards.read_manifest(there)["rejected"] > 0


@pytest.mark.parametrize("shard", [3, 5, 24])
def test_a_prompt_whose_responses_lie_in_several_shards_is_judged_as_one(
    tmp_path: Path, shard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_prompt, "SHARD_ROWS", 7)
    judged_before = keep(spread(24, prompts=4, shard=shard), answer_matches)
    folder = run(rescore(judged_before, [Bar(scorer=answer_matches)], want=1), tmp_path, machine=Machine(workers=1))
    right, rest = shards.read(folder), shards.read(folder, "rejected")
    assert sorted(right["messages"].list.first().struct.field("content").to_list()) == ["0+0?", "1+1?", "2+2?", "3+3?"]
    assert (right["pass_rate"].to_list(), right["judged"].to_list()) == ([0.5] * 4, [6] * 4)
    assert len(rest) == 20
    assert set(rest["row_id"]) | set(right["row_id"]) == {f"{number:016x}" for number in range(24)}
    assert not list(folder.glob(".by_prompt*"))
    said = {row["row_id"]: row["accepted_before"] for row in everything(folder).to_dicts()}
    before = run(judged_before, tmp_path)
    assert said == dict.fromkeys(shards.read(before)["row_id"], True) | dict.fromkeys(shards.read(before, "rejected")["row_id"], False)


def test_rows_that_a_mix_left_out_do_not_come_back(tmp_path: Path) -> None:
    mixed = mix({"sums": spread(12, prompts=3, shard=5)}, [Quota(part="sums", rows=4)], seed=0, name="mixed")
    with pytest.raises(ValueError, match=r"left responses out by mixed, .* Rescore given-\w+, and make mixed from that"):
        run(rescore(mixed, [Bar(scorer=answer_matches)]), tmp_path, machine=Machine(workers=1))


def test_what_was_refused_on_the_way_in_is_no_response(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "\\boxed{2}"}]
    lines = [{"messages": talk, "answer": "2", "finish_reason": why} for why in ("end_turn", "odd", "MAX_TOKENS")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"messages": talk[:1]}]))
    brought = bring(tmp_path / "rows.jsonl")
    folder = run(rescore(brought, [Bar(scorer=answer_matches)], want=1), tmp_path / "runs", machine=Machine(workers=1))
    assert len(shards.read(folder)) == 1
    assert sorted(shards.read(folder, "rejected")["dropped_because"]) == [
        "surplus: right, and 1 others were picked (shortest)",
        "truncated",
    ]


def test_the_verb_judges_by_the_folders_own_bars_and_shows_what_moved(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verb.command([str(folder), "--workers", "1"])
    assert "| right | right |" in capsys.readouterr().out
    verb.command([str(folder), "--scorer", "tests.dataengine.judging:even", "--workers", "1"])
    said = capsys.readouterr().out
    assert "| unjudged | right |" in said
    assert "->" in said
    assert "even: ends with " in said
