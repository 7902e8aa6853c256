"""A real Ray cluster of two nodes on this machine, one of which sees nothing of the test's files and can be taken away."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).resolve().parents[3]
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_AUTH_MODE": "disabled",  # a token in somebody's home turns it on for `ray start`, and not for a driver with an address
    "RAY_worker_niceness": "0",  # workers and their servers would starve beside the tests on a busy machine
    "PYTHONPATH": str(REPOSITORY),
    "OMP_NUM_THREADS": "1",
}
COMMON = ("--num-cpus=1", "--object-store-memory=150000000", "--disable-usage-stats", "--block")
TRIES = 3
"""A busy machine may need more than one: Ray gives a node 30 s."""
TELLS = "[print('alive', node['NodeID']) for node in ray.nodes() if node['Alive']]"


class Cluster:
    """Two nodes of one CPU each; `hidden` is a folder that the second node finds empty, as if it were on another machine."""

    def __init__(self, hidden: Path) -> None:
        self.hidden = hidden
        self.temporary = Path(tempfile.mkdtemp(prefix="de-ray-", dir="/tmp"))  # a short name: sockets lie in there
        self._nodes: list[subprocess.Popen[bytes]] = []
        try:
            self._bring_up_head()
        except BaseException:
            self.close()
            raise

    def _bring_up_head(self) -> None:
        for _ in range(TRIES):
            port = _free_port()
            self.address = f"127.0.0.1:{port}"
            self._start_head(port)
            if self._came_up(before=set()):
                return
            self._end(0)
        self._raise()

    def with_both(self) -> Cluster:
        """Itself, with the node that `kill_second` takes away."""
        if len(self._nodes) == 2:
            return self
        for _ in range(TRIES):
            before = self._alive()  # one that was taken away is alive until Ray notices
            self._start_second()
            if before and self._came_up(before):
                return self
            self.kill_second()
        self._raise()

    def _start_head(self, port: int) -> None:
        head = ["--head", f"--port={port}", "--node-ip-address=127.0.0.1", "--include-dashboard=false", f"--temp-dir={self.temporary}"]
        self._start([_ray(), "start", *head, *COMMON], ports=21_000)

    def _start_second(self) -> None:
        command = [_ray(), "start", f"--address={self.address}", "--node-ip-address=127.0.0.2", *COMMON]
        alone = f'mount -t tmpfs tmpfs {self.hidden} && export TMPDIR={self.hidden} && exec "$@"'
        self._start(["unshare", "--mount", "--map-root-user", "bash", "-c", alone, "ray", *command], ports=22_000)

    def kill_second(self) -> None:
        """Every process of the second node at once, as when a machine loses its power."""
        self._end(1)

    def kill_raylet_of_second(self) -> None:
        """Ray's own process of the second node, as when it runs out of memory: all others there have to notice by themselves."""
        for pid, command in commands():
            if "/raylet/raylet " in command and str(self.temporary) in command and "127.0.0.2" in command:
                _kill(pid)
        self._nodes.pop(1).wait()

    def close(self) -> None:
        """End what was started here, and nothing else."""
        for number in reversed(range(len(self._nodes))):
            self._end(number)
        shutil.rmtree(self.temporary, ignore_errors=True)

    def _end(self, number: int) -> None:
        """Kill a node with all that came from it; where its `ray start` has failed, what that left behind as well."""
        pids = _tree(self._nodes[number].pid)
        pids += [pid for pid, command in commands() if str(self.temporary) in command and (not number or "127.0.0.2" in command)]
        for pid in dict.fromkeys(pids):
            _kill(pid)
        self._nodes.pop(number).wait()

    def _start(self, command: list[str], *, ports: int) -> None:
        first = ports + os.getpid() % 50 * 20
        command = [*command, f"--min-worker-port={first}", f"--max-worker-port={first + 19}"]
        with (self.temporary / f"node{len(self._nodes)}.log").open("ab") as log:
            self._nodes.append(subprocess.Popen(command, env={**os.environ, **QUIET}, stdout=log, stderr=log, start_new_session=True))

    def _came_up(self, before: set[str]) -> bool:
        """Whether a node that was not there before is alive within five minutes, and no more are than were started here."""
        end = time.monotonic() + 300
        while time.monotonic() < end:
            if self._nodes[-1].poll() is not None:
                return False
            time.sleep(2)
            alive = self._alive()
            if alive - before and len(alive) == len(self._nodes):
                return True
        return False

    def _alive(self) -> set[str]:
        """The ids of the nodes that Ray takes for alive; another process asks, so that this one stays out of the cluster."""
        asks = f"import ray; ray.init(address={self.address!r}, logging_level=40, log_to_driver=False); {TELLS}"
        try:
            done = subprocess.run(
                [sys.executable, "-c", asks], env={**os.environ, **QUIET}, capture_output=True, check=False, text=True, timeout=120
            )
        except subprocess.TimeoutExpired:
            return set()
        return {line.removeprefix("alive ") for line in done.stdout.splitlines() if line.startswith("alive ")}

    def _raise(self) -> NoReturn:
        logs = "\n".join(path.read_text(errors="replace")[-2_000:] for path in self.temporary.glob("node*.log"))
        raise RuntimeError(f"the cluster did not come up: {logs}")


def can_hide() -> bool:
    """Whether this machine lets a test have a mount namespace."""
    command = ["unshare", "--mount", "--map-root-user", "bash", "-c", "mount -t tmpfs tmpfs /mnt"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _ray() -> str:
    return str(Path(sys.executable).with_name("ray"))


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def commands() -> Iterator[tuple[int, str]]:
    """Every process of this machine with its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield int(path.parent.name), path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def _tree(root: int) -> list[int]:
    """A process and all that came from it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
