"""Runs a server for a program and ends it, with everything it started, when either of them is gone: `python -I guard.py FD COMMAND ...`

FD is the reading end of a pipe that nobody writes to: it closes when the program is gone, even by kill -9. The program's child leads
the process group that the server and its engine processes are in; a child of that one starts the server and watches. There are two
because a dying worker of Ray kills its own children first (RAY_kill_child_processes_on_worker_exit): the other one outlives that, and
whichever finds itself alone ends the group. Nothing but the standard library is imported.
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
    leader = os.getpid()
    watching = os.fork()
    if watching:
        os.waitpid(watching, 0)
    else:
        watch(watched, leader, command)
    os.killpg(0, signal.SIGKILL)


def watch(watched: int, leader: int, command: list[str]) -> None:
    """Start the server; returns when it has ended, of itself or because the program or the leader is gone."""
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    gone = select.poll()
    gone.register(watched, select.POLLIN | select.POLLHUP)
    while server.poll() is None:
        if gone.poll(LOOK_SECONDS * 1000) or os.getppid() != leader:
            os.killpg(0, signal.SIGTERM)
            try:
                server.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                break
    print(f"guard: the server ended with status {server.poll()}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
