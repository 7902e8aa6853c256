"""Progress of anything longer than a few seconds: a bar with rate and ETA in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_LINES = 10.0


class Bar:
    """Counts work done: `with Bar("generate", total=600, unit="responses") as bar: bar.advance(kept=3)`"""

    def __init__(self, what: str, *, total: int | None, unit: str = "rows") -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = self.there = 0
        self.figures: dict[str, Any] = {}
        self._started = self._last_line = time.monotonic()
        self._rich: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._rich = _rich_progress()
            self._task = self._rich.add_task(self.what, total=self.total, unit=self.unit, figures="")
            self._rich.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._rich is not None:
            self._rich.stop()
        elif time.monotonic() - self._started > SECONDS_BETWEEN_LINES:
            self._line()

    def advance(self, amount: int = 1, *, there: bool = False, **figures: Any) -> None:
        """Count `amount` more; figures such as `reward=0.61` are shown as they are now. `there`: made before, and no part of the
        rate."""
        self.done += amount
        self.there += amount * there
        self.figures.update(figures)
        if self._rich is not None and self._task is not None:
            self._rich.update(self._task, advance=amount, figures=f"{self._shown()}{self._there()}")
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._line()

    def _shown(self) -> str:
        return " ".join(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in self.figures.items())

    def _there(self) -> str:
        return f" ({self.there:,} of them were there)" if self.there else ""

    def _line(self) -> None:
        self._last_line = time.monotonic()
        seconds = self._last_line - self._started
        rate = (self.done - self.there) / seconds if seconds else 0.0
        of = f"/{self.total:,}" if self.total is not None else ""
        left = f", {_clock((self.total - self.done) / rate)} left" if self.total is not None and rate and self.done < self.total else ""
        say(f"  {self.what}: {self.done:,}{of} {self.unit}{self._there()}, {rate:.3g}/s{left} {self._shown()}".rstrip())


def say(line: str) -> None:
    """One line to a person: progress goes to stderr, so that results on stdout stay clean."""
    print(line, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _rich_progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.3g} {task.fields['unit']}/s" if task.speed else "")

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(30),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
