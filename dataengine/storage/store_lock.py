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
from dataengine.storage.clock import now
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
    Between that look and the write of a sign is a moment; a process that stands still in it overwrites the name of one that took over
    meanwhile, which then stops at its own next sign.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._said = {"holder": asdict(Holder.this()), "boot": _boot(), "token": secrets.token_hex(8)}
        self._signs = 0
        self._signed = now()
        """When we last began to say that we live."""
        self._signing = threading.Lock()
        self.lost = ""
        """Who has taken the lock over; empty while it is ours."""
        self._done = threading.Event()
        self._clock = threading.Thread(target=self._sign_now_and_then, name="store-lock", daemon=True)

    def take(self) -> None:
        """Take the lock, from a dead holder too; ValueError tells who is alive and holds it."""
        while not self._took():
            continue
        found = self._found()
        if not self._names_us(found):
            raise ValueError(self._told(found))
        _ALIVE.add(self._said["token"])
        self._clock.start()

    def _took(self) -> bool:
        """Whether it was created or written over the name of a dead holder; False where it was given back while we looked."""
        self._signed = now()
        if self.store.create(NAME, self._packed()):
            return True
        found = self._found()
        if found is None or not (_died_here(found) or self._is_silent(found)):
            return False
        self._signed = now()
        self.store.put(NAME, self._packed())
        time.sleep(SECONDS_TO_SETTLE)
        return True

    def check(self) -> None:
        """Stopped where another run has taken the lock over, or may have: where the store cannot be asked."""
        if not self.lost and now() - self._signed > SECONDS_TO_WATCH / 2:
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
                if self._names_us(self._found()):
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
        """Write the lock anew where it is still ours, and again where somebody removed it."""
        with self._signing:
            began = now()
            self._signs += 1
            ours = self.store.replace(NAME, self._packed(), where=lambda packed: self._names_us(_read(packed)), within=SECONDS_TO_SETTLE)
            if ours or self._made_again():
                self._signed = began
            elif not self.lost:
                self.lost = f"{self._told(self._found())}. This run stops here; what it made is kept in --root."
                say(f"warning: {self.lost}")

    def _made_again(self) -> bool:
        """Create the lock that is gone; not where others may have thought us dead: one of them may have written, and ended."""
        return self._found() is None and now() - self._signed < SECONDS_TO_WATCH and self.store.create(NAME, self._packed())

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

    def _told(self, found: dict[str, Any] | None) -> str:
        if found is None:
            silent = f"it was removed, or another run took it after {now() - self._signed:.0f} s without a sign of this one, and ended"
            return f"{self.store.url}/{NAME} is gone ({silent}): see to it that no other run is writing there, then run again"
        return f"another run is writing to {self.store.url} right now ({_holder(found)}): wait for it, or choose another --store"

    def _packed(self) -> bytes:
        return json.dumps({**self._said, "signs": self._signs}).encode()

    def _found(self) -> dict[str, Any] | None:
        return _read(self.store.read(NAME))

    def _names_us(self, found: dict[str, Any] | None) -> bool:
        return found is not None and found.get("token") == self._said["token"]


def _read(packed: bytes | None) -> dict[str, Any] | None:
    """What a lock says: None where there is none, nothing where it is damaged."""
    try:
        return None if packed is None else dict(json.loads(packed))
    except (ValueError, TypeError):
        return {}


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
