"""Whole objects under names, anywhere fsspec reaches: put at once or not at all, asked again when the network fails.

Nothing here wants more of a file system than what S3 and its like have: no rename, no append, no lock; an object is replaced whole.
"""

from __future__ import annotations

import errno
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dataengine.errors import Stopped
from dataengine.progress import say
from dataengine.shards import write_atomically
from dataengine.storage.clock import now

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Answer = TypeVar("Answer")

TIMES = 7
"""A request that fails is made so often in all ..."""
FIRST_PAUSE = 0.5
"""... after pauses that begin with so many seconds, double, and vary by half: half a minute in all ..."""
PATIENCE = 60.0
"""... unless so many seconds have passed before: clients ask again by themselves, and wait long for a server that is silent."""
SECONDS_OF_A_PUT, SLOWEST = 30.0, 100_000
"""A put may take so many seconds, and one more for each so many bytes: s3fs asks a server for leave to send, and waits for ever for it."""
NEEDED = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
"""Which package speaks a protocol."""
UNKNOWN_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "DefaultCredentialsError"}
"""What the packages call it when they find no credentials."""
REFUSED_ADDRESS = "ParamValidationError"
"""What botocore calls a name that no bucket can have."""
ADDRESS = "Give s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or a folder."
NO_CONDITIONS = (errno.ENOSYS, errno.ENOTSUP)
"""What they make of a server's `501 Not Implemented`."""


class Store:
    """The objects below one address: `Store.at("s3://bucket/prefix").put("mix-1f.../00000.parquet", content)`"""

    def __init__(self, files: AbstractFileSystem, *, base: str, url: str) -> None:
        self.url = url
        self._files = files
        self._base = base.rstrip("/")
        self._away = False
        """The last request was given up: until one succeeds again, each is made once."""

    @classmethod
    def at(cls, url: str) -> Store:
        """The store of an address such as s3://bucket/prefix or /mnt/nfs/folder; ValueError where nothing can open it."""
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem

        try:
            files, base = url_to_fs(url, skip_instance_cache=True)
        except ImportError as error:
            protocol = url.partition("://")[0]
            raise ValueError(f"--store {url} needs a package: pip install {NEEDED.get(protocol, protocol)} ({error})") from None
        except ValueError as error:
            raise ValueError(f"--store {url} cannot be opened: {error}. {ADDRESS}") from None
        if hasattr(files, "retries"):
            files.retries = 1  # s3fs would ask again what botocore has asked five times: a silent server would hold us for an hour
        if not base.strip("/") or (isinstance(files, LocalFileSystem) and re.match(r"(?!file:)[a-z0-9]+:", url)):
            raise ValueError(f"--store {url} names no bucket and no folder. {ADDRESS}")
        return (_Folder if isinstance(files, LocalFileSystem) else cls)(files, base=base, url=url)

    def sizes(self, under: str) -> dict[str, int]:
        """Every object whose name begins with `under`/, with its size in bytes."""

        def look() -> dict[str, int]:
            self._files.invalidate_cache()
            try:
                found: Any = self._files.find(self._path(under), detail=True)
            except FileNotFoundError:
                return {}
            start = len(self._base) + 1
            return {name[start:]: about["size"] for name, about in found.items() if about["type"] == "file"}

        return self._insist(f"list {under}", look)

    def read(self, name: str) -> bytes | None:
        """The content of an object; None where there is none of this name."""

        return self._insist(f"read {name}", lambda: self._read(name))

    def fetch(self, name: str, path: Path) -> bool:
        """Bring an object into a local file, there whole or not at all; False where there is no such object."""

        def get() -> bool:
            unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._files.get_file(self._path(name), str(unfinished))
                unfinished.replace(path)
            except FileNotFoundError:
                return False
            finally:
                unfinished.unlink(missing_ok=True)
            return True

        return self._insist(f"fetch {name}", get)

    def put(self, name: str, content: bytes) -> None:
        """Write an object from memory."""
        self._insist(f"put {name}", lambda: self._put(name, content))

    def put_file(self, name: str, path: Path) -> None:
        """Write an object from a local file, which may be larger than the memory; FileNotFoundError where that one is gone."""
        try:
            self._insist(f"put {name}", lambda: self._put_file(name, path))
        except ValueError:
            path.stat()
            raise

    def create(self, name: str, content: bytes) -> bool:
        """Write an object that must not be there yet; False where it is there with another content.

        What a client makes of a condition that is not met differs, and an attempt that failed for us may have reached the store: what
        lies there decides. Where a server ignores conditions or does not know them, this looks first and writes then: two at the
        same instant may both succeed.
        """

        def once() -> bool:
            if (found := self._read(name)) is None:
                try:
                    self._create(name, content)
                except Exception as error:  # the store's boundary, see _insist
                    if (found := self._read(name)) is None:
                        if getattr(error, "errno", 0) not in NO_CONDITIONS:
                            raise
                        self._put(name, content)
            return found in (None, content)

        return self._insist(f"create {name}", once)

    def replace(self, name: str, content: bytes, *, where: Callable[[bytes | None], bool], within: float) -> bool:
        """Write an object anew `where` what lies there says so; False where it does not.

        It is looked at before each attempt, and once more where the answer was more than `within` seconds on its way.
        """

        def once() -> bool:
            asked = now()
            found = self._read(name)
            if now() - asked > within:
                found = self._read(name)
            if holds := where(found):
                self._put(name, content)
            return holds

        return self._insist(f"replace {name}", once)

    def delete(self, name: str) -> None:
        """Remove an object; it may be gone already."""

        def remove() -> None:
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError:
                return

        self._insist(f"delete {name}", remove)

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _read(self, name: str) -> bytes | None:
        try:
            content: Any = self._files.cat_file(self._path(name))
            return bytes(content)
        except FileNotFoundError:
            return None

    def _put(self, name: str, content: bytes) -> None:
        self._files.pipe_file(self._path(name), content, **self._deadline(len(content)))

    def _put_file(self, name: str, path: Path) -> None:
        self._files.put_file(str(path), self._path(name), **self._deadline(path.stat().st_size))

    def _create(self, name: str, content: bytes) -> None:
        self._files.pipe_file(self._path(name), content, mode="create", **self._deadline(len(content)))

    def _deadline(self, size: int) -> dict[str, Any]:
        """For a put of `size` bytes, where the file system keeps deadlines."""
        from fsspec.asyn import AsyncFileSystem

        return {"timeout": SECONDS_OF_A_PUT + size / SLOWEST} if isinstance(self._files, AsyncFileSystem) else {}

    def _insist(self, what: str, request: Callable[[], Answer]) -> Answer:
        """The answer of a request, asked again after a failure; Stopped when the store stays out of reach."""
        pause, started = FIRST_PAUSE, time.monotonic()
        for attempt in range(1, TIMES + 1):
            try:
                answer = request()
                self._away = False
                return answer
            except Stopped:
                raise
            except Exception as error:  # the store's boundary: each file system has errors of its own
                if mend := _way_out(error):
                    refused = f"the store {self.url} does not let us {what}: {str(error).rstrip('.')}"
                    raise ValueError(f"{refused}. {mend} What was made is kept in --root.") from error
                seconds = time.monotonic() - started
                if self._away or attempt == TIMES or seconds > PATIENCE:
                    self._away = True
                    raise Stopped(
                        f"the store {self.url} did not {what} in {attempt} attempts ({seconds:.0f} s), last: {type(error).__name__}: "
                        f"{error}. Everything made so far is kept in --root; run again when the store can be reached."
                    ) from error
                if attempt == TIMES // 2:
                    say(f"warning: the store {self.url} did not {what} ({type(error).__name__}: {error}); asking again")
                time.sleep(pause * random.uniform(0.5, 1.5))
                pause *= 2
        raise AssertionError


class _Folder(Store):
    """A folder of this machine or of NFS: an object is written beside its place and renamed into it."""

    def _put(self, name: str, content: bytes) -> None:
        write_atomically(Path(self._path(name)), lambda out: out.write(content))

    def _put_file(self, name: str, path: Path) -> None:
        def copy(out: Any) -> None:
            with path.open("rb") as file:
                while piece := file.read(1 << 24):
                    out.write(piece)

        write_atomically(Path(self._path(name)), copy)

    def _create(self, name: str, content: bytes) -> None:
        """A file that is there whole from the first moment: written under another name and linked into place."""
        place = Path(self._path(name))
        beside = place.with_name(f".{place.name}.{os.getpid()}.{random.getrandbits(32):08x}")
        write_atomically(beside, lambda out: out.write(content))
        try:
            place.hardlink_to(beside)
        finally:
            beside.unlink()


def _way_out(error: Exception) -> str:
    """What a person can do where asking again would not help; empty where it may."""
    names = {each.__name__ for each in type(error).__mro__}
    if isinstance(error, PermissionError):
        return "Check the credentials: they have to allow listing, reading, writing and deleting there."
    if names & UNKNOWN_CREDENTIALS:
        return "Give credentials where the package looks for them (s3fs: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws)."
    if isinstance(error, FileNotFoundError):
        return "Make the bucket first, or choose another --store."
    return ADDRESS if REFUSED_ADDRESS in names else ""
