"""What most questions of a set say is cut out of them; what variations of one problem share is not."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.boilerplate import QUESTIONS, SAMPLE, without_boilerplate
from filters.evaluation_sets import Problem
from filters.leaks import index_of, longest_leaks

BEFORE = "Solve the following problem step by step. The last line of your response should be the answer.\n\n"
AFTER = "\n\nRemember to put your answer on its own line after the word Answer, and nothing else."
NAMES, THINGS = ("Ann", "Bob", "Carla", "Dmitri", "Eve", "Farid"), ("apples", "pears", "pens", "kites", "coins", "stamps", "shells")


def texts(count: int, seed: int = 1) -> list[str]:
    luck = random.Random(seed)
    return [" ".join("".join(luck.choices("abcdefgh", k=6)) for _ in range(20)) for _ in range(count)]


def asked(questions: list[str], dataset: str = "toy") -> list[Problem]:
    return [(dataset, str(number), text, None) for number, text in enumerate(questions)]


def bare(questions: list[str]) -> list[str]:
    return [question for _, _, question, *_ in without_boilerplate(asked(questions), n=10)[0]]


@pytest.mark.parametrize("count", [QUESTIONS, 30, 100])
def test_what_stands_before_and_after_every_question_is_cut_and_named(count: int) -> None:
    own = texts(count)
    found, named = without_boilerplate(asked([f"{BEFORE}{text}{AFTER}" for text in own]), n=10)
    assert [question.strip("\n.") for _, _, question, *_ in found] == own
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
    assert [question.lstrip(".\n") for _, _, question, *_ in found] == [*texts(10), *plain]
    assert list(named) == ["toy"]


FORMS = {
    "nothing": "{q}", "before": "Please solve the following math problem step by step: {q}", "few words": "Question of today: {q}",
    "behind": "Question: {q}\nAnswer: Let's think step by step.", "Chinese": "请解答下面的数学题：{q}", "long": f"{BEFORE}{BEFORE}{{q}}",
    "around": "User: {q}\nAssistant: Let me solve this step by step.\n<think>", "both": f"{BEFORE}{{q}}{AFTER}",
    "ten words": "a b c d e f g h i j {q}",
}  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    form=st.sampled_from(sorted(FORMS)),
    lengths=st.lists(st.integers(0, 24), min_size=1, max_size=40),
    n=st.integers(2, 12),
    seed=st.integers(0, 9),
)
def test_every_question_as_it_is_published_is_found_in_itself(form: str, lengths: list[int], n: int, seed: int) -> None:
    luck = random.Random(seed)
    words = ["".join(luck.choices("abcdefgh", k=5)) for _ in range(luck.choice([4, 400]))]
    own = [" ".join(luck.choices(words, k=length)) + luck.choice(["", ".", "?"]) for length in (*lengths, *[20] * 20)]
    said = [FORMS[form].format(q=text) for text in own]
    questions = [text for text in said if any(sign.isalnum() for sign in text)]
    found = longest_leaks(pl.Series(questions), index_of(without_boilerplate(asked(questions), n=n)[0], n=n))
    assert found["row"].unique().sort().to_list() == list(range(len(questions)))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_corpus_in_the_same_form_holds_no_question(form: str) -> None:
    questions = [FORMS[form].format(q=text) for text in texts(40)]
    questions += [FORMS[form].format(q=text[:27]) for text in texts(20, seed=2)]  # four words
    corpus = [FORMS[form].format(q=text) for text in (*texts(200, seed=3), *(text[:27] for text in texts(200, seed=4)))]
    cut, named = without_boilerplate(asked(questions), n=10)
    assert longest_leaks(pl.Series(corpus), index_of(cut, n=10)).is_empty()
    assert bool(named) == (form != "nothing")


def test_a_short_question_is_found_in_its_form_within_more_text_and_not_in_a_longer_question() -> None:
    form = FORMS["both"]
    cut, _ = without_boilerplate(asked([form.format(q=text) for text in (*texts(40), "what is two plus two")]), n=10)
    longer = form.format(q="what is two plus two times two")
    corpus = [
        f"<user> {form.format(q='What is two plus two?')} <assistant>",
        longer,
        "What is two plus two?",
    ]
    assert longest_leaks(pl.Series(corpus), index_of(cut, n=10))["row"].to_list() == [0, 2]


@pytest.mark.parametrize(("share", "cut"), [(0.45, 0), (0.5, 1), (0.9, 1)])
def test_a_short_prompt_is_what_half_of_the_questions_begin_with(share: float, cut: int) -> None:
    questions = [f"Tell me shortly: {text}" if number < share * 40 else text for number, text in enumerate(texts(40))]
    assert without_boilerplate(asked(questions), n=10)[1] == dict([("toy", ["Tell me shortly"])][:cut])
    behind = [f"{text} Answer in short" if number < share * 40 else text for number, text in enumerate(texts(40))]
    assert without_boilerplate(asked(behind), n=10)[1] == dict([("toy", ["Answer in short"])][:cut])


def test_a_large_set_is_asked_by_a_sample_that_its_order_does_not_change() -> None:
    questions = [f"{BEFORE}{text}{AFTER}" for text in texts(2 * SAMPLE + 1)]
    found, named = without_boilerplate(asked(questions), n=10)
    assert named == {"toy": [BEFORE.strip("\n."), AFTER.strip("\n.")]}
    assert all("Solve" not in question and "Remember" not in question for _, _, question, *_ in found)
    backwards, _ = without_boilerplate(asked(questions[::-1]), n=10)
    assert [each[2:] for each in backwards[::-1]] == [each[2:] for each in found]


def test_fifty_thousand_questions_need_hardly_more_memory_than_three_thousand() -> None:
    program = """
import random, resource
from dataengine.kernels.hashed_words import bare_words_of
from filters.boilerplate import without_boilerplate
luck = random.Random(1)
words = ["".join(luck.choices("abcdefghij", k=5)) for _ in range(20_000)]
problems = [("s", str(number), " ".join(luck.choices(words, k=60)), None) for number in range(50_000)]
without_boilerplate(problems[:3_000], n=10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
without_boilerplate(problems, n=10)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(said.stdout) < 60, "MB; the words and shingles of all these texts are 400"


def test_four_thousand_sets_are_as_quick_as_one() -> None:
    own = texts(20_000)
    began = time.process_time()
    without_boilerplate(asked(own), n=10)
    one = time.process_time() - began
    began = time.process_time()
    without_boilerplate([(str(number % 4000), *each[1:]) for number, each in enumerate(asked(own))], n=10)
    assert time.process_time() - began < 2 * one + 1
