"""The statistics equal a short Python reading of their definition, which is datatrove's but for the differences listed."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.lines import json_lines
from filters.gopher import LIMITS, gopher_repetition, gopher_statistics

TEXTS = st.lists(st.text("ab c\n", max_size=80) | st.text(st.sampled_from("a中 \n\u3000é"), max_size=40) | st.text(max_size=30), max_size=4)


def repeats(parts: Sequence[str]) -> tuple[int, int]:
    """How many parts were there before, and their characters (datatrove's find_duplicates)."""
    again = [part for place, part in enumerate(parts) if part in parts[:place]]
    return len(again), sum(map(len, again))


def reference(text: str) -> list[float]:
    """The thirteen statistics in plain Python, on words with their places."""
    size = max(len(text), 1)
    lines, paragraphs = ([part for part in re.split(rule, over) if part] for rule, over in ((r"\n+", text), (r"\n{2,}", text.strip())))
    found = [
        share
        for parts in (lines, paragraphs)
        for again, letters in [repeats(parts)]
        for share in (again / max(len(parts), 1), letters / size)
    ]
    words = [
        (match.start(), match.end())
        for match in re.finditer(r"[\u3041-\u30ff\u3400-\u9fff]|[^\s\x1c-\x1f\u3041-\u30ff\u3400-\u9fff]+", text)
    ]
    spelled = [text[start:stop] for start, stop in words]
    for n in (2, 3, 4):
        grams = [tuple(spelled[place : place + n]) for place in range(len(words) - n + 1)]
        best, count = Counter(grams).most_common(1)[0] if grams else ((), 0)
        first = grams.index(best) if grams else 0
        spaces = sum(words[word + 1][0] > words[word][1] for word in range(first, first + n - 1)) if grams else 0
        found.append((sum(map(len, best)) + spaces) * count / size if count > 1 else 0.0)
    for n in range(5, 11):
        seen, place, letters = set(), 0, 0
        while place < len(words) - n + 1:
            gram = tuple(spelled[place : place + n])
            letters += sum(map(len, gram)) if gram in seen else 0
            place += n if gram in seen else 1
            seen.add(gram)
        found.append(letters / size)
    return [min(share, 1.0) for share in found]


@settings(deadline=None, max_examples=300)
@given(texts=TEXTS)
def test_statistics_are_those_of_the_definition(texts: list[str]) -> None:
    texts = [re.sub(r"[^\x00-\u3040\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff]", "", text) for text in texts]
    got = gopher_statistics(pl.Series(texts, dtype=pl.String)).rows()
    for text, shares in zip(texts, got, strict=True):
        assert shares == pytest.approx(reference(text)), dict(zip(LIMITS, shares, strict=True))


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(0, 400), vocabulary=st.integers(1, 12))
def test_long_texts_of_few_words_too(seed: int, size: int, vocabulary: int) -> None:
    import random

    text = " ".join(f"w{random.Random(seed + place).randrange(vocabulary)}" for place in range(size))
    assert gopher_statistics(pl.Series([text])).row(0) == pytest.approx(reference(text))


@pytest.mark.parametrize(
    ("text", "statistic", "share"),
    [
        ("a b\nc\na b\nd", "duplicate_lines", 1 / 4),
        ("a b\nc\na b\nd", "duplicate_line_characters", 3 / 11),
        ("p q\n\nr\n\n\np q", "duplicate_paragraphs", 1 / 3),
        ("x y z x y", "top_2_gram", 2 * 3 / 9),
        ("one two three", "top_2_gram", 0.0),  # datatrove: 7 / 13
        ("a a a a", "top_2_gram", 1.0),  # datatrove: 9 / 7
        ("\nsame\n", "duplicate_lines", 0.0),  # datatrove: 1 / 3
        ("你好你好", "top_2_gram", 1.0),  # datatrove: 6 / 4
        ("v w x y z v w x y z", "duplicate_5_grams", 5 / 19),
        ("v w x y z v w x y z", "duplicate_6_grams", 0.0),
        ("ab c d e f a bc d e f", "duplicate_5_grams", 0.0),  # datatrove: 6 / 21
        ("", "top_2_gram", 0.0),
    ],
)
def test_known_shares(text: str, statistic: str, share: float) -> None:
    assert gopher_statistics(pl.Series([text]))[statistic][0] == pytest.approx(share)


def test_the_worst_statistic_is_named_and_scores_its_excess() -> None:
    passage = " ".join(f"word{place}" for place in range(100))
    score = gopher_repetition(f"{passage} {passage}")
    shares = gopher_statistics(pl.Series([f"{passage} {passage}"])).row(0)
    assert score.value == pytest.approx(min(limit / share for limit, share in zip(LIMITS.values(), shares, strict=True) if share))
    assert score.reason.startswith("duplicate_10_grams 0.4")
    assert gopher_repetition(f"{passage} {passage}", tolerance=5.0).value == 1.0
    assert gopher_repetition("").value == 1.0


def test_the_bar_of_a_filter_loosens_all_limits_alike() -> None:
    text = "so we have it. " * 9 + " ".join(f"word{place}" for place in range(40))
    value = gopher_repetition(text).value
    assert value is not None
    assert value < 1
    assert gopher_repetition(text, tolerance=1 / value + 1e-6).value == 1.0


@settings(deadline=None)
@given(texts=TEXTS)
def test_texts_measured_together_are_measured_as_each_alone(texts: list[str]) -> None:
    together = gopher_repetition.score(pl.DataFrame({"response": pl.Series(texts, dtype=pl.String)})).to_list()
    alone = [gopher_repetition(text) for text in texts]
    assert [row["reason"] for row in together] == [score.reason for score in alone]


@pytest.mark.parametrize("text", ["\x00" * 1000, "a" * 1_000_000, "\n" * 100_000, "中" * 100_000, "\u202e \u200f", "x \n" * 100_000])
def test_any_text_is_scored(text: str) -> None:
    assert gopher_repetition(text).value is not None


def test_the_scorer_travels_by_name() -> None:
    assert pickle.loads(pickle.dumps(gopher_repetition.with_(tolerance=2.0))) == gopher_repetition.with_(tolerance=2.0)


def test_real_loops_are_caught_more_often_than_real_solutions(shared_data: Path) -> None:
    loops = {row["id"] for row in json_lines(shared_data / "index_repetitive_outputs.jsonl") if row["file"] == "out_gpt3_selfinstruct"}
    rows = list(json_lines(shared_data / "out_gpt3_selfinstruct.jsonl.zst"))
    scores = gopher_repetition.score(pl.DataFrame({"response": [row["response"] for row in rows]})).struct.field("value").to_list()
    caught = [value < 1 for row, value in zip(rows, scores, strict=True) if row["id"] in loops]
    others = [value < 1 for row, value in zip(rows, scores, strict=True) if row["id"] not in loops]
    assert sum(caught) > 0.9 * len(caught)
    assert sum(others) < 0.3 * len(others)
