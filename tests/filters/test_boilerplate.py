"""What most questions of a set say is cut out of them; what variations of one problem share is not."""

from __future__ import annotations

import random

import pytest

from filters.boilerplate import QUESTIONS, without_boilerplate
from filters.evaluation_sets import Problem

BEFORE = "Solve the following problem step by step. The last line of your response should be the answer.\n\n"
AFTER = "\n\nRemember to put your answer on its own line after the word Answer, and nothing else."
NAMES, THINGS = ("Ann", "Bob", "Carla", "Dmitri", "Eve", "Farid"), ("apples", "pears", "pens", "kites", "coins", "stamps", "shells")


def texts(count: int, seed: int = 1) -> list[str]:
    luck = random.Random(seed)
    return [" ".join("".join(luck.choices("abcdefgh", k=6)) for _ in range(20)) for _ in range(count)]


def asked(questions: list[str], dataset: str = "toy") -> list[Problem]:
    return [(dataset, str(number), text, None) for number, text in enumerate(questions)]


def bare(questions: list[str]) -> list[str]:
    return [question for _, _, question, _ in without_boilerplate(asked(questions), n=10)[0]]


@pytest.mark.parametrize("count", [QUESTIONS, 30, 100])
def test_what_stands_before_and_after_every_question_is_cut_and_named(count: int) -> None:
    own = texts(count)
    found, named = without_boilerplate(asked([f"{BEFORE}{text}{AFTER}" for text in own]), n=10)
    assert [question.strip("\n.") for _, _, question, _ in found] == own
    assert named == {"toy": [BEFORE.strip("\n."), AFTER.strip("\n.")]}


def test_a_few_questions_keep_what_they_share() -> None:
    questions = [f"{BEFORE}{text}" for text in texts(QUESTIONS - 1)]
    assert bare(questions) == questions


def test_a_question_that_is_asked_again_is_one_question() -> None:
    questions = [f"{BEFORE}{text}" for text in texts(QUESTIONS - 1)] * 32
    assert bare(questions) == questions


def test_a_passage_of_a_fifth_of_the_questions_is_theirs() -> None:
    questions = [f"{BEFORE if number % 5 == 0 else ''}{text}" for number, text in enumerate(texts(60))]
    assert bare(questions) == questions


@pytest.mark.parametrize("count", [5, 20, 100])
def test_variations_of_one_problem_keep_what_they_share(count: int) -> None:
    luck, questions = random.Random(1), list[str]()
    for _ in range(count):
        name, other, thing = luck.choice(NAMES), luck.choice(NAMES), luck.choice(THINGS)
        questions.append(
            f"{name} has {luck.randrange(99)} {thing}. She buys {luck.randrange(99)} more of them at the market on the way home, "
            f"and then she gives a third of all of them to {other}. How many of them does she have left in the end?"
        )
    assert bare(questions) == questions


def test_sets_are_looked_at_one_by_one() -> None:
    rendered, plain = [f"{BEFORE}{text}" for text in texts(10)], [f"{BEFORE}{text}" for text in texts(5, seed=2)]
    found, named = without_boilerplate([*asked(rendered), *asked(plain, "other")], n=10)
    assert [question.lstrip(".\n") for _, _, question, _ in found] == [*texts(10), *plain]
    assert list(named) == ["toy"]
