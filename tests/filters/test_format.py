"""The two output formats: what is in format, and which fault is named."""

from __future__ import annotations

import pickle

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.templates import split_r1, split_zero
from filters.format import r1_format, zero_format

GOOD_ZERO = "<think> 2 and 2 make 4 </think> <answer> 4 </answer>"
GOOD_R1 = "<think>\n2 and 2 make 4\n</think>\n\nThe answer is 4."


def test_the_published_zero_example_is_in_format() -> None:
    assert zero_format(GOOD_ZERO).value == 1.0


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        ("The answer is 4.", "no <think>"),
        ("Sure! " + GOOD_ZERO, "text before <think>"),
        ("<think> 2 and 2 make", "unclosed <think> (thought cut off)"),
        ("<think> a <think> b </think> <answer>4</answer>", "repeated <think>"),
        ("<think> a </think> b </think> <answer>4</answer>", "repeated </think>"),
        ("<think> </think> <answer>4</answer>", "empty thought"),
        ("<think> a </think> 4", "no <answer>"),
        ("<think> a </think> so <answer>4</answer>", "text between thought and <answer>"),
        ("<think> a </think> <answer> 4", "unclosed <answer> (answer cut off)"),
        ("<think> a </think> <answer> 4 </answer> <answer> 5 </answer>", "repeated <answer>"),
        ("<think> a </think> <answer> 4 </answer> and more", "text after </answer>"),
        ("<think> a </think> <answer>\n</answer>", "empty answer"),
        ("<think> say <answer> 3 </answer> </think> <answer> 4 </answer>", "<answer> inside the thought"),
        ("", "no <think>"),
    ],
)
def test_a_zero_fault_is_named(response: str, fault: str) -> None:
    score = zero_format(response)
    assert (score.value, score.reason) == (0.0, fault)


def test_a_prefilled_think_counts_where_the_setting_says_so() -> None:
    rest = GOOD_ZERO.removeprefix("<think>")
    assert zero_format(rest).value == 0.0
    assert zero_format(rest, prefilled=True).value == 1.0
    assert r1_format(GOOD_R1.removeprefix("<think>\n"), prefilled=True).value == 1.0


@pytest.mark.parametrize("end", ["<|im_end|>", "</s>", "<｜end▁of▁sentence｜>", "<|endoftext|>\n", ""])
def test_an_end_token_left_by_the_tokenizer_is_no_fault(end: str) -> None:
    assert zero_format(GOOD_ZERO + end).value == 1.0
    assert r1_format(GOOD_R1 + end).value == 1.0


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        ("<think>\nWait, let me", "unclosed <think> (thought cut off)"),
        ("<think>\na\n</think>\n\n", "empty summary"),
        ("<think>\n\n</think>\n\nHello", "empty thought"),
        ("<think>a</think>b", "no line breaks around <think> and </think>"),
        ("Hello\n<think>\na\n</think>\n\nb", "text before <think>"),
    ],
)
def test_an_r1_fault_is_named(response: str, fault: str) -> None:
    assert (r1_format(response).value, r1_format(response).reason) == (0.0, fault)


def test_the_cold_start_form_is_the_r1_form_with_other_tokens() -> None:
    cold = r1_format.with_(opening="|special_token|", closing="|special_token|", line_breaks=False)
    assert cold("|special_token|2 and 2|special_token|It is 4.").value == 1.0
    assert cold("|special_token|2 and 2").reason == "unclosed |special_token| (thought cut off)"
    assert cold("|special_token|a|special_token|b|special_token|c").reason == "repeated |special_token|"


words = st.text(alphabet="ab \n", min_size=1).filter(str.strip)


@given(thought=words, answer=words)
def test_what_is_in_format_splits_into_its_parts(thought: str, answer: str) -> None:
    zero = f"<think>{thought}</think> <answer>{answer}</answer>"
    assert zero_format(zero).value == 1.0
    assert split_zero(zero) == (thought.strip(), answer.strip())
    r1 = f"<think>\n{thought}\n</think>\n\n{answer}"
    assert r1_format(r1).value == 1.0
    assert split_r1(r1) == (thought.strip(), answer.strip())


def test_scorers_travel_by_name_and_read_columns() -> None:
    chosen = pickle.loads(pickle.dumps(zero_format.with_(prefilled=True)))
    assert chosen == zero_format.with_(prefilled=True)
    rows = pl.DataFrame({"response": [GOOD_ZERO, "no"]})
    assert zero_format.score(rows).struct.field("value").to_list() == [1.0, 0.0]
    assert pickle.loads(pickle.dumps(r1_format)).score(rows).struct.field("value").to_list() == [0.0, 0.0]
