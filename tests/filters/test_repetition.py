from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.lines import json_lines
from filters.length import length_within
from filters.repetition import not_repetitive, repeated_share, tail_loop


@given(st.lists(st.integers(0, 3), max_size=20), st.lists(st.integers(0, 3), min_size=1, max_size=8), st.integers(5, 12), st.integers(0, 7))
def test_a_loop_is_found_whatever_stands_before_it_and_wherever_it_is_cut(before: list[int], loop: list[int], times: int, cut: int) -> None:
    tail = (loop * times)[: len(loop) * times - min(cut, len(loop) - 1)]
    found = tail_loop([*before, *tail], repeats=4, at_least=4)
    assert found is not None
    assert found[0] <= len(loop) or found[0] * found[1] > len(tail) - len(loop)


@given(st.permutations(range(100)))
def test_tokens_that_are_all_different_are_no_loop_and_not_repeated(tokens: list[int]) -> None:
    assert tail_loop(tokens, repeats=4, at_least=4) is None
    assert repeated_share(np.array(tokens), ngram=5) == 0.0


def test_a_passage_that_comes_twice_is_half_of_the_text() -> None:
    passage = np.arange(50)
    assert repeated_share(np.concatenate([passage, passage]), ngram=20) == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["so x=1. " * 40, "等等,再算一次。" * 30, "ab" + "-" * 200])
def test_a_degenerate_tail_is_named_with_its_period(text: str) -> None:
    score = not_repetitive("A fair beginning of some thought. " + text)
    assert score.value == 0.0
    assert "ends in a loop" in score.reason


@pytest.mark.parametrize("text", ["", "short", "|a|b|\n|---|---|\n|1|2|", "first 27*8=216\nwait, check 27*8: 20*8=160, 7*8=56, 160+56=216"])
def test_ordinary_text_is_not_repetitive(text: str) -> None:
    assert not_repetitive(text).value == 1.0


def test_real_outputs_that_end_in_loops_are_found_and_those_that_do_not_are_let_be(shared_data: Path) -> None:
    stats = {row["id"]: row for row in json_lines(shared_data / "index_output_stats.jsonl.zst") if row["file"].startswith("out_skythought")}
    looping = clean = flagged_looping = flagged_clean = 0
    for row in json_lines(shared_data / "out_skythought.jsonl.zst"):
        known = stats.get(row["id"])
        if known is None or not row["output"]:
            continue
        flagged = not_repetitive(row["output"]).value == 0.0
        if known["tail_period"] and known["zlib_ratio"] < 0.12:
            looping, flagged_looping = looping + 1, flagged_looping + flagged
        elif not known["tail_period"] and known["zlib_ratio"] > 0.25:
            clean, flagged_clean = clean + 1, flagged_clean + flagged
    assert clean > 500, json.dumps([looping, clean])
    assert flagged_clean <= 0.01 * clean
    assert flagged_looping >= 0.9 * looping


def test_length_names_what_is_wrong_and_both_scorers_travel() -> None:
    assert length_within(5, at_most=5).value == 1.0
    assert length_within(6, at_most=5).reason == "6 tokens, at most 5 wanted"
    assert length_within(6, "length").reason == "truncated at 6 tokens"
    for scorer in (length_within.with_(at_most=3), not_repetitive.with_(ngram=5)):
        assert pickle.loads(pickle.dumps(scorer)) == scorer
