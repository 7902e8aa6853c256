"""The search box's language, where no server is needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.argilla_server.text_query import read_query, shown

LETTERS = st.text(alphabet="abc", min_size=1, max_size=3)


def matches(typed: str, *texts: str) -> bool:
    return read_query(typed).score([shown(text) for text in texts]) is not None


@pytest.mark.parametrize(
    ("typed", "text", "found"),
    [
        ("fox", "The Fox.", True),
        ("fox", "foxes", False),
        ("fox*", "foxes", True),
        ("a_b", "a_b", True),
        ("b", "a_b", False),
        ("don't", "I don't know", True),
        ("3.14", "pi is 3.14", True),
        ("foo-bar", "bar and foo", True),
        ("foo -bar", "bar and foo", False),
        ("- bar", "foo", True),
        ('"brown fox"', "a brown\n fox", True),
        ('"brown fox"', "brown red fox", False),
        ('-"brown fox"', "brown red fox", True),
        ('"brown fox', "fox brown", True),
        ("a | b", "b", True),
        ("a | b c", "a", False),
        ("a | (b c)", "a", True),
        ("a + b", "a", False),
        ("(a | b) -c", "b c", False),
        ("(a | b", "b", True),
        ("a -(b | c)", "a c", False),
        ("因此", "所以因此得到", True),
        ("因得", "所以因此得到", False),
        ("得到42", "所以得到 42。", True),
        ('"答案 42"', "答案42", True),
        ("fuzzy~2", "fuzzy", True),
        ('"two words"~3', "two words", True),
        (r"\-x", "x", True),
        (r"a\|b", "a b", True),
        ("x<y", "if x &lt; y", True),
        ('"x < y"', "if x &lt; y", True),
        ("lt", "x &lt; y", False),
        ("ÄPFEL", "zwei äpfel", True),
        ("", "anything", False),
        ("* | ~ + -", "anything", False),
        ("\U00020000", "a\U00020000b", True),
    ],
)
def test_what_is_typed_and_what_is_found(typed: str, text: str, found: bool) -> None:  # noqa: FBT001  # a case of the table
    assert matches(typed, text) is found


def test_words_may_stand_in_different_fields_and_phrases_may_not() -> None:
    assert matches("brown fox", "a brown thing", "a fox")
    assert not matches('"brown fox"', "a brown", "fox")
    assert not matches("brown -fox", "a brown thing", "a fox")


def test_more_often_is_better_and_two_words_are_better_than_one() -> None:
    query = read_query("fox | dog")
    once, often, both = (query.score([text]) or 0 for text in ("fox", "fox fox fox", "fox dog"))
    assert once < often < both


@given(st.lists(LETTERS, min_size=1, max_size=4), st.lists(LETTERS, max_size=12))
def test_and_or_not_are_what_sets_say(asked: list[str], words: list[str]) -> None:
    text, there = " ".join(words), set(words)
    assert matches(" ".join(asked), text) == (set(asked) <= there)
    assert matches(" | ".join(asked), text) == bool(set(asked) & there)
    assert matches(" ".join(f"-{word}" for word in asked), text) == (not set(asked) & there)
    assert matches(f"{asked[0]}*", text) == any(word.startswith(asked[0]) for word in words)
    assert matches(f'"{" ".join(asked)}"', text) == any(words[at : at + len(asked)] == asked for at in range(len(words)))


@given(st.text(max_size=40), st.text(max_size=40))
def test_nothing_that_can_be_typed_breaks_it(typed: str, text: str) -> None:
    score = read_query(typed).score([shown(text)])
    assert score is None or score >= 0
    assert read_query(typed).score([shown(text)]) == score
