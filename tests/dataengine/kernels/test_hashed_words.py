"""Both readings of a word are what a few lines of Python say they are, at the places they say."""

from __future__ import annotations

import itertools
import re
import unicodedata

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import hashed_words
from dataengine.kernels.hashed_words import (
    LETTER,
    MARK,
    OWN,
    PART_BYTES,
    RAISED,
    SEPARATOR,
    SPACE,
    UNSEEN,
    bare_words_of,
    character_tables,
    folded,
    parts_of,
    words_of,
)
from dataengine.kernels.markup import COMMANDS, ENTITIES, SET_TYPE, TAGS

SIGNS = (*"aB1 .,\n\t中の한é\u0301Ａ²₀'_$\\ßﬁ\u00ad\u200b\u1112\u1161<&", r"\left", r"\tfrac", "&nbsp;")
SIGNS = (*SIGNS, "<b>", "</P>", "<br />", '<a href="x">', "<i ", '="', ">", r"\n", r"\t", r"\nu", r"\r")
TEXTS = st.lists(st.lists(st.sampled_from(SIGNS) | st.characters(exclude_categories=["Cs"]), max_size=40).map("".join), max_size=6)


def written(text: str) -> list[tuple[int, int]]:
    """The definition: between white space, a CJK character by itself."""
    kind_C, found, start = character_tables()[0], [], None
    for place, character in enumerate([*text, " "]):
        ends = kind_C[ord(character)] in (SPACE, OWN)
        if ends and start is not None:
            found.append((start, place))
        start = None if ends else place if start is None else start
        if kind_C[ord(character)] == OWN:
            found.append((place, place + 1))
    return found


def bare(text: str) -> list[str]:
    """The definition: runs of letters and digits, folded, without marks; a CJK character, and a run of raised digits, by itself."""
    kind_C, found = character_tables()[0], []
    parts = {LETTER: "letter", RAISED: "raised"}
    tags, commands = "|".join(TAGS.split()), "|".join(COMMANDS.split())
    names = rf"<(?i:/?({tags}))( ?/| [^<>\n\x80-\U0010ffff]*=[\"'][^<>\n\x80-\U0010ffff]*)?>|"
    names += rf"\\({'|'.join(SET_TYPE.split())})(?![A-Za-z])|&({'|'.join(ENTITIES.split())});|\\[cdt](?=frac(?![A-Za-z]))|"
    names += rf"\\(?!({commands})(?![A-Za-z]))[nt]|\\r(?![A-Za-z])"
    seen = [(kind_C[ord(c)], c) for c in re.sub(names, ".", text) if kind_C[ord(c)] != MARK]
    for kind, run in itertools.groupby(seen, lambda each: parts.get(each[0], each[0])):
        spelled = [folded(character) for _, character in run]
        found += ["".join(spelled)] if kind in parts.values() else spelled if kind == OWN else []
    return found


@settings(deadline=None)  # the first call compiles
@given(texts=TEXTS)
def test_words_stand_where_the_definition_puts_them(texts: list[str]) -> None:
    words, bare_words = words_of(pl.Series(texts, dtype=pl.String)), bare_words_of(pl.Series(texts, dtype=pl.String))
    for row, text in enumerate(texts):
        own = slice(words.first_W[row], words.first_W[row + 1])
        assert list(zip(words.start_W[own].tolist(), words.stop_W[own].tolist(), strict=True)) == written(text)
        assert words.characters_R[row] == len(text)
        assert bare_words.first_V[row + 1] - bare_words.first_V[row] == len(bare(text))


@settings(deadline=None)  # the first call compiles
@given(texts=TEXTS)
def test_equal_words_have_equal_hashes_and_different_ones_different(texts: list[str]) -> None:
    words, lower_C = words_of(pl.Series(texts, dtype=pl.String)), character_tables()[1]
    bare_V = bare_words_of(pl.Series(texts, dtype=pl.String)).bare_V
    exact = [text[start:stop] for text in texts for start, stop in written(text)]
    lower = ["".join(chr(lower_C[ord(c)]) for c in word) for word in exact]
    for spelled, hashes in (
        (exact, words.exact_W),
        (lower, words.lower_W),
        ([word for text in texts for word in bare(text)], bare_V),
    ):
        assert len(set(spelled)) == len(set(hashes.tolist())) == len(set(zip(spelled, hashes.tolist(), strict=True)))


def test_han_and_kana_characters_are_words_and_korean_words_are_whole() -> None:
    texts = pl.Series(["用GPT-4解x+1=2。", "カタカナ", "한국어 문장"])
    assert np.diff(words_of(texts).first_W).tolist() == [4, 4, 2]
    assert np.diff(bare_words_of(texts).first_V).tolist() == [7, 4, 2]


SAME = [
    ("Café", "CAFE\u0301,"), ("ＡＢ１", "ab1"), ("(word)", "word."), ("ﬀ", "ﬀ"), ("eﬃcient ﬁnal ﬂight", "efficient final flight"),
    ("of\u00adfi\u200bcial \u200b\ufeffword\u2060", "official word"), ("x² + y²", "x^2 + y^2"), ("x²y", "x^{2}y"), ("aₙ₊₁₀", "a_{n+10}"),
    ("x<sup>2</sup>+a<sub>10</sub>", "x^2+a_10"), ("한국어 각", unicodedata.normalize("NFD", "한국어 각")),
    ("น้ำ", unicodedata.normalize("NFKD", "น้ำ")),
    ("Ⅷ", "viii"), ("\u212b", "Å"), ("a < b", "a b"), ("a<sup b", "a sup b"), ("a<sum>b", "a sum b"), ("<", ""), ("a</", "a"),
    (r"\left( \dfrac{1}{2} \right)", r"(\frac 1 2)"), (r"\mathrm{x}\quad\text{ if } 3", "x if 3"), (r"\Bigl[ a\bigg", "[a"),
    ("a&nbsp;b&amp;c&lt;", "a b & c <"), ("caf\\u00e9 \\u4e2d\\u6587", "café 中文"), ("caf&#233; &#x4E2D;&#20013;", "café 中中"),
    ("<p>so <b>bold</b>,<br/>and<BR />on</p>", "so bold, and on"), ('<span class="x">a</span><a href=\'y z\'>b</a>', "a b"),
    ("a<b and c>d", "a b and c d"), ("a<b", "a b"), ("a<b\n>c", "a b c"), ("a<think>b", "a think b"), ("<b é='x'>", "b é x"),
    (r"one\ntwo\tthree\n\n4\r\n5\nAnd", "one two three 4 5 and"), (r"\nu\theta\times\neq", "nu theta times neq"),
    (r"c\x61f\xe9 \U00000061\U0001F600b", "café a b"), (r"\underline{one} two", "one two"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_bare_words_have_no_case_accent_width_or_punctuation_and_one_spelling(one: str, other: str) -> None:
    words = bare_words_of(pl.Series([one, other]))
    assert words.bare_V[: words.first_V[1]].tolist() == words.bare_V[words.first_V[1] :].tolist()


OTHERS = [
    ("x²", "x2"), ("각", "가"), ("sup", "<sup>"), ("½", "12"), ("foo bar", "foobar"), (r"\lefty", ""), (r"\nu", "u"), ("&nbsp", ""),
    ("R&lt", "R"), (r"\u12", "12"), ("&#;", "1"), ("&#9999999;", ""), (r"\left", "left"), (r"\frac", ""),
    ("<x>", ""), ("<b", ""), (r"\nu", ""), (r"\x6", "x"), (r"\U00110000", ""), (r"\r2", "r2"), (r"\rho", "ho"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_other_words_are_other_words(one: str, other: str) -> None:
    words = bare_words_of(pl.Series([one, other]))
    assert words.bare_V[: words.first_V[1]].tolist() != words.bare_V[words.first_V[1] :].tolist()


def test_a_word_with_silent_and_raised_characters_stands_where_it_is_seen() -> None:
    text = "so: \u200bof\u00adfi\u200bcial x²y<sup>10</sup>"
    words = bare_words_of(pl.Series([text]))
    seen = [text[start:stop] for start, stop in zip(words.start_V, words.stop_V, strict=True)]
    assert seen == ["so", "of\u00adfi\u200bcial", "x", "²", "y", "10"]
    text = r"\left a\dfrac &nbsp;é&#233;\u4e2d\u00e9"
    words = bare_words_of(pl.Series([text]))
    seen = [text[start:stop] for start, stop in zip(words.start_V, words.stop_V, strict=True)]
    assert seen == ["a", "frac", "é&#233;", r"\u4e2d", r"\u00e9"]
    text = r"<b>é</b>\nnext<br />c\x61f <i class='x'>on"
    words = bare_words_of(pl.Series([text]))
    seen = [text[start:stop] for start, stop in zip(words.start_V, words.stop_V, strict=True)]
    assert seen == ["é", "next", r"c\x61f", "on"]


def test_white_space_is_that_of_python() -> None:
    kind_C = character_tables()[0]
    assert {chr(code) for code in np.flatnonzero(kind_C == SPACE)} == {chr(code) for code in range(0x110000) if chr(code).isspace()}
    assert kind_C[ord("_")] == kind_C[ord("$")] == SEPARATOR
    assert all(unicodedata.category(chr(code))[0] == "M" for code in set(np.flatnonzero(kind_C == MARK).tolist()) - set(UNSEEN))


def test_the_last_batch_is_read_once() -> None:
    texts = ["one two", "three"]
    assert words_of(pl.Series(texts)) is words_of(pl.Series("other_name", texts))
    assert words_of(pl.Series(["one two"])) is not words_of(pl.Series(texts))


def test_long_columns_are_cut_into_parts_in_order() -> None:
    texts = pl.Series(["x" * (PART_BYTES // 3)] * 7 + ["", "end"])
    parts = list(parts_of(texts))
    assert len(parts) > 1
    assert pl.concat(parts).equals(texts)
    assert max(part.str.len_bytes().sum() for part in parts) <= PART_BYTES + PART_BYTES // 3
    assert [list(part) for part in parts_of(pl.Series([None, "a"]))] == [[None, "a"]]
    assert list(parts_of(pl.Series(dtype=pl.String))) == list(parts_of(pl.Series([]))) == []
    assert [list(part) for part in parts_of(pl.Series([None, None]))] == [[None, None]]


def test_null_is_an_empty_text_and_a_slice_begins_where_it_begins() -> None:
    words = words_of(pl.Series(["zero", None, "a b", "c"])[1:])
    assert np.diff(words.first_W).tolist() == [0, 2, 1]


@pytest.mark.parametrize("text", ["", "\x00", "a" * 1_000_000, "\u202e\u200f", "\U0010ffff", "中" * 300_000])
def test_any_text_is_read(text: str) -> None:
    words = hashed_words.words_of(pl.Series([text]))
    assert words.characters_R[0] == len(text)
