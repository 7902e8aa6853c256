"""The recipe `cold_start` with problems of a file and a teacher at a service, until it waits for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from annotation.answer import Answer, problems_of
from annotation.item import Item
from annotation.items import items_of, questions_of
from annotation.population import population
from dataengine import shards
from dataengine.cli import main
from dataengine.errors import WaitsForPeople
from dataengine.machine import Machine, OpenAI
from dataengine.recipes.cold_start import Review, cold_start
from dataengine.run import run
from dataengine.step import Step
from tests.annotation.answers import answer, answer_all
from tests.dataengine.teaching import teacher

NUMBERS = (17, 23, 31, 48, 56, 64)
UNFORMED = 71
"""Whoever asks about so many rolls gets no thoughts in tags."""
ASKED = "On the first day of the fair a baker bakes {} rolls and then {} rolls more. How many rolls is that in all?"


def reply_to(prompt: str) -> str:
    """What the teacher says: thoughts of a "we" to even sums, told again by an "I" when it is asked to; another summary after examples."""
    left, right = map(int, re.findall(r"baker bakes (\d+) rolls and then (\d+)", prompt)[-1])
    if left == UNFORMED:
        return f"That makes {left + right}, for we add {left} and {right}."
    who = "We" if (left + right) % 2 == 0 and "<reasoning>" not in prompt else "I"
    thoughts = f"{who} add {left} and {right}, which makes {left + right}.\n\nWait, {who} should check: {left + right} - {right} = {left}."
    if "between <reasoning>" in prompt:
        return f"<reasoning>{thoughts}</reasoning>"
    ending = " in all" if "=== Problem 2" in prompt else ""
    return f"<think>\n{thoughts}\n</think>\n\nThe baker bakes ${left} + {right} = \\boxed{{{left + right}}}$ rolls{ending}."


@pytest.fixture
def url() -> Iterator[str]:
    with teacher(reply_to) as address:
        yield address


def written(file: Path, lines: list[dict[str, str]]) -> str:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(file)


@pytest.fixture
def problems(tmp_path: Path) -> str:
    lines = [
        {"question": ASKED.format(number, number + 2 + place % 2), "answer": str(2 * number + 2 + place % 2)}
        for place, number in enumerate(NUMBERS)
    ]
    return written(tmp_path / "problems.jsonl", lines)


@pytest.fixture
def hard(tmp_path: Path) -> str:
    """A right reference, one that can not be judged by, one that verifiers read differently, a wrong one, and a question without thoughts;
    the teacher says "we" to all."""
    told = {10: "22", 20: r"\frac{}{2}", 30: "62 or 63", 40: "1", UNFORMED: str(2 * UNFORMED + 2)}
    return written(tmp_path / "hard.jsonl", [{"question": ASKED.format(n, n + 2), "answer": answer} for n, answer in told.items()])


def test_a_teacher_at_a_service_fills_two_sources_refines_them_and_people_are_asked(problems: str, url: str, tmp_path: Path) -> None:
    step = cold_start(
        problems=problems, teacher="teacher", constants={"domain": "math", "language": "en"}, samples=2, opening="|t|", closing="|t|"
    )
    machine = Machine(workers=1, engine="openai", openai=OpenAI(urls=(url,)))
    with pytest.raises(WaitsForPeople, match="12 of 12 rows wait"):
        run(step, tmp_path / "runs", machine=machine)
    rows = shards.read(next((tmp_path / "runs").glob("queue-????????")))
    assert sorted(rows["source_kind"]) == ["direct"] * 6 + ["few_shot"] * 6
    assert all(messages[0]["content"].startswith("On the first day") and len(messages) == 1 for messages in rows["messages"])
    assert rows["reasoning"].str.starts_with("I add ").all()
    assert rows["response"].str.starts_with("|t|\nI add ").all()
    told_again = [
        refined
        for refined in rows["refined"].to_list()
        if any(one["refinement"] == "first_person" and one["did"] == "done" for one in refined)
    ]
    assert len(told_again) == 2 * sum((2 * number + 2 + place % 2) % 2 == 0 for place, number in enumerate(NUMBERS))


def test_a_cold_start_without_a_model_is_refused_with_the_flags_that_name_one(problems: str) -> None:
    with pytest.raises(ValueError, match=r"--teacher .*--zero"):
        cold_start(problems=problems)


def test_guidelines_that_are_not_there_are_refused(problems: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file of guidelines"):
        cold_start(problems=problems, teacher="teacher", review=Review(guidelines=str(tmp_path / "none.md")))


def recipe(problems: str, **settings: Any) -> Step:
    known = {"constants": {"domain": "math", "language": "en"}, "samples": 2, "opening": "|t|", "closing": "|t|", "apart": False}
    return cold_start(problems=problems, teacher="teacher", **{**known, **settings})


def queue_of(step: Step, root: Path, url: str) -> Path:
    with pytest.raises(WaitsForPeople):
        run(step, root, machine=Machine(workers=1, engine="openai", openai=OpenAI(urls=(url,))))
    return next(root.glob("queue-????????"))


def test_people_see_what_could_not_be_judged_and_what_verifiers_disagree_on_first_and_all_they_see_is_refined(
    hard: str, url: str, tmp_path: Path
) -> None:
    """Finding: unjudged and audited rows came before people raw, and a keep brought them into the set as they were."""
    folder = queue_of(recipe(hard, review=Review(audit=1.0)), tmp_path, url)
    items = list(items_of(folder))
    assert [item.why for item in items][:8] == ["unjudged"] * 4 + ["disagreement"] * 4
    assert {item.why for item in items[8:]} == {"kept", "rejected"}
    rows = shards.read(folder).filter(pl.col("rank").is_not_null())
    assert set(rows["disagrees"].drop_nulls()) == {"is_right fails, number_matches passes"}
    formed = rows.filter(pl.col("summary") != "")
    assert formed["response"].str.starts_with("|t|I add ").all()
    assert formed["response"].str.contains("|t|The baker bakes ", literal=True).all()
    unformed = rows.filter(pl.col("summary") == "")
    assert set(unformed["once_dropped_by"]) == {"r1_format"}
    assert set(unformed["why"]) == {"rejected"}
    assert unformed["reasoning"].str.contains("we add 71").all()


def test_only_rows_that_people_are_asked_about_are_refined_and_the_others_are_counted(hard: str, url: str, tmp_path: Path) -> None:
    folder = queue_of(recipe(hard, review=Review(audit=0.0, compare=())), tmp_path, url)
    assert {item.why for item in items_of(folder)} == {"unjudged", "kept"}
    counted = population(folder)
    assert dict(counted["standing"].value_counts().iter_rows()) == {"kept": 2, "unjudged": 4, "rejected": 10}
    assert counted.filter(~pl.col("r1_format")).height == 2  # without thoughts both prompts got the same response, which is one row
    assert "we" in " ".join(shards.read(folder, shards.REJECTED)["reasoning"]).lower()


def test_what_people_keep_of_the_rejected_is_in_the_set_as_they_saw_it_and_a_fix_that_makes_it_wrong_is_said(
    hard: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = recipe(hard, review=Review(audit=1.0, overlap=0.0))
    folder = queue_of(step, tmp_path, url)

    def say(item: Item, _number: int) -> Answer:
        if not item.summary:
            return answer(item, "fix", reasoning="I add 71 and 73.", summary="It is $\\boxed{144}$.")
        return answer(item, "fix", summary="It is $\\boxed{5}$.") if item.why == "kept" else answer(item)

    bare = next(item for item in items_of(folder) if not item.summary)
    assert problems_of(answer(bare), bare, questions_of(folder)) == [
        "the summary is empty, and the set wants both parts: choose fix and write it, or discard"
    ]
    answer_all(folder, say)
    made = run(step, tmp_path, machine=Machine(workers=1, engine="openai", openai=OpenAI(urls=(url,))))
    rows = shards.read(next(tmp_path.glob("cold-start-????????")))
    assert len(rows) == len(list(items_of(folder)))
    assert rows["response"].str.starts_with("|t|I add ").all()
    assert not rows["summary"].str.strip_chars().eq("").any()
    line = "2 rows that people fixed fail is_right as they are now, first "
    assert line in capsys.readouterr().err
    assert line in (made / "README.md").read_text(encoding="utf-8")


def test_scorers_that_are_compared_are_named_and_a_name_that_is_none_is_refused(problems: str) -> None:
    with pytest.raises(ValueError, match=r"no scorer 'number_match'.*number_matches"):
        recipe(problems, review=Review(compare=("is_right", "number_match")))
    with pytest.raises(ValueError, match="two or more"):
        recipe(problems, review=Review(compare=("is_right",)))


def test_the_tokens_stand_in_the_text_where_apart_is_false(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The issue's literal form: |special_token|<reasoning>|special_token|<summary>."""
    plans = []
    for apart in ("true", "false"):
        typed = ["run", "cold_start", "--opening", "|t|", "--closing", "|t|", "--apart", apart, "--root", str(tmp_path), "--dry-run"]
        assert main(typed) == 0
        plans.append(re.findall(r"queue-[0-9a-f]{8}", capsys.readouterr().out))
    assert plans[0]
    assert plans[0] != plans[1]
