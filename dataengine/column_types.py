"""The type of a column of JSON values: one for all rows, wide enough for each of them; where there is none, JSON text."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

WHOLE = pl.Int32()
"""While types are found: an integer that a float holds exactly, so that floats beside it lose nothing."""
MOST_DEPTH = 32
"""Lists and objects inside each other; what is deeper is JSON text."""
MOST_KEYS = 256
"""Keys of an object, over all rows; of more, the keys are data and the column is JSON text."""
OTHER_LEAVES = (bytes, decimal.Decimal, datetime.date, datetime.time, datetime.timedelta)
"""What comes out of Parquet files and no JSON has; a datetime is a date."""


class NoOneType(Exception):
    """No type of a column holds both values as they are."""


class ColumnTypes:
    """The types of columns, wider with every row that is seen; `schema` says what they have become."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}
        """A name's type so far; None where nothing but text holds all its values."""

    def see(self, row: Mapping[str, Any]) -> None:
        """Widen the types by one row."""
        for name, value in row.items():
            before = self._found.get(name, pl.Null())
            if before is None or (value is None and name in self._found):
                continue
            try:
                self._found[name] = wider(before, type_of(value))
            except NoOneType:
                self._found[name] = None

    def schema(self) -> dict[str, Any]:
        """Name to type, in the order in which the names were seen; None where values are written as JSON text."""
        return {name: None if found is None else _stored(found) for name, found in self._found.items()}


def types_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Name to the one type that holds the values of all rows, or None where they are written as JSON text.

    Keys of objects are merged; integers beside floats are floats where that loses nothing; any other two kinds are JSON text.
    """
    found = ColumnTypes()
    for row in rows:
        found.see(row)
    return found.schema()


def column(name: str, values: list[Any], dtype: Any) -> pl.Series:
    """The values as a column of a type that `types_of` found."""
    if dtype is None:
        return pl.Series(name, [as_text(value) for value in values], dtype=pl.String)
    return pl.Series(name, values, dtype=dtype, strict=True)


def as_text(value: Any) -> str | None:
    """A value as JSON text; a text stays as it is.

    >>> as_text([1, 0.5]), as_text("007")
    ('[1, 0.5]', '007')
    """
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def type_of(value: Any, *, depth: int = 0) -> Any:
    """The type that holds this one value; NoOneType where none does."""
    if depth > MOST_DEPTH:
        raise NoOneType
    if isinstance(value, Mapping):
        if len(value) > MOST_KEYS or not all(isinstance(key, str) for key in value):
            raise NoOneType
        return pl.Struct({key: type_of(inside, depth=depth + 1) for key, inside in value.items()})
    if isinstance(value, list | tuple):
        return pl.List(_type_of_all(value, depth=depth + 1))
    return _leaf(value)


def _leaf(value: Any) -> Any:
    if value is None:
        return pl.Null()
    if isinstance(value, str):
        return pl.String()
    if isinstance(value, bool):
        return pl.Boolean()
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return WHOLE if abs(value) <= 2**53 else pl.Int64()
    if isinstance(value, float):
        return pl.Float64()
    if isinstance(value, OTHER_LEAVES):
        return pl.Series([value]).dtype
    raise NoOneType


def _type_of_all(values: Sequence[Any], *, depth: int) -> Any:
    """The one type of a list's values; a long list of texts or numbers is asked for its extremes alone."""
    kinds = {type(value) for value in values}
    if kinds == {int}:
        values = (min(values), max(values))
    elif kinds in ({str}, {float}, {bool}):
        values = values[:1]
    found = pl.Null()
    for value in values:
        found = wider(found, type_of(value, depth=depth))
    return found


def wider(one: Any, other: Any) -> Any:
    """The type that holds the values of both; NoOneType where none does."""
    if one == other or other == pl.Null:
        return one
    if one == pl.Null:
        return other
    if isinstance(one, pl.List) and isinstance(other, pl.List):
        return pl.List(wider(one.inner, other.inner))
    if isinstance(one, pl.Struct) and isinstance(other, pl.Struct):
        return _merged(one, other)
    if isinstance(one, pl.Decimal) and isinstance(other, pl.Decimal):
        return pl.Decimal(38, max(one.scale, other.scale))
    for wide, narrow in ((one, other), (other, one)):
        if narrow == WHOLE and wide in (pl.Int64, pl.Float64):
            return wide
    raise NoOneType


def _merged(one: pl.Struct, other: pl.Struct) -> pl.Struct:
    fields = {each.name: each.dtype for each in one.fields}
    for each in other.fields:
        fields[each.name] = wider(fields.get(each.name, pl.Null()), each.dtype)
    if len(fields) > MOST_KEYS:
        raise NoOneType
    return pl.Struct(fields)


def _stored(found: Any) -> Any:
    """The type as it is written; None where Parquet has none: an object without any key."""
    if isinstance(found, pl.List):
        inner = _stored(found.inner)
        return inner if inner is None else pl.List(inner)
    if isinstance(found, pl.Struct):
        fields = {each.name: _stored(each.dtype) for each in found.fields}
        return pl.Struct(fields) if fields and None not in fields.values() else None
    return pl.Int64() if found == WHOLE else pl.String() if found == pl.Null else found
