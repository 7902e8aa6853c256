"""Two processes that call each other's objects: tests here, the program under test there, and nothing shared but plain data.

So tests written as asserts run beside a program that never sees them: no frame, constant or variable of theirs lies in its memory.
Arguments that the program changed in place are changed here too.
"""

from __future__ import annotations

import builtins
import operator
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from filters.running import frames
from filters.running.plain_values import MUTABLE, UNREADABLE, Reader, Writer, changed, snapshot

OPERATIONS: dict[str, Callable[..., Any]] = {
    "call": lambda target, /, *given, **named: target(*given, **named),
    "get": getattr,
    "set": setattr,
    "iter": iter,
    "next": next,
    "len": len,
    "bool": bool,
    "str": str,
    "repr": repr,
    "item": operator.getitem,
    "set item": operator.setitem,
    "equal": operator.eq,
}
CALLBACKS = ("call", "iter", "next")
"""What the program may do with functions and iterators that tests hand it: use them, never look into them."""


class ProgramGone(BaseException):
    """The program's process has ended, or speaks nonsense; no `except Exception` of a test may hide it."""


class RaisedThere(Exception):
    """An exception of the program that has no counterpart here."""


class Remote:
    """An object of the other process; what is done to it is done there."""

    def __init__(self, peer: Peer, handle: int, kind: str) -> None:
        vars(self).update(_peer=peer, _handle=handle, _kind=kind)

    def _do(self, operation: str, /, *given: Any, **named: Any) -> Any:
        return self._peer.do(operation, self, *given, **named)

    def __call__(self, /, *given: Any, **named: Any) -> Any:
        return self._do("call", *given, **named)

    def __getattr__(self, name: str) -> Any:
        return self._do("get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._do("set", name, value)

    def __iter__(self) -> Iterator[Any]:
        return self._do("iter")

    def __next__(self) -> Any:
        return self._do("next")

    def __len__(self) -> int:
        return int(self._do("len"))

    def __bool__(self) -> bool:
        return self._do("bool") is True

    def __getitem__(self, key: Any) -> Any:
        return self._do("item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._do("set item", key, value)

    def __str__(self) -> str:
        return str(self._do("str"))

    def __repr__(self) -> str:
        return f"<{self._kind} object>"

    def __eq__(self, other: object) -> bool:
        """Two objects of the program are compared there; to anything else it is unequal, whatever its class would say."""
        return self is other or (isinstance(other, Remote) and self._do("equal", other) is True)

    def __hash__(self) -> int:
        return hash(self._handle)


class Peer:
    """One side of the conversation. `operations`: what the other side may do to our objects. `classes`: instances travel by value."""

    def __init__(self, sock: socket.socket, *, operations: Mapping[str, Callable[..., Any]], classes: dict[str, type]) -> None:
        self.sock, self.operations, self.classes = sock, operations, classes
        self.globals: dict[str, Any] = {}
        """What the other side may ask for by name."""
        self._exported: list[Any] = []
        self.calls: list[tuple[str, Any]] = []
        """The last call as text and its result, for reasons."""

    def names(self, wanted: list[str]) -> dict[str, Any]:
        """Those of the other side's globals that exist."""
        return self._ask({"names": wanted})[0]

    def do(self, operation: str, /, *given: Any, **named: Any) -> Any:
        """Do something there; its exception is raised here under the built-in name that it bears, or as RaisedThere."""
        result, sent = self._ask({"do": operation}, given, named)
        if operation == "call":
            self.calls[:] = [(_call_text(sent[1:], named), result)]
        return result

    def _ask(self, request: dict[str, Any], given: tuple[Any, ...] = (), named: dict[str, Any] | None = None) -> tuple[Any, list[Any]]:
        writer = self._writer()
        given_row, named_row = writer.value(list(given)), writer.value(named or {})
        self._send({**request, "given": given_row, "named": named_row, "rows": writer.rows})
        while True:
            reply = self._receive()
            if "do" not in reply and "names" not in reply:
                break
            self._answer(reply)
        if "raised" in reply:
            raise _raised(reply["raised"])
        try:
            reader = self._reader(reply["rows"], sent=writer.objects)
            for row, now in reply["changed"].items():
                reader.fill(writer.objects[int(row)], now)
            return reader.value(reply["value"]), list(given)
        except UNREADABLE as error:
            raise ProgramGone(f"an unreadable result: {error}") from error

    def serve(self) -> None:
        """Answer until the other side has gone."""
        while True:
            self._answer(self._receive())

    def _answer(self, request: dict[str, Any]) -> None:
        if "names" in request:
            found = {name: self.globals[name] for name in request["names"] if name in self.globals}
            writer = self._writer()
            self._send({"value": writer.value(found), "rows": writer.rows, "changed": {}})
            return
        try:
            reader = self._reader(request["rows"])
            given, named = reader.value(request["given"]), reader.value(request["named"])
            objects = {row: value for row, value in enumerate(reader.objects) if value is not given and value is not named}
            mutable = {row: value for row, value in objects.items() if isinstance(value, MUTABLE) or type(value).__name__ in self.classes}
            before = {row: snapshot(value) for row, value in mutable.items()}
            result = self.operations[request["do"]](*given, **named)
            writer = self._writer(known={id(value): row for row, value in mutable.items()})
            reply = {"value": writer.value(result), "changed": self._changes(writer, mutable, before)}
            self._send({**reply, "rows": writer.rows})
        except BaseException as error:  # the program's own exception: it is the other side's to judge
            self._send({"raised": [type(error).__name__, _text(error)]})

    @staticmethod
    def _changes(writer: Writer, mutable: dict[int, Any], before: dict[int, Any]) -> dict[int, Any]:
        rows = {row: writer.row(value) for row, value in mutable.items() if changed(before[row], snapshot(value))}
        writer.finish()
        return rows

    def _writer(self, known: dict[int, int] | None = None) -> Writer:
        return Writer(known=known, classes=self.classes, export=self._export)

    def _reader(self, rows: list[Any], sent: list[Any] | None = None) -> Reader:
        return Reader(rows, sent=sent or [], classes=self.classes, foreign=self._foreign)

    def _export(self, value: Any) -> int:
        """Our handles are even in the other's eyes: 2n for one of ours, 2n + 1 for one of theirs that goes home."""
        if isinstance(value, Remote):
            return 2 * vars(value)["_handle"] + 1
        for number, known in enumerate(self._exported):
            if known is value:
                return 2 * number
        self._exported.append(value)
        return 2 * (len(self._exported) - 1)

    def _foreign(self, number: int, kind: str) -> Any:
        return self._exported[number // 2] if number % 2 else Remote(self, number // 2, kind)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            frames.send(self.sock, message)
        except OSError as error:
            raise ProgramGone("the other side has gone") from error

    def _receive(self) -> dict[str, Any]:
        try:
            return frames.receive(self.sock)[0]
        except (OSError, EOFError, ValueError, RecursionError) as error:
            raise ProgramGone("the other side has gone") from error


def _raised(named: Any) -> BaseException:
    name, text = (str(part) for part in named) if isinstance(named, list) and len(named) == 2 else ("?", "?")
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, (AssertionError, UnicodeError)):
        error: Exception = kind(text)
    else:
        error = RaisedThere(f"{name}: {text}" if text else name)
    error.__dict__["from_program"] = f"{name}: {text}" if text else name
    return error


def _text(error: BaseException) -> str:
    try:
        return str(error)[:1000]
    except BaseException:  # an exception class of the program's may do anything here
        return ""


def _call_text(given: list[Any], named: dict[str, Any]) -> str:
    parts = [repr(part)[:200] for part in given] + [f"{name}={value!r}"[:200] for name, value in named.items()]
    return ", ".join(parts)[:400]
