"""The recipe `cold_start` with recorded R1-Zero rollouts of maths, programs and instructions, through the real refinements and checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dataengine import shards
from dataengine.errors import WaitsForPeople
from dataengine.machine import Machine, OpenAI
from dataengine.recipes.cold_start import cold_start
from dataengine.run import run
from dataengine.templates import R1_ZERO
from tests.dataengine.teaching import teacher

LOWERCASE = json.dumps({"instruction_id_list": ["change_case:english_lowercase"], "kwargs": [{}]})
FORM: dict[str, Any] = {"opening": "|special_token|", "closing": "|special_token|", "apart": False}
"""As DeepSeek-R1 v1 2.3.1 writes it, without line breaks."""
WHOLE, HALF = "n = int(input())\nr = n * {}\nprint(r)", "n = int(input())\nr = n\nprint(r)"


def program(code: str) -> str:
    return f"```python\n{code}\n```"


def cases_of(times: int) -> str:
    return json.dumps({"inputs": ["4", "7"], "outputs": [str(4 * times), str(7 * times)]})


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """A problem, what R1-Zero said to it, and what the teacher makes of it under the name of each refinement."""

    question: str
    answer: str | None = None
    checks: str | None = None
    thoughts: str
    said: str
    refined: dict[str, str]


LONG = "\n\n".join(f"I try {n}. That would be {n} and {n}, and it is not what I look for." for n in (3, 5, 8, 11, 12, 13))
ROLLOUTS = {
    "maths": Rollout(
        question="Tom walks 12 km in 3 hours and then 8 km in 2 hours. What is his average speed in km/h?",
        answer="4",
        thoughts="We need the whole way: 12 + 8 = 20 km. The whole time is 3 + 2 = 5 hours. So we get 20/5 = 4. Let us check: 5*4 = 20.",
        said="4",
        refined={
            "first_person": "I need the way, 12 + 8 = 20 km, and the time, 3 + 2 = 5 hours. So I get 20/5 = 4. Let me check: 5*4 = 20.",
            "summary": "The average speed is $\\frac{12 + 8}{3 + 2} = \\boxed{4}$ km/h.",
        },
    ),
    "program": Rollout(
        question="Write a program that reads an integer and prints its double.",
        checks=cases_of(2),
        thoughts="We read n and print n * 2. For 4 we get 8.",
        said=program(WHOLE.format(2)),
        refined={
            "first_person": "I read n and print n * 2. For 4 I get 8.",
            "summary": "The program multiplies the number by 2.\n\n" + program(WHOLE.format(2)),
        },
    ),
    "broken program": Rollout(
        question="Write a program that reads an integer and prints its triple.",
        checks=cases_of(3),
        thoughts="I read n and print n * 3. For 4 I get 12.",
        said=program(WHOLE.format(3)),
        refined={"summary": "The program multiplies the number by 3.\n\n" + program(HALF)},
    ),
    "instructions": Rollout(
        question="Name two colours, in lower case letters only.",
        checks=LOWERCASE,
        thoughts="I like red, and I like blue as well.",
        said="red and blue",
        refined={"summary": "two colours are red and blue."},
    ),
    "instructions not followed": Rollout(
        question="Name two animals, in lower case letters only.",
        checks=LOWERCASE,
        thoughts="I think of cats, and then of dogs.",
        said="cats and dogs",
        refined={"summary": "They are cats and dogs."},
    ),
    "trivial": Rollout(
        question="8+5=?",
        answer="13",
        thoughts=f"{LONG}\n\nSo I add 8 and 5 and get 13.",
        said="13",
        refined={
            "short_thoughts": "I only have to add eight and five. That makes 13.",
            "summary": "Adding both, $8 + 5 = \\boxed{13}$.",
        },
    ),
    "short and hard": Rollout(
        question="Find the last digit of 7^222.",
        answer="9",
        thoughts=f"{LONG}\n\nThe last digits repeat: 7, 9, 3, 1. I divide 222 by 4, and 2 are left. So I get 9.",
        said="9",
        refined={"summary": "The last digits repeat with period $4$, and $222$ leaves $2$, so the last digit is $\\boxed{9}$."},
    ),
    "mixed": Rollout(
        question="小红有 9 支铅笔，送人 2 支，又买了 6 支，现在有多少支？",
        answer="13",
        thoughts="我先算 9-2=7 支铅笔 and then I add those which she bought 所以 7+6=13 我的答案是13",
        said="13",
        refined={
            "one_language": "我先算 9-2=7 支铅笔，然后我把她后来买的加上，所以 7+6=13，我的答案是13",
            "summary": "小红现在有 $9 - 2 + 6 = \\boxed{13}$ 支铅笔。",
        },
    ),
}
ORDERS = {
    "short_thoughts": ("Write the thoughts between", "先把思考写在"),
    "one_language": ("Write the translated thoughts between", "把翻译后的思考写在"),
    "first_person": ("Write the thoughts told again between", "把重新讲的思考写在"),
    "summary": ("Write the solution between", "把解答写在"),
}
"""How the last line of each refinement's prompt begins."""


def reply_to(prompt: str) -> str:
    """What the teacher says; to a question that it should solve itself nothing that could be taken."""
    order = prompt.strip().splitlines()[-1]
    asked = next((name for name, begins in ORDERS.items() if order.startswith(begins)), None)
    if asked is None:
        return "I do not know."
    refined = max(ROLLOUTS.values(), key=lambda one: prompt.rfind(one.question)).refined
    summary = f"<summary>\n{refined['summary']}\n</summary>"
    if asked == "summary":
        return summary
    thoughts = f"<reasoning>\n{refined[asked]}\n</reasoning>"
    return f"{thoughts}\n{summary}" if asked == "short_thoughts" else thoughts


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with teacher(reply_to) as address:
        yield address


def recorded(folder: Path) -> tuple[str, str]:
    """(a file of problems, a folder with what R1-Zero said to them)"""
    problems, zero = folder / "problems.jsonl", folder / "zero"
    lines = [{"question": one.question, "answer": one.answer, "checks": one.checks} for one in ROLLOUTS.values()]
    problems.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    zero.mkdir()
    said = [
        {
            "prompt": R1_ZERO.render([{"role": "user", "content": one.question}]),
            "response": f"<think> {one.thoughts} </think> <answer> {one.said} </answer>",
        }
        for one in ROLLOUTS.values()
    ]
    pl.DataFrame(said).write_parquet(zero / "00000.parquet")
    return str(problems), str(zero)


@pytest.fixture(scope="module")
def root(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the recipe ran until people were asked."""
    folder = tmp_path_factory.mktemp("zero")
    problems, zero = recorded(folder)
    step = cold_start(problems=problems, zero=zero, teacher="teacher", constants={"domain": "math"}, samples=1, **FORM)
    machine = Machine(workers=1, openai=OpenAI(urls=(url,)))
    with pytest.raises(WaitsForPeople):
        run(step, folder / "runs", machine=machine)
    return folder / "runs"


def refined_rows(root: Path, part: str = "") -> dict[str, dict[str, Any]]:
    """What the last refinement left or dropped, by the name of the rollout."""
    (folder,) = root.glob("zero-summary-????????")
    names = {one.question: name for name, one in ROLLOUTS.items()}
    return {names[row["messages"][-1]["content"]]: row for row in shards.read(folder, part).iter_rows(named=True)}


def done(row: dict[str, Any]) -> list[str]:
    return [one["refinement"] for one in row["refined"] if one["did"] == "done"]


def test_each_rollout_gets_the_refinements_that_it_needs(root: Path) -> None:
    assert {name: done(row) for name, row in refined_rows(root).items()} == {
        "maths": ["first_person", "summary"],
        "program": ["first_person", "summary"],
        "instructions": ["summary"],
        "trivial": ["short_thoughts", "summary"],
        "short and hard": ["summary"],
        "mixed": ["one_language", "summary"],
    }


def test_the_thoughts_of_a_short_and_hard_question_stay_as_long_as_they_were(root: Path) -> None:
    rows = refined_rows(root)
    assert rows["short and hard"]["reasoning"] == ROLLOUTS["short and hard"].thoughts
    assert rows["trivial"]["reasoning"] == ROLLOUTS["trivial"].refined["short_thoughts"]


def test_a_refined_rollout_is_what_the_teacher_wrote_in_the_one_form(root: Path) -> None:
    rows, (program, maths) = refined_rows(root), (ROLLOUTS["program"].refined, ROLLOUTS["maths"].refined)
    assert rows["program"]["response"] == f"|special_token|{program['first_person']}|special_token|{program['summary']}"
    assert rows["maths"]["response"] == f"|special_token|{maths['first_person']}|special_token|{maths['summary']}"


def test_a_summary_that_breaks_the_program_or_the_instructions_drops_the_row_with_its_reason(root: Path) -> None:
    dropped = {name: row["dropped_because"] for name, row in refined_rows(root, shards.REJECTED).items()}
    assert dropped.keys() == {"broken program", "instructions not followed"}
    assert "same_answer: not what it was; passes_tests: " in dropped["broken program"]
    assert "same_answer: not what it was; follows_instructions: " in dropped["instructions not followed"]


def test_people_are_asked_about_the_refined_rows_of_every_kind(root: Path) -> None:
    (folder,) = root.glob("queue-????????")
    asked = shards.read(folder)
    questions = set(asked.filter(pl.col("source_kind") == "zero")["messages"].list.last().struct.field("content"))
    assert questions >= {ROLLOUTS[name].question for name in refined_rows(root)}
