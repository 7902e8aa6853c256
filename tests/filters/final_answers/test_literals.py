"""Values of code: their quotes, spaces and letters count, and nothing is evaluated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.final_answers.literals import literals_equal


@pytest.mark.parametrize(
    ("gold", "prediction", "equal"),
    [
        ("'ba'", "ba", True),
        ("'ba'", "'ba'", True),
        ("'ba'", "ab", False),
        ("'00019'", "019", False),
        ("'Abb'", "abb", False),
        ("['a', 1]", '["a", 1]', True),
        ("['a', 1]", "['a', 2]", False),
        ("('a', 1)", "['a', 1]", False),
        ("{'a': True}", '{"a": true}', True),
        ("{1: 2}", '{"1": 2}', True),
        ("{}", "\\emptyset", None),
        ("[]", "[1]", False),
        ("[1, 2]", "[1, 2]", None),
        ("12", "12", None),
        ("f'(x)", "f'(x)", None),
        ("'" + "[" * 50 + "'", "x", False),
        ("['" + "[" * 50, "x", None),
    ],
)
def test_values(gold: str, prediction: str, equal: bool | None) -> None:  # noqa: FBT001 - a table of cases
    assert literals_equal(gold=gold, prediction=prediction) is equal


@given(value=st.recursive(st.integers() | st.text(alphabet="ab 'c", max_size=4), lambda inner: st.lists(inner, max_size=3), max_leaves=6))
def test_a_printed_value_is_equal_to_itself_or_no_literal(value: object) -> None:
    assert literals_equal(gold=repr(value), prediction=repr(value)) in (True, None)


@given(text=st.text(max_size=40))
def test_no_text_differs_from_itself_and_none_raises(text: str) -> None:
    assert literals_equal(gold=f"'{text}'", prediction=f"'{text}'") is not False
    assert literals_equal(gold=text, prediction=text) is not False
