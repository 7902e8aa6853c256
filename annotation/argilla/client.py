"""Argilla's REST interface: one request at a time, asked again while the server is away, and every refusal with its way out.

Written on urllib: the protocol of the places is not asynchronous, a request carries a hundred records, and the SDK hides
discards, drops times and dies of values that are null.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import IO, Any

from annotation.argilla.clock import Clock
from dataengine.errors import Stopped

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between the tries of one request."""
LONGEST_PAUSE = 120.0
"""Seconds that a server gets that names a time itself (Retry-After)."""


class _Garbled(ValueError):
    """A reply that Argilla never gives: of a server that is just going away, or of a proxy before it."""


BROKEN = (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException, _Garbled)
TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


class TooLarge(ValueError):
    """The server, or a proxy before it, takes no request of this size."""


class Refused(ValueError):
    """The server has understood and will not have it: `str` is its reason."""


class Taken(Refused):
    """The name is taken already."""


class Forbidden(ValueError):
    """The key's owner may not do that."""


class Missing(ValueError):
    """What was asked for is not there."""


class _Straight(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the key would travel along to wherever it points."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> None:
        return None


class Client:
    """`Client("http://127.0.0.1:6900", key).get("/me")`; `patience`: seconds between tries, `timeout`: seconds of one.

    Every reply is a JSON object, and has what the caller names; where it is not, it is asked for again. `clock` is the server's.
    """

    def __init__(self, url: str, key: str, *, patience: tuple[float, ...] = PAUSES, timeout: float = 120.0) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"--url is the address of an Argilla server such as http://127.0.0.1:6900, got {url!r}")
        if not key or not key.isascii() or not key.isprintable():
            raise ValueError("the API key is empty or no key at all: it stands in Argilla's page under My settings; give --key-file FILE")
        self.url, self.clock = url.rstrip("/"), Clock()
        self._key, self._patience, self._timeout = key, patience, timeout
        handlers: list[urllib.request.BaseHandler] = [_Straight()]
        if is_loopback(parts.hostname):
            handlers.append(urllib.request.ProxyHandler({}))  # a proxy could not reach this machine
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str, *has: str, **query: Any) -> dict[str, Any]:
        """What stands at `path` below /api/v1."""
        return self._asked("GET", path + (f"?{urllib.parse.urlencode(query, doseq=True)}" if query else ""), has)

    def send(self, method: str, path: str, body: Mapping[str, Any], *has: str) -> dict[str, Any]:
        """POST, PUT or PATCH of JSON. Only what may be sent twice is sent here: a lost reply is a second try."""
        return self._asked(method, path, has, json.dumps(body, allow_nan=False).encode())  # ASCII: nothing fails while it is encoded

    def _asked(self, method: str, path: str, has: Sequence[str], body: bytes | None = None) -> dict[str, Any]:
        headers = {"X-Argilla-Api-Key": self._key, "Accept": "application/json", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v1{path}", body, headers, method=method)
        why = ""
        for pause in (*self._patience, None):
            asked, wait = time.time(), 0.0
            try:
                with self._opener.open(request, timeout=self._timeout) as reply:
                    self.clock.hear(reply.headers.get("Date"), asked=asked, heard=time.time())
                    return _object_in(reply, self.url, has)
            except urllib.error.HTTPError as error:
                why, wait = self._refusal(error, path), _wanted_pause(error)
            except BROKEN as error:
                why = str(getattr(error, "reason", "") or error or type(error).__name__)
            if pause is not None:
                time.sleep(max(pause, wait))
        raise Stopped(
            f"Argilla at {self.url} does not answer ({why}): start it (`dataengine argilla up`) or mend --url, "
            "then the same command goes on from here"
        )

    def _refusal(self, error: urllib.error.HTTPError, path: str) -> str:
        """Raises what asking again can not change; returns why it may be asked again."""
        told = _told(error)
        if error.code in TRY_AGAIN:
            return f"{error.code}: {told}"
        if error.code == 401:
            raise ValueError(
                f"Argilla at {self.url} does not know this API key: copy it from its page (My settings, API key) into the file of "
                "--key-file, or into ARGILLA_API_KEY; the one that `dataengine argilla up` made lies in its folder"
            )
        if error.code == 403:
            raise Forbidden(
                f"the owner of this key may not do that ({path}): it takes the owner's key, or that of an admin who is a member of the "
                "workspace; ask whoever runs the server, or name another --workspace"
            )
        if error.code == 404:
            raise Missing(f"there is no {path} at {self.url} ({told}): is that an Argilla 2 server, and is it still there?")
        if error.code == 409:
            raise Taken(f"Argilla refused it: {told}")
        if error.code == 413:
            raise TooLarge(f"Argilla at {self.url}, or a proxy before it, takes no request that long ({told})")
        if 300 <= error.code < 400:
            raise ValueError(f"{self.url} points elsewhere: give --url {error.headers.get('Location', '')!r} without the path")
        raise Refused(f"Argilla refused it ({error.code}): {told}")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _object_in(reply: http.client.HTTPResponse, url: str, has: Sequence[str]) -> dict[str, Any]:
    """The JSON object of a reply with all that it must have; what is under `items` are objects."""
    data = reply.read()
    kind = reply.headers.get("Content-Type", "")
    if data and "json" not in kind:
        raise ValueError(f"{url} answers with {kind or 'something unnamed'} where Argilla answers with JSON: is --url that of the server?")
    try:
        found = json.loads(data)
    except ValueError:
        raise _Garbled(f"no JSON, but {data[:80]!r}") from None
    if not isinstance(found, dict) or not all(name in found for name in has) or not _are_objects(found.get("items", [])):
        raise _Garbled(f"not what Argilla says: {data[:80]!r}")
    return found


def _are_objects(items: Any) -> bool:
    return isinstance(items, list) and all(isinstance(each, dict) for each in items)


def _wanted_pause(error: urllib.error.HTTPError) -> float:
    """Seconds that the server asks for; a date instead of seconds is left to our own pauses."""
    told = error.headers.get("Retry-After", "")
    return min(float(told), LONGEST_PAUSE) if told.isdecimal() else 0.0


def _told(error: urllib.error.HTTPError) -> str:
    """The server's own words, short."""
    try:
        said = json.loads(error.read())
    except (ValueError, OSError, http.client.HTTPException):
        return str(error.reason)
    told = said.get("detail") or said.get("message") or said if isinstance(said, dict) else said
    return (told if isinstance(told, str) else json.dumps(told, ensure_ascii=False))[:1000]
