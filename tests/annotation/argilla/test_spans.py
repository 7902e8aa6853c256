"""Code points and UTF-16 code units, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.argilla.escape import sendable
from annotation.argilla.spans import to_points, to_units
from tests.annotation.argilla.test_escape import TEXTS


def stretches(data: st.DataObject, text: str) -> tuple[int, int]:
    """A stretch that does not begin or end within a CR LF."""
    places = [place for place in range(len(text) + 1) if text[place - 1 : place + 1] != "\r\n"]
    start = data.draw(st.sampled_from(places))
    return start, data.draw(st.sampled_from([place for place in places if place >= start]))


@given(TEXTS | st.text("a😀中\0␛\r\n", max_size=20), st.data())
def test_there_and_back_is_the_same_stretch(text: str, data: st.DataObject) -> None:
    start, stop = stretches(data, text)
    assert to_points(text, *to_units(text, start, stop)) == (start, stop)


@given(TEXTS, st.data())
def test_units_cut_the_shown_text_where_a_browser_would(text: str, data: st.DataObject) -> None:
    start, stop = stretches(data, text)
    first, last = to_units(text, start, stop)
    shown = sendable(text.replace("\r\n", "\n")).encode("utf-16-le")
    assert shown[2 * first : 2 * last].decode("utf-16-le") == sendable(text[start:stop].replace("\r\n", "\n"))


@pytest.mark.parametrize(
    ("text", "units", "points"),
    [
        ("😀 ab", (3, 5), (2, 4)),
        ("😀 ab", (1, 4), (0, 3)),
        ("😀😀", (1, 3), (0, 2)),
        ("a\0b", (1, 7), (1, 2)),
        ("a\0b", (3, 5), (1, 2)),
        ("ab", (1, 99), (1, 2)),
        ("ab", (50, 99), (2, 2)),
        ("", (0, 5), (0, 0)),
        ("a\r\nb", (2, 3), (3, 4)),
        ("a\r\nb", (1, 2), (1, 3)),
        ("a\rb", (2, 3), (2, 3)),
    ],
)
def test_a_cut_character_belongs_to_the_stretch_and_beyond_the_end_is_the_end(
    text: str, units: tuple[int, int], points: tuple[int, int]
) -> None:
    assert to_points(text, *units) == points
