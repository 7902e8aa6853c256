"""A small HTTP server on loopback that answers what it is told to, for replies that a healthy Argilla never gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One reply; `promised` more bytes are announced than come."""

    status: int = 200
    body: Any = None
    kind: str = "application/json"
    promised: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


@dataclass
class Machine:
    """What was asked, and where."""

    url: str
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@contextmanager
def answering(replies: Sequence[Reply] | Callable[[str, str, bytes], Reply]) -> Iterator[Machine]:
    """The last reply is given for ever; a function is asked each time: (method, path, body) -> reply."""
    left = [] if callable(replies) else list(replies)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            machine.asked.append((self.command, self.path, body))
            machine.keys.append(self.headers.get("X-Argilla-Api-Key"))
            reply = replies(self.command, self.path, body) if callable(replies) else left[0] if len(left) == 1 else left.pop(0)
            if reply.hang_up:
                self.close_connection = True
                return
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response_only(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(data) + reply.promised))
            for name, value in {"Date": self.date_time_string(), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    machine = Machine(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield machine
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
