"""Chinese numerals in Arabic digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.final_answers.chinese_numbers import arabic


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("三十五", "35"),
        ("十二", "12"),
        ("一百零五", "105"),
        ("一千二百三十四", "1234"),
        ("两亿三千万", "230000000"),
        ("二〇二四", "2024"),
        ("叁佰", "300"),
        ("百分之二十", "20%"),
        ("三分之二", "2/3"),
        ("一又二分之一", "1 1/2"),
        ("负一点五", "-1.5"),
        ("两个", "2个"),
        ("六年", "6年"),
        ("五边形", "五边形"),
        ("一般", "一般"),
        ("abc", "abc"),
    ],
)
def test_numerals(text: str, digits: str) -> None:
    assert arabic(text) == digits


@given(text=st.text(alphabet="零一二三十百千万亿点分之又负个", max_size=12))
def test_a_text_is_left_as_it_was_or_becomes_digits_for_good(text: str) -> None:
    found = arabic(text)
    assert found == text or any(letter.isdigit() for letter in found)
    assert arabic(found) == found
