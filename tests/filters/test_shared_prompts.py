"""What the questions of a set share is no evidence, and what rows share with one of them is warned of."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.dataengine.given_rows import response
from tests.filters.test_decontaminate import QUESTION, checked, filler, numbers, problems


def test_questions_that_are_half_of_what_is_asked_are_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, questions in (("a", ["Is it?", "Was it?", filler(1)]), ("b", [QUESTION, QUESTION])):
        checked([response("q", "x", number=1)], problems(tmp_path / folder, [{"question": text} for text in questions]), tmp_path)
    said = capsys.readouterr().err
    assert "2 of 3 questions of 'toy' of toy.jsonl have fewer than 10 words" in said
    assert "all 2 questions of 'toy' of toy.jsonl are the same. Where a question is published in several columns" in said


def test_a_prompt_that_all_rows_share_with_a_small_set_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prompt = "Please reason step by step, and put your final answer within \\boxed{}."
    file = problems(tmp_path / "sets", [{"id": "p1", "question": f"{filler(1)} {prompt}"}])
    checked([response(f"{filler(number)} {prompt}", "x", number=number) for number in range(2, 6)], file, tmp_path)
    assert "4 of 4 rows hold words of toy/p1" in capsys.readouterr().err


def puzzle(seed: int) -> str:
    luck = random.Random(seed)
    names = luck.sample(("Zoe", "Owen", "Ann", "Bob", "Ivy", "Max", "Eve", "Sam"), 2)
    said = f"{names[0]} said that {names[1]} is a {luck.choice(['knight', 'knave'])}"
    return f"A very special island is inhabited only by knights and knaves. You meet two inhabitants: {' and '.join(names)}. {said}."


@pytest.mark.parametrize(("alike", "warned"), [(21, True), (20, False)])
def test_a_template_that_many_prompts_share_with_a_problem_is_warned_of_among_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, alike: int, warned: bool
) -> None:
    file = problems(tmp_path / "sets", [{"id": f"p{number}", "question": puzzle(number)} for number in range(30)])
    rows = [response(f"{puzzle(number + 100)} {number}?", "x", number=number) for number in range(alike)]
    rows += [response(filler(number), "x", number=number) for number in range(alike, 80)]
    checked(rows, file, tmp_path)
    assert (f"{alike} of 80 rows hold words of toy/p0 ({alike} prompts)" in capsys.readouterr().err) == warned


def test_many_responses_to_one_prompt_are_one_prompt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [response(QUESTION, filler(number), number=number) for number in range(30)]
    rows += [response(filler(number), "x", number=number) for number in range(30, 90)]
    checked(rows, problems(tmp_path / "sets"), tmp_path)
    assert "hold words of" not in capsys.readouterr().err


def test_a_set_that_is_published_as_rendered_prompts_is_found_in_itself(tmp_path: Path) -> None:
    form = "Solve the following math problem step by step, and write the answer on its own last line.\n\n{q}\n\nRemember the line."
    asked = [form.format(q=text) for text in (*(spelled(number) for number in range(30)), "What is 2+3?", "Compute $\\sin 60^\\circ$.")]
    file = problems(tmp_path / "sets", [{"prompt": text} for text in asked])
    kept, gone, hits, notes = checked([response(text, "x", number=number) for number, text in enumerate(asked)], file, tmp_path)
    assert (len(kept), numbers(gone)) == (0, list(range(32)))
    assert notes["references"][0]["too_short"] == 0
    assert sorted(hits["problem"].to_list()) == sorted(map(str, range(32)))


def spelled(seed: int) -> str:
    """Filler without numbers."""
    return "".join(chr(97 + int(digit)) if digit.isdigit() else digit for digit in filler(seed))


def test_the_prompt_of_a_set_is_no_evidence_and_is_named(tmp_path: Path) -> None:
    said = [spelled(number) for number in range(30)]
    prompt = "Please reason step by step, and put your final answer within \\boxed{}."
    file = problems(tmp_path / "sets", [{"question": f"{text} {prompt}"} for text in said[:20]])
    rows = [response(f"{said[number]} {prompt}", "x", number=number) for number in range(18, 30)]
    kept, gone, _, notes = checked(rows, file, tmp_path)
    assert (numbers(kept), numbers(gone)) == (list(range(20, 30)), [18, 19])
    assert notes["boilerplate"] == [{"set": "toy", "file": "toy.jsonl", "texts": [prompt[: prompt.index("{")]]}]
    assert notes["fuzzy"] == []
