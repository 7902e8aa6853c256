"""Loops and repeated runs of words are named; reasoning that restates itself is let pass."""

from __future__ import annotations

import pickle
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.lines import json_lines
from dataengine.score import Score
from filters.repetition import compression_ratio, counting_loop, distinct_lines, not_repetitive, repeated_share, tail_loop

CLEAN = "First I read the problem. There are three red balls and four blue ones, so seven in all. Then one is taken away, which leaves six."


def test_clean_text_scores_one() -> None:
    assert not_repetitive(CLEAN).value == 1.0


def test_a_looping_tail_is_named_with_its_period() -> None:
    score = not_repetitive(CLEAN + " Wait, let me check that again now." * 8)
    assert score.value == 0.0
    assert score.reason.startswith("tail loops: 8 copies of 35 characters")


def test_a_loop_cut_in_the_middle_of_its_period_is_found() -> None:
    assert not_repetitive(CLEAN + (" Wait, let me check that again now." * 9)[:-12]).value == 0.0


def test_a_loop_that_only_counts_on_is_found_and_an_enumeration_is_not() -> None:
    counting = "\n".join(f"Step {k}: The final answer is 5 lollipops per friend." for k in range(100, 112))
    assert not_repetitive(counting).reason.startswith("tail loops and counts")
    squares = "\n".join(f"For n = {k}: its square is {k * k}, which is not it." for k in range(100, 112))
    assert counting_loop(squares, copies=8) == 0


def test_long_repeated_passages_score_their_distinct_share() -> None:
    passage = " ".join(f"word{k}" for k in range(60))
    score = not_repetitive(f"{passage} and once more {passage} the end")
    assert 0.4 < (score.value or 0) < 0.8
    assert "20-grams repeated" in score.reason


@pytest.mark.parametrize("text", ["so x=1. " * 40, "等等,再算一次。" * 30, "ab" + "-" * 250])
def test_any_degenerate_tail_scores_zero(text: str) -> None:
    assert not_repetitive("A fair beginning of some thought. " + text).value == 0.0


@pytest.mark.parametrize("text", ["", "short", "|a|b|\n|---|---|\n|1|2|", "first 27*8=216\nwait, check 27*8: 20*8=160, 7*8=56, 160+56=216"])
def test_ordinary_text_is_let_pass(text: str) -> None:
    assert not_repetitive(text).value == 1.0


def test_padding_with_end_tokens_is_no_loop() -> None:
    assert not_repetitive(CLEAN + "</s>" * 200).value == 1.0


@settings(deadline=None)  # the first call compiles
@given(texts=st.lists(st.text(alphabet="ab 中", max_size=60), max_size=5), n=st.integers(1, 4))
def test_texts_measured_together_are_measured_as_each_alone(texts: list[str], n: int) -> None:
    together, grams = repeated_share(pl.Series(texts, dtype=pl.String), n=n)
    for row, text in enumerate(texts):
        words = [word for part in text.replace("中", " 中 ").split() for word in [part]]
        runs = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
        assert grams[row] == len(runs)
        assert together[row] == pytest.approx(1 - len(set(runs)) / len(runs) if runs else 0.0)


@given(unit=st.text(alphabet="abc ", min_size=1, max_size=12).filter(str.strip), copies=st.integers(50, 60))
def test_the_period_divides_the_repeated_unit(unit: str, copies: int) -> None:
    period, found = tail_loop(unit * copies)
    assert period <= len(unit)
    assert found * period >= len((unit * copies).rstrip()) - 2 * len(unit)


def test_the_words_of_end_tokens_count_as_none() -> None:
    passage = " ".join(f"{chr(97 + k // 26)}{chr(97 + k % 26)}" for k in range(60))
    rows = pl.DataFrame({"response": [passage, f"{passage}<|im_end|>", f"{passage} \n"]})
    assert not_repetitive.score(rows).struct.field("reason").to_list() == ["0% of 41 20-grams repeated"] * 3


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("", 1.0, "all 0 lines distinct"),
        ("a\n\n\nb", 1.0, "all 2 lines distinct"),
        ("Try x=1.\n  Try x=1.\nNo.\nTry x=1.", 0.5, "2 of 4 lines distinct; 3 times 'Try x=1.'"),
        ("\n \n\t\n", 1.0, "all 0 lines distinct"),
    ],
)
def test_distinct_lines(text: str, value: float, reason: str) -> None:
    assert distinct_lines(text) == Score(value, reason)


def test_what_repeats_compresses_and_what_does_not_does_not() -> None:
    assert (compression_ratio("Wait, let me check that again now. " * 200).value or 0) < 0.02
    assert (compression_ratio(CLEAN).value or 0) > 0.7
    assert compression_ratio("").value == 1.0


@given(text=st.text(st.characters(), max_size=60))
def test_any_text_has_lines_and_a_size(text: str) -> None:
    assert 0 < (distinct_lines(text).value or 0) <= 1
    assert 0 < (compression_ratio(text).value or 0) <= 1


@pytest.mark.parametrize("text", ["\x00" * 1000, "a" * 1_000_000, "7" * 1_000_000, "ab " * 300_000, "中" * 300_000, "1 2 3 4 " * 100_000])
def test_any_long_text_is_scored(text: str) -> None:
    assert not_repetitive(text).value == 0.0


def test_a_column_of_nothing_but_nulls_is_unjudged() -> None:
    assert not_repetitive.score(pl.DataFrame({"response": [None, None]})).struct.field("reason").to_list() == ["no response"] * 2


def test_an_n_gram_has_at_least_one_word() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        not_repetitive("a b c", n=0)


def test_the_scorer_travels_by_name() -> None:
    assert pickle.loads(pickle.dumps(not_repetitive.with_(n=10))) == not_repetitive.with_(n=10)


def test_right_solutions_are_let_pass_and_known_loops_are_caught(shared_data: Path) -> None:
    loops = {row["id"] for row in json_lines(shared_data / "index_repetitive_outputs.jsonl") if row["file"] == "out_skythought"}
    rows = list(json_lines(shared_data / "out_skythought.jsonl.zst"))
    values = not_repetitive.score(pl.DataFrame({"response": [row["output"] for row in rows]})).struct.field("value").to_list()
    right = [value for row, value in zip(rows, values, strict=True) if row["verdict"] and row["id"] not in loops]
    known = [value for row, value in zip(rows, values, strict=True) if row["id"] in loops]
    assert sum(value < 1 for value in right) < 0.005 * len(right)
    assert sum(value < 1 for value in known) > 0.85 * len(known)
