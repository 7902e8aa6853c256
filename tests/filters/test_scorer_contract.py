"""What every shipped scorer promises: no text makes it raise or hang, it says the same twice and elsewhere, and it explains itself.

The scorers are those that `filters.find` knows. A new one needs nothing here unless it reads a column that no other one reads.
"""

from __future__ import annotations

import inspect
import json
import pickle
import re
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dataengine.score import ERROR, Scorer
from filters.find import find, shipped

KNOWN = shipped()

MESSAGES = [{"role": "user", "content": "What is 6 times 7? Say it in English."}]
PROGRAM_TESTS = {"inputs": ["1\n"], "outputs": ["1\n"]}
SENSIBLE: dict[str, Any] = {
    "response": "<think>\nSix times seven is forty-two.\n</think>\n\nThe answer is \\boxed{42}.",
    "reasoning": "Six times seven is forty-two.",
    "summary": "The answer is \\boxed{42}.",
    "before_response": "<think>We do 6*7. It is forty-two, 42.</think> <answer>42</answer>",
    "before_reasoning": "We do 6*7. It is forty-two, 42.",
    "before_summary": "42",
    "pass_rate": 0.75,
    "answer": "42",
    "messages": MESSAGES,
    "prompt_id": "6e28f46eeab824f3",
    "language": "en",
    "finish_reason": "stop",
    "response_tokens": 20,
    "prompt_tokens": 10,
    "checks": json.dumps(PROGRAM_TESTS),
    "numbers": [6, 7],
    "target": 42,
    "cards": ["6", "7", "A", "A"],
    "instruction_id_list": ["punctuation:no_comma"],
    "kwargs": [{}],
}
"""A sensible value for every column that a scorer may read."""

ROOT = Path(__file__).resolve().parents[2]
NEEDED = {"against": "problems.jsonl", "tokenizer": str(ROOT / "dataengine/recipes/tiny_base/student/tokenizer.json")}
"""Settings without a default: a file with a problem, which the fixture writes, and a tokenizer that is shipped."""

PROSE = ("response", "reasoning", "summary")
"""Columns that a model writes."""
HOSTILE = {
    "empty": "",
    "blank": " \n\t ",
    "nul": "a\0b \0",
    "replacement": "\ufffd" * 100,
    "right to left": "\u202eabc\u202c \u200f שלום العربية 42",
    "combining": "e" + "\u0301" * 5_000,
    "emoji": "👩‍👩‍👧‍👦" * 500,
    "full-width": "答案是４２，（１，２）",
    "deep braces": "{" * 50_000,
    "deep closed braces": "\\boxed{" * 3_000 + "1" + "}" * 3_000,
    "deep parentheses": "\\boxed{" + "(" * 900 + "1" + ")" * 900 + "}",
    "deep JSON": "[" * 100_000,
    "digits": "1" * 100_000,
    "boxed digits": "\\boxed{" + "7" * 100_000 + "}",
    "tower": "\\boxed{9^{9^{9^{9^{9}}}}}",
    "factorials": "\\boxed{100000!!!}",
    "open tags": "<think>" * 20_000,
    "answers": "<answer>" * 20_000,
    "tags": "<think></think><answer></answer>" * 5_000,
    "dollars": "$" * 50_001,
    "backslashes": "\\" * 50_000,
    "fractions": "\\frac{" * 5_000,
    "fences": "```" * 20_000,
    "line breaks": "\n" * 200_000,
    "bars": "|" * 50_000 + "<|" * 20_000,
    "code": "\\boxed{__import__('os').system('true')}",
    "template": "{{ ''.__class__ }} %s %(a)s {0}",
    "megabyte of letters": "a" * 1_000_000,
    "megabyte of words": "word and 42, " * 77_000,
    "megabyte of lines": "x = 1\n" * 170_000,
    "megabyte of Chinese": "我们计算六乘七。" * 42_000,
    "megabyte of formulas": "\\(x^2 + 1 = 0\\) " * 60_000,
}
CPU_SECONDS = 120.0
"""For all hostile texts of a column together, on a busy machine: the worst take a few seconds, a quadratic loop takes hours."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files are that settings name."""
    where = tmp_path_factory.mktemp("settings")
    problem = {"id": "p1", "problem": "A farmer has six fields with seven trees in each of them; how many trees are there?", "answer": "42"}
    (where / NEEDED["against"]).write_text(json.dumps(problem) + "\n")
    return where


def made(name: str, folder: Path) -> Scorer:
    """The scorer of that name with the settings it cannot do without."""
    scorer = find(name)
    needed = [key for key, value in scorer.defaults.items() if value is inspect.Parameter.empty]
    assert set(needed) <= set(NEEDED), f"{name} wants the settings {needed}: say in NEEDED what they may be"
    return scorer.with_(**{key: str(folder / NEEDED[key]) for key in needed})


def rows(scorer: Scorer, **columns: list[Any]) -> pl.DataFrame:
    """Rows with the columns a scorer reads: those given, the others sensible."""
    unknown = set(scorer.columns) - set(SENSIBLE) - set(columns)
    assert not unknown, f"{scorer.name} reads {unknown}: say in SENSIBLE what such a column looks like"
    count = len(next(iter(columns.values())))
    return pl.DataFrame({name: columns.get(name) or [SENSIBLE[name]] * count for name in scorer.columns}, strict=False)


def checked(scorer: Scorer, table: pl.DataFrame, names: list[str]) -> list[dict[str, Any]]:
    """The scores of the rows, each sound: in [0, 1] or none, with a reason, never an error."""
    scores = scorer.score(table).to_list()
    for name, score in zip(names, scores, strict=True):
        assert score["value"] is None or 0.0 <= score["value"] <= 1.0, name
        assert score["reason"], name
        assert not score["reason"].startswith(ERROR), (name, score["reason"])
        assert len(score["reason"]) < 10_000, (name, "a reason is for people")
    return scores


@pytest.mark.parametrize("name", KNOWN)
def test_no_text_makes_it_raise_or_hang_and_it_says_the_same_twice(name: str, folder: Path) -> None:
    scorer = made(name, folder)
    for column in set(scorer.columns) & {*PROSE, "answer"}:
        started = time.process_time()
        read = [name for name in scorer.columns if name == column or name not in scorer.optional]  # the hostile text is what is judged
        table = rows(scorer, **{column: list(HOSTILE.values())}).select(read)
        checked(scorer, table, list(HOSTILE))
        assert time.process_time() - started < CPU_SECONDS
        small = table[[at for at, text in enumerate(HOSTILE.values()) if len(text) < 100_000]]
        assert pickle.loads(pickle.dumps(scorer)).score(small).to_list() == scorer.score(small).to_list()


@pytest.mark.parametrize("name", KNOWN)
def test_half_a_character_is_no_reason_to_raise(name: str, folder: Path) -> None:
    scorer = made(name, folder)
    given = [f"a\ud800b\0{SENSIBLE[column]}" if column in (*PROSE, "answer") else SENSIBLE[column] for column in scorer.columns]
    score = scorer(*given)
    assert score.reason


@pytest.mark.parametrize("name", KNOWN)
def test_a_row_without_a_wanted_value_is_unjudged(name: str, folder: Path) -> None:
    scorer = made(name, folder)
    for column in set(scorer.columns) - scorer.optional:
        table = rows(scorer, **{column: [SENSIBLE[column], None]})
        assert checked(scorer, table, ["there", "missing"])[1] == {"value": None, "reason": f"no {column}"}


@pytest.mark.parametrize("name", KNOWN)
def test_a_row_without_an_optional_value_is_judged_or_says_why_not(name: str, folder: Path) -> None:
    scorer = made(name, folder)
    for column in scorer.optional:
        checked(scorer, rows(scorer, **{column: [SENSIBLE[column], None]}), ["there", "missing"])
    wanted = [column for column in scorer.columns if column not in scorer.optional]
    assert scorer.score(rows(scorer, **{wanted[0]: [SENSIBLE[wanted[0]]]}).select(wanted)).len() == 1


@pytest.mark.parametrize("name", KNOWN)
def test_no_rows_have_no_scores(name: str, folder: Path) -> None:
    scorer = made(name, folder)
    assert scorer.score(rows(scorer, **{scorer.columns[0]: [SENSIBLE[scorer.columns[0]]]}).clear()).len() == 0


@pytest.mark.parametrize("name", KNOWN)
def test_it_travels_by_name_with_its_settings(name: str, folder: Path) -> None:
    scorer = made(name, folder)
    settings = {key: value for key, value in scorer.defaults.items() if value is not inspect.Parameter.empty}
    assert pickle.loads(pickle.dumps(scorer.with_(**settings))) == scorer.with_(**settings)
    assert find(f"{KNOWN[name]}:{name}") == find(name)


@pytest.mark.parametrize("name", KNOWN)
def test_its_docstring_defines_its_value(name: str) -> None:
    text = inspect.getdoc(find(name).function) or ""
    opening = text.partition("\n\n")[0]
    assert opening.endswith((".", ":", ")")), f"{name}: the docstring opens with a sentence of what the value is"
    said = re.search(r"(?i)\b(0|1|none|share|score|sum|mean|quarter|value|probability|reward)\b", opening)
    assert said, f"{name}: which value means what?"
