"""The review page on this machine: one process serves a queue, prints a link for each annotator and ends cleanly with Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from annotation.reviews import Progress
from annotation.sqlite.annotators import Annotators
from annotation.sqlite.store import Store
from annotation.web.guard import LOOPBACK
from dataengine.progress import say
from dataengine.storage.lock import Holder, only_one

PORT = 8377
LOCK = "server.lock"
ADDRESS = "server.address"
"""Beside the lock: what the links begin with while a server runs."""
SECONDS_BETWEEN_LINES = 30.0
SECONDS_TO_END = 3
"""Requests that are under way when the server is ended get so long."""


def serve(
    folder: Path,
    *,
    annotators: Sequence[str] = (),
    revoke: Sequence[str] = (),
    host: str = "127.0.0.1",
    port: int = PORT,
    names: Sequence[str] = (),
    ready: Callable[[dict[str, str]], None] | None = None,
) -> None:
    """Serve the page for a queue's folder (or any finished folder of rows) until Ctrl-C; port 0 takes a free one.

    `names` are host names it is reached by beside loopback, such as that of a proxy with TLS. `ready` is given the links once they work.
    Where another process serves it already, that one knows at once who was added or revoked, and this one ends.
    ValueError: no such folder, port in use, or another process serves it and nobody was added or revoked.
    """
    import uvicorn

    from annotation.web.app import review_app

    whole = folder.resolve()
    with Store.open(whole) as store, ExitStack() as held:
        people = Annotators(store.database)
        for name in revoke:
            people.revoke(name)
        added, lock = people.tokens(annotators), store.database.file.with_name(LOCK)
        try:
            way_out = "open the links that it printed, or end it first"
            held.enter_context(only_one(lock, doing=f"serving the reviews of {whole.name}", way_out=way_out))
        except ValueError:
            if not (added or revoke):
                raise
            _tell_of_changes(lock.with_name(ADDRESS), added, revoke)
            return
        listener = held.enter_context(_listening(host, port))
        address = held.enter_context(_noted(lock.with_name(ADDRESS), _address(host, listener.getsockname()[1], names)))
        links = _links(address, people.tokens(people.names() or [Holder.this().user]))
        app = review_app(store, queue=whole.name, folder=whole, hosts=_hosts(host, names))
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=SECONDS_TO_END
        )
        _welcome(store, whole, links, host)
        if ready:
            ready(links)
        with _telling(store), contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
        say(f"ended. What was answered is kept in {store.database.file}; the same command goes on")
        say(_line(store.progress()))


def _links(address: str, tokens: dict[str, str]) -> dict[str, str]:
    return {name: f"{address}/#token={token}" for name, token in tokens.items()}


@contextmanager
def _noted(place: Path, address: str) -> Iterator[str]:
    """The address stands beside the lock while the server runs, for whoever adds people meanwhile."""
    place.write_text(address, encoding="utf-8")
    try:
        yield address
    finally:
        place.unlink(missing_ok=True)


def _tell_of_changes(place: Path, added: dict[str, str], revoked: Sequence[str]) -> None:
    """What holds from now on at the server that runs; it looks every token up at every call."""
    if revoked:
        say(f"the link of {' and '.join(revoked)} has ended; the server that runs knows it already")
    if added:
        try:
            address = place.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ValueError("the server is just starting: the same command again prints the links") from None
        say("these links are good at the server that runs")
        _print_links(_links(address, added))


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound before anything is printed."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise ValueError(f"{host!r} and {port} are no address of this machine ({error}): give another --host or --port") from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(128)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ValueError(f"port {port} is in use: give another --port, or --port 0 for any that is free") from None
            raise ValueError(f"{host} port {port} can not be opened ({error}): give another --host or --port") from None
        yield listener


def _address(host: str, port: int, names: Sequence[str]) -> str:
    """What a link begins with: the address itself, or this machine's name where the server listens on all of its addresses."""
    if host in ("0.0.0.0", "::", ""):
        host = names[0] if names else socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _hosts(host: str, names: Sequence[str]) -> list[str]:
    """Names that the server answers to beside loopback; beyond loopback, a bare IP address is safe as well: nobody can rebind it."""
    return [*names] if _is_loopback(host) else [*names, host, socket.gethostname(), socket.getfqdn(), "*"]


def _is_loopback(host: str) -> bool:
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _welcome(store: Store, folder: Path, links: dict[str, str], host: str) -> None:
    say(f"{folder.name}: {_line(store.progress())}")
    if not _is_loopback(host):
        say(
            f"warning: the page listens on {host}. Whoever can reach it and has a link can read and answer, and the connection is not "
            "encrypted: rather leave it on loopback behind `ssh -L` or a proxy with TLS"
        )
    _print_links(links)
    say(
        "A link is a key: give each to its annotator alone. More people: --annotators NAME,NAME. To end a link: --revoke NAME. "
        "Both work from another terminal while this runs."
    )
    say("Answers are on the disk the moment they are given. Ctrl-C ends the server; the same command goes on, with the same links.")


def _print_links(links: dict[str, str]) -> None:
    width = max(map(len, links))
    print("\n".join(f"  {name:<{width}}  {link}" for name, link in links.items()), flush=True)


@contextmanager
def _telling(store: Store) -> Iterator[None]:
    """A line of progress now and then, where there is any."""
    ended = threading.Event()

    def tell() -> None:
        told = _line(store.progress())
        while not ended.wait(SECONDS_BETWEEN_LINES):
            if (line := _line(store.progress())) != told:
                say(f"  {line}")
                told = line

    teller = threading.Thread(target=tell, name="review-progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def _line(progress: Progress) -> str:
    """`12 of 40 items answered; alice 8 (1 draft), bob 5`"""
    people = []
    for name, counts in progress.annotators.items():
        drafts = counts.get("draft", 0)
        people.append(f"{name} {sum(counts.values()) - drafts}{f' ({drafts} begun)' if drafts else ''}")
    return f"{progress.done:,} of {progress.items:,} items answered" + (f"; {', '.join(people)}" if people else "")
