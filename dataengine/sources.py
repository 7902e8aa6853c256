"""Problems from files, the Hub and reasoning-gym, in our columns; nothing of a source is dropped without being named."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.column_types import column, types_of
from dataengine.columns import COUNTED, MIXED, ONCE_DROPPED, PROBLEM, RESPONSE, SAMPLED, schema
from dataengine.formats.shape import CALLS, left_behind
from dataengine.lines import json_list, numbered_json_lines
from dataengine.names import nearest
from dataengine.references import answer_text, checks_text, is_nan
from dataengine.shards import REJECTED, digest
from dataengine.step import Step
from dataengine.work import Work, warn

SHARD_ROWS = 20_000
OURS = schema(PROBLEM)
READ_LATER = schema((*PROBLEM, *RESPONSE, *ONCE_DROPPED, *SAMPLED, *COUNTED, *MIXED))
"""Columns that later steps read: what bears such a name and holds something else is renamed."""
KNOWN = ".parquet, .json (one list), .jsonl or .ndjson, the last three also as .gz and .zst"
LEFT_BEHIND = "left_behind"
"""Among a step's notes: the keys of messages that were not carried, and how often they held something."""
MAP_ONE = "Map one: --columns.question THEIR_NAME (in Python: columns={'question': 'THEIR_NAME'})"
REJECT = "Or pass bad_lines='reject' to set such lines aside."
Numbered = Callable[[], Iterable[tuple[int, Mapping[str, Any]]]]
"""(number, row) of a source from its beginning; called twice, as the types of columns are known when all rows were seen."""


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
    return Step(name=name, make=_make_from_file, settings=settings, version="5")


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
    return Step(name=name, make=_make_from_hub, settings=settings, version="5")


def gym(task: str, *, size: int, seed: int = 0, name: str = "problems", **task_settings: Any) -> Step:
    """Problems of a reasoning-gym task; `filters.puzzles.gym_score` judges them with the task's own scorer."""
    settings = {"task": task, "size": size, "seed": seed, "task_settings": task_settings}
    return Step(name=name, make=_make_from_gym, settings=settings, version="2")


def rows(given: Sequence[Mapping[str, Any]], *, name: str = "problems") -> Step:
    """Problems that are already in memory, in our columns or with `question`."""
    return Step(name=name, make=_make_from_rows, settings={"rows": [dict(row) for row in given]}, version="4")


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
    _land_problems(work, rows_of(path, bad if work.settings["bad_lines"] == "reject" else None), source=path.name, bad=bad)


def rows_of(path: Path, bad: list[dict[str, Any]] | None) -> Numbered:
    """The numbered rows of a file, from the beginning at each call; lines that cannot be read are put into `bad`, where one is given."""

    def again() -> Iterator[tuple[int, dict[str, Any]]]:
        if bad is not None:
            bad.clear()
        return numbered_rows(path, bad=bad, hint=REJECT)

    return again


def numbered_rows(path: Path, *, bad: list[dict[str, Any]] | None = None, hint: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """(number from 0, row) of a Parquet, JSON (one list) or JSON lines file; of JSON lines, the line's number less one.

    `hint` is what an error about a line says beside "Mend the line".
    """
    kind = Path(path.stem).suffix if path.suffix in (".gz", ".zst") else path.suffix
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
    elif kind == ".json":
        yield from enumerate(json_list(path))
    elif kind in (".jsonl", ".ndjson"):
        yield from ((number - 1, row) for number, row in numbered_json_lines(path, bad=bad, hint=hint))
    else:
        raise ValueError(f"{path} is no file of rows by its name. Rows are read from {KNOWN}: write the file as one of them.")


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        count = pl.scan_parquet(path).select(pl.len()).collect().item()
        for start in range(0, count, SHARD_ROWS):
            yield from enumerate(pl.scan_parquet(path).slice(start, SHARD_ROWS).collect().iter_rows(named=True), start=start)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{path} cannot be read as Parquet: {error}") from None


def _make_from_hub(work: Work) -> None:
    ask = work.settings
    found = hub_rows(**{name: ask[name] for name in ("dataset", "split", "subset", "revision")})
    _land_problems(work, lambda: enumerate(found), source=f"{ask['dataset']}:{ask['split']}", bad=[])


def hub_rows(*, dataset: str, split: str, subset: str | None, revision: str | None) -> Iterable[dict[str, Any]]:
    """The rows of a Hub dataset or a local dataset folder, from the beginning each time; ValueError where it cannot be read."""
    import datasets

    try:
        return datasets.load_dataset(dataset, subset, split=split, revision=revision)  # type: ignore[return-value]  # a split is rows
    except (OSError, ValueError) as error:  # not found, offline, unknown split or subset
        raise ValueError(f"the dataset {dataset!r} (split {split!r}) cannot be read: {error}") from error


def _make_from_gym(work: Work) -> None:
    import reasoning_gym

    ask = work.settings
    known = reasoning_gym.factory.DATASETS
    if ask["task"] not in known:
        raise ValueError(f"reasoning-gym has no task {ask['task']!r}. {nearest(ask['task'], known)}")
    task = reasoning_gym.create_dataset(ask["task"], size=ask["size"], seed=ask["seed"], **ask["task_settings"])
    given = [
        {"question": row["question"], "answer": row["answer"], "checks": {"task": ask["task"], "entry": row}, "domain": "logic"}
        for row in task
    ]
    _land_problems(work, lambda: enumerate(given), source=f"reasoning-gym:{ask['task']}", bad=[])


def _make_from_rows(work: Work) -> None:
    _land_problems(work, lambda: enumerate(work.settings["rows"]), source=work.name, bad=[])


def _make_head(work: Work) -> None:
    from dataengine import shards

    work.land("00000.parquet", shards.scan(work.inputs["data"]).head(work.settings["count"]).collect())


def _land_problems(work: Work, given: Numbered, *, source: str, bad: list[dict[str, Any]]) -> None:
    """Land shards of problems; repeated prompts and unreadable lines go to rejected/."""
    types = types_of_others(row for _, row in _problems(given, work, source=source))
    first_row: dict[str, tuple[int, str | None]] = {}
    kept: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    landed = otherwise = bare = 0
    for number, row in _problems(given, work, source=source):
        seen, answer = first_row.setdefault(row["prompt_id"], (number, row.get("answer")))
        otherwise += row.get("answer") not in (None, answer)
        if seen == number:
            kept.append(row)
            bare += lacks_reference(row)
        else:
            rejected.append({**row, "dropped_by": work.name, "dropped_because": f"the same question as row {seen}"})
        if len(kept) == SHARD_ROWS:
            work.land(f"{landed:05d}.parquet", frame(kept, types))
            kept, landed = [], landed + 1
    if not first_row:
        raise ValueError(f"{source} has no rows: nothing to do. Check the file, its split and the column mapping.")
    rejected += [{"source": source, "dropped_by": work.name, **line} for line in bad]
    if rejected:
        work.land(f"{REJECTED}/00000.parquet", frame(rejected, types))
    if kept or not landed:
        work.land(f"{landed:05d}.parquet", frame(kept, types))
    warn_of_left_behind(work, source=source)
    warn_of_no_reference(work, bare, of=len(first_row), source=source)
    if otherwise:
        warn(
            f"{work.name}: {otherwise:,} questions of {source} stand there again with another answer; the first one counts. "
            f"Look at {work.folder.name}/{REJECTED} for which is right"
        )


def _problems(given: Numbered, work: Work, *, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, problem); ValueError names the row that is none, and a mapped column that no row has."""
    columns, constants = work.settings.get("columns", {}), work.settings.get("constants", {})
    missing, names = dict(columns), {}
    left: Counter[str] = Counter()
    for number, raw in given():
        left.update(left_behind(raw, joined=False))
        names = names or raw
        missing = {ours: theirs for ours, theirs in missing.items() if theirs not in raw} if missing else missing
        row = _problem(raw, columns=columns, constants=constants, where=f"{source}, row {number} (from 0)")
        row["source"] = row.get("source") or source
        row["source_row"] = number if row.get("source_row") is None else row["source_row"]
        yield number, row
    for ours, theirs in missing.items() if names else ():
        raise ValueError(f"{source}: {_no_such(ours, theirs, names)}")
    if left:
        work.notes[LEFT_BEHIND] = dict(left.most_common())


def warn_of_left_behind(work: Work, *, source: str) -> None:
    """Says once what of the messages of a source is carried nowhere, as the step's notes have it."""
    if left := work.notes.get(LEFT_BEHIND):
        keys = ", ".join(f"{key} ({count:,})" for key, count in left.items())
        warn(f"{work.name}: messages of {source} are carried as role and text; left behind of them: {keys}")


def lacks_reference(row: Mapping[str, Any]) -> bool:
    """Whether no verifier can judge what is said to this problem."""
    return row["checks"] is None and not (row["answer"] or "").strip()


def warn_of_no_reference(work: Work, bare: int, *, of: int, source: str) -> None:
    """Says, before anything is asked, how many problems nobody can be right about."""
    if bare:
        warn(
            f"{work.name}: {bare:,} of {of:,} problems of {source} have neither answer nor checks: no verifier can judge responses to "
            "them. Map the column that has the answer (--columns.answer THEIR_NAME), or leave them out where responses are judged"
        )


def _no_such(ours: str, theirs: str, names: Iterable[str]) -> str:
    return f"the mapping says {ours}={theirs!r}, but the rows have {', '.join(names)}. {nearest(theirs, names)}"


def _problem(raw: Mapping[str, Any], *, columns: Mapping[str, str], constants: Mapping[str, str], where: str) -> dict[str, Any]:
    mapped = {ours: raw.get(theirs) for ours, theirs in columns.items()}
    told, used = {**mapped, **constants}, {theirs for ours, theirs in columns.items() if ours not in constants}
    others = {aside(key, raw) if key in told else key: value for key, value in raw.items() if key not in used}
    row = of_our_types({**others, **told})
    question = row.pop("question", None)
    if row.get("messages") is None:
        if not isinstance(question, str) or not question.strip():
            gone = [(ours, theirs) for ours, theirs in columns.items() if ours in ("question", "messages") and theirs not in raw]
            way_out = _no_such(*gone[0], raw) if gone else f"it has {', '.join(raw)}. {MAP_ONE}"
            raise ValueError(f"{where}: a row has neither messages nor question; {way_out}")
        row["messages"] = [{"role": "user", "content": question}]
    row["messages"] = _messages(row["messages"], where=where)
    ours = prompt_id(row["messages"])
    if row.get("prompt_id") not in (None, ours):
        row["their_prompt_id"] = row["prompt_id"]
    row["prompt_id"] = ours
    return {**row, "answer": answer_text(row.get("answer")), "checks": checks_text(row.get("checks"))}


def _messages(given: Any, *, where: str) -> list[dict[str, str]]:
    """The messages with role and content alone; ValueError where they are something else."""
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"{where}: messages is {str(given)[:60]!r}; wanted is a list of {{role, content}}")
    for message in given:
        if not isinstance(message, Mapping) or not all(isinstance(message.get(name), str) for name in ("role", "content")):
            raise ValueError(f"{where}: the message {str(message)[:60]!r} wants role and content, both texts; give its text as one")
        if called := [name for name in CALLS if message.get(name)]:
            raise ValueError(
                f"{where}: a message with {called[0]}: tool calls are not carried; leave the row out, or write the call as text"
            )
    return [{"role": message["role"], "content": message["content"]} for message in given]


def of_our_types(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with `their_NAME` for a column that bears a name of ours but holds something else; NaN, as pandas has it, is null."""
    row = {name: None if is_nan(value) and not READ_LATER.get(name, pl.Float64()).is_float() else value for name, value in row.items()}
    return {name if fits(name, value) else aside(name, row): value for name, value in row.items()}


def aside(name: str, there: Mapping[str, Any]) -> str:
    """What a column is called whose name another one needs: their_NAME, which is nothing that the row has already."""
    return f"their_{name}" if f"their_{name}" not in there else aside(f"their_{name}", there)


def fits(name: str, value: Any) -> bool:
    """Whether a column of that name can hold it; one whose name is none of ours can hold anything."""
    dtype = READ_LATER.get(name)
    if value is None or dtype is None or name in ("messages", "answer", "checks"):
        return True
    if isinstance(value, bool) or dtype == pl.Boolean:
        return isinstance(value, bool) and dtype == pl.Boolean
    if dtype.is_integer():
        half = 2 ** (31 if dtype == pl.Int32 else 63)
        return isinstance(value, int) and -half <= value < half
    return isinstance(value, int | float) if dtype.is_float() else isinstance(value, str)


def types_of_others(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The types, over all rows of a source, of the columns that are none of ours."""
    return types_of({name: value for name, value in row.items() if name not in OURS} for row in rows)


def frame(rows: Sequence[Mapping[str, Any]], types: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """Rows as a frame: our problem columns first and typed, others of one type each, or as JSON text where there is none.

    `types` are those of the whole source that these rows are a part of; without them the rows alone decide.
    """
    others = list(dict.fromkeys(name for row in rows for name in row if name not in OURS))
    told = types or {}
    typed = {**told, **types_of({name: row[name] for name in row if name in others and name not in told} for row in rows)}
    ours = [pl.Series(name, [row.get(name) for row in rows], dtype=dtype) for name, dtype in OURS.items()]
    return pl.DataFrame(ours + [column(name, [row.get(name) for row in rows], typed[name]) for name in others])
