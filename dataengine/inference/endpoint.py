"""One address of a model server: what it is asked over HTTP, how busy and how well it is."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import yarl

from dataengine.inference.bucket import Bucket
from dataengine.inference.failures import Failure, reply_of
from dataengine.inference.pace import Pace

JSON = {"Content-Type": "application/json"}
MOST_BYTES = 256 * 2**20
"""A reply that goes on longer is garbage."""
CONNECT_SECONDS = 10.0
DROPPED = 0.0
"""The deadline of a request that was ended from here: long past, and unlike every other."""
LONGEST_REST = 30.0
NOT_SAID = " ssl:default"
"""What aiohttp writes into its errors of every connection, encrypted or not."""
KEEP_OPEN_SECONDS = 3.0
"""Idle connections are closed by us before servers (uvicorn: after 5 s) close them under a request."""


class Endpoint:
    """`await endpoint.post("/completions", body, deadline=60)`; its limits are kept by `Endpoints`."""

    def __init__(
        self, url: str, *, key_variable: str = "", limit: int, requests_per_minute: float = 0, tokens_per_minute: float = 0, slowest: float
    ) -> None:
        """`limit`: requests open at the same time."""
        self.url, self.shown = address(url)
        self._key = _key(key_variable, self.shown)
        self._key_variable = key_variable
        self.limit, self.most = float(limit), limit
        self.requests, self.tokens = Bucket(requests_per_minute), Bucket(tokens_per_minute)
        self.pace = Pace(slowest)
        self.up = True
        self.in_flight = self.failed_in_row = 0
        self.rests_until = self._failed_at = 0.0
        self.answered = 0
        self._lowered = 0.0
        self._open: set[asyncio.Timeout] = set()

    async def post(self, session: aiohttp.ClientSession, path: str, body: bytes, *, deadline: float) -> dict[str, Any]:
        """The JSON object that comes back within `deadline` seconds; else one of the errors of `failures`."""
        return reply_of(*await self.raw(session, "POST", path, body, deadline=deadline))

    async def get(self, session: aiohttp.ClientSession, path: str, *, deadline: float) -> dict[str, Any]:
        """Likewise, without a body."""
        return reply_of(*await self.raw(session, "GET", path, None, deadline=deadline))

    async def raw(
        self, session: aiohttp.ClientSession, method: str, path: str, body: bytes | None, *, deadline: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of a reply, whatever they are; Failure where none came whole."""
        async with self.replying(session, method, path, body, deadline=deadline) as reply:
            return reply.status, reply.headers, self.without_key(await whole(reply))

    @asynccontextmanager
    async def replying(
        self, session: aiohttp.ClientSession, method: str, path: str, body: bytes | None, *, deadline: float
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """A reply as it arrives, whatever it is; Failure where it does not come, or is not read, within `deadline` seconds."""
        limit = asyncio.timeout(deadline)
        self._open.add(limit)
        try:
            async with (
                limit,
                session.request(method, self.url + path, data=body, headers=self.headers(), allow_redirects=False) as reply,
            ):
                yield reply
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError; that of a connection is aiohttp's
            if limit.when() == DROPPED:
                raise Failure("its server went away") from None
            if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                raise Failure(f"no answer within {deadline:.0f} s", late=True) from None
            said = str(error).replace(NOT_SAID, "")
            raise Failure(f"{type(error).__name__} {said}".rstrip() + self._hint(error)) from None
        finally:
            self._open.discard(limit)

    def _hint(self, error: Exception) -> str:
        """A port that does not speak TLS says something that TLS cannot read, or hangs up."""
        if not isinstance(error, aiohttp.ClientConnectorError) or not isinstance(error.os_error, ssl.SSLError | ConnectionResetError):
            return ""
        plain = self.shown.replace("https://", "http://", 1)
        return f" (this port may speak plain http: try {plain})" if plain != self.shown else ""

    def drop(self) -> None:
        """End every request that is open here: they fail, and are asked elsewhere."""
        for each in self._open:
            each.reschedule(DROPPED)

    def headers(self) -> Mapping[str, str]:
        """With the key, where there is one."""
        return {**JSON, "Authorization": f"Bearer {self._key}"} if self._key else JSON

    def without_key(self, content: bytes) -> bytes:
        """Some services quote the key in their errors; it must never be written down."""
        return content.replace(self._key.encode(), f"${self._key_variable}".encode()) if self._key else content

    def failed(self, failure: Failure, *, asked_at: float, now: float, longest_rest: float = LONGEST_REST) -> None:
        """Fewer requests to a server that is overloaded, a rest for one that asks for it or has failed often: requests that were open
        at the same time count once. `longest_rest`: seconds of one that does not ask for it."""
        if asked_at >= self._failed_at:
            self.failed_in_row += 1
            self._failed_at = now
        if failure.overloaded and now - self._lowered > 1.0:
            self.limit, self._lowered = max(1.0, self.limit * 0.6), now
        rest = failure.wait or min(longest_rest, 0.25 * 2 ** min(self.failed_in_row - 4, 16)) * (self.failed_in_row >= 4)
        self.rests_until = max(self.rests_until, now + rest)

    def worked(self) -> None:
        """One more in flight for each round of good answers."""
        self.failed_in_row = 0
        self.answered += 1
        self.limit = min(float(self.most), self.limit + 1 / self.limit)


def new_session() -> aiohttp.ClientSession:
    """As many connections as are asked for; deadlines are each request's own."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_OPEN_SECONDS)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS))


async def whole(reply: aiohttp.ClientResponse) -> bytes:
    """All bytes of a reply, within reason."""
    parts, size = [], 0
    async for part in reply.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise aiohttp.ClientPayloadError(f"a reply of more than {MOST_BYTES:,} bytes")
    return b"".join(parts)


def address(url: str) -> tuple[str, str]:
    """A base address to which paths are appended, and the same as it may be shown: without user, password and query."""
    read = yarl.URL(url)
    if read.scheme not in ("http", "https") or not read.host:
        raise ValueError(f"{url!r} is no address of a server: give one such as http://127.0.0.1:8000/v1")
    if read.query_string or read.fragment:
        raise ValueError(f"the address {read.with_query(None)} has a query: a key goes into a variable that key_variables names")
    return str(read).rstrip("/"), str(read.with_user(None).with_password(None)).rstrip("/")


def _key(variable: str, shown: str) -> str:
    key = os.environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise ValueError(f"the environment variable {variable}, which should hold the key of {shown}, is not set: export {variable}=...")
    return key
