from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from annotation.edits import applied, edits_of, undone

TEXTS = st.text(st.characters(codec=None) | st.sampled_from("a b. \n字，。é\0\u200d👩‍👧"), max_size=200)


@given(TEXTS, TEXTS)
def test_applying_the_edits_gives_exactly_the_edited_text(raw: str, edited: str) -> None:
    found = edits_of("reasoning", raw, edited)
    assert applied(raw, found) == edited
    assert undone(edited, found) == raw
    starts = [place for edit in reversed(found) for place in (edit["start"], edit["stop"])]
    assert starts == sorted(starts)
    assert all(raw[edit["start"] : edit["stop"]] != edit["text"] for edit in found)


@given(TEXTS, st.lists(st.tuples(st.integers(0, 200), st.integers(0, 10), st.text(max_size=10)), max_size=5))
def test_so_it_is_for_a_text_with_a_few_changes(raw: str, changes: list[tuple[int, int, str]]) -> None:
    edited = raw
    for at, length, text in changes:
        edited = edited[:at] + text + edited[at + length :]
    assert applied(raw, edits_of("summary", raw, edited)) == edited


def test_words_stay_whole_and_only_what_changed_is_named() -> None:
    raw = "First we add.\n\nThen we take away.\n\n因此答案是五。"
    edited = "First I add.\n\nThen we take away.\n\n因此答案是四。"
    assert edits_of("reasoning", raw, edited) == [
        {"field": "reasoning", "start": 40, "stop": 41, "text": "四", "was": "五"},
        {"field": "reasoning", "start": 6, "stop": 8, "text": "I", "was": "we"},
    ]


def test_nothing_changed_is_no_edit() -> None:
    assert edits_of("reasoning", "as it is", "as it is") == []


def test_a_hundred_edits_in_150_kb_are_found_at_once() -> None:
    draw = random.Random(0)
    for raw in (
        " ".join(draw.choices(["alpha", "beta", "so", "x", "4"], k=35_000)),
        "".join(chr(draw.randint(0x4E00, 0x9FA0)) for _ in range(50_000)),
    ):
        edited = raw
        for _ in range(100):
            at = draw.randrange(len(edited))
            edited = edited[:at] + draw.choice(["", "another ", "字"]) + edited[at + draw.randint(0, 20) :]
        begun = time.process_time()
        found = edits_of("reasoning", raw, edited)
        assert time.process_time() - begun < 0.3
        assert applied(raw, found) == edited
        assert sum(edit["stop"] - edit["start"] for edit in found) < 4_000
