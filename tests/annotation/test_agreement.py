from __future__ import annotations

import krippendorff
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.agreement import Agreement, agreement, alphas
from annotation.answer import Answer


def said(item: int, who: str, verdict: str, **values: object) -> Answer:
    return Answer(item_id=str(item), annotator=who, status="submitted", values={"verdict": verdict, **values})


def found(answers: list[Answer], rows: pl.DataFrame | None = None) -> dict[tuple[str, str], Agreement]:
    return {(each.question, each.between): each for each in agreement(answers, rows)}


def test_alpha_is_the_published_one() -> None:
    """Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section B: binary or nominal data, two observers, alpha 0.095."""
    meg, owen = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    words = ["keep", "discard"]
    answers = [said(n, who, words[value]) for who, of in (("meg", meg), ("owen", owen)) for n, value in enumerate(of)]
    verdict = found(answers)["verdict", "people"]
    assert verdict.alpha == pytest.approx(0.095, abs=0.001)
    assert verdict.same == pytest.approx(0.6)
    assert (verdict.items, verdict.answers) == (10, 20)
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low < 0.095 < verdict.high


PUBLISHED = {
    "ann": "1 2 3 3 2 1 4 1 2 . . .",
    "bo": "1 2 3 3 2 2 4 1 2 5 . 3",
    "cy": ". 3 3 3 2 3 4 2 2 5 1 .",
    "di": "1 2 3 3 2 4 4 1 2 5 1 .",
}
"""Krippendorff (2011), section C: four observers, twelve units, five values, some missing."""


@pytest.mark.parametrize(
    ("people", "items", "nominal", "ordinal"),
    [
        ("ann bo cy di", 11, 113 / 152, 108577 / 133160),
        ("ann bo cy", 10, 131 / 194, 19043 / 23660),
        ("bo cy di", 11, 263 / 368, 20927 / 24087),
    ],
)
def test_alpha_of_many_people_with_values_missing_is_the_published_one(people: str, items: int, nominal: float, ordinal: float) -> None:
    """The paper says 0.743 and 0.815 for all four (nominal, ordinal); those of three are reckoned in fractions from its formulas."""
    answers = [
        said(n, who, "keep", readability=int(mark), language=mark)
        for who in people.split()
        for n, mark in enumerate(PUBLISHED[who].split())
        if mark != "."
    ]
    by = found(answers)
    assert by["language", "people"].alpha == pytest.approx(nominal)
    assert by["readability", "people"].alpha == pytest.approx(ordinal)
    assert by["language", "people"].items == items
    assert by["verdict", "people"].note == "alpha is not defined: everybody said 'keep' each time: nothing varies"


def test_alpha_of_three_people_is_what_pencil_and_paper_say() -> None:
    """Rows aaa, ab, cc and a lone a. Coincidences: aa 3, ab 1, ba 1, cc 2; so of 7 values a has 4, b 1 and c 2.

    Ordinal distances (values between two and half of both, squared): ab 2.5^2, ac 4^2, bc 1.5^2. Observed 2 * 6.25 = 12.5, expected
    2 * (4*1*6.25 + 4*2*16 + 1*2*2.25) / 6 = 52.5. Nominal: observed 2, expected 2 * (4 + 8 + 2) / 6 = 14 / 3.
    """
    marks = {1: [1, 1, 1], 2: [1, 2], 3: [5, 5], 4: [1]}
    answers = [said(n, f"p{who}", "keep", readability=m, language=str(m)) for n, given in marks.items() for who, m in enumerate(given)]
    by = found(answers)
    assert by["readability", "people"].alpha == pytest.approx(1 - 12.5 / 52.5)
    assert by["language", "people"].alpha == pytest.approx(1 - 2 / (14 / 3))
    assert (by["readability", "people"].items, by["readability", "people"].answers) == (3, 7)
    assert by["readability", "people"].same == pytest.approx(5 / 7)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=2, max_size=4), min_size=3, max_size=12), st.sampled_from(["nominal", "ordinal"]))
def test_many_matrices_at_once_give_what_the_library_gives_for_each(units: list[list[int]], level: str) -> None:
    counts = np.array([[unit.count(value) for value in range(5)] for unit in units], dtype=float)
    if len({value for unit in units for value in unit}) < 2:
        return
    pairs = sum((np.outer(c, c) - np.diag(c)) / (c.sum() - 1) for c in counts)
    library = krippendorff.alpha(value_counts=counts, value_domain=list(range(5)), level_of_measurement=level)  # pyright: ignore[reportArgumentType]
    assert alphas(np.asarray(pairs)[None], level=level)[0] == pytest.approx(library, abs=1e-9)


def test_near_marks_are_nearer_than_far_ones() -> None:
    near = [said(n, who, "keep", readability=n % 4 + 1 + (who == "bo")) for n in range(20) for who in ("ann", "bo")]
    far = [said(n, who, "keep", readability=(n % 4 + 1 if who == "ann" else 5 - n % 4)) for n in range(20) for who in ("ann", "bo")]
    close, apart = found(near)["readability", "people"], found(far)["readability", "people"]
    assert close.same == 0
    assert close.alpha is not None
    assert apart.alpha is not None
    assert close.alpha > 0.5 > 0 > apart.alpha


def test_where_nothing_varies_alpha_is_null_and_says_so_never_nan() -> None:
    same = found([said(n, who, "keep", language="en") for n in range(5) for who in ("ann", "bo")])
    assert same["verdict", "people"].same == 1
    assert same["verdict", "people"].alpha is None
    assert same["verdict", "people"].note == "alpha is not defined: everybody said 'keep' each time: nothing varies"
    assert same["readability", "people"].note == "no row has two answers"
    assert found([])["verdict", "people"].items == 0
    one = found([said(1, "ann", "keep"), said(1, "bo", "discard")])["verdict", "people"]
    assert (one.alpha, one.same, one.note) == (None, 0, "alpha is not defined: a single row")


def test_people_who_agree_always_have_an_alpha_of_one() -> None:
    answers = [said(n, who, ["keep", "fix", "discard"][n % 3]) for n in range(30) for who in ("ann", "bo", "cy")]
    for question in ("verdict", "edited"):
        each = found(answers)[question, "people"]
        assert (each.alpha, each.low, each.high, each.same) == (1, 1, 1, 1)
    assert found(answers)["edited", "people"].items == 20


def test_people_are_compared_with_each_scorer_where_it_judged() -> None:
    rows = pl.DataFrame(
        {
            "item_id": [*map(str, range(40)), None],
            "right": [n % 2 == 0 for n in range(41)],
            "blind": [None] * 41,
            "luck": [n % 3 == 0 for n in range(41)],
        },
        schema_overrides={"blind": pl.Boolean},
    )
    answers = [said(n, who, "keep" if n % 2 == 0 else "discard") for n in range(40) for who in ("ann", "bo")[: 1 + n % 2]]
    by = found(answers, rows)
    assert by["good", "right"].alpha == 1
    assert (by["good", "right"].items, by["good", "right"].answers) == (40, 60)
    assert by["good", "blind"].note == "no answered row was judged by it"
    luck = by["good", "luck"]
    assert luck.alpha is not None
    assert abs(luck.alpha) < 0.3
    assert luck.low is not None
    assert luck.low < luck.alpha


def test_a_scorer_that_says_the_same_of_every_row_is_named() -> None:
    rows = pl.DataFrame({"item_id": [str(n) for n in range(20)], "blind": [True] * 20})
    blind = found([said(n, "ann", ["keep", "discard"][n % 2]) for n in range(20)], rows)["good", "blind"]
    assert blind.alpha is not None
    assert blind.alpha <= 0
    assert blind.note == "it passes every answered row, so alpha can not be above 0"


def test_an_item_with_one_answer_has_nobody_to_agree_with() -> None:
    lone = [said(n, "ann", "keep") for n in range(10)]
    pair = [said(n, who, ["keep", "discard"][n % 2]) for n in range(20, 24) for who in ("ann", "bo")]
    assert found(lone + pair)["verdict", "people"].items == 4
