"""Processes that end with the one that started them, and that say why they ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PATIENCE = 10.0
"""Seconds that a process gets to end by itself."""

LEASH = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
if hasattr(libc, "prctl"):
    libc.prctl(1, 15)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.umask(0o077)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""PR_SET_PDEATHSIG survives the exec: however the launcher dies, the kernel asks its children to end. Where there is no prctl, only a
launcher that ends by itself takes them along. What they write is for this user only."""


class Leashed:
    """A program that runs until it is stopped or the process that started it ends."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None) -> None:
        """Starts it; what it says goes to `log`. In a session of its own, so that Ctrl-C reaches only the launcher."""
        self.name, self.log = name, log
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-c", LEASH, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its status; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Asks it to end, and ends it."""
        if self.ended is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
                return
            self._process.kill()
            self._process.wait()

    def last_words(self, lines: int = 8) -> str:
        """The end of its log."""
        return "\n  ".join(self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-lines:])
