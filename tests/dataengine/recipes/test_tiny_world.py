"""The tiny world is the same for the same seed, right where it says so, and wrong as often as it says."""

from __future__ import annotations

import random
import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.recipes import tiny_corpus, tiny_world
from dataengine.recipes.tiny_corpus import Corpus
from dataengine.recipes.tiny_world import READABLE, Author, Step, problems

HAN = re.compile("[\u4e00-\u9fff]")
EQUATION = re.compile(r"(\d+[-+*]\d+)=(\d+)")


def expression_in(question: str) -> str:
    return next(iter(re.findall(r"[\d(][\d+*()-]*[\d)]", question)))


@pytest.fixture(scope="module")
def web() -> list[str]:
    return list(islice(tiny_corpus.documents(seed=3), 6000))


@pytest.fixture(scope="module")
def solutions(web: list[str]) -> list[tuple[str, str]]:
    """Question and response of the documents with one worked solution."""
    halves = [document.split("\n", 1) for document in web if "\n\n" not in document and "\n" in document]
    return [(question, response) for question, response in halves if re.search(r"\d[?.。等]", question)]


@given(st.integers(0, 10**6), st.integers(2, 4))
def test_the_last_step_of_an_expression_is_what_python_says(seed: int, operations: int) -> None:
    tokens = tiny_world.expression(random.Random(seed), operations)
    steps = list(tiny_world.reductions(tokens))
    assert len(steps) == operations
    assert all(eval(tiny_world.written(rest)) == eval(tiny_world.written(tokens)) for _, rest in steps)
    assert all(0 <= step.value <= tiny_world.LARGEST for step, _ in steps)


@given(st.integers(10, 99), st.integers(2, 99), st.sampled_from("+-*"))
def test_a_hard_step_taken_apart_comes_to_the_same(left: int, right: int, op: str) -> None:
    step = Step(left, op, right % 8 + 2 if op == "*" else right)  # type: ignore[arg-type]
    if step.hard and step.value >= 0:
        assert step.parts()[-1].value == step.value
        assert not any(part.hard for part in step.parts()[:2])


def test_the_answers_of_problems_are_what_python_says() -> None:
    for row in problems(300, seed=5, split="train"):
        assert eval(expression_in(row["messages"][0]["content"])) == int(row["answer"])


def test_problems_are_the_same_for_the_same_seed_and_alternate_in_language() -> None:
    rows = problems(60, seed=5, split="eval")
    assert rows == problems(60, seed=5, split="eval")
    assert rows != problems(60, seed=6, split="eval")
    assert [bool(HAN.search(row["messages"][0]["content"])) for row in rows] == [False, True] * 30


def test_the_three_splits_never_share_an_expression(web: list[str]) -> None:
    asked = {
        split: {expression_in(row["messages"][0]["content"]) for row in problems(300, seed=1, split=split)} for split in ("eval", "train")
    }
    read = {match for document in web for match in re.findall(r"[\d(][\d+*()-]*[\d)]", document.split("\n")[0])}
    assert not asked["eval"] & asked["train"]
    assert not (asked["eval"] | asked["train"]) & read


def test_the_web_is_the_same_for_the_same_seed(web: list[str]) -> None:
    assert web[:300] == list(islice(tiny_corpus.documents(seed=3), 300))
    assert web[:300] != list(islice(tiny_corpus.documents(seed=4), 300))


def test_readable_solutions_are_right_and_check_every_hard_step_in_one_language() -> None:
    for row in tiny_world.examples(100, seed=2):
        assert row["response"].endswith(f"<answer>{row['answer']}</answer>")
        assert all(eval(left) == int(right) for left, right in EQUATION.findall(row["response"]))
        assert bool(HAN.search(row["response"])) == (row["language"] == "zh")


def test_a_check_mends_what_was_wrong() -> None:
    author = Author(trust=1.0, checks_wrong=1.0)
    for row in tiny_world.examples(50, seed=2, author=author):
        assert row["response"].endswith(f"<answer>{row['answer']}</answer>")
    unchecked = tiny_world.examples(50, seed=2, author=Author(trust=1.0))
    assert sum(row["response"].endswith(f"<answer>{row['answer']}</answer>") for row in unchecked) < 40


def share(of: list[bool]) -> float:
    return sum(of) / len(of)


def test_the_web_has_the_stated_shares_of_tags_and_checks(solutions: list[tuple[str, str]]) -> None:
    settings = Corpus()
    zero = [bool(re.fullmatch(r"<think>[^<]*</think> <answer>\d+</answer>", response)) for _, response in solutions]
    assert share(zero) == pytest.approx(settings.tags, abs=0.03)
    asked = [any(word in question for word in tiny_world.CAREFULLY.values()) for question, _ in solutions]
    assert share(asked) == pytest.approx(settings.carefully, abs=0.02)


def test_a_fifth_of_the_steps_of_the_web_is_wrong_and_checked_ones_are_not(solutions: list[tuple[str, str]]) -> None:
    lines = [line for _, response in solutions for line in response.split("\n")]
    checks = [line for line in lines if any(word in line for word in tiny_world.REFLECTION)]
    heads = [EQUATION.search(line) for line in lines if line not in set(checks)]
    wrong = [eval(found.group(1)) != int(found.group(2)) for found in heads if found]
    assert 0.15 < share(wrong) < 0.25
    assert all(eval(left) == int(right) for line in checks for left, right in EQUATION.findall(line.split(":")[-1]))


def test_steps_lean_to_the_language_of_the_question(solutions: list[tuple[str, str]]) -> None:
    own = []
    for question, response in solutions:
        lines = [line for line in response.replace("<think>", "").split("\n") if EQUATION.search(line)]
        own += [bool(HAN.search(line)) == bool(HAN.search(question)) for line in lines]
    assert 0.65 < share(own) < 0.75


def test_half_of_the_small_talk_is_curt(web: list[str]) -> None:
    curt = {reply for replies in tiny_corpus.SMALL_TALK.values() for _, kind in replies.values() for reply in kind}
    talks = [document.split("\n\n") for document in web if not re.search(r"\d", document)]
    said = [exchange.split("\n")[1] for talk in talks for exchange in talk]
    assert share([reply in curt for reply in said]) == pytest.approx(0.5, abs=0.1)
    assert len(talks) / len(web) == pytest.approx(Corpus().talk, abs=0.02)


def test_a_careful_author_reads_as_first_person_in_either_language() -> None:
    assert READABLE.first_person == 1.0
    assert {row["response"].split("\n")[0][len("<think>") :][:2] for row in tiny_world.examples(10, seed=1)} == {"I ", "我先"}
