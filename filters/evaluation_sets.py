"""Evaluation sets as they are looked for: the questions and solutions of files, folders and Hub datasets, each known by its hash.

What cannot be read is refused: a corpus that was not checked against a set is not decontaminated, whatever the report says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.lines import json_lines
from dataengine.shards import REJECTED, is_finished
from dataengine.sources import Content

QUESTION = (
    *("question", "problem", "prompt", "messages", "problem_text", "problem_statement", "question_content", "question_text"),
    *("instruct_prompt", "complete_prompt", "instruction", "query", "docstring", "text"),
)
"""Columns of a file of problems that hold its questions, whatever their case: the first that holds something."""
SOLUTION = ("solution", "solutions", "rationale", "canonical_solution", "reference_solution", "official_solution", "explanation", "code")
LONG_SOLUTION = ("answer", "choices", "options")
"""All of these are solutions; an answer or a choice where it has ten words and more, as in GSM8K: a shorter one stands anywhere."""
SET, PROBLEM = ("dataset", "source"), ("id", "prompt_id", "unique_id", "task_id")
"""Set and id of a problem, the first that is there; without a set the file's name is it, without an id the number of the row."""
NAMEABLE = ("question", "solution")
"""What a person can name columns for."""
Columns = tuple[tuple[str, tuple[str, ...]], ...]
"""(question or solution, names of columns), as a person gave them: all that are there are looked for."""

TABLES = (".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst")
HUB = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+){0,2}")
"""owner/name, owner/name:split or owner/name:subset:split; without a split it is test."""
UNCHECKED = "An unchecked corpus is not decontaminated: mend it, or leave it out of `against`."

Problem = tuple[str, str, str, str | None]
"""(set, problem, question, solution)"""


@dataclass(frozen=True)
class Source:
    """A file or a Hub dataset."""

    place: str
    name: str
    """What its problems belong to where their rows do not say: file names as long as it takes to tell the files apart, or the Hub name."""


@dataclass(frozen=True)
class EvaluationSets:
    """Files, folders and Hub names, as a step's setting: known by what is in the files, by the names of sets, and of Hub datasets."""

    places: tuple[str, ...]

    def identity(self) -> list[str]:
        """One text for each file and Hub dataset."""
        return [each.name if is_hub(each.place) else f"{each.name}={Content(Path(each.place)).identity()}" for each in self.sources()]

    def sources(self) -> list[Source]:
        """The files and Hub datasets, folders taken apart, each once."""
        hubs = [place for place in self.places if is_hub(place)]
        files = [file for place in self.places if not is_hub(place) for file in files_at(place)]
        files = list({file.resolve(): file for file in files}.values())
        return [*(Source(str(file), name) for file, name in zip(files, _names(files), strict=True)), *(Source(hub, hub) for hub in hubs)]


def _names(files: Sequence[Path]) -> list[str]:
    """What each file is called: its name without the ending, and as many folders before it as tell it apart (`aime24/test`)."""
    parts = [(*file.resolve().parts[1:-1], file.name.split(".")[0]) for file in files]
    taken = Counter(each[-size:] for each in parts for size in range(1, len(each) + 1))
    return ["/".join(next((each[-size:] for size in range(1, len(each)) if taken[each[-size:]] == 1), each)) for each in parts]


def is_hub(place: str) -> bool:
    """Whether it names a dataset of the Hub: it looks like one, and no file or folder is called so."""
    return HUB.fullmatch(place) is not None and not place.endswith(TABLES) and not Path(place).exists()


def files_at(place: str | Path) -> list[Path]:
    """The tables of a folder, sub-folders included, in order, or the file itself; what a step of ours dropped is left out."""
    path = Path(place)
    found = sorted(file for file in path.rglob("*") if file.name.endswith(TABLES) and not _dropped(file)) if path.is_dir() else [path]
    if not found or not all(file.is_file() and file.name.endswith(TABLES) for file in found):
        raise ValueError(
            f"there are no problems at {place}: give a .parquet or .jsonl file (or .jsonl.gz, .jsonl.zst), a folder of such files, "
            f"or the name of a Hub dataset (owner/name:subset:split). {UNCHECKED}"
        )
    return found


def _dropped(file: Path) -> bool:
    return file.parent.name == REJECTED and is_finished(file.parent.parent)


def problems_of(source: Source, columns: Columns = ()) -> tuple[str, list[Problem]]:
    """(sha256, problems) of a file or a Hub dataset; ValueError names what cannot be read, and the row."""
    if not is_hub(source.place):
        with Path(source.place).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), list(problems_in(Path(source.place), name=source.name, columns=columns))
    found = list(_problems(_hub_rows(source.place), where=source.place, name=source.name, columns=columns))
    return hashlib.sha256(json.dumps(found, ensure_ascii=False).encode()).hexdigest(), found


def problems_in(file: Path, *, name: str | None = None, columns: Columns = ()) -> Iterator[Problem]:
    """The problems of a file of problems; `name` is their set where the rows do not say."""
    try:
        rows = pl.read_parquet(file).iter_rows(named=True) if file.suffix == ".parquet" else _lines(file)
        yield from _problems(rows, where=str(file), name=name or file.name.split(".")[0], columns=columns)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"{file} cannot be read ({error}). {UNCHECKED}") from error


def _lines(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        yield from json_lines(file)
    except ValueError as error:
        raise ValueError(f"{error}. {UNCHECKED}") from error


def _hub_rows(name: str) -> Iterable[Mapping[str, Any]]:
    import datasets

    dataset, *parts = name.split(":")
    split, subset = (parts[-1] if parts else "test"), (parts[0] if len(parts) == 2 else None)
    try:
        return datasets.load_dataset(dataset, subset, split=split)  # type: ignore[return-value]  # a split is rows
    except (OSError, ValueError) as error:  # not found, offline, unknown split or subset
        raise ValueError(f"the dataset {name!r} cannot be read: {error}. {UNCHECKED}") from error


def _problems(rows: Iterable[Mapping[str, Any]], *, where: str, name: str, columns: Columns) -> Iterator[Problem]:
    named = {part: tuple(column.lower() for column in theirs) for part, theirs in columns}
    number = -1
    for number, given in enumerate(rows):
        row, here = {key.lower(): value for key, value in given.items()}, f"{where}, row {number + 1}"
        question = _joined(row, named.get("question", ()), here) or next((text for key in QUESTION if (text := _text(row, key, here))), "")
        if not question.strip():
            raise ValueError(
                f"{here} has no question: it has {', '.join(given)}, and a question is looked for in {', '.join(QUESTION)}. "
                f"Say which column it is with columns={{'question': NAME}}. {UNCHECKED}"
            )
        solution = _joined(row, (*named.get("solution", ()), *SOLUTION, *LONG_SOLUTION), here)
        dataset, problem = (next((str(row[key]) for key in keys if row.get(key) not in (None, "")), None) for keys in (SET, PROBLEM))
        yield dataset or name, problem or str(number), question, solution or None
    if number < 0:
        raise ValueError(f"{where} has no rows. {UNCHECKED}")


def _joined(row: Mapping[str, Any], keys: Sequence[str], where: str) -> str:
    """What all of these columns hold, each once."""
    texts = (_text(row, key, where, least=10 if key in LONG_SOLUTION else 0) for key in keys)
    return "\n".join(dict.fromkeys(text for text in texts if text))


def _text(row: Mapping[str, Any], key: str, where: str, *, least: int = 0) -> str:
    """What a column holds, parts of fewer words than `least` left out; texts, choices or messages (but the system's) are one."""
    found = row.get(key)
    if isinstance(found, Mapping):  # choices by their letters, or beside them
        found = found["text"] if isinstance(found.get("text"), list) else list(found.values()) if least else [found]
    parts = found if isinstance(found, list) else [] if found is None else [found]
    said = [part.get("content") if isinstance(part, dict) else part for part in parts if not _of_system(part)]
    said = [str(part) if isinstance(part, int | float) and key not in QUESTION else part for part in said]
    said = [part for part in said if len(str(part).split()) >= least]
    texts = [part for part in said if isinstance(part, str)]
    if len(texts) < len(said):
        raise ValueError(f"{where}: the column {key!r} holds {str(found)[:60]!r}, not text. {UNCHECKED}")
    return "\n".join(texts)


def _of_system(part: Any) -> bool:
    return isinstance(part, dict) and part.get("role") == "system"
