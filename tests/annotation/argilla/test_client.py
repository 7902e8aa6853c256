"""Every way a server can fail to answer: asked again where that helps, else a message with the way out."""

from __future__ import annotations

import re
import socket
import time
from datetime import timedelta
from email.utils import formatdate

import pytest

from annotation.argilla.client import Client, Forbidden, Missing, Refused, Taken, TooLarge
from dataengine.errors import Stopped
from tests.annotation.argilla.answering_machine import Reply, answering

KEY = "argilla.apikey"
FINE = Reply(body={"items": []})


def client(url: str, *, tries: int = 2) -> Client:
    return Client(url, KEY, patience=(0.001,) * (tries - 1), timeout=5.0)


@pytest.mark.parametrize(
    "broken",
    [
        Reply(status=500, body={"detail": "database is locked"}),
        Reply(status=502, body=b"<html>bad gateway</html>", kind="text/html"),
        Reply(status=503, body=b""),
        Reply(status=429, body={"detail": "slowly"}),
        Reply(hang_up=True),
        Reply(body=b'{"items": [', promised=0),
        Reply(body=b'{"items": [', promised=100),
        Reply(body=b""),
        Reply(body=b"null"),
        Reply(body=[1]),
        Reply(body={"detail": "maintenance"}),
        Reply(body={"items": [None]}),
        Reply(body={"items": None}),
        Reply(body=b'{"items": [{"name": "\xff"}]}'),
        Reply(status=500, body=b"\xff\xfe"),
    ],
    ids=[
        *("500", "502", "503", "429", "hangs up", "half an answer", "half an answer, more was promised"),
        *("nothing", "null", "a list", "another object", "items that are none", "no items", "no UTF-8", "no words"),
    ],
)
def test_what_may_pass_is_asked_again_and_then_stops_with_the_way_out(broken: Reply) -> None:
    with answering([broken, FINE]) as machine:
        assert client(machine.url).get("/me", "items") == {"items": []}
        assert len(machine.asked) == 2
    with answering([broken]) as machine:
        with pytest.raises(Stopped, match=r"does not answer .*dataengine argilla up.*same command goes on"):
            client(machine.url, tries=3).send("PUT", "/x", {}, "items")
        assert len(machine.asked) == 3


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (401, ValueError, "does not know this API key: copy it from its page"),
        (403, Forbidden, "may not do that .*owner's key, or that of an admin"),
        (404, Missing, "there is no /x"),
        (409, Taken, "taken already"),
        (413, TooLarge, "no request that long"),
        (422, Refused, "taken already"),
    ],
)
def test_what_will_not_pass_is_said_at_once(status: int, kind: type[ValueError], message: str) -> None:
    with answering([Reply(status=status, body={"detail": "taken already"})]) as machine:
        with pytest.raises(kind, match=message):
            client(machine.url).get("/x")
        assert len(machine.asked) == 1


def test_a_server_that_names_a_time_is_asked_no_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("annotation.argilla.client.time.sleep", waited.append)
    replies = [Reply(status=429, body={}, headers={"Retry-After": told}) for told in ("7", "3600", "Sun, 06 Nov 2026 08:49:37 GMT", "-1")]
    with answering([*replies, FINE]) as machine:
        Client(machine.url, KEY, patience=(0.5, 1.0, 2.0, 4.0)).get("/me")
    assert waited == [7.0, 120.0, 2.0, 4.0], "the longest pause is ours"


def test_how_far_the_servers_clock_is_ahead_is_heard_from_its_replies() -> None:
    with answering([FINE, Reply(body={}, headers={"Date": formatdate(time.time() + 600, usegmt=True)})]) as machine:
        asking = client(machine.url)
        asking.get("/me")
        assert asking.clock.ahead == timedelta(0)
        asking.get("/me")
        assert abs(asking.clock.ahead - timedelta(minutes=10)) < timedelta(seconds=3)


def test_a_page_of_html_is_no_argilla() -> None:
    page, told = Reply(body=b"<html>log in</html>", kind="text/html"), "answers with text/html where Argilla answers with JSON: is --url"
    with answering([page]) as machine, pytest.raises(ValueError, match=told):
        client(machine.url).get("/me")


def test_a_redirect_is_not_followed_for_the_key_would_travel_along() -> None:
    with answering([FINE]) as elsewhere, answering([Reply(status=302, headers={"Location": f"{elsewhere.url}/api/v1/me"})]) as machine:
        with pytest.raises(ValueError, match=re.escape(elsewhere.url)):
            client(machine.url).get("/me")
        assert not elsewhere.asked


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Stopped, match=rf"{url} does not answer .*refused.*start it"):
            client(url).get("/me")


@pytest.mark.parametrize("url", ["127.0.0.1:6900", "ftp://x", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="--url is the address of an Argilla server"):
        Client(url, KEY)


@pytest.mark.parametrize("key", ["", "schlüssel", "two\nlines"])
def test_a_key_that_is_none_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="--key-file") as refused:
        Client("http://127.0.0.1", key)
    assert not key or key not in str(refused.value)


def test_the_key_goes_in_its_header_and_text_as_ascii() -> None:
    with answering([FINE]) as machine:
        client(machine.url).send("POST", "/x", {"text": "中\0\ud800"})
        client(machine.url).get("/x", limit=3, include="responses")
    assert machine.keys == [KEY, KEY]
    assert machine.asked[0] == ("POST", "/api/v1/x", b'{"text": "\\u4e2d\\u0000\\ud800"}')
    assert machine.asked[1][1] == "/api/v1/x?limit=3&include=responses"


def test_a_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with answering([FINE]) as machine:
        assert client(machine.url).get("/me") == {"items": []}
