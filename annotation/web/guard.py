"""What stands between the network and the server: names it answers to, pages it answers, sizes, and headers on every reply.

A page of another site can make a browser send requests here, and can give its own name this address (DNS rebinding). So a request's Host
must be a name of ours, an Origin must be that very host, and whoever says where it comes from (Sec-Fetch-Site) must come from here. The
token then decides; it travels in a header, never in a cookie, so that no foreign page can send it along.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
LARGEST = 16 << 20
"""Bytes of a body; the largest answer (two edited texts of 32k tokens) has about 1 MB."""
DRAINED = 16 * LARGEST
"""What is read and thrown away of a body that is too large, so that the client hears why."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Wraps an app; `hosts` are the names it answers to beside loopback, `"*"` among them adds every bare IP address."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = ()) -> None:
        self.app, self.hosts = app, LOOPBACK | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        if problem := self._foreign(Headers(scope=scope)):
            await refused(guarded, 403, problem)
            return
        await self.app(scope, receive, guarded)

    def _foreign(self, headers: Headers) -> str | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            named = hosts[0] if hosts else "none"
            return f"this server does not answer to the host name {named[:100]!r}: open the link that it printed, or start it with --names"
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None and _host_of(origin) != hosts[0].lower():
            return f"this request comes from another site ({origin[:100]!r}): open the link that the server printed"
        if site not in ("same-origin", "none") and headers.get("sec-fetch-mode") != "navigate":
            return f"this request comes from another site ({site}): open the link that the server printed"
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return "*" in self.hosts


def _host_of(origin: str) -> str:
    """Host and port of an Origin; empty for what is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def refused(send: Send, status: int, problem: str) -> None:
    """Answer with an error in JSON."""
    body = json.dumps({"error": problem}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
