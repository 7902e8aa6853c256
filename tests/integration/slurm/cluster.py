"""A real Slurm on this machine: a controller and two machines in namespaces of their own, gone when the test's process is."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
FREEZER = Path("/sys/fs/cgroup/freezer")
ALONE = ("--net", "--uts", "--mount", "--mount-proc", "--pid", "--ipc")
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged", "ip", "unshare", "nsenter")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
HOME = Path("/srv/home")
"""Where the shared folder lies on every machine."""


def why_not() -> str:
    """What this machine lacks for a Slurm; empty where nothing is."""
    if "DATAENGINE_SLURM" not in os.environ:
        return "takes a Slurm, and root for machines of its own: .ci/slurm sets both up"
    if missing := [name for name in NEEDED if shutil.which(name, path=PATH) is None]:
        return f"no Slurm here (missing: {', '.join(missing)}): .ci/slurm installs Debian's"
    if importlib.util.find_spec("ray") is None:
        return "Ray is not installed: pip install 'r1-dataengine[ray]'"
    if os.geteuid() != 0:
        return "a machine with an address of its own takes root"
    if not (FREEZER / "cgroup.procs").exists():
        return "no freezer of control groups (version 1) here: Slurm would not know which processes are a job's"
    tried = subprocess.run(["unshare", "--net", "ip", "link", "add", "wire", "type", "bridge"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"no networks of our own here: {tried.stderr.decode().strip()}"


class Slurm:
    """Two machines of two CPUs and, as far as Slurm knows, a GPU; `shared` is what they have in common."""

    def __init__(self, shared: Path) -> None:
        self.shared = shared
        place = ["unshare", *ALONE, "--fork", "--kill-child", HERE / "place.sh", shared]
        with (shared / "place.log").open("wb") as log:
            self._place = subprocess.Popen(place, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
        try:
            self.wait_until(lambda: "2 idle" in self.say("sinfo", "--noheader", "--format=%D %t", check=False), seconds=300)
        except BaseException:
            self.close()
            raise

    def say(self, *command: str, environment: Mapping[str, str] | None = None, check: bool = True) -> str:
        """What a command says beside the controller."""
        children = Path(f"/proc/{self._place.pid}/task/{self._place.pid}/children").read_text().split()
        known = {"PATH": PATH, "HOME": str(HOME), "USER": "root", "LANG": "C.UTF-8", "SLURM_CONF": "/srv/slurm/slurm.conf"}
        words = [f"{name}={value}" for name, value in {**known, **(environment or {})}.items()]
        inside = ["nsenter", "--all", "--target", *children[:1], "env", "-i", "-C", str(HOME), *words]
        done = subprocess.run([*inside, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, f"{command}: {done.stderr}"
        return done.stdout

    def submit(self, file: Path, *settings: str, flags: Sequence[str], environment: Mapping[str, str]) -> str:
        """The number of a new job, whose log is NUMBER.log in the shared folder."""
        shutil.copy(file, self.shared)
        job = ["sbatch", "--parsable", "--output=%j.log", *flags, file.name, *settings]
        return self.say(*job, environment={"VENV": sys.prefix, "PYTHONPATH": str(REPOSITORY), **environment}).strip()

    def log(self, job: str) -> str:
        """What the job has said so far."""
        path = self.shared / f"{job}.log"
        return path.read_text() if path.exists() else ""

    def known_of(self, job: str) -> dict[str, str]:
        """What Slurm knows of a job: JobState, ExitCode, Restarts and more; a controller that is busy is asked again for two minutes."""
        asked, end = ("scontrol", "--oneliner", "show", "job", job), time.monotonic() + 120
        while not (words := self.say(*asked, check=time.monotonic() > end).split()):
            time.sleep(1)
        return {name: value for name, _, value in (word.partition("=") for word in words)}

    def wait_until(self, there: Callable[[], object], *, job: str = "", seconds: float = 1_200) -> None:
        """Until that is so; AssertionError, with the logs, where it takes longer or the job ends without."""
        end = time.monotonic() + seconds
        while not there():
            over = time.monotonic() > end or (job and self.known_of(job)["JobState"] in ENDED and not there())
            assert not over, self.log(job) + (self.shared / "place.log").read_text()[-2_000:]
            time.sleep(0.2)

    def wait_for_end(self, job: str) -> dict[str, str]:
        """What Slurm knows of the job when it is over and its machines are free."""
        self.wait_until(lambda: self.known_of(job)["JobState"] in ENDED, job=job)
        return self.known_of(job)

    def left_over(self) -> list[str]:
        """Processes of jobs that are on the machines."""
        lines = self.say("ps", "-eo", "args").splitlines()
        return [line for line in lines if "ray" in line or "dataengine run" in line]

    def lose(self, number: int) -> None:
        """Take a machine away with all its processes, as when it loses its power."""
        self.say("sh", "-c", f"kill -9 $(cat /srv/state/machine-{number})")

    def close(self) -> None:
        """End everything in the place."""
        self._place.kill()
        self._place.communicate()
        for folder in sorted(FREEZER.glob("slurm-test-n*/**/"), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
