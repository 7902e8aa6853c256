"""What a process gives up before it becomes a judged program: identity, capabilities, resources, system calls; none comes back."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import struct
from typing import NamedTuple

from filters.running.sandbox_syscalls import common_filter, program_filter

PR_CAPBSET_DROP, PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_CAP_AMBIENT, CLEAR_ALL = 24, 4, 1, 47, 4
CAPABILITY_VERSION = 0x20080522
LAST_CAPABILITY = 63
THREADS = 32
"""Where processes are counted the kernel counts threads with them; so many are free."""

libc = ctypes.CDLL(None, use_errno=True)
NO_CAPABILITY = ctypes.create_string_buffer(struct.pack("Ii", CAPABILITY_VERSION, 0)), ctypes.create_string_buffer(24)


class Limits(NamedTuple):  # no dataclass: the modules behind one would make every fork dearer
    """What one program may use; beyond it the program is ended with the verdict of that name."""

    cpu: float = 5.0
    """CPU seconds for one case."""
    wall: float = 15.0
    """Seconds for one case by the clock on the wall, for programs that sleep."""
    memory: int = 1 << 30
    """Bytes of address space (of private memory where `reserves` is set)."""
    output: int = 16 << 20
    """Bytes that it may print, and that a file of its own may hold."""
    scratch: int = 64 << 20
    """Bytes of all its files together (not under limits alone)."""
    processes: int = 1
    """Processes at once, itself counted; more than 1 allows children at all (threads are always allowed)."""
    reserves: bool = False
    """The runtime reserves far more addresses than it uses (node), so private memory is counted instead of addresses."""


class Confinement:
    """Everything that one program gives up, made ready before the fork. `user`: the id to become, when this is root behind walls."""

    def __init__(self, limits: Limits, *, user: int | None) -> None:
        self.user = user
        self.limits = kernel_limits(limits, count_processes=user is not None)
        self.filter = program_filter(processes=limits.processes > 1)

    def apply(self) -> bool:
        """Give up everything, in the process itself; True where a system call filter stands."""
        for kind, most in self.limits:
            resource.setrlimit(kind, (most, most))
        if self.user is not None:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
        libc.capset(*NO_CAPABILITY)
        return self.filter.apply()


def confine_guard() -> None:
    """What the guard of a program needs no more than the program does."""
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        resource.setrlimit(kind, (0, 0))
    common_filter().apply()


def kernel_limits(limits: Limits, *, count_processes: bool) -> list[tuple[int, int]]:
    """The kernel's own limits for a process and its children, none above what holds here already."""
    seconds = math.ceil(limits.cpu) + 1  # the guard's clock is finer and comes first; this one also binds children
    kinds = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_DATA if limits.reserves else resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_FSIZE: limits.output,
        resource.RLIMIT_NOFILE: 128,
        resource.RLIMIT_STACK: min(limits.memory, 16 << 20 if limits.reserves else 256 << 20),  # node gives each thread as much
    }
    if count_processes and limits.processes > 1:  # counted for each user id, and this one is the sandbox's own
        kinds[resource.RLIMIT_NPROC] = limits.processes + THREADS
    hard = {kind: resource.getrlimit(kind)[1] for kind in kinds}
    return [(kind, most if hard[kind] == resource.RLIM_INFINITY else min(most, hard[kind])) for kind, most in kinds.items()]


def bound_capabilities() -> None:
    """Whatever is executed from here on gains no capability, and what is dropped does not come back; this process keeps its own."""
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails where there is nothing to drop
    libc.prctl(PR_CAP_AMBIENT, CLEAR_ALL, 0, 0, 0)


def hide_memory() -> None:
    """Make this process unreadable to others of the same user (no ptrace, no core)."""
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def die_with_parent() -> None:
    """SIGKILL when the thread that made this process ends."""
    libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
