"""What the forked process does: gives up its rights and becomes the program, or the tests; it never returns into the guard."""

from __future__ import annotations

import _signal  # pyright: ignore[reportMissingImports] (typeshed has only its wrapper)
import atexit
import gc
import json
import os
import socket
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from filters.running.plain_values import Writer
from filters.running.program_examiner import examine
from filters.running.program_peer import OPERATIONS, Peer, ProgramGone
from filters.running.sandbox_confine import Confinement

RESULT = 3
"""The file descriptor of the result file, or of the socket to the tests."""
STDIN = 40
"""The guard's descriptors: standard input, output, errors and the result are 40 to 43,"""
READY = 44
"""and this one is told when a program has given up everything."""
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
DEPTH = 1000
"""Python's own recursion limit; a program may raise it."""


class Place(NamedTuple):
    """Where programs run."""

    scratch: str
    channels: str
    walls: bool
    """Namespaces stand around it: this is no process of the machine's."""
    user: int | None
    """The user id that programs become, where this is root behind walls."""


def become(order: dict[str, Any], code: Any, tests: bytes, *, extra: int, place: Place, confinement: Confinement) -> NoReturn:
    """Become what `order` says. `extra`: the file descriptor of the result file, or of the socket to the tests."""
    status = 1
    try:
        os.setsid()
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())  # `signal` makes an enum of each answer, which costs more than the call
        gc.enable()
        os.umask(0o077)
        os.chdir(place.scratch)
        for number, file in enumerate((STDIN, STDIN + 1, STDIN + 2, extra)):
            os.dup2(file, number)
        os.closerange(4, READY)
        os.closerange(READY + 1, 1 << 20)
        confinement.apply()
        os.write(READY, b".")
        os.close(READY)
        status = _play(order, code, tests)
    except BaseException as error:  # the program's, or this machine's: the guard tells them apart by what `ready` has got
        _print_error(error)
    finally:
        os._exit(status)


def _play(order: dict[str, Any], code: Any, tests: bytes) -> int:
    how = order["how"]
    if how == "command":
        os.close(RESULT)
        os.execve(order["command"][0], order["command"], dict(os.environ))
    if how == "main":
        os.close(RESULT)
        return _finish(lambda: exec(code, _module("__main__")))
    if how == "call":
        return _finish(lambda: _call(code, order["function"], json.loads(tests)))
    sock = socket.socket(fileno=RESULT)
    if how == "serve":
        return _finish(lambda: _serve(code, sock, order["classes"]))
    report = examine(json.loads(tests), sock)
    sys.stdout.write(json.dumps(report))
    sys.stdout.flush()
    return 0


def prepare(scratch: str) -> None:
    """What every program finds, made once before the forks: environment, standard streams (by number), and nothing of ours in sight."""
    os.environ.clear()
    os.environ.update({**ENVIRONMENT, "HOME": scratch, "TMPDIR": scratch})
    for known in [known for known in sys.modules if known == "filters" or known.startswith("filters.")]:
        del sys.modules[known]
    sys.argv = ["program.py"]
    sys.path.insert(0, scratch)
    sys.setrecursionlimit(DEPTH + 15)  # the guard's own frames lie below the program's
    _prepare_streams()


def _prepare_streams() -> None:
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115


def _module(name: str) -> dict[str, Any]:
    """An empty module in which the program runs."""
    module = types.ModuleType(name)
    module.__file__ = "program.py"
    sys.modules[name] = module
    return module.__dict__


def _finish(play: Callable[[], None]) -> int:
    """Run it and end as an interpreter ends: exit code, traceback, threads, atexit, flush."""
    status = 0
    try:
        play()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
        if leaving.code is not None and not isinstance(leaving.code, int):
            print(leaving.code, file=sys.stderr)
    except BaseException as error:  # the program's own exception, printed as an interpreter does
        status = 1
        _print_error(error)
    try:
        if len(threading._active) > 1 or threading._threading_atexits:  # type: ignore[attr-defined]
            threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:
        status = status or 120
        _print_error(error)
    return status & 0xFF


def _print_error(error: BaseException) -> None:
    try:
        import traceback  # only for those that fail: every module of the zygote's makes all forks dearer

        traceback.print_exception(error, limit=-5, chain=False)
    except BaseException:  # its own __str__ may raise, or memory may be gone
        os.write(2, type(error).__name__.encode(errors="replace") + b"\n")


def _call(code: Any, name: str, given: list[Any]) -> None:
    """Call the program's function once and write the result, or what it raised, as plain data."""
    world = _module("solution")
    exec(code, world)
    function = _function(world, name)
    result = function(*given)
    writer = Writer(export=lambda value: 0)
    os.ftruncate(RESULT, 0)
    text = json.dumps({"value": writer.value(result), "rows": writer.rows}).encode()
    with os.fdopen(RESULT, "wb") as file:
        file.write(text)


def _function(world: dict[str, Any], name: str) -> Callable[..., Any]:
    if "Solution" in world and hasattr(world["Solution"], name):
        return getattr(world["Solution"](), name)
    if name in world:
        return world[name]
    raise NameError(f"name {name!r} is not defined")


def _serve(code: Any, sock: socket.socket, classes: list[str]) -> None:
    """Run the program, then answer the tests until they hang up."""
    world = _module("solution")
    exec(code, world)
    known = {name: world[name] for name in classes if isinstance(world.get(name), type)}
    peer = Peer(sock, operations=OPERATIONS, classes=known)
    peer.globals = world
    try:
        peer.serve()
    except ProgramGone:
        os._exit(0)
