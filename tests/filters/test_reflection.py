from __future__ import annotations

import pickle

import pytest

from filters.reflection import reflection


@pytest.mark.parametrize(
    ("text", "words"),
    [("", 0), ("Wait, let me check. wait!", 3), ("waiting for a checker", 0), ("等等,检查一下,不对", 3), ("But then等等however", 2)],
)
def test_reflection_words_are_counted_whole_in_both_languages(text: str, words: int) -> None:
    assert reflection(text).reason == f"{words} reflection words"
    assert reflection(text).value == pytest.approx(words / 20)


def test_more_than_the_most_is_one_and_the_scorer_travels() -> None:
    assert pickle.loads(pickle.dumps(reflection.with_(most=2)))("wait wait wait").value == 1.0
