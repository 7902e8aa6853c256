"""One run at a time on a store: an object that says who, written anew every few seconds as a sign of life."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dataengine.errors import Stopped
from dataengine.progress import say
from dataengine.storage.lock import Holder
from dataengine.storage.store import Store

NAME = "lock.json"
SECONDS_BETWEEN_SIGNS = 15.0
SECONDS_TO_WATCH = 60.0
"""A lock of another machine that shows no sign of life for so long is taken over; no clocks are compared."""
_ALIVE: set[str] = set()
"""Tokens of the locks that this process holds."""


class StoreLock:
    """The right to write to a store.

    It is created conditionally where the file system can (S3, GCS, a folder). Whatever happens, whoever finds another's name in
    it stops writing at the next sign of life.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._said = {"holder": asdict(Holder.this()), "boot": _boot(), "token": secrets.token_hex(8)}
        self._signs = 0
        self._lost = ""
        self._done = threading.Event()
        self._clock = threading.Thread(target=self._sign_now_and_then, name="store-lock", daemon=True)

    def take(self) -> None:
        """Take the lock, from a dead holder too; ValueError tells who is alive and holds it."""
        while not self.store.create(NAME, self._packed()):
            found = self._found()
            if found is None:
                continue  # given back just now
            if not _died_here(found):
                self._watch(found)
            self.store.put(NAME, self._packed())
            break
        if self._token() != self._said["token"]:
            raise ValueError(self._told(self._found() or {}))
        _ALIVE.add(self._said["token"])
        self._clock.start()

    def check(self) -> None:
        """Stopped where another run has taken the lock over."""
        if self._lost:
            raise Stopped(self._lost)

    def give_back(self) -> None:
        """Let the next one in."""
        self._done.set()
        self._clock.join()
        _ALIVE.discard(self._said["token"])
        if not self._lost:
            try:
                self.store.delete(NAME)
            except Stopped as error:
                say(f"warning: {error} The lock stays behind; the next run takes it over.")

    def _sign_now_and_then(self) -> None:
        while not self._done.wait(SECONDS_BETWEEN_SIGNS):
            try:
                if self._token() != self._said["token"]:
                    self._lost = f"{self._told(self._found() or {})}. This run stops here; what it made is kept in --root."
                    say(f"warning: {self._lost}")
                    return
                self._signs += 1
                self.store.put(NAME, self._packed())
            except (Stopped, ValueError) as error:
                say(f"warning: {error}")

    def _watch(self, found: dict[str, Any]) -> None:
        """Return when the holder shows no sign of life; ValueError when it does."""
        say(f"waiting {SECONDS_TO_WATCH:.0f} s to see whether {_holder(found)}, which holds {self.store.url}, is alive")
        end = time.monotonic() + SECONDS_TO_WATCH
        while time.monotonic() < end:
            time.sleep(SECONDS_TO_WATCH / 60)
            now = self._found()
            if now is None:
                return
            if now != found:
                raise ValueError(self._told(now))

    def _told(self, found: dict[str, Any]) -> str:
        return f"another run is writing to {self.store.url} right now ({_holder(found)}): wait for it, or choose another --store"

    def _packed(self) -> bytes:
        return json.dumps({**self._said, "signs": self._signs}).encode()

    def _found(self) -> dict[str, Any] | None:
        packed = self.store.read(NAME)
        try:
            return None if packed is None else dict(json.loads(packed))
        except (ValueError, TypeError):
            return {}

    def _token(self) -> str | None:
        return (self._found() or {}).get("token")


def _holder(found: dict[str, Any]) -> str:
    return str(Holder.of(json.dumps(found.get("holder")).encode()) or "it left no name")


def _boot() -> str:
    """What tells one start of one machine or container from another, so that process numbers can be compared."""
    boot, processes = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    return f"{boot.read_text().strip()} {processes.readlink()}" if boot.exists() and processes.is_symlink() else ""


def _died_here(found: dict[str, Any]) -> bool:
    """Whether the holder was a process of this very machine that is no more."""
    holder, this = Holder.of(json.dumps(found.get("holder")).encode()), Holder.this()
    if holder is None or holder.host != this.host or found.get("boot") != _boot():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return holder.pid == this.pid and found.get("token") not in _ALIVE
