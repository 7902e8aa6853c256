"""`dataengine argilla up` as a person uses it: again, twice at once, stopped, killed."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.integration.argilla.conftest import ROOT, Argilla, Launcher, end, free_port
from tests.integration.argilla.test_search import STATUS, made_dataset, terms


def living(home: Path) -> list[str]:
    """Command lines of the processes that work for a home."""
    lines = [_read(file).replace(b"\0", b" ").decode() for file in Path("/proc").glob("[0-9]*/cmdline")]
    return [line for line in lines if f"{home}/" in line or f"{home} " in line]


def wait_until_gone(home: Path, *, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while left := living(home):
        assert time.monotonic() < until, f"still there: {left}"
        time.sleep(0.1)


def log_in(server: Argilla, name: str) -> str:
    """A session, as the page gets one."""
    form = urllib.parse.urlencode({"username": name, "password": server.known["people"][name]["password"]}).encode()
    with urllib.request.urlopen(f"{server.url}/api/v1/token", data=form, timeout=30) as answer:
        return json.load(answer)["access_token"]


def me(server: Argilla, session: str) -> Any:
    request = urllib.request.Request(f"{server.url}/api/v1/me", headers={"Authorization": f"Bearer {session}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def modes_beyond_owner(home: Path) -> list[str]:
    """What somebody else may read or write; folders that are closed hide what is in them."""
    closed = [home / name for name in ("data", "redis", "logs", "keys.json")]
    return [str(each) for each in closed if each.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]


def test_everything_is_there_at_the_second_start(launcher: Launcher, tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    process = launcher.start(home, "--port", str(port), "--users", "ann")
    first = launcher.wait(process, home, port)
    session, before = log_in(first, "ann"), first.known
    made = made_dataset(first, "kept")
    [record] = first.call("POST", f"/datasets/{made}/records/bulk", {"items": [{"fields": {"text": "t"}}]})["items"]
    first.call("POST", f"/records/{record['id']}/responses", {"status": "discarded"}, who="ann")
    assert modes_beyond_owner(home) == []
    assert f"--key-file {home / 'keys.json'}" in first.log.read_text(encoding="utf-8")
    assert first.key() not in first.log.read_text(encoding="utf-8"), "keys are not printed"
    assert end(process) == 0
    assert f"everything is kept in {home}" in first.log.read_text(encoding="utf-8")
    wait_until_gone(home)

    first.log.write_text("", encoding="utf-8")
    process = launcher.start(home, "--port", str(port), "--users", "ben")
    again = launcher.wait(process, home, port)
    assert again.known["secret"] == before["secret"]
    assert {name: again.known["people"][name] for name in ("owner", "ann")} == before["people"], "passwords and keys stay"
    assert "ann, ben" in again.log.read_text(encoding="utf-8")
    assert me(again, session)["username"] == "ann", "a session outlives the server"
    body = {"filters": {"and": [terms(STATUS, "discarded")]}}
    assert again.call("POST", f"/me/datasets/{made}/records/search", body, who="ann")["total"] == 1
    assert again.call("POST", f"/me/datasets/{made}/records/search", body, who="ben")["total"] == 0
    assert end(process, signal.SIGINT) == 0
    wait_until_gone(home)


def test_a_killed_launcher_leaves_nobody_behind_and_nothing_in_the_way(launcher: Launcher, tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    process = launcher.start(home, "--port", str(port), "--worker")
    launcher.wait(process, home, port)
    time.sleep(2)  # the worker has its own children by then
    assert len(living(home)) >= 4
    assert end(process, signal.SIGKILL) == -signal.SIGKILL
    wait_until_gone(home)
    home.with_suffix(".log").write_text("", encoding="utf-8")
    process = launcher.start(home, "--port", str(port))
    launcher.wait(process, home, port)
    assert end(process) == 0


def test_the_second_at_once_is_told_who_holds_the_home(launcher: Launcher, argilla_server: Argilla) -> None:
    holder = json.loads((argilla_server.home / "up.lock").read_text(encoding="utf-8"))["pid"]
    said = refused(launcher, argilla_server.home, "--port", str(free_port()))
    assert f"process {holder} of" in said
    assert "choose another folder" in said


def test_a_port_that_is_taken_is_named(launcher: Launcher, argilla_server: Argilla, tmp_path: Path) -> None:
    port = argilla_server.url.rpartition(":")[2]
    said = refused(launcher, tmp_path / "home", "--port", port)
    assert f"cannot listen on 127.0.0.1 port {port}" in said
    assert living(tmp_path / "home") == []


def test_a_dead_redis_ends_the_server_with_its_reason(launcher: Launcher, tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    process = launcher.start(home, "--port", str(port))
    launcher.wait(process, home, port)
    [redis] = [file.parent for file in Path("/proc").glob("[0-9]*/cmdline") if f"unixsocket:{home}".encode() in _read(file)]
    os.kill(int(redis.name), signal.SIGKILL)
    assert process.wait(30) != 0
    assert "redis ended by itself (status -9)" in home.with_suffix(".log").read_text(encoding="utf-8")
    wait_until_gone(home)


def test_the_worker_does_what_argilla_leaves_to_it(launcher: Launcher, tmp_path: Path) -> None:
    """Fewer answers wanted than before: records that have enough are completed, in the background."""
    home, port = tmp_path / "home", free_port()
    process = launcher.start(home, "--port", str(port), "--users", "ann", "--worker")
    server = launcher.wait(process, home, port)
    made = made_dataset(server, "fewer", min_submitted=2)
    items = [{"fields": {"text": f"t{i}"}} for i in range(3)]
    ids = [each["id"] for each in server.call("POST", f"/datasets/{made}/records/bulk", {"items": items})["items"]]
    body = {"status": "submitted", "values": {"verdict": {"value": "keep"}}}
    for record in ids[:2]:
        server.call("POST", f"/records/{record}/responses", body, who="ann")
    assert server.call("GET", f"/datasets/{made}/progress")["completed"] == 0
    server.call("PATCH", f"/datasets/{made}", {"distribution": {"strategy": "overlap", "min_submitted": 1}})
    until = time.monotonic() + 60
    while server.call("GET", f"/datasets/{made}/progress")["completed"] != 2:
        assert time.monotonic() < until, (home / "logs" / "worker.log").read_text(encoding="utf-8")
        time.sleep(0.2)
    assert end(process) == 0
    wait_until_gone(home)


def test_what_the_page_loads_comes_from_the_server_alone(argilla_server: Argilla) -> None:
    with urllib.request.urlopen(f"{argilla_server.url}/", timeout=30) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_no_other_page_may_ask_the_server(argilla_server: Argilla) -> None:
    request = urllib.request.Request(f"{argilla_server.url}/api/v1/version", headers={"Origin": "http://elsewhere.example"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] is None


def refused(launcher: Launcher, home: Path, *arguments: str) -> str:
    """What a launcher says that does not start."""
    done = subprocess.run(launcher.command(home, *arguments), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    return done.stderr


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
