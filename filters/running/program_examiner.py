"""Runs tests that are written as code (asserts, `check(candidate)`) against a program in another process, and counts the asserts."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Any

from filters.running.program_peer import CALLBACKS, OPERATIONS, Peer, ProgramGone, Remote

PROGRAM_GONE, BAD_TESTS = "program gone", "bad tests"


class Stop(BaseException):
    """The first failure is enough."""


class Count:
    """Counts asserts as they run; `with count(line):` stands around each."""

    def __init__(self, peer: Peer, *, all_cases: bool) -> None:
        self.peer, self.all_cases = peer, all_cases
        self.passed = self.failed = 0
        self.first: dict[str, Any] | None = None
        self._line = ""

    def __call__(self, line: str) -> Count:
        self._line = line
        self.peer.calls.clear()
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if error is None:
            self.passed += 1
            return False
        if not isinstance(error, Exception):
            return False
        self.fail(error, self._line)
        return self.all_cases

    def fail(self, error: Exception, line: str) -> None:
        """Remember the first failure, and stop there unless all are wanted."""
        self.failed += 1
        thrown = vars(error).get("from_program")
        got = _shown(self.peer.calls[-1][1]) if self.peer.calls else ""
        if self.first is None:
            case = self.passed + self.failed
            message = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"[:300]
            self.first = {"case": case, "line": line, "got": got, "thrown": thrown, "message": message}
        if not self.all_cases:
            raise Stop


def examine(tests: dict[str, Any], sock: socket.socket) -> dict[str, Any]:
    """What the tests say. `tests`: see filters/running/program_tests.py; `all_cases`: go on after a failure."""
    classes: dict[str, type] = {}
    peer = Peer(sock, operations={name: OPERATIONS[name] for name in CALLBACKS}, classes=classes)
    count = Count(peer, all_cases=tests["all_cases"])
    world: dict[str, Any] = {"__name__": "tests", "__count__": count}
    outcome: dict[str, Any] = {}
    passed_cases = 0
    try:
        for name, value in peer.names(tests["names"]).items():
            world[name] = value
        exec(compile(tests["before"], "tests", "exec"), world)  # imports and classes, which the program's process has too
        classes.update({name: world[name] for name in tests["classes"] if isinstance(world.get(name), type)})
        _run(tests["setup"], "setup", world, count)
        for source, line in tests["cases"]:
            failed_before = count.failed
            _run(source, line, world, count)
            passed_cases += count.failed == failed_before
    except Stop:
        pass
    except ProgramGone as error:
        outcome = _cannot_run(tests["before"]) or {"ended": PROGRAM_GONE, "message": str(error)}
    except SyntaxError as error:
        outcome = {"ended": BAD_TESTS, "message": str(error)}
    except ImportError as error:
        outcome = _unexpected(error) if "from_program" in vars(error) else _lacking(error)
    except Exception as error:  # tests may raise anything; it counts as a failure of theirs or of the program's
        outcome = _unexpected(error)
    return {**outcome, "passed": count.passed, "failed": count.failed, "first": count.first, "passed_cases": passed_cases}


def _run(source: str, line: str, world: dict[str, Any], count: Count) -> None:
    try:
        exec(compile(source, "tests", "exec"), world)
    except Exception as error:  # not inside an assert: a call before it raised, or the tests raise by hand
        if isinstance(error, (NameError, ImportError)) and "from_program" not in vars(error):
            raise
        count.fail(error, line)


def _cannot_run(before: str) -> dict[str, Any] | None:
    """What the tests' own imports lack on this machine: the program's process, which begins with them, ends over it too."""
    try:
        exec(compile(before, "tests", "exec"), {"__name__": "tests"})
    except ImportError as error:
        return _lacking(error)
    except Exception:  # tests may raise anything; what has become of the program is known
        return None
    return None


def _lacking(error: ImportError) -> dict[str, Any]:
    return {"ended": BAD_TESTS, "message": f"they cannot run here: {type(error).__name__}: {error}"[:300]}


def _unexpected(error: Exception) -> dict[str, Any]:
    """A name that neither side has is the program's fault: it does not define what is asked of it."""
    thrown = vars(error).get("from_program")
    if isinstance(error, NameError) and not thrown:
        return {"ended": "missing", "message": str(error)}
    return {"ended": "raised", "message": thrown or f"{type(error).__name__}: {error}"[:300]}


def _shown(value: Any) -> str:
    return repr(value)[:200] if isinstance(value, Remote) else str(value)[:200] if isinstance(value, list) else repr(value)[:200]
