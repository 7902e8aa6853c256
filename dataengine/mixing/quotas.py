"""So many rows of this kind: quotas by any columns, written in Python or in a YAML file, and scaled without losing a row."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.names import nearest

SHIPPED = Path(__file__).parents[1] / "recipes" / "quotas"
"""Quota files that come with the program; `read_quotas` finds them by name."""

COT = "cot"
"""Whether a row has a chain of thought: its `reasoning` is not null. A column of this name, where the rows have one, comes first."""

ALL = 1_000_000_000
"""Rows of a quota that takes all there are."""

NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"\s*(?P<low>{NUMBER})?\s*\.\.(?P<open><)?\s*(?P<high>{NUMBER})?\s*")

Wanted = str | bool | int | float | None
"""What a column is asked for: a text, yes or no, a number, a range of numbers as text, or null: nobody said."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """So many rows of a part, where its columns have these values: `Quota(part="reasoning", rows=395_285, where={"domain": "math"})`"""

    part: str
    """Which part of the mix the rows come from."""
    rows: int
    """How many rows."""
    where: Mapping[str, Wanted | Sequence[Wanted]] = field(default_factory=dict)
    """Column to what it must be: "math", True, 3, "0.25..0.75" (both ends belong to it; `..<` leaves the upper one out; an end left away is
    no limit), None, or a list of such values, one of which it must be."""
    at_most: bool = False
    """Whether fewer are fine: then nothing is short, and no command ends with status 3 for it."""
    mean_tokens: float | None = None
    """What the mean of the column `tokens` is expected to be; the report sets it beside what it is."""

    @property
    def bucket(self) -> str:
        """What the quota is called in the report."""
        return "/".join((self.part, *(f"{column}={_said(value)}" for column, value in self.where.items())))

    def __post_init__(self) -> None:
        if isinstance(self.rows, bool) or not isinstance(self.rows, int) or self.rows < 0:
            raise ValueError(f"a quota is a number of rows, 0 or more; got {self.rows!r} for {self.part!r}")
        if not isinstance(self.at_most, bool) or not isinstance(self.mean_tokens, int | float | None) or not _finite(self.mean_tokens):
            raise ValueError(
                f"at_most is true or false and mean_tokens a number, got at_most={self.at_most!r}, mean_tokens={self.mean_tokens!r}"
            )
        for column, value in self.where.items():
            for each in value if isinstance(value, list | tuple) else [value]:
                if not isinstance(each, str | bool | int | float | None) or not _finite(each):
                    raise ValueError(f"a quota asks for {column}={each!r}: ask for a text, true or false, a number, a range or null")


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def read_quotas(file: Path | str, *, scale: float = 1.0) -> list[Quota]:
    """The quotas of a YAML file, or of a shipped one by its name (`r1_804745`), times `scale`.

    The file is `quotas:`, a list of `{part: ..., rows: ..., where: {column: value}, at_most: ..., mean_tokens: ...}`, of which
    part and rows must be there, and beside it `source:`, a text.
    ValueError names the entry that cannot be read.
    """
    from dataengine.mixing.strict_yaml import read_yaml

    path = Path(file)
    if not path.exists() and (SHIPPED / f"{file}.yaml").is_file():
        path = SHIPPED / f"{file}.yaml"
    if not path.is_file():
        shipped = (found.stem for found in SHIPPED.glob("*.yaml"))
        raise ValueError(f"there is no quota file {file}. Of those that come with the program: {nearest(path.stem, shipped)}")
    said = read_yaml(path, what="the quota file")
    if not isinstance(said, Mapping) or not isinstance(said.get("quotas"), list):
        raise ValueError(f"the quota file {path} wants `quotas:`, a list of {{part: ..., rows: ..., where: {{column: value}}}}")
    _known_keys(said, ("source", "quotas"), where=str(path))
    quotas = [_read(entry, where=f"{path}, quota {number}") for number, entry in enumerate(said["quotas"], start=1)]
    refuse_doubled(quotas)
    return scaled(quotas, scale)


def scaled(quotas: Sequence[Quota], scale: float) -> list[Quota]:
    """The quotas times `scale`, rounded by largest remainder: their sum is the rounded sum, and none is off by a whole row."""
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"quotas are scaled by a number above 0, got {scale}")
    exact = [quota.rows * Fraction(str(scale)) for quota in quotas]
    rows = [math.floor(each) for each in exact]
    missing = math.floor(sum(exact, start=Fraction(0)) + Fraction(1, 2)) - sum(rows)
    by_remainder = sorted(range(len(quotas)), key=lambda number: (rows[number] - exact[number], number))
    for number in by_remainder[: max(missing, 0)]:
        rows[number] += 1
    return [replace(quota, rows=count) for quota, count in zip(quotas, rows, strict=True)]


def refuse_doubled(quotas: Sequence[Quota]) -> None:
    """ValueError where two quotas ask for the very same rows."""
    asked = [(quota.part, sorted((column, _said(value)) for column, value in quota.where.items())) for quota in quotas]
    doubled = sorted({quota.bucket for number, quota in enumerate(quotas) if asked[number] in asked[:number]})
    if doubled:
        raise ValueError(f"two quotas ask for the same rows: {', '.join(doubled)}. Add them up, or tell them apart by another column.")


def ranges_as_text(where: Mapping[str, Wanted | Sequence[Wanted]], schema: Mapping[str, pl.DataType]) -> list[tuple[str, str]]:
    """(column, text) where a text that looks like a range of numbers is asked of a column of texts: it matches that very text alone."""
    asked = [(column, each) for column, wanted in where.items() for each in (wanted if isinstance(wanted, list | tuple) else [wanted])]
    return [(column, each) for column, each in asked if schema.get(column) == pl.String and isinstance(each, str) and RANGE.fullmatch(each)]


def columns_read(where: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """The columns that `matches` reads, of those there are."""
    return [found for column in where if (found := column if column in columns else _source(column)) in columns]


def unknown(where: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """The columns that are asked for and neither there nor told by another one."""
    return [column for column in where if column not in columns and _source(column) not in columns]


def matches(where: Mapping[str, Any], schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """Whether a row has all these values, never null; columns in `unknown` are left out."""
    tests = [_test(column, wanted, schema) for column, wanted in where.items() if column not in unknown(where, list(schema))]
    return pl.all_horizontal(pl.lit(value=True), *tests)


def _test(column: str, wanted: Any, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return pl.any_horizontal(pl.lit(value=False), *(_test(column, each, schema) for each in wanted))
    if column not in schema:  # cot
        value, dtype = pl.col(_source(column)).is_not_null(), pl.Boolean()
    else:
        value, dtype = pl.col(column), schema[column]
    if isinstance(dtype, pl.Struct) and "value" in (fields := {each.name: each.dtype for each in dtype.fields}):  # a score
        value, dtype = value.struct.field("value"), fields["value"]
    if wanted is None:
        return value.is_null()
    if dtype == pl.Null:
        return pl.lit(value=False)
    if dtype.is_numeric() and isinstance(wanted, str):
        low, high, open_above = _ends(column, wanted)
        value = value.fill_nan(None) if dtype.is_float() else value
        return value.is_between(low, high, closed="left" if open_above else "both").fill_null(value=False)
    kinds, example = _asked_as(dtype)
    if not isinstance(wanted, kinds) or (isinstance(wanted, bool) and bool not in kinds):
        raise ValueError(
            f"a quota asks for {column}={wanted!r}, and the column holds {dtype}: ask for {example}"
            + (' (YAML reads no, yes, on and off as truth values: put "no" in quotes)' if isinstance(wanted, bool) else "")
        )
    return (value.cast(pl.String) == wanted if isinstance(wanted, str) else value == wanted).fill_null(value=False)


def _asked_as(dtype: Any) -> tuple[tuple[type, ...], str]:
    """What a column of this type may be asked for."""
    if dtype == pl.Boolean:
        return (bool,), "true or false"
    if dtype.is_numeric():
        return (int, float), "a number or a range such as '0.25..0.75'"
    return ((str,), "a text") if dtype in (pl.String, pl.Categorical, pl.Enum) else ((), "null, or for another column")


def _ends(column: str, wanted: str) -> tuple[float, float, bool]:
    """Lower and upper end, and whether the upper one is left out."""
    found = RANGE.fullmatch(wanted)
    if found is None:
        raise ValueError(
            f"a quota asks for {column}={wanted!r}, and the column holds numbers: ask for a number, or for a range such as "
            "'0.25..0.75' (both ends belong to it), '0.25..<0.75' or '0.75..'"
        )
    low, high = float(found["low"] or "-inf"), float(found["high"] or "inf")
    if low > high:
        raise ValueError(f"a quota asks for {column}={wanted!r}, a range that ends before it begins")
    return low, high, found["open"] is not None


def _source(column: str) -> str:
    """The column that tells a derived one."""
    return "reasoning" if column == COT else column


def _said(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "|".join(_said(each) for each in value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _read(entry: Any, *, where: str) -> Quota:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: a quota is {{part: ..., rows: ..., where: {{column: value}}}}, got {entry!r}")
    _known_keys(entry, ("part", "rows", "where", "at_most", "mean_tokens"), where=where)
    for key in ("part", "rows"):
        if key not in entry:
            raise ValueError(f"{where}: `{key}` is missing in {dict(entry)}")
    asked = entry.get("where") or {}
    if not isinstance(asked, Mapping) or not all(isinstance(column, str) for column in asked):
        raise ValueError(f"{where}: `where` is {{column: value}}, got {asked!r}")
    try:
        return Quota(**{**entry, "part": str(entry["part"]), "where": dict(asked)})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _known_keys(given: Mapping[Any, Any], known: Sequence[str], *, where: str) -> None:
    for key in given:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}. {nearest(str(key), known)}")
