"""Rows are rewritten by a model, checked, and traceable; the same folder whatever the order of arrival, and nothing asked twice."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dataengine import shards
from dataengine.cold_start import refined_rows
from dataengine.cold_start.refinement import Refinement
from dataengine.cold_start.rewrite import rewrite
from dataengine.columns import REFINED, schema
from dataengine.errors import Stopped
from dataengine.inference import choose
from dataengine.inference.engine import Sampling
from dataengine.keep import Bar, keep
from dataengine.machine import Machine
from dataengine.messages import MESSAGES
from dataengine.run import run
from dataengine.sources import rows
from dataengine.step import Step
from dataengine.templates import QUESTION, Form
from tests.dataengine import judging
from tests.dataengine.rewriting import LOUD, Said, Teacher, is_loud, loud, rollouts, shouted, shouts, solved
from tests.dataengine.simulated import MODEL, Simulated

ROOT = Path(__file__).resolve().parents[3]


def made(step: Step, root: Path, engine: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(choose, "open_engine", lambda *_, **__: engine)
    return run(step, root, machine=Machine(workers=1))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def figures(folder: Path) -> dict[str, Any]:
    return shards.read_manifest(folder)["notes"]["refined"]


def test_a_row_that_needs_it_is_rewritten_and_one_that_does_not_is_not_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = Teacher(says=shouted)
    folder = made(loud(rollouts(7)), tmp_path, teacher, monkeypatch)
    found = shards.read(folder)
    assert found["reasoning"].to_list() == [f"I ADD {n} AND {n}" for n in range(7)]
    assert found["response"][1] == "<think>\nI ADD 1 AND 1\n</think>\n\n2"
    assert found["row_id"].to_list() == [f"r{n}" for n in range(7)]
    assert len(teacher.asked) == 4
    told = [row[-1] for row in found["refined"].to_list()]
    assert [one["did"] for one in told[:2]] == ["not needed", "done"]
    assert told[0]["before"] is None
    assert told[0]["by"] is None
    assert told[1] == {
        "refinement": "loud", "did": "done", "why": "", "by": "teacher", "sample": 0, "before": "<think>\ni add 1 and 1\n</think>\n\n2"
    }  # fmt: skip
    assert found.schema["refined"] == schema(REFINED)["refined"]
    assert figures(folder) == {"done": 4, "left": 0, "unanswered": 0, "not needed": 3, "why": {}}


def test_the_first_reply_that_passes_every_check_is_taken_and_failed_ones_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(prompt: str, sample: int) -> Said:
        return (shouted(prompt, sample) if sample == 1 else ("<reasoning>no</reasoning>", "stop")) if " 1 " in prompt else ("quiet", "stop")

    found = shards.read(made(loud(rollouts(3)), tmp_path, Teacher(says=says), monkeypatch))
    told = [row[-1] for row in found["refined"].to_list()]
    assert (told[1]["did"], told[1]["sample"], told[1]["why"]) == ("done", 1, "shouts: no")
    assert (told[2]["did"], told[2]["sample"]) == ("left", None)
    assert told[2]["why"] == "no <reasoning>...</reasoning> in the reply; no <reasoning>...</reasoning> in the reply"
    assert found["reasoning"][2] == "i add 2 and 2"


def test_what_is_not_refined_is_dropped_with_the_reasons_where_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def says(prompt: str, sample: int) -> Said:
        return shouted(prompt, sample) if " 1 " in prompt else ("<reasoning>no</reasoning>", "stop")

    folder = made(loud(rollouts(3), otherwise="drop", tries=1), tmp_path, Teacher(says=says), monkeypatch)
    assert shards.read(folder)["row_id"].to_list() == ["r0", "r1"]
    rejected = shards.read(folder, shards.REJECTED)
    assert rejected.select("row_id", "dropped_by", "dropped_because").rows() == [("r2", "refine-loud", "shouts: no")]
    assert shards.read_manifest(folder)["rejected"] == 1
    assert figures(folder)["why"] == {"shouts": 1}


@pytest.mark.parametrize(("reason", "asked"), [("length", 2), ("refused", 1), ("prompt_too_long", 1)])
def test_a_reply_that_is_cut_off_or_refused_is_no_failed_rewriting(
    reason: Any, asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = Teacher(says=lambda prompt, sample: ("<reasoning>I AD", reason))
    folder = made(loud(rollouts(2)), tmp_path, teacher, monkeypatch)
    assert figures(folder)["unanswered"] == 1
    assert figures(folder)["left"] == 0
    assert list(figures(folder)["why"]) == ["truncated" if reason == "length" else reason]
    assert len(teacher.asked) == asked
    assert shards.read(folder)["reasoning"][1] == "i add 1 and 1"


def test_the_folder_is_the_same_whatever_the_order_of_arrival(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refined_rows, "BLOCK", 5)

    def says(prompt: str, sample: int) -> Said:
        return shouted(prompt, sample) if (len(prompt) + sample) % 2 else ("<reasoning>no</reasoning>", "stop")

    folders = [
        made(loud(rollouts(43), otherwise="drop"), tmp_path / str(seed), Teacher(says=says, shuffled=seed, capacity=seed), monkeypatch)
        for seed in (1, 2, 9)
    ]
    assert files_of(folders[0]) == files_of(folders[1]) == files_of(folders[2])
    assert len(shards.shard_paths(folders[0])) == 9


def test_what_was_answered_before_a_death_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refined_rows, "BLOCK", 5)
    whole = made(loud(rollouts(40)), tmp_path / "whole", Teacher(says=shouted), monkeypatch)
    first = Teacher(says=shouted, shuffled=3)

    def dies(prompt: str, sample: int) -> Said:
        if len(first.asked) > 15:
            raise Stopped("the engine is gone")
        return shouted(prompt, sample)

    first.says = dies
    with pytest.raises(Stopped, match="the engine is gone"):
        made(loud(rollouts(40)), tmp_path / "again", first, monkeypatch)
    second = Teacher(says=shouted)
    folder = made(loud(rollouts(40)), tmp_path / "again", second, monkeypatch)
    assert files_of(folder) == files_of(whole)
    assert len(second.asked) < 26
    assert len(set(second.asked)) == len(second.asked)


def test_no_more_is_under_way_than_twice_what_the_engine_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = Teacher(says=shouted, shuffled=1, capacity=3)
    made(loud(rollouts(60), when=None, tries=1), tmp_path, teacher, monkeypatch)
    assert len(teacher.asked) == 60
    assert 3 <= teacher.most <= 2 * 6 + 1  # stragglers do not count, up to as many again


def test_both_parts_can_be_rewritten_with_tokens_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form(opening="|special_token|", closing="|special_token|", apart=False)
    both = Refinement(name="both", text="{{ question }}", rewrites=("reasoning", "summary"), needs=("question",))
    teacher = Teacher(
        says=lambda prompt, sample: ("<think>Hm.</think><reasoning>\nI see.\n</reasoning>\n<summary>It is 2</summary>", "stop")
    )
    step = rewrite(rollouts(2), MODEL, both, check=[Bar(scorer=judging.short)], template=QUESTION, sampling=Sampling(), form=form)
    found = shards.read(made(step, tmp_path, teacher, monkeypatch))
    assert found["response"].to_list() == ["|special_token|I see.|special_token|It is 2"] * 2
    assert found.select("reasoning", "summary").row(0) == ("I see.", "It is 2")


def test_questions_become_rows_where_both_parts_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = rows([{"question": f"{n}+{n}?", "answer": str(n + n)} for n in range(3)])
    both = Refinement(name="both", text="{{ question }}", rewrites=("reasoning", "summary"), needs=("question",))
    teacher = Teacher(says=lambda prompt, sample: (f"<reasoning>I see.</reasoning><summary>{2 * int(prompt[0])}</summary>", "stop"))
    step = rewrite(asked, MODEL, both, check=[Bar(scorer=judging.says)], template=QUESTION, sampling=Sampling(), otherwise="drop")
    found = shards.read(made(step, tmp_path, teacher, monkeypatch))
    assert found["response"][2] == "<think>\nI see.\n</think>\n\n4"
    assert found["row_id"].n_unique() == 3
    with pytest.raises(ValueError, match="no column 'reasoning'"):
        made(loud(asked), tmp_path, teacher, monkeypatch)


def test_a_special_token_inside_a_reply_is_a_reason_against_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = Teacher(says=lambda prompt, sample: ("<reasoning>I <think> so</reasoning>", "stop"))
    found = shards.read(made(loud(rollouts(2), tries=1), tmp_path, teacher, monkeypatch))
    assert found["refined"][1][0]["why"] == "the special token '<think>' stands inside the reasoning of the reply"


def test_rows_without_thoughts_are_left_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = rows([{"question": "1?", "answer": "1", "reasoning": None, "summary": None, "response": None}, *_one_more()])
    teacher = Teacher(says=shouted)
    folder = made(loud(data, when=None), tmp_path, teacher, monkeypatch)
    found = shards.read(folder)
    assert found["refined"][0][0]["why"] == "no reasoning"
    assert found["response"][0] is None
    assert found["refined"][1][0]["did"] == "done"
    assert figures(folder)["why"] == {"no reasoning": 1}


def _one_more() -> list[dict[str, Any]]:
    return [{"question": "and 1?", "answer": "1", "reasoning": "i see", "summary": "1", "response": "<think>\ni see\n</think>\n\n1"}]


def test_what_is_refined_twice_tells_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = rewrite(
        loud(rollouts(2)), MODEL, LOUD, check=[Bar(scorer=shouts)], template=QUESTION, sampling=Sampling(max_tokens=50), name="again"
    )
    found = shards.read(made(again, tmp_path, Teacher(says=shouted), monkeypatch))
    assert [one["did"] for one in found["refined"][1].to_list()] == ["done", "done"]


def test_no_rows_are_no_rows_with_every_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made(loud(keep(rows(_one_more()), is_loud), when=None), tmp_path, Teacher(says=shouted), monkeypatch)
    assert "refined" in shards.read(folder).columns


def test_a_service_is_asked_with_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = Teacher(says=lambda prompt, sample: ("<reasoning>I ADD 1 AND 1</reasoning>", "stop"))
    made(loud(rollouts(2), template=MESSAGES), tmp_path, teacher, monkeypatch)
    assert teacher.asked[0][0] == '{"messages": [{"role": "user", "content": "shout: i add 1 and 1"}]}'


def test_the_simulated_engine_refines_with_its_truncations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = solved(40, otherwise="drop")
    engine = Simulated(shuffled=4)
    folder = made(step, tmp_path, engine, monkeypatch)
    counted = figures(folder)
    assert counted["done"] > 20
    assert counted["left"] + counted["unanswered"] > 0
    assert "truncated" in counted["why"]
    kept = shards.read(folder)
    assert all(summary == f"It {answer}" for summary, answer in kept.select("summary", "answer").rows())
    told = pl.concat([kept, shards.read(folder, shards.REJECTED).select(kept.columns)])
    assert len(told) == 40


def test_kills_lose_no_reply_and_change_no_byte(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.dataengine.rewriting"]
    subprocess.run([*command, str(tmp_path / "whole")], cwd=ROOT, check=True, capture_output=True)
    moments, kills, stored = random.Random(4), 0, {}
    while kills < 4:
        process = subprocess.Popen([*command, str(tmp_path / "killed")], cwd=ROOT, stderr=subprocess.DEVNULL)
        wait_until(lambda before=stored, process=process: process.poll() is not None or replies(tmp_path / "killed") != before)
        time.sleep(moments.random() * 0.3)
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills, stored = kills + 1, replies(tmp_path / "killed")
    subprocess.run([*command, str(tmp_path / "killed")], cwd=ROOT, check=True, capture_output=True)
    assert kills >= 2
    name = solved(60, otherwise="drop").folder
    assert files_of(tmp_path / "killed" / name) == files_of(tmp_path / "whole" / name)
    assert figures(tmp_path / "killed" / name) == figures(tmp_path / "whole" / name)


def replies(root: Path) -> dict[str, int]:
    """Bytes of each file of stored replies; files may be packed, and go, while one looks."""
    sizes = {}
    for path in (root / "responses").rglob("*.*"):
        with contextlib.suppress(FileNotFoundError):
            sizes[path.name] = path.stat().st_size
    return sizes


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"check": []}, "at least one bar in check"),
        ({"tries": 0}, "tries must be at least 1"),
        ({"otherwise": "dorp"}, "Did you mean 'drop'"),
        ({"check": [Bar(scorer=shouts), Bar(scorer=shouts)]}, "names a scorer twice"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        loud(rollouts(1), **change)


def test_a_column_that_the_prompt_wants_and_nobody_has_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = loud(rollouts(1), refinement=Refinement(name="odd", text="{{ resoning }}"))
    with pytest.raises(ValueError, match=r"wants the column 'resoning'. Did you mean 'reasoning'"):
        made(step, tmp_path, Teacher(says=shouted), monkeypatch)
