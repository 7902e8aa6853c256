"""A step is a promise of a folder: building one runs nothing, its fingerprint says what the folder will hold."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataengine.work import Work


def identity(value: Any) -> Any:
    """A setting as plain JSON values; what has an `identity()` says it itself."""
    if hasattr(value, "identity"):
        return identity(value.identity())
    if is_dataclass(value) and not isinstance(value, type):
        return identity(asdict(value))
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: identity(value[key]) for key in sorted(value)}
        return sorted(([identity(key), identity(item)] for key, item in value.items()), key=json.dumps)
    if isinstance(value, list | tuple):
        return [identity(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    raise ValueError(
        f"a step's setting must be plain values, a dataclass or something with identity(); got {type(value).__name__}: {value!r}"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """`Step(name="keep", make=_make_keep, inputs={"data": rollouts}, settings={"at_least": 1.0})`"""

    name: str
    """What the folder is called, before its fingerprint."""
    make: Callable[[Work], None]
    """A module-level function that fills `work.folder`."""
    inputs: Mapping[str, Step] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Everything that shapes the data; what only changes the speed is an argument of `run`."""
    version: str = "1"
    """Raised when `make` writes other rows from the same settings."""

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits over the maker, its settings and the fingerprints of its inputs."""
        said = {
            "make": f"{self.make.__module__}.{self.make.__qualname__}",
            "version": self.version,
            "settings": identity(self.settings),
            "inputs": {key: self.inputs[key].fingerprint for key in sorted(self.inputs)},
        }
        return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()

    @property
    def folder(self) -> str:
        """The folder's name under the root."""
        return f"{self.name}-{self.fingerprint[:8]}"

    def place(self, root: Path) -> Path:
        """Where the finished folder lies."""
        return root / self.folder


@dataclass(frozen=True, kw_only=True, eq=False)
class Model(Step):
    """A step whose folder is a Hugging Face model directory, or recorded responses that stand for one."""

    @classmethod
    def at(cls, path: str | Path, *, name: str | None = None) -> Model:
        """A model that is there already: used where it lies, known by its content."""
        found = Path(path).expanduser()
        return ModelHere(name=name or found.name, make=_nothing_to_make, settings={"weights": _Weights(found)}, path=found)

    @classmethod
    def served(cls, name: str, *, revision: str = "", body: Mapping[str, Any] | None = None) -> Model:
        """A model without a folder, known by its name at a server or service: `Model.served("deepseek-reasoner", revision="2025-01-20")`.

        The engine `openai` asks for it. `revision` is whatever tells one version from the next, for a name alone can be given to
        another model tomorrow; `body` holds more fields of every request, such as `{"reasoning_effort": "high"}` (null takes one away).
        """
        settings = {"name": name, "revision": revision, "body": dict(body or {})}
        return Model(name=re.sub(r"[^\w.-]+", "-", name), make=_make_served, settings=settings)


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelHere(Model):
    """A model folder that somebody else made."""

    path: Path

    def place(self, root: Path) -> Path:
        return self.path


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording(Model):
    """What models said once: it is replayed, whatever engine is chosen."""

    def limited(self, rows: int) -> Recording:
        """The first rows of each of its files alone."""
        return replace(self, settings={**self.settings, "most_rows": rows})


@dataclass(frozen=True)
class _Weights:
    path: Path

    def identity(self) -> str:
        from dataengine.inference.weights import weights_revision

        return weights_revision(self.path)


def _nothing_to_make(work: Work) -> None:
    raise AssertionError(f"{work.folder} is a model that is there already; run never makes it")


SERVED = "served.json"
"""The file of a model without a folder of its own: its name, its revision and the fields of its requests."""


def _make_served(work: Work) -> None:
    from dataengine.shards import write_atomically

    text = json.dumps(dict(work.settings), ensure_ascii=False, indent=2)
    write_atomically(work.folder / SERVED, lambda out: out.write(text.encode()))


def ancestors(step: Step) -> Iterator[Step]:
    """Every step that this one needs, each folder once, inputs first, itself last."""
    seen: set[str] = set()

    def walk(at: Step) -> Iterator[Step]:
        if at.folder in seen:  # not its fingerprint: the same rows may be asked for under two names
            return
        seen.add(at.folder)
        for key in at.inputs:
            yield from walk(at.inputs[key])
        yield at

    return walk(step)


def rebuilt(step: Step, change: Callable[[Step], Step]) -> Step:
    """The same road with every step passed through `change`, inputs first."""
    done: dict[str, Step] = {}

    def again(at: Step) -> Step:
        if at.folder not in done:  # as in `ancestors`
            inputs = {key: again(before) for key, before in at.inputs.items()}
            same = all(inputs[key] is at.inputs[key] for key in inputs)
            done[at.folder] = change(at if same else replace(at, inputs=inputs))
        return done[at.folder]

    return again(step)
