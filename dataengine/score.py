"""A scorer is a plain function from columns to one number with a reason.

Filters, rewards, labels and evaluations are four readings of that number. Positional parameters name columns, keyword-only
parameters are settings; a positional parameter with a default is a column that may be missing.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

import polars as pl

from dataengine.errors import Stopped
from dataengine.lines import whole
from dataengine.names import nearest

SCORE = pl.Struct({"value": pl.Float32, "reason": pl.String})
"""The column type of a scorer: `value` in [0, 1] or null for *could not be judged*, and why."""

ERROR = "scorer error: "
"""How the reason of a row begins whose scorer raised."""
OF_ALL_ROWS = (ValueError, OSError, ImportError, AssertionError, Stopped)
"""What a batch scorer raises over its settings, its files, its packages or its code: no row is to blame, and none is judged."""


Findings = Callable[..., list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Score:
    """What a scorer says of one row: `Score(1.0, "equal")`, `Score(None, "no reference answer")`."""

    value: float | None
    """In [0, 1]; None means that it could not be judged (bad reference, infrastructure failure, no response)."""
    reason: str

    def __post_init__(self) -> None:
        if self.value is not None and not 0.0 <= self.value <= 1.0:
            raise ValueError(f"a score lies in [0, 1] or is None, got {self.value} ({self.reason}): scale it in the scorer")

    def __bool__(self) -> bool:
        raise TypeError("a Score is neither true nor false: ask for .value (None means that it could not be judged)")


class Scorer:
    """A scoring function with its settings bound; it pickles by name, so that workers and Ray can load it."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        version: str,
        batch: bool,
        settings: Mapping[str, Any],
        instead: Mapping[str, str],
        together: bool,
    ) -> None:
        self.function = function
        self.instead = dict(instead)
        """The column that is read where the rows have none of a parameter's own name."""
        self.together = together
        """Whether rows are compared with each other, so that part of them is not enough."""
        self.version = version
        """Raised when the verdicts change, so that stored scores are known to be old."""
        self.batch = batch
        self.settings = dict(settings)
        functools.update_wrapper(self, function, updated=())  # its `findings` would hide the method
        parameters = inspect.signature(function).parameters.values()
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.columns = tuple(p.name for p in positional)
        self.optional = frozenset(p.name for p in positional if p.default is not p.empty)
        self.defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        self.files = frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.annotation in (Path, "Path"))
        """Settings that name a file or folder, and count by what is in it."""

    @property
    def name(self) -> str:
        """The function's name, and the name of the column it writes."""
        return self.function.__name__

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value!r}' for key, value in self.settings.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (self.function.__module__, self.function.__qualname__, self.settings)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scorer) and self.identity() == other.identity()

    def __hash__(self) -> int:
        return hash((self.function.__module__, self.function.__qualname__, repr(sorted(self.settings.items()))))

    def identity(self) -> dict[str, Any]:
        """What a fingerprint has to know of this scorer: its code's place, its version and every setting."""
        known = {key: value for key, value in self.defaults.items() if value is not inspect.Parameter.empty}
        contents = {key: _content(Path(self.settings[key])) for key in self.files & self.settings.keys()}
        return {
            "scorer": f"{self.function.__module__}.{self.function.__qualname__}",
            "version": self.version,
            "settings": {**known, **self.settings, **contents},
        }

    def with_(self, **settings: Any) -> Scorer:
        """The same scorer with these settings; an unknown one is refused with the nearest right name."""
        for key in settings:
            if key not in self.defaults:
                raise ValueError(f"{self.name} has no setting {key!r}. {nearest(key, self.defaults)}")
        known = {**self.settings, **settings}
        return Scorer(self.function, version=self.version, batch=self.batch, settings=known, instead=self.instead, together=self.together)

    def finds(self, function: Findings) -> Findings:
        """Decorate the function `(row, **settings)` that shows which stretches of a row's text the score speaks of."""
        self.function.__dict__["findings"] = function
        return function

    def findings(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Stretches of a row's text, each with its `text` and what the scorer knows of it; none where it points at nothing."""
        find: Findings | None = self.function.__dict__.get("findings")
        return find(row, **self.settings) if find else []

    def __call__(self, *columns: Any, **settings: Any) -> Score:
        """The score of one row, for tests and people."""
        chosen = self.with_(**settings) if settings else self
        if not self.batch:
            return chosen.function(*columns, **chosen.settings)
        series = [pl.Series(name, [whole(value)]) for name, value in zip(self.columns, columns, strict=False)]
        return next(iter(chosen.function(*series, **chosen.settings)))

    def score(self, rows: pl.DataFrame) -> pl.Series:
        """One score for each row, as a struct column named after the scorer.

        A row that lacks a wanted value is unjudged; one that makes the scorer raise is unjudged with the error as its reason.
        More than 1 % (and more than ten) such rows mean that the scorer is broken: Stopped.
        """
        self.check_columns(rows.columns)
        rows = rows.with_columns(**{name: other for name, other in self.instead.items() if name not in rows.columns})
        given = [name for name in self.columns if name in rows.columns]
        wanted = [name for name in given if name not in self.optional]
        lacking = [name for name in wanted if rows[name].null_count()]
        missing = [next((name for name in lacking if row[name] is None), None) for row in rows.select(lacking).iter_rows(named=True)]
        ready = rows.filter(pl.Series([name is None for name in missing], dtype=pl.Boolean)) if lacking else rows
        scores = iter(self._batch(ready, given) if self.batch else self._each(ready, given))
        found = [next(scores) if name is None else Score(None, f"no {name}") for name in missing] if lacking else list(scores)
        self._stop_if_broken(found)
        return pl.Series(self.name, [{"value": s.value, "reason": whole(s.reason)} for s in found], dtype=SCORE)

    def check_columns(self, columns: Iterable[str]) -> None:
        """Refuse rows without a wanted column: which scorer wants it, which columns there are."""
        there = list(columns)
        for name in self.columns:
            if name not in there and self.instead.get(name) not in there and name not in self.optional:
                raise ValueError(
                    f"{self.name} wants the column {name!r}; the rows have {', '.join(there) or 'no columns'}. "
                    f"{nearest(name, there)} Rename one with --columns.{name} THEIR_NAME."
                )

    def _arguments(self, row: Sequence[Any], given: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
        there = dict(zip(given, row, strict=True))
        parameters = inspect.signature(self.function).parameters
        return [there.get(name, parameters[name].default) for name in self.columns], self.settings

    def _each(self, rows: pl.DataFrame, given: Sequence[str]) -> list[Score]:
        scores = []
        for row in rows.select(given).iter_rows():
            columns, settings = self._arguments(row, given)
            try:
                scores.append(self.function(*columns, **settings))
            except Exception as error:  # the scorer boundary: one bad row is data, not a crash
                scores.append(Score(None, f"{ERROR}{type(error).__name__}: {error}"))
        return scores

    def _batch(self, rows: pl.DataFrame, given: Sequence[str]) -> list[Score]:
        columns, settings = self._arguments([rows[name] for name in given], given)
        try:
            scores = list(self.function(*columns, **settings))
        except Exception as error:  # the scorer boundary: the row that is to blame is found by halving
            if self.together or isinstance(error, OF_ALL_ROWS):
                raise
            if len(rows) == 1:
                return [Score(None, f"{ERROR}{type(error).__name__}: {error}")]
            half = len(rows) // 2
            return self._batch(rows[:half], given) + self._batch(rows[half:], given)
        assert len(scores) == len(rows), f"{self.name} returned {len(scores)} scores for {len(rows)} rows"
        return scores

    def _stop_if_broken(self, scores: Sequence[Score]) -> None:
        errors = [s.reason for s in scores if s.reason.startswith(ERROR)]
        if len(errors) > max(10, len(scores) // 100):
            raise Stopped(
                f"{self.name} failed on {len(errors)} of {len(scores)} rows, first: {errors[0]}. "
                "A few bad rows are left unjudged, this many mean a broken scorer: mend it and run again; nothing made so far is lost."
            )


def _content(path: Path) -> str:
    """Name and hash of a file, or of a folder with all that is in it; ValueError where there is neither."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    if not all(file.is_file() for file in files):
        raise ValueError(f"there is no file or folder {path}")
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return f"{path.name} {digest.hexdigest()[:16]}"


def scorer_of(identity: Mapping[str, Any]) -> Scorer:
    """The scorer that an `identity` in a manifest names."""
    module, _, name = identity["scorer"].rpartition(".")
    return _load(module, name, identity["settings"])


def _load(module: str, name: str, settings: Mapping[str, Any]) -> Scorer:
    return getattr(importlib.import_module(module), name).with_(**settings)


@overload
def scorer(function: Callable[..., Score], /) -> Scorer: ...
@overload
def scorer(*, version: str = "1", instead: Mapping[str, str] = ...) -> Callable[[Callable[..., Score]], Scorer]: ...
def scorer(
    function: Callable[..., Score] | None = None, /, *, version: str = "1", instead: Mapping[str, str] = MappingProxyType({})
) -> Any:
    """Make a scorer of a function that judges one row; `instead` maps a parameter to the column read where there is none of its name."""
    made = functools.partial(Scorer, version=version, batch=False, settings={}, instead=instead, together=False)
    return made if function is None else made(function)


@overload
def batch_scorer(function: Callable[..., Iterable[Score]], /) -> Scorer: ...
@overload
def batch_scorer(
    *, version: str = "1", instead: Mapping[str, str] = ..., together: bool = False
) -> Callable[[Callable[..., Iterable[Score]]], Scorer]: ...
def batch_scorer(
    function: Callable[..., Iterable[Score]] | None = None,
    /,
    *,
    version: str = "1",
    instead: Mapping[str, str] = MappingProxyType({}),
    together: bool = False,
) -> Any:
    """Make a scorer of a function that takes one `pl.Series` per column and returns one Score per row.

    `together` says that it compares rows with each other: a file is then scored whole.
    """
    made = functools.partial(Scorer, version=version, batch=True, settings={}, instead=instead, together=together)
    return made if function is None else made(function)
