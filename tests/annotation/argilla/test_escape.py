"""Text that a server or a page would spoil is written out, and read back to the character."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from annotation.argilla.escape import as_it_was, sendable, shown, unshown

TEXTS = st.text(st.characters(), max_size=60) | st.text("a\0\ud83d\ude00␛0124BD;&<>lt\r\n", max_size=60)
"""Lone surrogates, and what looks like our own signs, included."""


@given(TEXTS)
def test_what_is_written_out_can_be_read_back(text: str) -> None:
    assert as_it_was(sendable(text)) == text
    assert unshown(shown(text)) == text


@given(TEXTS)
def test_what_is_sent_is_plain_unicode_without_nul_and_what_is_shown_holds_no_tag(text: str) -> None:
    sendable(text).encode()
    assert "\0" not in sendable(text)
    assert not {"<", ">"} & set(shown(text))


@given(st.text(st.characters(exclude_characters="\0␛", exclude_categories=["Cs"]), max_size=60))
def test_other_text_is_sent_as_it_is(text: str) -> None:
    assert sendable(text) == text


def test_entities_in_a_text_are_not_mistaken_for_ours() -> None:
    assert unshown(shown("&lt;b&gt; &amp;amp; &copy &#65;")) == "&lt;b&gt; &amp;amp; &copy &#65;"
    assert as_it_was("␛0041; ␛d83d; ␛") == "␛0041; ␛d83d; ␛"
