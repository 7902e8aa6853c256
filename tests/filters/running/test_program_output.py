"""Comparing outputs: a table of readings, and laws that hold for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.running.program_output import CHECKERS, Checker, first_difference, output_matches

OUTPUT = st.text(st.sampled_from("01 a.\n\t-eE+Yy"), max_size=40) | st.text(max_size=40)
CASES: list[tuple[str, str, Checker, bool]] = [
    ("1\n2\n", "1\n2", "lines", True),
    ("1\r\n2", "1\n2", "lines", True),
    ("1  2 \n\n3", "1 2\n3\n", "lines", True),
    ("1", "1\n2", "lines", False),
    ("1\n2\n3", "1\n2", "lines", False),
    ("1 2\n3", "1\n2 3", "lines", False),
    ("1 2\n3", "1\n2 3", "tokens", True),
    ("1  2", "1 2", "exact", False),
    ("1 2 \n\n", "1 2", "exact", True),
    ("yes", "YES", "lines", False),
    ("yes", "YES", "caseless", True),
    ("b\na", "a\nb", "any order", True),
    ("b\nb", "a\nb", "any order", False),
    ("0.3333333", "0.33333333333", "lines", True),
    ("0.3334", "0.33333333333", "lines", False),
    ("5", "5.0", "lines", True),
    ("5.0", "5", "lines", False),
    ("1e3", "1000.0", "lines", True),
    ("1000000001", "1000000000", "lines", False),
    ("nan", "NaN", "lines", True),
    ("inf", "0.5", "lines", False),
    ("0.5", "1_0.5", "lines", False),
    ("", "", "lines", True),
    ("", "0", "lines", False),
    ("９", "9", "lines", False),
]


@pytest.mark.parametrize(("got", "expected", "checker", "equal"), CASES)
def test_each_reading_of_an_output(got: str, expected: str, checker: Checker, equal: bool) -> None:  # noqa: FBT001 (a column of the table)
    assert output_matches(got, expected, checker=checker) is equal


@given(OUTPUT, st.sampled_from(CHECKERS))
def test_an_output_matches_itself(text: str, checker: Checker) -> None:
    assert output_matches(text, text, checker=checker)


@given(OUTPUT, OUTPUT, st.sampled_from(CHECKERS))
def test_white_space_at_the_end_does_not_count(got: str, expected: str, checker: Checker) -> None:
    assert output_matches(got, expected, checker=checker) == output_matches(got + " \n\n", expected + "\n", checker=checker)


@given(OUTPUT, OUTPUT, st.sampled_from(CHECKERS))
def test_nothing_makes_it_raise_and_a_difference_can_be_named(got: str, expected: str, checker: Checker) -> None:
    if not output_matches(got, expected, checker=checker):
        assert all(isinstance(part, str) for part in first_difference(got, expected))


@given(st.lists(st.integers(0, 9).map(str), min_size=1, max_size=8), st.integers(1, 8))
def test_a_beginning_is_never_enough(lines: list[str], kept: int) -> None:
    if kept < len(lines):
        assert not output_matches("\n".join(lines[:kept]), "\n".join(lines))


@given(st.floats(-1e9, 1e9), st.floats(0, 1e-3))
def test_a_wider_tolerance_accepts_no_less(number: float, tolerance: float) -> None:
    got, expected = f"{number:.5f}", f"{number:.9f}"
    if output_matches(got, expected, tolerance=tolerance):
        assert output_matches(got, expected, tolerance=2 * tolerance)
