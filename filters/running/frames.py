"""Messages over a socket: a JSON object and any number of byte strings, so that nothing is ever unpickled."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

HEAD = struct.Struct("!I")
LONGEST = 1 << 30
"""Bytes of one part; more means that the other side does not speak this language."""


def send(sock: socket.socket, header: dict[str, Any], *blobs: bytes) -> None:
    """Send one message; blocks until the other side has room for it."""
    text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
    sock.sendall(b"".join((HEAD.pack(len(text)), text, *blobs)))


def receive(sock: socket.socket) -> tuple[dict[str, Any], list[bytes]]:
    """The next message; EOFError where the other side has gone, ValueError where what comes is no message."""
    (length,) = HEAD.unpack(exactly(sock, HEAD.size))
    if length > LONGEST:
        raise ValueError(f"a message head of {length} bytes")
    header = json.loads(exactly(sock, length))
    if not isinstance(header, dict) or not isinstance(header.get("blobs"), list):
        raise ValueError("no message")
    return header, [exactly(sock, size) for size in header.pop("blobs")]


def exactly(sock: socket.socket, size: int) -> bytes:
    """That many bytes; EOFError where the stream ends before."""
    if not isinstance(size, int) or not 0 <= size <= LONGEST:
        raise ValueError(f"a part of {size!r} bytes")
    parts = []
    while size:
        part = sock.recv(min(size, 1 << 20))
        if not part:
            raise EOFError("the other side has gone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
