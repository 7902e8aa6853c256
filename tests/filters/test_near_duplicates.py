"""Estimates lie near the true Jaccard similarity, alike texts are found, and of a group one is kept in any order."""

from __future__ import annotations

import pickle
import random
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.minhash import BINS, estimated_similarity, signatures_of
from filters.near_duplicates import NearDuplicates, not_near_duplicate

WORDS = st.lists(st.integers(0, 50), min_size=1, max_size=80)


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {tuple(words[place : place + 5]) for place in range(max(len(words) - 4, 1))}


def jaccard(one: str, other: str) -> float:
    return len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))


def edited(words: list[str], share: float, luck: random.Random) -> str:
    """The words with about that share of them replaced."""
    return " ".join(f"new{luck.randrange(10**6)}" if luck.random() < share else word for word in words)


@pytest.mark.parametrize("size", [8, 30, 120, 1000])
def test_the_estimate_is_unbiased_with_the_error_of_128_minima(size: int) -> None:
    luck = random.Random(size)
    errors, spread = [], []
    for _ in range(150):
        words = [f"w{luck.randrange(10**6)}" for _ in range(size)]
        pair = [" ".join(words), edited(words, luck.choice([0.02, 0.05, 0.1]), luck)]
        signatures, _ = signatures_of(pl.Series(pair))
        truth = jaccard(*pair)
        errors.append(estimated_similarity(signatures[0], signatures[1]) - truth)
        spread.append(truth * (1 - truth) / BINS)
    assert abs(np.mean(errors)) < 4 * np.sqrt(np.mean(spread) / len(errors))
    assert np.mean(np.square(errors)) < 1.5 * np.mean(spread)


def test_recall_and_precision_against_true_similarity() -> None:
    luck = random.Random(5)
    originals = [[f"w{luck.randrange(5000)}" for _ in range(300)] for _ in range(400)]
    copies = [edited(words, luck.choice([0.0, 0.01, 0.02, 0.04, 0.08, 0.2]), luck) for words in originals]
    base = [" ".join(words) for words in originals]
    seen = NearDuplicates(similarity=0.8)
    assert all(match is not None and match.row < 0 for match in seen.add(pl.Series(base)))
    found = seen.add(pl.Series(copies))
    truth = [jaccard(one, other) for one, other in zip(base, copies, strict=True)]
    alike = [match is not None and match.row == row for row, match in enumerate(found)]
    assert all(match is not None and match.row in (row, -1) for row, match in enumerate(found))
    clear = [hit for hit, share in zip(alike, truth, strict=True) if share >= 0.87]
    unclear = [hit for hit, share in zip(alike, truth, strict=True) if share < 0.7]
    assert sum(clear) >= 0.99 * len(clear)
    assert sum(unclear) <= 0.01 * len(unclear)
    assert min(len(clear), len(unclear)) > 60


@settings(deadline=None)
@given(words=WORDS, seed=st.integers(0, 99))
def test_neither_order_of_shingles_nor_case_nor_punctuation_matters(words: list[int], seed: int) -> None:
    text = " ".join(f"w{word}" for word in words)
    loud = ", ".join(f"W{word}" for word in words) + "!\n"
    twice = f"{text} {text}"
    signatures, filled = signatures_of(pl.Series([text, loud, twice]))
    assert filled.all()
    assert (signatures[0] == signatures[1]).all()
    if shingles(twice) == shingles(text):
        assert (signatures[0] == signatures[2]).all()


@settings(deadline=None)
@given(groups=st.lists(st.integers(0, 4), min_size=1, max_size=14), seed=st.integers(0, 99))
def test_in_any_order_one_of_each_group_of_copies_is_kept(groups: list[int], seed: int) -> None:
    texts = [" ".join(f"g{group}w{place}" for place in range(40)) for group in groups]
    random.Random(seed).shuffle(texts)
    scores = not_near_duplicate.score(pl.DataFrame({"response": texts})).struct.field("value").to_list()
    assert sum(value == 1 for value in scores) == len(set(groups))
    assert {text for text, value in zip(texts, scores, strict=True) if value == 1} == set(texts)


@settings(deadline=None)
@given(pairs=st.lists(WORDS, min_size=2, max_size=6), seed=st.integers(0, 99))
def test_similarity_is_the_same_in_both_directions_and_in_any_batch(pairs: list[list[int]], seed: int) -> None:
    texts = [" ".join(f"w{word}" for word in words) for words in pairs]
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    signatures, _ = signatures_of(pl.Series(texts))
    shuffled, _ = signatures_of(pl.Series([texts[place] for place in order]))
    assert (signatures[order] == shuffled).all()


@settings(deadline=None)
@given(words=st.lists(st.integers(0, 9), min_size=1, max_size=12), n=st.integers(1, 4))
def test_texts_of_few_words_are_compared_whole(words: list[int], n: int) -> None:
    texts = [" ".join(f"w{word}" for word in words[:n]), " ".join(f"w{word}" for word in words[:n]) + " other"]
    signatures, _ = signatures_of(pl.Series(texts))
    assert estimated_similarity(signatures[0], signatures[0]) == 1
    if len(words[:n]) < 5:
        assert estimated_similarity(signatures[0], signatures[1]) < 0.2


def test_batches_are_compared_with_all_that_was_kept_before() -> None:
    luck = random.Random(2)
    texts = [" ".join(f"w{luck.randrange(10**6)}" for _ in range(20)) for _ in range(3000)]
    seen = NearDuplicates()
    for start in range(0, 3000, 500):
        assert all(match is not None and match.row == -1 for match in seen.add(pl.Series(texts[start : start + 500])))
    again = seen.add(pl.Series(["", *texts[::7]]))
    assert again[0] is None
    assert [match.row for match in again[1:] if match] == list(range(0, 3000, 7))
    assert (seen.kept, seen.added) == (3000, 3001 + len(texts[::7]))


def test_the_reason_shows_the_earlier_text_and_a_text_without_words_is_unjudged() -> None:
    text = " ".join(f"word{place}" for place in range(50))
    scores = not_near_duplicate.score(pl.DataFrame({"response": ["...", text, "so", f"{text}!", None]})).to_list()
    assert [score["value"] for score in scores] == [None, 1.0, 1.0, 0.0, None]
    assert scores[3]["reason"] == f"1.00 alike (of 128 minima) to an earlier text: {text[:60]!r}"
    assert scores[0]["reason"] == "no words to compare"


@pytest.mark.parametrize("text", ["\x00", "a " * 500_000, "中" * 300_000, "\u202e\u200f x"])
def test_any_text_is_scored(text: str) -> None:
    assert not_near_duplicate(text).value in (None, 1.0)


def test_a_similarity_outside_of_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"in \(0, 1\]"):
        not_near_duplicate("text", similarity=80.0)


def test_the_scorer_travels_by_name() -> None:
    assert pickle.loads(pickle.dumps(not_near_duplicate.with_(similarity=0.7))) == not_near_duplicate.with_(similarity=0.7)
