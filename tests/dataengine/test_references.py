from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine import shards
from dataengine.bring import bring
from dataengine.recipes.recorded import problems_of, recording_of
from dataengine.references import answer_or_checks, answer_text, checks_text, is_checks
from dataengine.run import run
from dataengine.sources import problems, rows
from filters.answers import answer_matches

LISTS: list[tuple[Any, str]] = [
    (["B"], "\\boxed{B}"),
    (["2"], "\\boxed{2}"),
    (["$5 \\sqrt{2}$"], "\\boxed{5\\sqrt{2}}"),
    ([1, 2], "\\boxed{2, 1}"),
    (["A", "C"], "\\boxed{AC}"),
    ([[1, 2], [3, 4]], "\\boxed{\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}}"),
]
TESTS = [
    json.dumps({"inputs": ["3\\n"], "outputs": ["6\\n"]}),
    json.dumps({"fn_name": "twice", "inputs": [[3]], "outputs": [6]}),
    json.dumps([{"input": "3", "output": "6", "type": "stdin_stdout"}]),
    json.dumps(["assert twice(3) == 6"]),
    "assert twice(3) == 6",
    "for n in (1, 2):\n    assert twice(n) == 2 * n",
    "def check(candidate):\n    assert candidate(3) == 6\n\ncheck(twice)",
    "def test_three():\n    assert twice(3) == 6\n\ntest_three()",
    json.dumps({"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}),
]


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(("reference", "right"), LISTS)
def test_a_list_of_the_parts_of_an_answer_means_the_same_on_every_road(tmp_path: Path, reference: Any, right: str) -> None:
    line = {"question": "1+1?", "answer": reference, "response": right}
    file = written(tmp_path / "p.jsonl", [line])
    verl = written(tmp_path / "v.jsonl", [{"prompt": [{"role": "user", "content": "1+1?"}], "reward_model": {"ground_truth": reference}}])
    recorded = problems_of(recording_of([file], columns={"question": "question", "answer": "answer", "response": "response"}))
    found = [shards.read(run(step, tmp_path))["answer"][0] for step in (problems(file), rows([line]), bring(verl), recorded)]
    assert found == [answer_text(reference)] * 4
    column = answer_matches.score(pl.DataFrame({"response": [right], "answer": pl.Series([reference])}))
    assert [answer_matches(right, found[0]).value, column[0]["value"]] == [1.0, 1.0]


@given(st.text())
def test_a_text_is_the_reference_that_was_published(text: str) -> None:
    assert answer_text(text) == text


def test_two_numbers_are_no_interval_and_truth_values_keep_their_order() -> None:
    assert answer_matches("\\boxed{1 \\le x \\le 2}", answer_text([1, 2])).value == 0.0
    assert answer_text([True, False]) == "[true, false]"
    assert answer_text([]) == ""


@pytest.mark.parametrize("given", TESTS)
def test_tests_in_the_one_place_of_a_verl_row_are_checks(tmp_path: Path, given: str) -> None:
    line = {"prompt": [{"role": "user", "content": "Twice n."}], "ability": "code", "reward_model": {"ground_truth": given}}
    made = shards.read(run(bring(written(tmp_path / "v.jsonl", [line])), tmp_path))
    assert made.select("answer", "checks").rows() == [(None, given)]


@pytest.mark.parametrize("given", ["42", "x = [1, 2]", "We assert that it is 4.", '{"x": 1}', '["a"]', "[]", "", None, 0.5, "'assert'"])
def test_answers_are_no_checks(given: Any) -> None:
    assert not is_checks(given)
    assert answer_or_checks(given) == {"answer": answer_text(given), "checks": None}


def test_a_solution_that_asserts_what_it_is_given_is_an_answer() -> None:
    solution = "def twice(n):\n    assert isinstance(n, int), 'a number'\n    return 2 * n\n"
    assert answer_or_checks(solution) == {"answer": solution, "checks": None}
    assert not is_checks(json.dumps([solution]))


@pytest.mark.parametrize("nothing", ["", " ", "null", "[]", "[ ]", "{}", '""', None, [], {}])
def test_checks_that_check_nothing_are_none(nothing: Any) -> None:
    assert checks_text(nothing) is None
