"""A filter of system calls (seccomp-BPF): what a judged program has no business asking the kernel for is refused.

It needs no privilege and holds behind every kind of walls. The numbers are those of the kernel's tables for x86-64 and arm64;
on another machine there is no filter, and the sandbox says so. Refused calls fail with EPERM, a new process with EAGAIN.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER_AT, ARCH_AT, ARG0_AT, ARG1_AT = 0, 4, 16, 24
CLONE_THREAD, NEW_NAMESPACES = 0x10000, 0x7E020080
X32 = 0x40000000
PID_HERE = 0x7FFFFFFE
"""Stands for the number of the process that the filter will bind; no process has it."""

libc = ctypes.CDLL(None, use_errno=True)

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
REFUSED: dict[str, tuple[int, int]] = {
    # other processes: tracing, reading and writing their memory, taking their files, signalling them, slowing them
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "tkill": (200, 130), "setpriority": (141, 140), "ioprio_set": (251, 30), "migrate_pages": (256, 238), "move_pages": (279, 239),
    "process_madvise": (440, 440), "process_mrelease": (448, 448),
    # the network (socketpair stays: asyncio wants one)
    "socket": (41, 198), "bind": (49, 200), "listen": (50, 201), "connect": (42, 203),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # memory that no limit of the process counts
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195),
    "semget": (64, 190), "semctl": (66, 191), "semop": (65, 193), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # large and rarely used parts of the kernel
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "fanotify_init": (300, 262),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162), "iopl": (172, -1), "ioperm": (173, -1),
    "modify_ldt": (154, -1), "personality": (135, 92), "lookup_dcookie": (212, 18),
}  # fmt: skip
MOUNTS = ((165, 40), (166, 39))
"""mount and umount2: the guard empties the scratch folder by them."""
CLONE, CLONE3, FORKS = (56, 220), (435, 435), (57, 58)
KILL_CALLS = {"kill": (62, 129), "tgkill": (234, 131)}
PRLIMIT = (302, 261)


@functools.cache
def machine() -> str | None:
    """The machine's name where the filter is known for it."""
    name = os.uname().machine
    return name if name in ARCH else None


def _refuse(number: int, error: int = errno.EPERM) -> list[tuple[int, int, int, int]]:
    return [(EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | error)]


def _assembled(name: str, steps: list[tuple[int, int, int, int]]) -> bytes:
    """The filter's code: another architecture's calls kill, what no step refuses is allowed."""
    head = [(LOAD, 0, 0, ARCH_AT), (EQUAL, 1, 0, ARCH[name]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER_AT)]
    if name == "x86_64":
        head += [(AT_LEAST, 0, 1, X32), (RETURN, 0, 0, ERRNO | errno.EPERM)]
    return b"".join(struct.pack("HBBI", *step) for step in (*head, *steps, (RETURN, 0, 0, ALLOW)))


def common_code(name: str) -> bytes:
    """What neither a program nor the guard that forks it ever asks for."""
    column = list(ARCH).index(name)
    steps = [step for numbers in REFUSED.values() if numbers[column] >= 0 for step in _refuse(numbers[column])]
    return _assembled(name, steps)


def program_code(name: str, *, processes: bool) -> bytes:
    """What only the guard may do: mount and fork. `processes`: children may be made; without, only itself may be signalled."""
    column = list(ARCH).index(name)
    code = [step for numbers in MOUNTS for step in _refuse(numbers[column])]
    if name == "x86_64" and not processes:
        code += [step for number in FORKS for step in _refuse(number, errno.EAGAIN)]
    code += _refuse(CLONE3[column], errno.ENOSYS)  # its flags lie in memory that a filter cannot read; the C library falls back to clone
    code += [(EQUAL, 0, 3 + processes, CLONE[column]), (LOAD, 0, 0, ARG0_AT)]
    if processes:
        code += [(ANY_BIT, 0, 1, NEW_NAMESPACES), (RETURN, 0, 0, ERRNO | errno.EPERM), (RETURN, 0, 0, ALLOW)]
    else:
        code += [(ANY_BIT, 1, 0, CLONE_THREAD), (RETURN, 0, 0, ERRNO | errno.EAGAIN)]
        code += [(LOAD, 0, 0, NUMBER_AT)]
        for numbers in KILL_CALLS.values():
            code += [(EQUAL, 0, 4, numbers[column]), (LOAD, 0, 0, ARG0_AT), (EQUAL, 1, 0, PID_HERE)]
            code += [(RETURN, 0, 0, ERRNO | errno.EPERM), (RETURN, 0, 0, ALLOW)]
    code += [(EQUAL, 0, 5, PRLIMIT[column]), (LOAD, 0, 0, ARG0_AT), (EQUAL, 2, 0, 0), (EQUAL, 1, 0, PID_HERE)]
    code += [(RETURN, 0, 0, ERRNO | errno.EPERM), (RETURN, 0, 0, ALLOW)]
    return _assembled(name, code)


class SystemCallFilter:
    """A filter made ready before the fork, so that the child has little to do."""

    def __init__(self, code: bytes) -> None:
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = ctypes.create_string_buffer(struct.pack("HP", len(code) // 8, ctypes.addressof(self._code)))
        mark = struct.pack("I", PID_HERE)
        self._pids = [at for at in range(4, len(code), 8) if code[at : at + 4] == mark]
        self._prctl = libc.prctl

    def apply(self) -> bool:
        """Put it on this process and all it will make, for good; False where the machine or the kernel has none."""
        if self._prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or not len(self._code):
            return False
        for at in self._pids:
            struct.pack_into("I", self._code, at, os.getpid())
        return self._prctl(PR_SET_SECCOMP, FILTER_MODE, self._program, 0, 0) == 0


@functools.cache
def common_filter() -> SystemCallFilter:
    """The filter of guards and programs; made once by the zygote, for all that it forks."""
    name = machine()
    return SystemCallFilter(common_code(name) if name else b"")


@functools.cache
def program_filter(*, processes: bool) -> SystemCallFilter:
    """The filter of programs alone."""
    name = machine()
    return SystemCallFilter(program_code(name, processes=processes) if name else b"")
