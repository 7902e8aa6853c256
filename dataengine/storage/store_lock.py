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
SECONDS_TO_SETTLE = 2.0
"""Of several that take the same lock over at once, the last one has it: so long they wait before they look who that is."""
_ALIVE: set[str] = set()
"""Tokens of the locks that this process holds."""


class StoreLock:
    """The right to write to a store.

    It is created conditionally where the file system can (S3, GCS, a folder). Whatever happens, whoever finds another's name in
    it stops writing at the next sign of life, and whoever gave none for a while (it slept, the network was away) looks before it writes.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._said = {"holder": asdict(Holder.this()), "boot": _boot(), "token": secrets.token_hex(8)}
        self._signs = 0
        self._signed = time.monotonic()
        self._signing = threading.Lock()
        self.lost = ""
        """Who has taken the lock over; empty while it is ours."""
        self._done = threading.Event()
        self._clock = threading.Thread(target=self._sign_now_and_then, name="store-lock", daemon=True)

    def take(self) -> None:
        """Take the lock, from a dead holder too; ValueError tells who is alive and holds it."""
        while not self.store.create(NAME, self._packed()):
            found = self._found()
            if found is not None and (_died_here(found) or self._is_silent(found)):
                self.store.put(NAME, self._packed())
                time.sleep(SECONDS_TO_SETTLE)
                break
        if self._token() != self._said["token"]:
            raise ValueError(self._told(self._found() or {}))
        self._signed = time.monotonic()
        _ALIVE.add(self._said["token"])
        self._clock.start()

    def check(self) -> None:
        """Stopped where another run has taken the lock over, or may have: where the store cannot be asked."""
        if not self.lost and time.monotonic() - self._signed > SECONDS_TO_WATCH / 2:
            self._sign()
        if self.lost:
            raise Stopped(self.lost)

    def give_back(self) -> None:
        """Let the next one in."""
        self._done.set()
        self._clock.join()
        _ALIVE.discard(self._said["token"])
        if not self.lost:
            try:
                self.store.delete(NAME)
            except (Stopped, ValueError) as error:
                say(f"warning: {error} The lock stays behind; the next run takes it over.")

    def _sign_now_and_then(self) -> None:
        while not (self.lost or self._done.wait(SECONDS_BETWEEN_SIGNS)):
            try:
                self._sign()
            except (Stopped, ValueError) as error:
                say(f"warning: {error}")

    def _sign(self) -> None:
        """Write the lock anew where it is still ours."""
        with self._signing:
            asked = time.monotonic()
            if self._token() == self._said["token"]:
                self._signs += 1
                self.store.put(NAME, self._packed())
                self._signed = asked
            elif not self.lost:
                self.lost = f"{self._told(self._found() or {})}. This run stops here; what it made is kept in --root."
                say(f"warning: {self.lost}")

    def _is_silent(self, found: dict[str, Any]) -> bool:
        """Whether the holder shows no sign of life; False where it gave the lock back, ValueError where it lives."""
        say(f"waiting {SECONDS_TO_WATCH:.0f} s to see whether {_holder(found)}, which holds {self.store.url}, is alive")
        end = time.monotonic() + SECONDS_TO_WATCH
        while time.monotonic() < end:
            time.sleep(SECONDS_TO_WATCH / 60)
            now = self._found()
            if now is None:
                return False
            if now != found:
                raise ValueError(self._told(now))
        return True

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
