"""Shared runs of ten words are found wherever they stand, named with problem and place, and nothing else is."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.leaks import find_leaks, index_of, index_of_files, not_leaked

QUESTION = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did she sell?"
SOLUTION = "She sold 48/2 = 24 clips in May. Natalia sold 48+24 = 72 clips altogether in April and May."
INDEX = index_of([("gsm8k", "test-0", QUESTION, SOLUTION), ("short", "1", "What is 2+3?", None)])


@pytest.fixture
def problems(tmp_path: Path) -> str:
    file = tmp_path / "toy.jsonl"
    file.write_text(json.dumps({"id": "n7", "problem": QUESTION, "solution": SOLUTION, "dataset": "gsm8k"}) + "\n", encoding="utf-8")
    return str(file)


def test_a_copied_question_is_named_with_its_place(problems: str) -> None:
    text = f"Here is one more. {QUESTION} I begin."
    score = not_leaked(text, against=problems)
    assert score.value == 0.0
    assert score.reason.startswith(f"leaked: 26 words of gsm8k/n7 (question) at 18:{18 + len(QUESTION) - 1} 'Natalia sold clips")
    leak = find_leaks(pl.Series([text]), INDEX)[0][0]
    assert text[leak.start : leak.stop] == QUESTION[:-1]


def test_a_copied_solution_is_named_as_solution() -> None:
    leak = find_leaks(pl.Series(["So: " + SOLUTION]), INDEX)[0][0]
    assert (leak.dataset, leak.problem, leak.part) == ("gsm8k", "test-0", "solution")


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        (QUESTION.upper(), 1),
        (QUESTION.replace(" ", " \n\t"), 1),
        (QUESTION.replace("Natalia", "Nataliá").replace(",", " --"), 1),
        (" ".join(QUESTION.split()[:10]), 1),
        (" ".join(QUESTION.split()[:9]), 0),
        ("What is 2+3?", 0),  # fewer than ten words
        (QUESTION.replace("clips", "pens").replace("friends", "cats").replace("half", "twice"), 0),
        ("", 0),
    ],
)
def test_what_counts_as_the_same_words(text: str, leaks: int) -> None:
    assert len(find_leaks(pl.Series([text]), INDEX)[0]) == leaks


def test_a_chinese_problem_is_found_by_its_characters() -> None:
    problem = "一个长方形的长是宽的两倍，周长是三十六厘米，求它的面积。"
    text = "我们来看：一个长方形的长是宽的两倍,周长是三十六厘米。"
    leak = find_leaks(pl.Series([text]), index_of([("cn", "3", problem, None)]))[0][0]
    assert text[leak.start : leak.stop] == "一个长方形的长是宽的两倍,周长是三十六厘米"
    assert leak.words == 20


@settings(deadline=None)
@given(
    question=st.lists(st.integers(0, 30), max_size=30),
    text=st.lists(st.integers(0, 30), max_size=60),
    n=st.integers(1, 6),
    seed=st.integers(0, 9),
)
def test_leaks_are_the_runs_of_the_definition(question: list[int], text: list[int], n: int, seed: int) -> None:
    gaps = random.Random(seed)
    spelled = "".join(f"w{word}{gaps.choice([' ', ', ', '. $', chr(10)])}" for word in text)
    index = index_of([("set", "id", " ".join(f"W{word}" for word in question), None)], n=n)
    grams = {tuple(question[place : place + n]) for place in range(len(question) - n + 1)}
    covered = {place + k for place in range(len(text) - n + 1) if tuple(text[place : place + n]) in grams for k in range(n)}
    found = find_leaks(pl.Series([spelled]), index)[0]
    inside = [spelled[leak.start : leak.stop] for leak in found]
    assert index.grams == len(grams)
    assert sum(leak.words for leak in found) == len(covered)
    assert [word for run in inside for word in run.replace(",", " ").replace(".", " ").replace("$", " ").split()] == [
        f"w{text[place]}" for place in sorted(covered)
    ]


@settings(deadline=None)
@given(
    words=st.lists(st.sampled_from(QUESTION.split()), max_size=30),
    spaces=st.lists(st.sampled_from([" ", "\n\n", "\t", "\u3000"]), min_size=30, max_size=30),
)
def test_white_space_changes_no_verdict(words: list[str], spaces: list[str]) -> None:
    plain, spaced = " ".join(words), "".join(word + space for word, space in zip(words, spaces, strict=False))
    counts = [[leak.words for leak in found] for found in find_leaks(pl.Series([plain, spaced]), INDEX)]
    assert counts[0] == counts[1]


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_is_scored_and_its_places_lie_in_it(text: str) -> None:
    for leak in find_leaks(pl.Series([text + QUESTION + text]), INDEX)[0]:
        assert 0 <= leak.start < leak.stop <= len(text + QUESTION + text)


@pytest.mark.parametrize("text", ["\x00" * 100, "a " * 500_000, "中" * 300_000, "\u202e" + QUESTION])
def test_hostile_texts_are_scored(text: str, problems: str) -> None:
    assert not_leaked(text, against=problems).value == (0.0 if QUESTION in text else 1.0)


def test_the_longest_run_is_named_and_further_problems_are_counted(tmp_path: Path) -> None:
    other = "A train leaves the station at noon and travels at sixty miles an hour for three hours."
    file = tmp_path / "two.jsonl"
    file.write_text("".join(json.dumps({"question": text}) + "\n" for text in (QUESTION, other)), encoding="utf-8")
    score = not_leaked(other + " " + QUESTION, against=str(file))
    assert "words of two/0 (question)" in score.reason
    assert score.reason.endswith("and words of 1 more problems")


def test_a_changed_file_is_read_again_and_a_folder_is_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"question": QUESTION}) + "\n", encoding="utf-8")
    pl.DataFrame({"problem": [SOLUTION], "prompt_id": ["p9"]}).write_parquet(tmp_path / "b.parquet")
    (tmp_path / "notes.txt").write_text("no problems", encoding="utf-8")
    index = index_of_files(str(tmp_path))
    assert index.entries == (("a", "0", "question"), ("b", "p9", "question"))
    assert index_of_files(str(tmp_path)) is index
    (tmp_path / "a.jsonl").write_text(json.dumps({"question": "x " * 30}) + "\n", encoding="utf-8")
    assert index_of_files(str(tmp_path)).grams != index.grams


def test_a_missing_file_and_a_file_without_problems_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no problems at"):
        not_leaked("text", against=str(tmp_path / "nothing.jsonl"))
    (tmp_path / "rows.jsonl").write_text('{"body": "x"}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="row 1 has no question: it has body"):
        not_leaked("text", against=str(tmp_path / "rows.jsonl"))


def test_the_scorer_travels_by_name_and_reads_columns(problems: str) -> None:
    scorer = pickle.loads(pickle.dumps(not_leaked.with_(against=problems)))
    rows = pl.DataFrame({"response": [QUESTION, "nothing of the kind", None]})
    assert scorer.score(rows).struct.field("value").to_list() == [0.0, 1.0, None]
