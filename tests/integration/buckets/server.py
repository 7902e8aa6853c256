"""moto's S3 on a port of this machine, in a process of its own: `python -m tests.integration.buckets.server PORT_FILE`

It takes a free port and writes its number into the file.

moto looks and writes in two steps, and S3 does it in one: conditional writes wait for each other here. How servers differ in them
is told by the bucket's name, see DIALECTS; a bucket whose name begins with DENIES lets only the tests themselves in.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import (  # pyright: ignore[reportMissingImports]
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server  # pyright: ignore[reportMissingImports]

from dataengine.shards import write_atomically

CONDITION = "HTTP_IF_NONE_MATCH"
DIALECTS = ("ignores", "refuses", "unnamed", "conflicts")
"""How a bucket's name begins that ignores If-None-Match (old servers), answers 501 to it, does not name the condition that was not met
(MinIO and others), or finds the first of two conditional writes in conflict with another, as S3 does of writes at the same instant."""
DENIES, LET_IN = "denies", "Credential=tests/"
ERROR = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
PRECONDITION = "At least one of the pre-conditions you specified did not hold"
Start = Callable[..., Any]


class Spoken:
    """moto's application, as servers speak."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.one_at_a_time = threading.Lock()
        self.seen: set[str] = set()

    def __call__(self, request: dict[str, Any], start: Start) -> Iterable[bytes]:
        """One request."""
        _hear_out(request)
        place = request["PATH_INFO"].lstrip("/")
        if place.startswith(DENIES) and LET_IN not in request.get("HTTP_AUTHORIZATION", ""):
            answer = _error(
                start, "403 Forbidden", "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records"
            )
            return [] if request["REQUEST_METHOD"] == "HEAD" else answer  # a client takes words after that for a fault of the server
        conditional = request["REQUEST_METHOD"] == "PUT" and CONDITION in request
        if not conditional:
            return self._answer(request, start)
        dialect = next((each for each in DIALECTS if place.startswith(each)), "")
        if dialect == "refuses":
            return _error(
                start,
                "501 Not Implemented",
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
            )
        if dialect == "conflicts" and place not in self.seen:
            self.seen.add(place)
            return _error(start, "409 Conflict", "ConditionalRequestConflict", "Retry the upload")
        if dialect == "ignores":
            del request[CONDITION]
        with self.one_at_a_time:
            if dialect != "unnamed":
                return list(self._answer(request, start))
            said: list[Any] = []
            answer = list(self._answer(request, lambda *told: said.extend(told)))
            if said[0].startswith("412"):
                return _error(start, "412 Precondition Failed", "PreconditionFailed", PRECONDITION)
            start(*said)
            return answer

    def _answer(self, request: dict[str, Any], start: Start) -> Iterable[bytes]:
        def once(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            """Without the server's name, which the one below gives as well."""
            return start(status, [each for each in headers if each[0].lower() != "server"], *more)

        return self.moto(request, once)


def _hear_out(request: dict[str, Any]) -> None:
    """Read what is sent, once and before anything else.

    Nobody waits for a slow client then, and an answer that is not moto's does not reset the connection before the client has it.
    """
    if length := int(request.get("CONTENT_LENGTH") or 0):
        request["wsgi.input"] = io.BytesIO(request["wsgi.input"].read(length))


def _error(start: Start, status: str, code: str, message: str) -> list[bytes]:
    """An answer in words."""
    body = ERROR.format(code=code, message=message).encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    serves = make_server("127.0.0.1", 0, Spoken(), threaded=True, request_handler=MotoRequestHandler)
    write_atomically(Path(sys.argv[1]), lambda out: out.write(b"%d" % serves.port))
    serves.serve_forever()
