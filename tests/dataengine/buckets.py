"""A file system with the habits of an object store, for tests: `buckets:///folder` keeps every object in one file of that folder.

An object is there whole or not at all, a put replaces it, nothing is renamed, appended to or written in the middle. By
environment variables it fails at random (before or after it has done what it was asked) and kills its process at a given put.
"""

from __future__ import annotations

import os
import random
import signal
import urllib.parse
from pathlib import Path
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

FAILS = "BUCKETS_FAIL"
"""Share of requests that fail."""
KILL = "BUCKETS_KILL"
"""The put at which the process is killed: just before it where the number is odd, just after it where it is even."""


class Buckets(AbstractFileSystem):
    """See the top of this file."""

    protocol = "buckets"
    puts = 0

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return path.removeprefix("buckets://").rstrip("/")

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        place = self._place(path)
        fails = self._fails()
        if fails == "before":
            raise ConnectionResetError("the bucket hung up")
        Buckets.puts += 1
        kill = int(os.environ.get(KILL, "0"))
        if kill and (Buckets.puts, kill % 2) == ((kill + 1) // 2, 1):
            os.kill(os.getpid(), signal.SIGKILL)
        unseen = place.with_name(f"unseen-{os.getpid()}-{random.getrandbits(40)}")
        unseen.write_bytes(value)
        try:
            place.hardlink_to(unseen) if mode == "create" else unseen.replace(place)  # FileExistsError, as from If-None-Match
        finally:
            unseen.unlink(missing_ok=True)
        if kill and (Buckets.puts, kill % 2) == (kill // 2, 0):
            os.kill(os.getpid(), signal.SIGKILL)
        if fails == "after":
            raise TimeoutError("the bucket said nothing")

    def put_file(self, lpath: Any, rpath: Any, callback: Any = None, mode: str = "overwrite", **options: Any) -> None:
        self.pipe_file(rpath, Path(lpath).read_bytes(), mode)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        if self._fails():
            raise ConnectionResetError("the bucket hung up")
        return self._place(path).read_bytes()

    def get_file(self, rpath: str, lpath: Any = None, callback: Any = None, outfile: Any = None, **options: Any) -> None:
        content = self._place(rpath).read_bytes()
        if self._fails():
            Path(lpath).write_bytes(content[: len(content) // 2])
            raise ConnectionResetError("the bucket hung up half-way")
        Path(lpath).write_bytes(content)

    def rm_file(self, path: str) -> None:
        if self._fails():
            raise ConnectionResetError("the bucket hung up")
        self._place(path).unlink()

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **options: Any) -> Any:  # noqa: FBT001, FBT002 (fsspec's)
        if self._fails():
            raise ConnectionResetError("the bucket hung up")
        base = self._base(path)
        names = {f"{base}/{urllib.parse.unquote(file.name)}": file for file in base.iterdir() if not file.name.startswith("unseen-")}
        return {
            name: {"name": name, "size": file.stat().st_size, "type": "file"} for name, file in names.items() if name.startswith(f"{path}/")
        }

    def _base(self, path: str) -> Path:
        """The folder of all objects: the longest beginning of the path that is one."""
        return next(parent for parent in (Path(path), *Path(path).parents) if parent.is_dir())

    def _place(self, path: str) -> Path:
        base = self._base(path)
        return base / urllib.parse.quote(Path(path).relative_to(base).as_posix(), safe="")

    def _fails(self) -> str:
        return random.choice(("before", "after")) if random.random() < float(os.environ.get(FAILS, "0")) else ""

    def _refuse(self, *given: Any, **options: Any) -> Any:
        raise PermissionError("an object store knows no rename, no append, no folders and no open files")

    mv = cp_file = makedirs = mkdir = _open = touch = _refuse


fsspec.register_implementation("buckets", Buckets)
