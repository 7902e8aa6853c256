"""A scorer is a plain function from columns to one number with a reason.

Filters, rewards, labels and evaluations are four readings of that number. Positional parameters name columns, keyword-only
parameters are settings; a positional parameter with a default is a column that may be missing.
"""

from __future__ import annotations

import contextlib
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

from dataengine.deadline import DEADLINE, Clock, TooLate, timed
from dataengine.errors import DiskFull, Stopped
from dataengine.lines import whole
from dataengine.names import nearest
from dataengine.not_installed import not_installed
from dataengine.progress import say

SCORE = pl.Struct({"value": pl.Float32, "reason": pl.String})
"""The column type of a scorer: `value` in [0, 1] or null for *could not be judged*, and why."""

ERROR = "scorer error: "
"""How the reason of a row begins whose scorer raised."""
PIECE = 32
"""Rows that a batch scorer gets together once it was too late over more of them: from there on the row that is to blame is near."""
OF_ALL_ROWS = (ValueError, OSError, AssertionError)
"""What a batch scorer raises over its settings, its files or its code: no row is to blame, and none is judged."""


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
        deadline: float,
    ) -> None:
        if not deadline > 0:
            raise ValueError(f"the deadline of {function.__name__} is seconds of CPU for one row and more than 0, got {deadline}")
        self.function = function
        self.instead = dict(instead)
        """The column that is read where the rows have none of a parameter's own name."""
        self.together = together
        """Whether rows are compared with each other, so that part of them is not enough."""
        self.deadline = deadline
        """Seconds of CPU that it may take for a row, where it runs in a process that nobody kills (dataengine/deadline.py)."""
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
        return Scorer(
            self.function,
            version=self.version,
            batch=self.batch,
            settings=known,
            instead=self.instead,
            together=self.together,
            deadline=self.deadline,
        )

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

    def score(self, rows: pl.DataFrame, *, killable: bool = False) -> pl.Series:
        """One score for each row, as a struct column named after the scorer.

        A row that lacks a wanted value is unjudged; so is one that makes the scorer raise, with the error as its reason, and one that it
        takes longer over than its deadline. More than 1 % (and more than ten) such rows mean that the scorer is broken: Stopped.
        `killable`: this process is killed by another one when it hangs, and no time is measured here.
        """
        self.check_columns(rows.columns)
        rows = rows.with_columns(**{name: other for name, other in self.instead.items() if name not in rows.columns})
        given = [name for name in self.columns if name in rows.columns]
        wanted = [name for name in given if name not in self.optional]
        lacking = [name for name in wanted if rows[name].null_count()]
        missing = [next((name for name in lacking if row[name] is None), None) for row in rows.select(lacking).iter_rows(named=True)]
        ready = rows.filter(pl.Series([name is None for name in missing], dtype=pl.Boolean)) if lacking else rows
        judging = _Judging(self, ready, given)
        try:
            with contextlib.nullcontext() if killable or self.together else timed(judging.clock):
                scores = iter(judging.batch() if self.batch else judging.each())
        except ImportError as error:
            raise Stopped(
                f"{self.name} cannot judge at all: {type(error).__name__}: {error}. Install what it imports (on every node) and run again; "
                "nothing made so far is lost."
            ) from error
        found = [next(scores) if name is None else Score(None, f"no {name}") for name in missing] if lacking else list(scores)
        judging.stop_if_broken(found)
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


class _Judging:
    """One scorer over the rows of one frame; what went wrong with single rows is counted."""

    def __init__(self, scorer: Scorer, rows: pl.DataFrame, given: Sequence[str]) -> None:
        """`given`: the scorer's columns that the rows have."""
        self.scorer, self.rows, self.given = scorer, rows, given
        self.clock = Clock(scorer.name, key=(scorer.function.__module__, repr(scorer)), deadline=scorer.deadline, row=self._row)
        self._parameters = inspect.signature(scorer.function).parameters
        self._late = 0

    def each(self) -> list[Score]:
        """The scores, row after row."""
        scores = []
        for number, row in enumerate(self.rows.select(self.given).iter_rows()):
            call = functools.partial(self.scorer.function, *self._arguments(row), **self.scorer.settings)
            try:
                scores.append(self.clock.call(call, first=number))
            except TooLate:
                scores.append(self._too_late(number))
            except Exception as error:  # the scorer boundary: one bad row is data, not a crash
                if no_rows_fault(error):
                    raise
                scores.append(Score(None, f"{ERROR}{type(error).__name__}: {error}"))
        return scores

    def batch(self, first: int = 0, count: int | None = None) -> list[Score]:
        """The scores of rows that are judged together."""
        count = len(self.rows) if count is None else count
        rows = self.rows[first : first + count]
        columns = self._arguments([rows[name] for name in self.given])
        try:
            scores = self.clock.call(lambda: list(self.scorer.function(*columns, **self.scorer.settings)), first=first, rows=count)
        except TooLate:
            return [self._too_late(first)] if count == 1 else self._parts(first, count, size=min(PIECE, -(-count // 2)))
        except Exception as error:  # the scorer boundary: the row that is to blame is found by halving
            if self.scorer.together or isinstance(error, OF_ALL_ROWS) or no_rows_fault(error):
                raise
            if count == 1:
                return [Score(None, f"{ERROR}{type(error).__name__}: {error}")]
            return self._parts(first, count, size=-(-count // 2))
        assert len(scores) == count, f"{self.scorer.name} returned {len(scores)} scores for {count} rows"
        return scores

    def stop_if_broken(self, scores: Sequence[Score]) -> None:
        """Stopped where too many rows raised or hung; those that hang are not waited for to the last one."""
        errors = [s.reason for s in scores if s.reason.startswith(ERROR)]
        failed, of = len(errors) + self._late, len(scores) or len(self.rows)
        if failed > max(10, of // 100):
            slow = " (or declare a longer deadline, if it is only slow)" if self._late else ""
            raise Stopped(
                f"{self.scorer.name} failed on {failed} of {of} rows, first: {errors[0] if errors else self._timeout}. "
                f"A few bad rows are left unjudged, this many mean a broken scorer: mend it{slow} and run again; "
                "nothing made so far is lost."
            )

    def _parts(self, first: int, count: int, *, size: int) -> list[Score]:
        parts = [(start, min(size, first + count - start)) for start in range(first, first + count, max(1, size))]
        return [score for start, length in parts for score in self.batch(start, length)]

    def _too_late(self, number: int) -> Score:
        say(f"warning: {self.scorer.name} took more than {self.scorer.deadline:g} s over {self._row(number)}: it is left unjudged")
        self._late += 1
        self.stop_if_broken([])
        return Score(None, self._timeout)

    @property
    def _timeout(self) -> str:
        return f"timeout after {self.scorer.deadline:g} s"

    def _row(self, number: int) -> str:
        """What a person finds a row by."""
        ids = [f"{name} {self.rows[name][number]}" for name in ("row_id", "prompt_id") if name in self.rows.columns]
        return f"row {number + 1:,} of {len(self.rows):,}{f' ({ids[0]})' if ids else ''}"

    def _arguments(self, row: Sequence[Any]) -> list[Any]:
        there = dict(zip(self.given, row, strict=True))
        return [there.get(name, self._parameters[name].default) for name in self.scorer.columns]


def no_rows_fault(error: Exception) -> bool:
    """Whether no row is to blame, whatever it is that judges."""
    return isinstance(error, (DiskFull, Stopped)) or not_installed(error)


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
def scorer(*, version: str = "1", instead: Mapping[str, str] = ..., deadline: float = ...) -> Callable[[Callable[..., Score]], Scorer]: ...
def scorer(
    function: Callable[..., Score] | None = None,
    /,
    *,
    version: str = "1",
    instead: Mapping[str, str] = MappingProxyType({}),
    deadline: float = DEADLINE,
) -> Any:
    """Make a scorer of a function that judges one row; `instead` maps a parameter to the column read where there is none of its name.

    `deadline`: seconds of CPU after which a row is left unjudged; no part of the scorer's identity.
    """
    made = functools.partial(Scorer, version=version, batch=False, settings={}, instead=instead, together=False, deadline=deadline)
    return made if function is None else made(function)


@overload
def batch_scorer(function: Callable[..., Iterable[Score]], /) -> Scorer: ...
@overload
def batch_scorer(
    *, version: str = "1", instead: Mapping[str, str] = ..., together: bool = False, deadline: float = ...
) -> Callable[[Callable[..., Iterable[Score]]], Scorer]: ...
def batch_scorer(
    function: Callable[..., Iterable[Score]] | None = None,
    /,
    *,
    version: str = "1",
    instead: Mapping[str, str] = MappingProxyType({}),
    together: bool = False,
    deadline: float = DEADLINE,
) -> Any:
    """Make a scorer of a function that takes one `pl.Series` per column and returns one Score per row.

    `together` says that it compares rows with each other: a file is then scored whole. `deadline`: seconds of CPU for one row, and as
    much again for each thousand rows that come together; where they are used up, the row that is to blame is found by dividing.
    """
    made = functools.partial(Scorer, version=version, batch=True, settings={}, instead=instead, together=together, deadline=deadline)
    return made if function is None else made(function)
