"""Walls around judged programs: no network, no foreign process, a file system of read-only system folders and one scratch folder.

Two builders of the same house: bubblewrap where it is installed, else this file, which asks the kernel itself (unshare, mount,
pivot_root). Inside there is no /proc, no /sys, no home and no /etc beyond what a loader and a compiler read.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
MOUNT_SETATTR, PIVOT_ROOT = 442, {"x86_64": 155, "aarch64": 41}
AT_FDCWD, AT_RECURSIVE = -100, 0x8000

SCRATCH = "/scratch"
"""Where a program may write; not /tmp itself, for the interpreter may live below that."""
CHANNELS = "/io"
"""Where its standard input and output are files."""
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
LINKS = {
    "/dev/stdin": f"{CHANNELS}/stdin",
    "/dev/stdout": f"{CHANNELS}/stdout",
    "/dev/stderr": f"{CHANNELS}/stderr",
    "/dev/shm": SCRATCH,
    "/tmp": SCRATCH,
}
"""Links that are made where no folder of the name is needed."""

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """OSError with the C library's reason where a call has failed."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def unshare(flags: int) -> None:
    """Leave the shared namespaces named by `flags`; a new PID namespace begins with the next child."""
    check(libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """mount(2)."""
    arguments = source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), data.encode()
    check(libc.mount(*arguments), f"mount {target}")


def fresh(target: str, *, size: int, mode: str) -> None:
    """An empty file system in memory at `target`, of `size` bytes."""
    mount("tmpfs", target, "tmpfs", NOSUID | NODEV, f"size={size},nr_inodes=8192,mode={mode}")


def visible(programs: Iterable[str] = ("g++", "node")) -> list[str]:
    """The folders and files that a program may read: the system's, this interpreter's, and those of compilers found elsewhere."""
    found = {str(Path(prefix)) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    for program in programs:
        if path := _which(program):
            real = Path(path).resolve()
            found |= {str(real.parent.parent), str(Path(path).parent)} if not _covered(str(real)) else set()
    extra = sorted(path for path in found if not _covered(path) and len(Path(path).parts) > 2)
    return [path for path in (*SYSTEM, *ETC, *extra) if Path(path).exists()]


def _which(program: str) -> str | None:
    folders = os.environ.get("PATH", "/usr/bin:/bin").split(":")
    return next((path for folder in folders if os.access(path := f"{folder}/{program}", os.X_OK)), None)


def _covered(path: str) -> bool:
    return any(path == root or path.startswith(root + "/") for root in SYSTEM)


def enter_namespaces() -> None:
    """Leave network, mounts, processes, IPC and host name of the machine; the next child is the first process of the new world."""
    flags = NEWNS | NEWPID | NEWNET | NEWIPC | NEWUTS
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):
            return unshare(flags)  # as root the walls are root's own, and programs become another user
    user, group = os.geteuid(), os.getegid()
    unshare(flags | NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def build_root() -> None:
    """Replace the file system that this process sees; call it in the first process of the new PID namespace."""
    shown = _with_targets(visible())
    mount("none", "/", None, REC | PRIVATE)
    base = next(folder for folder in ("/tmp", "/var/tmp", "/mnt", "/srv") if Path(folder).is_dir())
    mount("tmpfs", base, "tmpfs", NOSUID | NODEV, "size=4m,mode=755")
    Path(base, "old").mkdir()
    check(libc.syscall(PIVOT_ROOT[os.uname().machine], base.encode(), f"{base}/old".encode()), "pivot_root")
    os.chdir("/")
    for path, link in shown:
        _show(path, link)
    for path in DEVICES:
        _show(path, None, device=True)
    for path in (SCRATCH, CHANNELS):
        Path(path).mkdir()
    for path, link in LINKS.items():
        if not Path(path).exists():
            Path(path).symlink_to(link)
    check(libc.umount2(b"/old", DETACH), "umount")
    Path("/old").rmdir()
    _make_read_only("/", device=True)


def _with_targets(paths: list[str]) -> list[tuple[str, str | None]]:
    """Each path with the text of its link, if it is one; what links lead to is shown too."""
    found: dict[str, str | None] = {}
    for path in paths:
        link = str(Path(path).readlink()) if Path(path).is_symlink() else None
        found[path] = link
        real = str(Path(path).resolve())
        if link and not _covered(real):
            found[real] = None
    return sorted(found.items())


def _show(path: str, link: str | None, *, device: bool = False) -> None:
    """The same path in the new root: a link stays a link, the rest is bound, read-only unless it is a device."""
    target, source = Path(path), Path("/old" + path)
    if target.exists() or target.is_symlink():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        target.symlink_to(link)
        return
    if source.is_dir():
        target.mkdir()
    else:
        target.touch()
    mount(str(source), path, None, BIND | REC)
    if not device:
        _make_read_only(path, device=False)


def _make_read_only(target: str, *, device: bool) -> None:
    """No writing below `target`, by mount_setattr(2) or on kernels before 5.12 by remounting it."""
    attributes = (ctypes.c_uint64 * 4)(RDONLY | NOSUID | (0 if device else NODEV), 0, 0, 0)
    recursive = 0 if device else AT_RECURSIVE
    if libc.syscall(MOUNT_SETATTR, AT_FDCWD, target.encode(), recursive, ctypes.byref(attributes), ctypes.c_size_t(32)) == 0:
        return
    kept = os.statvfs(target).f_flag
    times = kept & (1024 | 2048) | (1 << 21 if kept & 4096 else 0)  # noatime and its kin may not be lost
    mount("none", target, None, BIND | REMOUNT | RDONLY | NOSUID | kept & (NODEV | NOEXEC) | times)


def bubblewrap(program: str, inside: list[str], *, code: str) -> list[str]:
    """The command line that runs `inside` in the same house built by bubblewrap; `code` is the folder of these files."""
    line = [program, "--new-session", "--as-pid-1"]  # not --die-with-parent: it means the thread that started it
    line += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    line += [] if os.geteuid() == 0 else ["--unshare-user"]
    line += ["--cap-add", "ALL", "--clearenv", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin"]
    shown = visible()
    folders = {str(parent) for path in (*shown, *DEVICES, code) for parent in Path(path).parents} - {"/"}
    for folder in sorted(folders):
        line += ["--perms", "0755", "--dir", folder]  # made by itself it is closed to other users
    for path in shown:
        if Path(path).is_symlink():
            line += ["--symlink", os.readlink(path), path]  # noqa: PTH115 (the text of the link, as it is)
        else:
            line += ["--ro-bind", path, path]
    if not any(code == path or code.startswith(path + "/") for path in shown):
        line += ["--ro-bind", code, code]
    for path in DEVICES:
        line += ["--dev-bind", path, path]
    for path in (SCRATCH, CHANNELS):
        line += ["--dir", path]
    for link, target in LINKS.items():
        line += ["--symlink", target, link] if link not in folders else []
    return [*line, "--remount-ro", "/", "--chdir", "/", "--", *inside]
