"""Python values as JSON and back, between a judged program and what judges it; reading them runs none of the sender's code.

A message is a table: each container is a row, and what it holds are atoms (None, bool, int, float, str) or `[row]`. So lists that hold
themselves, objects that two others share and nesting of any depth survive. `[-1 - row]` is a row of the message that is answered:
an object that the receiver sent and gets back. What is no plain value crosses as a handle, by which its owner can be asked.
"""

from __future__ import annotations

import builtins
import importlib
import math
import numbers
import operator
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

LARGEST = 1 << 4096
"""Whole numbers beyond travel in hexadecimal: decimal digits of a long one are slow, and refused by Python."""
MOST_ROWS = 5_000_000
MUTABLE = (list, dict, set, deque, bytearray)
DICTS: dict[str, type[dict[Any, Any]]] = {"d": dict, "C": Counter, "O": OrderedDict}
LISTS: dict[str, Callable[..., Any]] = {"l": list, "t": tuple, "s": set, "f": frozenset, "q": deque}
AS_TEXT = {
    ("decimal", "Decimal"): ("__str__", "Decimal"), ("fractions", "Fraction"): ("__str__", "Fraction"),
    ("datetime", "datetime"): ("isoformat", "datetime.fromisoformat"), ("datetime", "date"): ("isoformat", "date.fromisoformat"),
    ("datetime", "time"): ("isoformat", "time.fromisoformat"),
}  # fmt: skip
"""Values that travel as text: what writes it and what reads it. Their modules are imported when one comes, not before."""


class Opaque:
    """A value that is no plain data and whose owner is not asked: it equals nothing but itself."""

    def __init__(self, number: int, kind: str) -> None:
        self.number, self.kind = number, kind

    def __repr__(self) -> str:
        return f"<{self.kind} object>"


class Writer:
    """Writes one message. `known`: ids of objects that came from the receiver, with their rows. `classes`: instances of these travel by
    value. `export`: gives what is no plain value a number."""

    def __init__(
        self, *, known: Mapping[int, int] | None = None, classes: Mapping[str, type] | None = None, export: Callable[[Any], int]
    ) -> None:
        self.known, self.classes, self.export = known or {}, classes or {}, export
        self.rows: list[Any] = []
        self.objects: list[Any] = []
        """The object of each row."""
        self._row_of: dict[int, int] = {}

    def value(self, value: Any) -> Any:
        """The atom or reference for `value`, with the rows that it needs written."""
        reference = self._reference(value)
        self.finish()
        return reference

    def finish(self) -> None:
        """Write the rows of everything referred to so far."""
        while len(self.rows) < len(self.objects):
            if len(self.rows) > MOST_ROWS:
                raise ValueError(f"a value of more than {MOST_ROWS:,} parts")
            self.rows.append(self.row(self.objects[len(self.rows)]))

    def _reference(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is str or kind is float or (kind is int and -LARGEST < value < LARGEST):
            return value
        if id(value) in self.known:
            return [-1 - self.known[id(value)]]
        row = self._row_of.get(id(value))
        if row is None:
            row = self._row_of[id(value)] = len(self.objects)
            self.objects.append(value)
        return [row]

    def _all(self, values: Iterable[Any]) -> list[Any]:
        return [self._reference(value) for value in values]

    def row(self, value: Any) -> list[Any]:
        """The row of one value, by its base type's own methods: an override of the program's is never asked."""
        match value:
            case Counter():
                return ["C", self._all(part for pair in dict.items(value) for part in pair)]
            case OrderedDict():
                return ["O", self._all(part for key in OrderedDict.__iter__(value) for part in (key, dict.__getitem__(value, key)))]
            case dict():
                return ["d", self._all(part for pair in dict.items(value) for part in pair)]
            case list():
                return ["l", self._all(list.__iter__(value))]
            case tuple():
                return ["t", self._all(tuple.__iter__(value))]
            case set():
                return ["s", self._all(set.__iter__(value))]
            case frozenset():
                return ["f", self._all(frozenset.__iter__(value))]
            case deque():
                return ["q", self._all(deque.__iter__(value))]
        return _scalar_row(value) or self._object_row(value)

    def _object_row(self, value: Any) -> list[Any]:
        kind = type(value)
        if type(value) is type({}.keys()):
            return ["s", self._all(value)]
        if isinstance(value, type) and getattr(builtins, value.__name__, None) is value:
            return ["B", value.__name__]
        if kind is not type and self.classes.get(kind.__name__) is kind and hasattr(value, "__dict__"):
            return ["o", kind.__name__, self._all(part for pair in vars(value).items() for part in pair)]
        return ["h", self.export(value), kind.__name__[:60]]


def _scalar_row(value: Any) -> list[Any] | None:
    """The row of a value that holds no others."""
    kind = (type(value).__module__, type(value).__name__)
    if kind in AS_TEXT:
        return ["x", *kind, str(getattr(value, AS_TEXT[kind][0])())]
    match value:
        case bytes() | bytearray():
            return ["b" if isinstance(value, bytes) else "y", bytes(value).hex()]
        case str():
            return ["u", str.__str__(value)]
        case bool():
            return ["u", value]
        case complex():
            return ["c", value.real, value.imag]
        case range():
            return ["g", value.start, value.stop, value.step]
        case numbers.Integral():
            return ["i", hex(int(value))]
        case numbers.Real():
            return ["u", float(value)]
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "shape", None) == ():
        plain = value.item()
        return ["u", plain] if type(plain) in (bool, int, float, str) else None
    return ["e"] if value is ... else None


UNREADABLE = (KeyError, ValueError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError)
"""What a Reader raises over a message that is none of a Writer's: a program may have written anything there."""


class Reader:
    """Reads one message. `sent`: the objects of the rows of the message that it answers. `foreign`: makes something of a handle."""

    def __init__(
        self,
        rows: Sequence[Any],
        *,
        sent: Sequence[Any] = (),
        classes: Mapping[str, type] | None = None,
        foreign: Callable[[int, str], Any] = Opaque,
    ) -> None:
        self.rows, self.sent, self.classes, self.foreign = rows, sent, classes or {}, foreign
        self.objects: list[Any] = [None] * len(rows)
        self._built = [False] * len(rows)
        for number, row in enumerate(rows):
            if row[0] in ("l", "d", "s", "q", "C", "O", "o"):
                self.objects[number] = self._empty(row)
                self._built[number] = True
        for number in range(len(rows)):
            self._build(number)
        for number, row in sorted(enumerate(rows), key=lambda item: item[1][0] != "o"):
            if row[0] in ("l", "d", "s", "q", "C", "O", "o"):
                self.fill(self.objects[number], row)

    def value(self, reference: Any) -> Any:
        """The value of an atom or reference."""
        if not isinstance(reference, list):
            return reference
        (row,) = reference
        return self.objects[row] if row >= 0 else self.sent[-1 - row]

    def fill(self, target: Any, row: Sequence[Any]) -> None:
        """Make `target` hold what the row says, in place."""
        values = [self.value(reference) for reference in row[2 if row[0] == "o" else 1]]
        match row[0]:
            case "l":
                target[:] = values
            case "q":
                target.clear()
                target.extend(values)
            case "s":
                target.clear()
                target.update(values)
            case "o":
                vars(target).clear()
                vars(target).update(zip(values[::2], values[1::2], strict=True))
            case _:
                target.clear()
                for key, value in zip(values[::2], values[1::2], strict=True):
                    target[key] = value

    def _empty(self, row: Sequence[Any]) -> Any:
        if row[0] == "o":
            return object.__new__(self.classes[row[1]])
        return DICTS[row[0]]() if row[0] in DICTS else LISTS[row[0]]()

    def _build(self, number: int) -> Any:
        """The immutable value of a row; its parts first, with a stack of our own."""
        stack = [number]
        while stack:
            row = self.rows[stack[-1]]
            if self._built[stack[-1]]:
                stack.pop()
                continue
            parts = row[1] if row[0] in ("t", "f") else ()
            open_parts = [part[0] for part in parts if isinstance(part, list) and part[0] >= 0 and not self._built[part[0]]]
            if not open_parts:
                here = stack.pop()
                self.objects[here] = LISTS[row[0]](map(self.value, parts)) if row[0] in ("t", "f") else self._scalar(row)
                self._built[here] = True
            elif len(stack) > len(self.rows):
                raise ValueError("a tuple that holds itself")
            else:
                stack.extend(open_parts)

    def _scalar(self, row: Sequence[Any]) -> Any:
        match row:
            case ["u", bool() | int() | float() | str() as value]:
                return value
            case ["i", str() as digits]:
                return int(digits, 16)
            case ["b" | "y" as kind, str() as text]:
                return (bytes if kind == "b" else bytearray).fromhex(text)
            case ["c", real, imaginary]:
                return complex(real, imaginary)
            case ["g", start, stop, step]:
                return range(start, stop, step)
            case ["x", str() as module, str() as name, str() as text]:
                return operator.attrgetter(AS_TEXT[module, name][1])(importlib.import_module(module))(text)
            case ["B", str() as name] if isinstance(getattr(builtins, name, None), type):
                return getattr(builtins, name)
            case ["h", int() as handle, str() as kind]:
                return self.foreign(handle, kind)
            case ["e"]:
                return ...
        raise ValueError(f"no plain value: {str(row)[:80]}")


def snapshot(value: Any) -> Any:
    """What a mutable value holds now, one level deep; None for what cannot change."""
    if isinstance(value, (list, deque)):
        return list(value)
    if isinstance(value, dict):
        return [part for pair in value.items() for part in pair]
    if isinstance(value, (set, bytearray)):
        return type(value)(value)
    return [part for pair in vars(value).items() for part in pair] if hasattr(value, "__dict__") else None


def changed(before: Any, now: Any) -> bool:
    """Do two snapshots of one value differ in any part's identity?"""
    if isinstance(before, list) and isinstance(now, list):
        return len(before) != len(now) or any(a is not b for a, b in zip(before, now, strict=True))
    return before != now


def as_json_would(value: Any) -> Any:
    """The value as a test file can write it: tuples and sets of no order are lists, keys stay.

    >>> as_json_would(((1, 2), [3]))
    [[1, 2], [3]]
    """
    if isinstance(value, (list, tuple)):
        return [as_json_would(part) for part in value]
    if isinstance(value, dict):
        return {key: as_json_would(part) for key, part in value.items()}
    return value


def close(got: Any, expected: Any, *, tolerance: float) -> bool:
    """Equality of plain values, with numbers close to an expected float accepted; relative or absolute, whichever is wider.

    >>> close([1, 0.30000000000000004], [1, 0.3], tolerance=1e-6), close(True, 1, tolerance=0), close([1], [1, 2], tolerance=1)
    (True, True, False)
    """
    if isinstance(expected, float) and isinstance(got, (int, float)) and not isinstance(got, bool):
        try:
            return got == expected or math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)
        except OverflowError:  # a whole number beyond all floats
            return False
    if isinstance(expected, list) and isinstance(got, list):
        return len(got) == len(expected) and all(close(a, b, tolerance=tolerance) for a, b in zip(got, expected, strict=True))
    if isinstance(expected, dict) and isinstance(got, dict):
        return got.keys() == expected.keys() and all(close(got[key], expected[key], tolerance=tolerance) for key in expected)
    return bool(got == expected)
