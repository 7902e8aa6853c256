"""Sentences, words and capitals: the examples of IFEval's own tests, ordinary prose, and laws that hold for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.texts.sentences import count_capital_words, count_sentences, count_words


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("xx,x. xx,x! xx/x. x{x}x? x.", 5),  # the first four are of IFEval's test of its counter
        ("xx,x! xxxx. x(x)x?", 3),
        ("xxxx. xx,x! xx|x. x&x x?", 4),
        ("xx-x]xx,x! x{x}xx,x.", 2),
        ("It was founded in 1998 by Larry Page\nand Sergey Brin. Its mission is to be useful.", 2),
        ("The U.S.A has many Ph.D. students. They often have a .com website.", 2),
        ("Mr. Smith met Dr. Brown. They talked.", 2),
        ("She left at 5 p.m. The rest stayed.", 2),
        ("See e.g. the list, i.e. all of it. Done", 2),
        ("J. R. R. Tolkien wrote it.", 1),
        ("He said no. Bob left.", 2),
        ("Pour from jug A. - Fill jug B. 2 litres are in jug C.", 3),
        ("**It stops.** So it goes.**", 2),
        ("It is No. 5 of the list.", 1),
        ("Pi is 3.14 or so. Yes.", 2),
        ('"Stop!" he cried. (He meant it.) Then he left.', 4),
        ("Well... the rest. Well... The rest.", 3),
        ("1. First item.\n2. Second item.", 4),  # as NLTK counts them
        ("In 1998. It began.", 2),
        ("Really?! Yes!!! No...", 3),
        ("**Bold.** Next one. *Done!*", 3),
        ("No full stop here", 1),
        ("第一句。第二句！第三句", 3),
        ("पहला वाक्य। दूसरा वाक्य।", 2),
        ("", 0),
        ("... --- !!!", 0),
    ],
)
def test_sentences_are_counted_by_their_ends(text: str, sentences: int) -> None:
    assert count_sentences(text) == sentences


@pytest.mark.parametrize(
    ("text", "words"),
    [("word1, word2, word3, word4.", 4), ("Hyphenated-word has two word counts.", 6), ("don't", 2), ("", 0), ("你好 world", 2)],
)
def test_words_are_runs_of_letters_and_digits(text: str, words: int) -> None:
    assert count_words(text) == words


@pytest.mark.parametrize(
    ("text", "capitals"),
    [
        ("THE END.", 2),
        ("I am NASA's guest, I'M SURE", 5),
        ("WELL-KNOWN U.S. AND/OR COVID-19 2ND", 5),
        ("DON'T CANNOT GONNA", 6),
        ("DON’T", 2),
        ("STOP!GO,NOW;YES", 4),
        ("BARBER—SHAVING", 2),
        ("A,1", 1),
        ("Title Case iPhone 123 ...", 0),
        ("你好 ΑΒΓ", 1),
    ],
)
def test_words_in_capitals_are_nltks_words(text: str, capitals: int) -> None:
    assert count_capital_words(text) == capitals


@given(st.lists(st.sampled_from(["The cat sat.", "Why not?", "So be it!", "It cost 3.50 today."]), max_size=20))
def test_ordinary_sentences_add_up(sentences: list[str]) -> None:
    assert count_sentences(" ".join(sentences)) == len(sentences)
    assert count_sentences("\n\n".join(sentences)) == len(sentences)


@given(st.text())
def test_no_text_is_too_strange_to_count(text: str) -> None:
    words = count_words(text)
    assert 0 <= count_sentences(text) <= max(len(text), 0)
    assert count_capital_words(text) >= 0
    assert words <= len(text)
