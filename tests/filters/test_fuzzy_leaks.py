"""A question with other numbers, names or order of sentences resembles its original; other questions do not."""

from __future__ import annotations

import random
import re
from pathlib import Path

import polars as pl
import pytest

from dataengine.lines import json_lines
from filters.fuzzy_leaks import masked_index, masked_shingles, most_resembling

QUESTIONS = [
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did she sell?",
    "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take to make three robes?",
    "What is 2 + 3?",
    "小明有12个苹果，他给了小红5个，又买了8个苹果，现在小明一共有多少个苹果？",
]
INDEX = masked_index(QUESTIONS)


def found(text: str, *, at_least: float = 0.6) -> list[tuple[int, float]]:
    return most_resembling(pl.Series([text]), INDEX, at_least=at_least).select("entry", "score").rows()


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (QUESTIONS[0], 0),
        (QUESTIONS[0].replace("48", "1,290").replace("Natalia", "Mr. Ben Smith").replace("half", "thrice").replace("April", "June"), 0),
        ("Solve this. " + QUESTIONS[1].replace("2 bolts", "eleven bolts") + " Think step by step.", 1),
        (
            "How many clips did she sell? Ann sold clips to 7 of her friends in May, and then she sold half as many clips in June.",
            0,
        ),
        ("小华有三十个苹果，他给了小丽7个，又买了9个苹果，现在小华一共有多少个苹果？", 3),
    ],
)
def test_other_numbers_and_names_are_the_same_question(text: str, entry: int) -> None:
    assert [each for each, _ in found(text)] == [entry]


@pytest.mark.parametrize("text", ["", "12 13 14 15", "What is 7 + 9?", "How many apples does Tom have in total?", "?!", "NATALIA SOLD"])
def test_short_or_other_texts_resemble_nothing(text: str) -> None:
    assert found(text) == []


def test_a_text_in_capitals_keeps_its_words() -> None:
    loud = masked_shingles(pl.Series([QUESTIONS[1].upper()]))
    assert len(loud) > 12
    assert masked_index([QUESTIONS[1].upper()]).short == 0


def test_short_questions_are_counted_and_left_out() -> None:
    assert INDEX.short == 1


def test_a_null_and_any_part_of_texts_are_fine() -> None:
    texts = pl.Series([None, QUESTIONS[1], "", QUESTIONS[0]], dtype=pl.String)
    assert most_resembling(texts, INDEX, at_least=0.99).select("row", "entry").rows() == [(1, 1), (3, 0)]


def rewritten(text: str, luck: random.Random) -> str:
    """Other numbers, and the sentences before the last one in another order."""
    *before, last = re.split(r"(?<=[.?!]) +", re.sub(r"\d+", lambda _: str(luck.randrange(2, 999)), text))
    luck.shuffle(before)
    return " ".join([*before, last])


def test_questions_of_gsm8k_are_found_when_rewritten_and_others_are_not(shared_data: Path) -> None:
    rows = list(json_lines(shared_data / "math_gsm8k.jsonl.zst"))
    tests = [row["problem"] for row in rows if row["orig_split"] == "test"]
    index, luck = masked_index(tests), random.Random(2)
    hits = most_resembling(pl.Series([rewritten(text, luck) for text in tests]), index, at_least=0.6)
    assert (hits["row"] == hits["entry"]).sum() >= 0.99 * len(tests)
    train = pl.Series([row["problem"] for row in rows if row["orig_split"] == "train"])
    assert len(most_resembling(train, index, at_least=0.6)) <= 0.002 * len(train)


def test_all_of_gsm_hard_is_found_that_was_made_of_questions_here(shared_data: Path) -> None:
    def bare(text: str) -> str:
        return re.sub(r"\W+", " ", text).strip().lower()

    tests = [row["problem"] for row in json_lines(shared_data / "math_gsm8k.jsonl.zst") if row["orig_split"] == "test"]
    here = {bare(text) for text in tests}
    hard = [row for row in json_lines(shared_data / "math_word_other.jsonl.zst") if row["dataset"] == "gsm_hard"]
    made = [row["problem"] for row in hard if bare(row["code"].split('"""')[1]) in here]  # the original is its program's docstring
    assert len(made) > 100
    assert len(most_resembling(pl.Series(made), masked_index(tests), at_least=0.6)) == len(made)
