"""Runs a server for a program and ends it, with everything it started, when either of them is gone: `python -I guard.py FD COMMAND ...`

FD is the reading end of a pipe that nobody writes to: it closes when the program is gone, even by kill -9. The guard leads the
process group that the server and its engine processes are in. It imports nothing but the standard library.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

LOOK_SECONDS = 0.2
END_SECONDS = 10.0


def main(watched: int, command: list[str]) -> None:
    """Never returns: the last thing it does is to kill its own process group."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, lambda *_: None)  # a handler, not SIG_IGN: the server must not inherit deafness
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    gone = select.poll()
    gone.register(watched, select.POLLIN | select.POLLHUP)
    while server.poll() is None:
        if gone.poll(LOOK_SECONDS * 1000):
            os.killpg(0, signal.SIGTERM)
            try:
                server.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                break
    print(f"guard: the server ended with status {server.poll()}", file=sys.stderr, flush=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
