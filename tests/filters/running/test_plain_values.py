"""Values cross as they are: every kind, shared and cyclic ones, any depth; nonsense is refused and never run."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections import Counter, OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.running.plain_values import UNREADABLE, Opaque, Reader, Writer, close

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.binary(max_size=5)
KEYS = st.integers() | st.text(max_size=3) | st.tuples(st.integers(), st.text(max_size=2))
SETS = st.sets(KEYS, max_size=3)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(KEYS, inner, max_size=3) | SETS,
    max_leaves=20,
)


def crossed(value: Any, **settings: Any) -> Any:
    """The value after its journey as JSON."""
    writer = Writer(export=lambda value: 7, **settings)
    reference = writer.value(value)
    told = json.loads(json.dumps({"value": reference, "rows": writer.rows}))
    return Reader(told["rows"], **settings).value(told["value"])


@given(VALUES)
def test_a_value_arrives_as_it_left(value: Any) -> None:
    arrived = crossed(value)
    assert arrived == value
    assert type(arrived) is type(value)


KINDS = [
    frozenset({1}), bytearray(b"x"), 1j, ..., range(3), Counter("aab"), OrderedDict(a=1), deque([1, 2]),
    Decimal("1.50"), Fraction(1, 3),
    datetime.date(2024, 2, 29),
    datetime.datetime(2024, 2, 29, 1, 2, 3), datetime.time(1, 2), int, 10**5000, float("inf"), "\ud800", (1, (2, [3])),
]  # fmt: skip


@pytest.mark.parametrize("value", KINDS, ids=lambda value: type(value).__name__)
def test_each_kind_of_value_arrives(value: Any) -> None:
    arrived = crossed(value)
    assert arrived == value
    assert type(arrived) is type(value)


def test_shared_and_cyclic_values_keep_their_shape() -> None:
    inner: list[Any] = [1]
    pair = crossed([inner, inner])
    assert pair[0] is pair[1]
    inner.append(inner)
    arrived = crossed(inner)
    assert arrived[1] is arrived
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    arrived, depth = crossed(deep), 0
    while arrived:
        arrived, depth = arrived[0], depth + 1
    assert depth == 100_000


class Always(int):
    """Equal to everything, and lies about what it holds."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Lying(list[int]):
    """A list whose iteration shows other items than it has."""

    def __iter__(self) -> Any:
        return iter([9])


def test_a_subclass_arrives_as_the_plain_value_that_it_is() -> None:
    assert crossed(Always(3)) == 3
    assert crossed(Always(3)) != 4
    assert crossed(Lying([1])) == [1]


def test_what_is_no_plain_value_is_opaque_and_equals_nothing() -> None:
    arrived = crossed(object())
    assert isinstance(arrived, Opaque)
    assert arrived != object()
    assert arrived.number == 7


class Node:
    """A class that both sides have."""

    def __init__(self, value: int, other: Node | None = None) -> None:
        self.value, self.other = value, other


def test_instances_of_shared_classes_travel_by_value() -> None:
    node = Node(1)
    node.other = node
    arrived = crossed({"node": node, (1, 2): [node]}, classes={"Node": Node})
    assert arrived["node"].value == 1
    assert arrived["node"].other is arrived["node"] is arrived[1, 2][0]


BROKEN = [
    ["l"],
    ["l", [[9]]],
    ["t", [[0]]],
    ["x", "os", "system", "true"],
    ["i", 3],
    ["?"],
    ["o", "Node", []],
    [],
    ["s", [[0]]],
    ["D"],
    ["B", "print"],
]


@pytest.mark.parametrize("row", BROKEN, ids=str)
def test_a_row_that_is_nonsense_is_refused(row: list[Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        Reader([row]).value([0])


@pytest.mark.parametrize(
    ("got", "expected", "equal"),
    [(0.1 + 0.2, 0.3, True), (0.31, 0.3, False), (3, 3.0, True), (3.0, 3, True), (10**400, 1.5, False), ([0.3], [0.1 + 0.2], True),
     ({"a": 1.0}, {"a": 1}, True),
     ("1", 1, False), (True, 1.0, True), (None, 0.0, False), ([1, 2], [1], False)],
)  # fmt: skip
def test_results_close_to_an_expected_decimal_are_equal(got: Any, expected: Any, equal: bool) -> None:  # noqa: FBT001 (a column of the table)
    assert close(got, expected, tolerance=1e-6) is equal


NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.sampled_from([*"ldsqCOotfuibcgxBhe", "1/0", "fractions"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["rows", "value"]), inner),
    max_leaves=20,
)


@given(st.fixed_dictionaries({"rows": NONSENSE | st.lists(NONSENSE, max_size=4), "value": NONSENSE}))
def test_nonsense_is_unreadable_and_nothing_else_goes_wrong(told: dict[str, Any]) -> None:
    with contextlib.suppress(*UNREADABLE):
        Reader(told["rows"]).value(told["value"])
