from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.repetition import not_repetitive, repeated_share
from filters.texts.repeated_stretches import repeated_stretches

CLEAN = "First I read the problem. There are three red balls and four blue ones, so seven in all. Then one is taken away, which leaves six."


def test_what_was_said_before_is_shown_where_it_is_said_again() -> None:
    text = f"{CLEAN}\n\nNow think anew.\n\n{CLEAN}\n\nAnd that is all, {CLEAN.lower()}"
    found = not_repetitive.findings({"response": text})
    assert [each["note"] for each in found] == ["said 3 times", "said 3 times"]
    assert [each["text"].lower() for each in found] == [CLEAN.lower()] * 2
    assert all(text[each["start"] : each["end"]] == each["text"] for each in found)


def test_a_loop_is_one_stretch_and_what_comes_before_it_another() -> None:
    text = CLEAN + " " + CLEAN + " Wait, let me check that again now." * 8 + "<|im_end|>"
    before, loop = not_repetitive.findings({"response": text})
    assert before["text"] == CLEAN
    assert loop["note"] == "tail loops: 8 copies of 35 characters"
    assert loop["text"].count("let me check") == 8


def test_a_loop_that_counts_on_is_shown() -> None:
    text = CLEAN + "\n" + "\n".join(f"Step {k}: The final answer is 5 lollipops per friend." for k in range(100, 112))
    assert [each["note"] for each in not_repetitive.findings({"response": text})] == ["tail loops and counts on"]


@pytest.mark.parametrize("text", ["", "short", CLEAN, None])
def test_clean_text_has_nothing_to_show(text: str | None) -> None:
    assert not_repetitive.findings({"response": text}) == []


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.sampled_from(["so", "x", "is", "4", "三", "\n"]), max_size=60))
def test_stretches_are_exactly_the_words_that_the_score_counts(words: list[str]) -> None:
    """Without loops: repeated n-grams are the words of each stretch less n - 1."""
    text = " ".join(words)
    found = repeated_stretches(text, n=3, loop_copies=1_000, loop_characters=10_000)
    again, grams = repeated_share(pl.Series([text]), n=3)
    assert sum(len(each["text"].split()) - 2 for each in found) == round(float(again[0]) * int(grams[0]))
    assert all(text[each["start"] : each["end"]] == each["text"] for each in found)
