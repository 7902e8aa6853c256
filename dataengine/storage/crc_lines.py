"""Append-only files of lines `crc32 body`: what a crash or a bad disk has spoilt is noticed line by line, and the rest stays good."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from dataengine.work import warn

HEAD = 9
"""Bytes before a line's body."""


def append(descriptor: int, body: bytes) -> int:
    """Write one body without line breaks as a line, wholly; its length with checksum and line break, in bytes."""
    assert b"\n" not in body
    line = b"%08x %s\n" % (zlib.crc32(body), body)
    left = memoryview(line)
    while left:
        left = left[os.write(descriptor, left) :]
    return len(line)


def whole(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """(body, offset, length) of each undamaged line; the others are named, and made again by whoever made them."""
    at = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            body = line[HEAD:-1]
            if line.endswith(b"\n") and line[: HEAD - 1] == b"%08x" % zlib.crc32(body):
                yield body, at, len(line)
            else:
                what = "is damaged" if line.endswith(b"\n") else "is half-written"
                warn(f"{path}, line {number} {what}: what it held is made again")
            at += len(line)
