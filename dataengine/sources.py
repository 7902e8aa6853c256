"""Problems from files, the Hub and reasoning-gym, in our columns; nothing of a source is dropped without being named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.columns import PROBLEM, schema
from dataengine.lines import json_list, numbered_json_lines
from dataengine.names import nearest
from dataengine.shards import REJECTED, digest
from dataengine.step import Step
from dataengine.work import Work

SHARD_ROWS = 20_000


@dataclass(frozen=True)
class Content:
    """A file that a step reads, known by what is in it."""

    path: Path

    def identity(self) -> str:
        """Name and hash; ValueError where there is no such file."""
        if not self.path.is_file():
            beside = [path.name for path in self.path.parent.glob("*")] if self.path.parent.is_dir() else []
            raise ValueError(f"there is no file {self.path}. {nearest(self.path.name, beside)}")
        return f"{self.path.name}:{digest(self.path)}"


def problems(
    file: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    bad_lines: str = "stop",
    name: str = "problems",
) -> Step:
    """Problems of a Parquet, JSON (one list) or JSONL (.jsonl, .jsonl.gz, .jsonl.zst) file.

    `columns` maps our names (or `question`) to the file's; `constants` fills a column for every row (`{"domain": "math"}`).
    `bad_lines="reject"` puts lines that cannot be read into rejected/ instead of stopping.
    """
    if bad_lines not in ("stop", "reject"):
        raise ValueError(f"bad_lines is 'stop' or 'reject', got {bad_lines!r}")
    settings = {"file": Content(Path(file)), "columns": dict(columns or {}), "constants": dict(constants or {}), "bad_lines": bad_lines}
    return Step(name=name, make=_make_from_file, settings=settings, version="2")


def hub(
    dataset: str,
    *,
    split: str = "train",
    subset: str | None = None,
    revision: str | None = None,
    columns: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    name: str = "problems",
) -> Step:
    """Problems of a Hub dataset (or a local dataset folder), through `datasets`."""
    where = {"dataset": dataset, "split": split, "subset": subset, "revision": revision}
    settings = {**where, "columns": dict(columns or {}), "constants": dict(constants or {})}
    return Step(name=name, make=_make_from_hub, settings=settings, version="2")


def gym(task: str, *, size: int, seed: int = 0, name: str = "problems", **task_settings: Any) -> Step:
    """Problems of a reasoning-gym task; `filters.puzzles.gym_score` judges them with the task's own scorer."""
    settings = {"task": task, "size": size, "seed": seed, "task_settings": task_settings}
    return Step(name=name, make=_make_from_gym, settings=settings, version="2")


def rows(given: Sequence[Mapping[str, Any]], *, name: str = "problems") -> Step:
    """Problems that are already in memory, in our columns or with `question`."""
    return Step(name=name, make=_make_from_rows, settings={"rows": [dict(row) for row in given]}, version="2")


def head(data: Step, count: int, *, name: str | None = None) -> Step:
    """The first `count` rows of a step."""
    return Step(name=name or data.name, make=_make_head, inputs={"data": data}, settings={"count": count})


def prompt_id(messages: Sequence[Mapping[str, str]]) -> str:
    """Content hash of the messages, 16 hex digits."""
    said = json.dumps([[message["role"], message["content"]] for message in messages], ensure_ascii=False)
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def _make_from_file(work: Work) -> None:
    path: Path = work.settings["file"].path
    bad: list[dict[str, Any]] = []
    given = numbered_rows(path, bad=bad if work.settings["bad_lines"] == "reject" else None)
    _land_problems(work, given, source=path.name, bad=bad)


def numbered_rows(path: Path, *, bad: list[dict[str, Any]] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number from 0, row) of a Parquet, JSON (one list) or JSON lines file; of JSON lines, the line's number less one."""
    if path.suffix == ".parquet":
        count = pl.scan_parquet(path).select(pl.len()).collect().item()
        for start in range(0, count, SHARD_ROWS):
            yield from enumerate(pl.scan_parquet(path).slice(start, SHARD_ROWS).collect().iter_rows(named=True), start=start)
    elif path.suffix == ".json":
        yield from enumerate(json_list(path))
    else:
        yield from ((number - 1, row) for number, row in numbered_json_lines(path, bad=bad))


def _make_from_hub(work: Work) -> None:
    ask = work.settings
    found = hub_rows(**{name: ask[name] for name in ("dataset", "split", "subset", "revision")})
    _land_problems(work, enumerate(found), source=f"{ask['dataset']}:{ask['split']}", bad=[])


def hub_rows(*, dataset: str, split: str, subset: str | None, revision: str | None) -> Iterable[dict[str, Any]]:
    """The rows of a Hub dataset or a local dataset folder; ValueError where it cannot be read."""
    import datasets

    try:
        found = datasets.load_dataset(dataset, subset, split=split, revision=revision)
    except (OSError, ValueError) as error:  # not found, offline, unknown split or subset
        raise ValueError(f"the dataset {dataset!r} (split {split!r}) cannot be read: {error}") from error
    return (dict(row) for row in found)


def _make_from_gym(work: Work) -> None:
    import reasoning_gym

    ask = work.settings
    known = reasoning_gym.factory.DATASETS
    if ask["task"] not in known:
        raise ValueError(f"reasoning-gym has no task {ask['task']!r}. {nearest(ask['task'], known)}")
    task = reasoning_gym.create_dataset(ask["task"], size=ask["size"], seed=ask["seed"], **ask["task_settings"])
    given = (
        {"question": row["question"], "answer": row["answer"], "checks": {"task": ask["task"], "entry": row}, "domain": "logic"}
        for row in task
    )
    _land_problems(work, enumerate(given), source=f"reasoning-gym:{ask['task']}", bad=[])


def _make_from_rows(work: Work) -> None:
    _land_problems(work, enumerate(work.settings["rows"]), source=work.name, bad=[])


def _make_head(work: Work) -> None:
    from dataengine import shards

    work.land("00000.parquet", shards.scan(work.inputs["data"]).head(work.settings["count"]).collect())


def _land_problems(work: Work, given: Iterable[tuple[int, Mapping[str, Any]]], *, source: str, bad: list[dict[str, Any]]) -> None:
    """Land shards of problems; repeated prompts and unreadable lines go to rejected/."""
    columns, constants = work.settings.get("columns", {}), work.settings.get("constants", {})
    first_row: dict[str, int] = {}
    kept: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    landed = 0
    for number, raw in given:
        row = _problem(raw, columns=columns, constants=constants, source=source)
        row.setdefault("source_row", number)
        seen = first_row.setdefault(row["prompt_id"], number)
        if seen == number:
            kept.append(row)
        else:
            rejected.append({**row, "dropped_by": work.name, "dropped_because": f"the same question as row {seen}"})
        if len(kept) == SHARD_ROWS:
            work.land(f"{landed:05d}.parquet", frame(kept))
            kept, landed = [], landed + 1
    if not first_row:
        raise ValueError(f"{source} has no rows: nothing to do. Check the file, its split and the column mapping.")
    rejected += [{"source": source, "dropped_by": work.name, **line} for line in bad]
    if rejected:
        work.land(f"{REJECTED}/00000.parquet", frame(rejected))
    if kept or not landed:
        work.land(f"{landed:05d}.parquet", frame(kept))


def _problem(raw: Mapping[str, Any], *, columns: Mapping[str, str], constants: Mapping[str, str], source: str) -> dict[str, Any]:
    for ours, theirs in columns.items():
        if theirs not in raw:
            raise ValueError(f"{source}: the mapping says {ours}={theirs!r}, but the rows have {', '.join(raw)}. {nearest(theirs, raw)}")
    mapped = {ours: raw[theirs] for ours, theirs in columns.items()}
    row = {**{key: value for key, value in raw.items() if key not in columns.values()}, **mapped, **constants}
    question = row.pop("question", None)
    if row.get("messages") is None:
        if not isinstance(question, str) or not question.strip():
            raise ValueError(
                f"{source}: a row has neither messages nor question; it has {', '.join(raw)}. Map one: --columns question=THEIR_NAME"
            )
        row["messages"] = [{"role": "user", "content": question}]
    row["messages"] = [{"role": message["role"], "content": message["content"]} for message in row["messages"]]
    row["prompt_id"] = prompt_id(row["messages"])
    row.setdefault("source", source)
    for name in ("answer", "checks"):
        row[name] = _as_text(row.get(name))
    return row


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as a frame: our problem columns first and typed, others as they come (as JSON text where their types differ)."""
    known = schema(PROBLEM)
    others = list(dict.fromkeys(key for row in rows for key in row if key not in known))
    series = [pl.Series(name, [row.get(name) for row in rows], dtype=known[name]) for name in known]
    return pl.DataFrame(series + [_series(name, [row.get(name) for row in rows]) for name in others])


def _series(name: str, values: list[Any]) -> pl.Series:
    try:
        made = pl.Series(name, values, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        made = pl.Series(name, [_as_text(value) for value in values], dtype=pl.String)
    return made.cast(pl.String) if made.dtype in (pl.Null, pl.Object) else made
