"""Argilla's filters and orders as conditions of SQL on its own tables; `r` is the row of `records` they speak of.

Semantics are those of its Elasticsearch engine: a list matches with any of its elements, ratings arrive as strings, `pending` means that
this user has said nothing yet, what is missing sorts last.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from argilla_server.enums import ResponseStatusFilter, SortOrder
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.search_engine import (
    AndFilter,
    Filter,
    MetadataFilterScope,
    Order,
    RangeFilter,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
    TermsFilter,
)

METADATA = "json_each(CASE WHEN json_valid(r.metadata) THEN r.metadata END, ?) v"
SUGGESTED = "s.record_id = r.id AND s.question_id = (SELECT q.id FROM questions q WHERE q.dataset_id = r.dataset_id AND q.name = ?)"
# Else SQLite takes the index that has no status, and reads past every edited text for it.
STATUSES = "responses p INDEXED BY dataengine_responses"
TIMES = ("inserted_at", "updated_at")
PENDING = str(ResponseStatusFilter.pending)


@dataclass(frozen=True)
class Sql:
    """A piece of SQL and what its question marks stand for."""

    text: str
    values: tuple[Any, ...] = ()

    def __add__(self, other: Sql) -> Sql:
        return Sql(f"{self.text} {other.text}", self.values + other.values)


def condition(asked: Filter) -> Sql:
    """What a record must fulfil."""
    if isinstance(asked, AndFilter):
        parts = [condition(part) for part in asked.filters]
        return Sql(" AND ".join(f"({part.text})" for part in parts) or "1", tuple(value for part in parts for value in part.values))
    scope = asked.scope
    if isinstance(scope, RecordFilterScope):
        return _plain(asked, f"r.{scope.property}", scope.property)
    if isinstance(scope, MetadataFilterScope):
        return _exists(Sql(f"{METADATA} WHERE", (_path(scope.metadata_property),)) + _element(asked))
    if isinstance(scope, SuggestionFilterScope):
        return _suggestion(asked, scope)
    return _status(asked, scope) if scope.question is None else _response(asked, scope)


def order(asked: Sequence[Order]) -> Sql:
    """ORDER BY; what is equal stays as it was put in."""
    made = Sql("ORDER BY")
    for one in asked:
        pick, way = ("max", "DESC") if one.order == SortOrder.desc else ("min", "ASC")
        made = made + _sorted_by(one.scope, pick) + Sql(f"{way} NULLS LAST,")
    return made + Sql("r.inserted_at, r.id")


def _sorted_by(scope: Any, pick: str) -> Sql:
    if isinstance(scope, RecordFilterScope):
        return Sql(f"r.{scope.property}")
    if isinstance(scope, MetadataFilterScope):
        return Sql(f"(SELECT {pick}(v.value) FROM {METADATA})", (_path(scope.metadata_property),))
    if isinstance(scope, SuggestionFilterScope):
        column, is_json = _suggestion_column(scope)
        value = f"v.value) FROM suggestions s, json_each({column}) v" if is_json else f"{column}) FROM suggestions s"
        return Sql(f"(SELECT {pick}({value} WHERE {SUGGESTED})", (scope.question,))
    whose, user = _whose(scope)
    if scope.question is None:
        return Sql(f"(SELECT {pick}(p.status) FROM {STATUSES} WHERE p.record_id = r.id{whose})", user)
    path = _path(scope.question, "value")
    given = Sql('FROM responses p, json_each(p."values", ?) v WHERE p.record_id = r.id' + whose, (path, *user))
    # The mean of ratings, as Elasticsearch has it; labels have none.
    return Sql(f"(SELECT CASE WHEN min(v.type) IN ('integer', 'real') THEN avg(v.value) ELSE {pick}(v.value) END") + given + Sql(")")


def _plain(asked: TermsFilter | RangeFilter, column: str, name: str) -> Sql:
    """A condition on a column that holds one plain value."""
    if isinstance(asked, TermsFilter):
        values = [_as_stored(value, name) for value in asked.values]
        return Sql(f"{column} IN ({_marks(values)})", tuple(values))
    return _between(column, asked, [_as_stored(bound, name, upper=upper) for bound, upper in ((asked.ge, False), (asked.le, True))])


def _suggestion(asked: TermsFilter | RangeFilter, scope: SuggestionFilterScope) -> Sql:
    column, is_json = _suggestion_column(scope)
    if is_json:
        return _exists(Sql(f"suggestions s, json_each({column}) v WHERE {SUGGESTED} AND", (scope.question,)) + _element(asked))
    return _exists(Sql(f"suggestions s WHERE {SUGGESTED} AND", (scope.question,)) + _plain(asked, column, scope.property))


def _suggestion_column(scope: SuggestionFilterScope) -> tuple[str, bool]:
    """(column, whether it holds JSON)"""
    if scope.property in ("agent", "type"):
        return f"s.{scope.property}", False
    return ("s.score" if scope.property == "score" else "s.value"), True


def _response(asked: TermsFilter | RangeFilter, scope: ResponseFilterScope) -> Sql:
    whose, user = _whose(scope)
    given = 'responses p, json_each(p."values", ?) v WHERE p.record_id = r.id' + whose + " AND"
    return _exists(Sql(given, (_path(str(scope.question), "value"), *user)) + _element(asked))


def _status(asked: TermsFilter | RangeFilter, scope: ResponseFilterScope) -> Sql:
    if not isinstance(asked, TermsFilter):
        raise UnprocessableEntityError("The status of responses is filtered by terms, not by a range")
    whose, user = _whose(scope)
    given = f"EXISTS (SELECT 1 FROM {STATUSES} WHERE p.record_id = r.id{whose}"
    statuses = [value for value in asked.values if value != PENDING]
    parts = [Sql(f"NOT {given})", user)] if PENDING in asked.values else []
    if statuses:
        parts.append(Sql(f"{given} AND p.status IN ({_marks(statuses)}))", (*user, *statuses)))
    return Sql(" OR ".join(part.text for part in parts), tuple(value for part in parts for value in part.values))


def _whose(scope: ResponseFilterScope) -> tuple[str, tuple[str, ...]]:
    return (" AND p.user_id = ?", (scope.user.id.hex,)) if scope.user else ("", ())


def _element(asked: TermsFilter | RangeFilter) -> Sql:
    """A condition on `v`, an element of a JSON value: text as text, numbers as numbers, however they were asked for."""
    if isinstance(asked, TermsFilter):
        texts, numbers = asked.values, [number for value in asked.values if (number := _number(value)) is not None]
        as_number = f" OR (v.type IN ('integer', 'real') AND v.value IN ({_marks(numbers)}))" if numbers else ""
        return Sql(f"((v.type = 'text' AND v.value IN ({_marks(texts)})){as_number})", (*texts, *numbers))
    numbers = [None if bound is None else _number(bound) for bound in (asked.ge, asked.le)]
    as_text = Sql("(v.type = 'text' AND") + _between("v.value", asked, [asked.ge, asked.le], cast=str) + Sql(")")
    if any(bound is not None and number is None for bound, number in zip((asked.ge, asked.le), numbers, strict=True)):
        return as_text
    return Sql("((v.type IN ('integer', 'real') AND") + _between("v.value", asked, numbers) + Sql(") OR") + as_text + Sql(")")


def _between(column: str, asked: RangeFilter, bounds: Sequence[Any], cast: Any = lambda bound: bound) -> Sql:
    """`bounds` are those that were `asked` for, as they are stored; None is none."""
    sides = [Sql(f"{column} {sign} ?", (cast(bound),)) for sign, bound in zip((">=", "<="), bounds, strict=True) if bound is not None]
    return Sql(" AND ".join(side.text for side in sides), tuple(value for side in sides for value in side.values))


def _as_stored(value: Any, name: str, *, upper: bool = False) -> Any:
    """A value as the column `name` holds it."""
    if value is None or name not in ("id", *TIMES):
        return value
    try:
        if name == "id":
            return UUID(str(value)).hex
        return _moment(value, upper=upper).strftime("%Y-%m-%d %H:%M:%S.%f")
    except (ValueError, OverflowError, OSError):
        if name == "id":
            return str(value)  # what is no id is nobody's
        raise UnprocessableEntityError(f"{value!r} is not a time: write it as 2026-01-31T12:00:00") from None


def _moment(value: Any, *, upper: bool) -> datetime:
    """UTC without a zone; numbers are milliseconds, and a day as an upper bound is its end."""
    number = _number(value)
    if number is not None and not (isinstance(value, str) and len(value) == 4):
        return datetime.fromtimestamp(number / 1000, tz=UTC).replace(tzinfo=None)
    moment = datetime.fromisoformat(str(value))
    if upper and len(str(value)) == len("2026-01-31"):
        return datetime.combine(moment.date(), time.max)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _path(*names: str) -> str:
    return "$" + "".join(f'."{name}"' for name in names)


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" for _ in values)


def _exists(inside: Sql) -> Sql:
    return Sql("EXISTS (SELECT 1 FROM") + inside + Sql(")")
