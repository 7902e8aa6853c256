"""The processes of a sandbox: a zygote forks a guard for each program, the guard forks the program for each case and ends it on time.

The zygote is a warm interpreter behind the walls, and never reads a program or a test: what it forks knows nothing of others.
Each guard is the first process of a PID namespace of its own, so its end is the end of all that its program has started.
"""

from __future__ import annotations

import _signal  # pyright: ignore[reportMissingImports] (typeshed has only its wrapper)
import contextlib
import gc
import importlib
import os
import resource
import select
import socket
import struct
import sys
import time
import warnings
from pathlib import Path
from typing import Any, NoReturn

from filters.running import frames, sandbox_walls
from filters.running.sandbox_confine import Confinement, Limits, bound_capabilities, confine_guard, die_with_parent, hide_memory
from filters.running.sandbox_program import READY, STDIN, Place, become, prepare
from filters.running.sandbox_syscalls import common_filter, machine, program_filter

SLICE = 0.05
"""Seconds between two looks at a running program's clock."""
CHANNELS = 4
"""Files beside which nothing may lie in the channels' folder but what is kept there."""
TAIL = 4000
"""Bytes of the standard error that are kept."""
WARM = "abc bisect collections copy functools heapq itertools json math operator random re string typing".split()  # noqa: SIM905
"""Modules that programs are likely to import; read once, before the first fork."""


START = """\
import os, sys
hooks, register = [], os.register_at_fork
os.register_at_fork = lambda **hook: hooks.append(hook)
sys.path.insert(0, sys.argv[2])
from filters.running.sandbox_inside import main, warm
warm()
os.register_at_fork = register
main(sys.argv[1], sys.argv[2], hooks)
"""
"""What the interpreter of a sandbox runs. What `threading` and `random` do after each fork is as dear as the fork itself and of no use
where no thread lives: it is only put back for programs that may fork themselves."""


def warm() -> None:
    """Import what programs are likely to import."""
    for module in WARM:
        importlib.import_module(module)


def main(isolation: str, code: str, fork_hooks: list[dict[str, Any]]) -> NoReturn:
    """The launcher: standard input is the control socket. Builds the walls (unless bubblewrap has) and lives as the zygote."""
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    try:
        if isolation == "namespaces":
            sandbox_walls.enter_namespaces()
            if child := os.fork():
                control.close()
                os.waitpid(child, 0)
                os._exit(0)
            die_with_parent()
            sandbox_walls.build_root()
        elif isolation == "limits":
            os.setsid()
    except Exception as error:  # the worker boundary: told to the parent, which tries other walls or says what is missing
        frames.send(control, {"error": f"{type(error).__name__}: {error}"})
        os._exit(1)
    sys.path[:] = [path for path in sys.path if path != code]
    user = _own_user() if isolation != "limits" and os.geteuid() == 0 and _may_change_user() else None
    frames.send(control, {"isolation": isolation, "filter": machine() is not None})
    zygote(control, walls=isolation != "limits", user=user, fork_hooks=fork_hooks)


def _own_user() -> int:
    """A user id that nobody else has, so that limits of processes count this sandbox alone."""
    return 60_000 + struct.unpack("H", os.urandom(2))[0] % 5_000


def _may_change_user() -> bool:
    """Root of a user namespace with one user cannot become another."""
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setresuid(60_000, 60_000, 60_000)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def zygote(control: socket.socket, *, walls: bool, user: int | None, fork_hooks: list[dict[str, Any]]) -> NoReturn:
    """Fork a guard for each pair of sockets that comes (orders, tests); end with the parent."""
    warnings.simplefilter("ignore")
    if walls:
        prepare(sandbox_walls.SCRATCH)
    hide_memory()
    bound_capabilities()
    common_filter()
    for processes in (False, True):
        program_filter(processes=processes)
    own = _own_namespace() if walls else None
    gc.collect()
    gc.freeze()
    while True:
        message, files, _, _ = socket.recv_fds(control, 1, 2)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass  # guards that have ended; waited for, so that their CPU time is counted
        if not message:
            os._exit(0)
        if own is not None:
            sandbox_walls.unshare(sandbox_walls.NEWPID)
        child = os.fork()
        if own is not None and child:
            sandbox_walls.check(sandbox_walls.libc.setns(own, sandbox_walls.NEWPID), "setns")
        if not child:
            control.close()
            try:
                if walls and own is None:
                    _first_of_new_namespace()
                _start_guard(*files, walls=walls, user=user, fork_hooks=fork_hooks)
            finally:
                os._exit(1)
        for file in files:
            os.close(file)


def _own_namespace() -> int | None:
    """A handle by which the zygote returns to its own PID namespace after making one for a child; None on kernels before 5.8."""
    try:
        handle = os.pidfd_open(os.getpid())
        sandbox_walls.check(sandbox_walls.libc.setns(handle, sandbox_walls.NEWPID), "setns")
    except OSError:
        return None
    return handle


def _first_of_new_namespace() -> None:
    """The same without the handle: a process in between makes the namespace and goes."""
    sandbox_walls.unshare(sandbox_walls.NEWPID)
    if os.fork():
        os._exit(0)


def _start_guard(orders: int, tests: int, *, walls: bool, user: int | None, fork_hooks: list[dict[str, Any]]) -> None:
    if walls:
        sandbox_walls.unshare(sandbox_walls.NEWNS)
        place = Place(sandbox_walls.SCRATCH, sandbox_walls.CHANNELS, walls, user)
    else:
        import tempfile  # only here: every module that the zygote holds makes all forks dearer

        os.setsid()
        place = Place(tempfile.mkdtemp(prefix="program-"), tempfile.mkdtemp(prefix="program-io-"), walls, None)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGCHLD,))
    os.umask(0)
    gc.disable()
    guard = Guard(socket.socket(fileno=orders), tests, place, fork_hooks)
    try:
        guard.live()
    finally:
        if not walls:
            _remove(place.scratch)
            _remove(place.channels)
        os._exit(0)


class Guard:
    """Runs the cases of one program, one process for each."""

    def __init__(self, orders: socket.socket, tests: int, place: Place, fork_hooks: list[dict[str, Any]]) -> None:
        self.orders, self.tests, self.place, self.fork_hooks = orders, tests, place, fork_hooks
        self.limits: Limits
        self.confinement: Confinement
        if not place.walls:
            prepare(place.scratch)
        self.code: Any = None
        self.told, ready = os.pipe2(os.O_NONBLOCK)
        os.dup2(ready, READY)
        os.close(ready)
        self.files: dict[str, bytes] = {}
        """What has to lie beside the channels in each case: a compiled program, a script."""

    def live(self) -> None:
        """Answer orders until the parent hangs up."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                order, blobs = frames.receive(self.orders)
                match order["do"]:
                    case "load":
                        self._load(order, blobs[0])
                    case "keep":
                        self.files[order["name"]] = blobs[0]
                        self._open()
                        frames.send(self.orders, {})
                    case "run":
                        self._run_many(order, blobs)

    def _load(self, order: dict[str, Any], source: bytes) -> None:
        """Take the limits and read the program; nothing of it runs here."""
        self.limits = Limits(**order["limits"])
        self.confinement = Confinement(self.limits, user=self.place.user)
        self._empty(self.place.scratch, self.limits.scratch)
        self._empty(self.place.channels, 4 * self.limits.output + (1 << 29))
        self._open()
        confine_guard()
        if not order["python"]:
            frames.send(self.orders, {})
            return
        limit = int(2 * self.limits.cpu) + 10
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))  # the compiler is bound too
        try:
            self.code = compile(source, "program.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            frames.send(self.orders, {"error": f"{type(error).__name__}: {error}"[:500]})
        else:
            frames.send(self.orders, {})

    def _empty(self, folder: str, size: int) -> None:
        """An empty folder, whatever a program has left in it."""
        if not self.place.walls:
            _remove(folder)
            Path(folder).mkdir(mode=0o700, exist_ok=True)
            return
        with contextlib.suppress(OSError):  # there is nothing to unmount the first time
            sandbox_walls.check(sandbox_walls.libc.umount2(folder.encode(), sandbox_walls.DETACH), "umount")
        sandbox_walls.fresh(folder, size=size, mode="1777" if folder == self.place.scratch else "755")

    def _run_many(self, order: dict[str, Any], blobs: list[bytes]) -> None:
        """Run a process for each pair of (standard input, tests) up to the first that fails by itself, and answer with all."""
        answers, parts = [], []
        for given, tests in zip(blobs[::2], blobs[1::2], strict=True):
            answer, three = self._run(order, given, tests)
            answers.append(answer)
            parts += three
            if answer["status"] or answer["ended"] or answer["flood"]:
                break
        frames.send(self.orders, {"answers": answers}, *parts)

    def _run(self, order: dict[str, Any], given: bytes, tests: bytes) -> tuple[dict[str, Any], list[bytes]]:
        self._rewind(given)
        order["command"] = [part.replace("{channels}", self.place.channels) for part in order.get("command", ())]
        apart = order["how"] in ("serve", "examine")
        begun = time.monotonic()
        pid = os.fork()
        if not pid:
            for hook in self.fork_hooks if self.limits.processes > 1 else ():
                os.register_at_fork(**hook)
            extra = self.tests if apart else STDIN + 3
            become(order, self.code, tests, extra=extra, place=self.place, confinement=self.confinement)
        if apart:
            os.close(self.tests)  # so that either side sees the other's end
        status, usage, ended = self._watch(pid)
        self._sweep(pid)
        sizes = [os.fstat(STDIN + number).st_size for number in (1, 2, 3)]
        answer = {
            "status": os.waitstatus_to_exitcode(status),
            "ended": ended,
            "ready": self._was_ready(),
            "flood": max(sizes[:2]) >= self.limits.output,
            "cpu": usage.ru_utime + usage.ru_stime,
            "wall": time.monotonic() - begun,
        }
        starts = (0, max(0, sizes[1] - TAIL), 0)
        parts = [_content(STDIN + number, start, size) for number, start, size in zip((1, 2, 3), starts, sizes, strict=True)]
        self._clean()
        return answer, parts

    def _was_ready(self) -> bool:
        try:
            return os.read(self.told, 100) != b""
        except BlockingIOError:
            return False

    def _open(self) -> None:
        """Files for the standard streams and the result, at their own descriptors, once for all cases."""
        for number, name in enumerate(("stdin", "stdout", "stderr", "result")):
            path = f"{self.place.channels}/{name}"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644 if name == "stdin" else 0o666)
            if name == "stdin":
                self.input, file = file, os.open(path, os.O_RDONLY)
            os.dup2(file, STDIN + number)
            os.close(file)
        for name, content in self.files.items():
            path = Path(self.place.channels, name)
            path.write_bytes(content)
            path.chmod(0o755)

    def _rewind(self, given: bytes) -> None:
        """Empty streams with the next input; whatever the last program has made of them is gone."""
        os.ftruncate(self.input, 0)
        view, position = memoryview(given), 0
        while position < len(view):
            position += os.pwrite(self.input, view[position:], position)
        os.lseek(STDIN, 0, os.SEEK_SET)
        for file in (STDIN + 1, STDIN + 2, STDIN + 3):
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)

    def _watch(self, pid: int) -> tuple[int, resource.struct_rusage, str]:
        """Wait for the program; end it when its time is up, and everything when the parent has gone.

        A pause in which nobody looked, since the whole run was suspended, is no time that the program had.
        """
        waited, looked = 0.0, time.monotonic()
        clock = ~pid << 3 | 2  # the process's CPU clock (clock_getcpuclockid(3))
        pause = min(SLICE, self.limits.cpu, self.limits.wall)
        while True:
            ended_one = _signal.sigtimedwait((_signal.SIGCHLD,), pause)
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                return status, usage, ""
            if ended_one:
                continue
            cpu_left = self.limits.cpu
            with contextlib.suppress(OSError):
                cpu_left -= time.clock_gettime(clock)
            before, looked = looked, time.monotonic()
            waited += min(looked - before, 2 * SLICE)
            wall_left = self.limits.wall - waited
            if cpu_left <= 0 or wall_left <= 0:
                os.kill(pid, _signal.SIGKILL)
                _, status, usage = os.wait4(pid, 0)
                return status, usage, "cpu" if cpu_left <= 0 else "wall"
            pause = min(SLICE, max(cpu_left, 0.001), wall_left)
            if select.select([self.orders], [], [], 0)[0] and not self.orders.recv(1, socket.MSG_PEEK):
                self._sweep(pid)
                os._exit(0)

    def _sweep(self, pid: int) -> None:
        """End everything that the program has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.place.walls:
                os.kill(-1, _signal.SIGKILL)
            else:
                os.killpg(pid, _signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, 0 if self.place.walls else os.WNOHANG)[0]:
                pass

    def _clean(self) -> None:
        """Empty folders again where the program has left something in them."""
        if len(os.listdir(self.place.channels)) != CHANNELS + len(self.files):  # noqa: PTH208 (names are all that is needed)
            self._empty(self.place.channels, 4 * self.limits.output + (1 << 29))
            self._open()
        if os.listdir(self.place.scratch):  # noqa: PTH208
            self._empty(self.place.scratch, self.limits.scratch)


def _remove(folder: str) -> None:
    import shutil  # only where there are no walls: see above

    shutil.rmtree(folder, ignore_errors=True)


def _content(file: int, start: int, end: int) -> bytes:
    parts, position = [], start
    while position < end and (part := os.pread(file, min(1 << 20, end - position), position)):
        parts.append(part)
        position += len(part)
    return b"".join(parts)


def order_to_load(limits: Limits, *, python: bool) -> dict[str, Any]:
    """The first order to a guard."""
    return {"do": "load", "limits": limits._asdict(), "python": python}
