"""One writer at a time: a lock that says who holds it and that never outlives its holder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from dataengine.progress import say

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
"""What a file system answers that has no locks at all."""


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock, as another one is told of it."""

    host: str
    pid: int
    user: str
    since: str

    @classmethod
    def this(cls) -> Holder:
        """The process that asks."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a container may run under a number that has no name
            user = str(os.getuid())
        return cls(socket.gethostname(), os.getpid(), user, time.strftime("%Y-%m-%d %H:%M:%S %z"))

    def packed(self) -> bytes:
        """As it stands in a lock."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def of(cls, packed: bytes) -> Holder | None:
        """Who is named in a lock; None where nobody is to be made out."""
        try:
            return cls(**json.loads(packed))
        except (ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}"


@contextmanager
def only_one(lock: Path, *, doing: str, way_out: str = "wait for it, or choose another --root") -> Iterator[None]:
    """Hold the lock file for the length of the `with`; ValueError tells a second process who is `doing` it, and the `way_out`.

    The operating system gives the lock back when its holder dies, however it dies, so nothing stale is ever in the way. Processes of
    several machines are told apart where the file system passes locks on (NFS with its lock service, which is the default); where
    it does not (NFS mounted with `nolock` or `local_lock`, buckets mounted as folders) only those of one machine are.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    file = _held(lock, doing, way_out)
    try:
        file.truncate(0)
        file.write(Holder.this().packed())
        file.flush()
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            lock.unlink()
        file.close()


def _held(lock: Path, doing: str, way_out: str) -> BinaryIO:
    """The open file that holds the lock; a file that its holder removed while we waited is no lock any more."""
    while True:
        file = lock.open("ab+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = Holder.of(file.read())
            file.close()
            who = f"{holder}" if holder else "it left no name"
            raise ValueError(f"another run is {doing} right now ({who}): {way_out}") from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                file.close()
                raise
            say(f"warning: {lock.parent} lies on a file system without locks ({error}): see to it that no second run is {doing}")
            return file
        if _is_still(file, lock):
            return file
        file.close()


def _is_still(file: BinaryIO, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), lock.stat())
    except FileNotFoundError:
        return False
