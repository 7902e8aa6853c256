"""One type for a column: what is read equals what was written, whatever JSON brought."""

from __future__ import annotations

import io
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.column_types import as_text, column, types_of

LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6
)


def written(values: list[Any]) -> pl.Series:
    """The column as a Parquet file gives it back."""
    made = column("m", values, types_of({"m": value} for value in values).get("m"))
    file = io.BytesIO()
    made.to_frame().write_parquet(file)
    return pl.read_parquet(io.BytesIO(file.getvalue()))["m"]


def same(read: Any, value: Any) -> bool:
    """Whether they are equal and of one kind; a key that an object leaves out is null, and an integer may be a float."""
    if isinstance(value, dict) and isinstance(read, dict):
        return all(same(inside, value.get(key)) for key, inside in read.items()) and set(value) <= set(read)
    if isinstance(value, list) and isinstance(read, list):
        return len(read) == len(value) and all(map(same, read, value))
    return read == value and isinstance(read, bool) == isinstance(value, bool)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_what_is_read_equals_what_was_written_or_is_its_json_text(values: list[Any]) -> None:
    read = written(values)
    if read.dtype == pl.String:
        assert read.to_list() == [as_text(value) for value in values]
    else:
        assert all(map(same, read.to_list(), values))


@given(st.lists(VALUES, min_size=1, max_size=5), st.randoms())
def test_the_order_of_the_rows_does_not_decide_the_type(values: list[Any], random: Any) -> None:
    mixed = random.sample(values, len(values))
    ours, theirs = (json.dumps(str(sorted_type(types_of({"m": value} for value in each)["m"]))) for each in (values, mixed))
    assert ours == theirs


def sorted_type(dtype: Any) -> Any:
    """A type with the fields of its structs in the order of their names."""
    if isinstance(dtype, pl.List):
        return pl.List(sorted_type(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({each.name: sorted_type(each.dtype) for each in sorted(dtype.fields, key=lambda each: each.name)})
    return dtype


@pytest.mark.parametrize(
    ("values", "read"),
    [
        ([[1], [0.5]], [[1.0], [0.5]]),
        ([[{"s": 1}], [{"s": 0.5}]], [[{"s": 1.0}], [{"s": 0.5}]]),
        ([{"a": 1}, {"b": "x"}], [{"a": 1, "b": None}, {"a": None, "b": "x"}]),
        ([1, 0.5, None], [1.0, 0.5, None]),
        ([[1], ["007"]], ["[1]", '["007"]']),
        ([[True], [1]], ["[true]", "[1]"]),
        ([2**60, 0.5], [str(2**60), "0.5"]),
        ([2**200, 1], [str(2**200), "1"]),
        ([{}, {}], ["{}", "{}"]),
        ([{"a": {}}], ['{"a": {}}']),
        ([[], None], [[], None]),
    ],
)
def test_values_of_two_kinds_keep_what_they_say(values: list[Any], read: list[Any]) -> None:
    assert written(values).to_list() == read


def test_objects_whose_keys_are_data_and_what_is_nested_deeply_are_json_text() -> None:
    by_key = [{f"key{number}": 1} for number in range(300)]
    assert types_of({"m": value} for value in by_key) == {"m": None}
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    assert written([deep]).to_list() == [json.dumps(deep)]
