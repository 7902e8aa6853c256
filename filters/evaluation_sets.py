"""Evaluation sets as they are looked for: the questions and solutions of files, folders and Hub datasets, each known by its hash.

What cannot be read is refused: a corpus that was not checked against a set is not decontaminated, whatever the report says.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import zstandard

from dataengine.lines import json_lines
from dataengine.sources import Content

QUESTION, SOLUTION = ("question", "problem", "prompt"), ("solution", "solutions", "rationale", "canonical_solution", "answer")
SET, PROBLEM = ("dataset", "source"), ("id", "prompt_id", "unique_id")
"""Columns of a file of problems, the first that is there; without a set the file's name is it, without an id the number of the row. An
`answer` is a solution where it has ten words and more, as in GSM8K."""

TABLES = (".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst")
HUB = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+){0,2}")
"""owner/name, owner/name:split or owner/name:subset:split; without a split it is test."""
UNCHECKED = "An unchecked corpus is not decontaminated: mend it, or leave it out of `against`."

Problem = tuple[str, str, str, str | None]
"""(set, problem, question, solution)"""


@dataclass(frozen=True)
class EvaluationSets:
    """Files, folders and Hub names, as a step's setting: known by what is in the files, and by the names of Hub datasets."""

    places: tuple[str, ...]

    def identity(self) -> list[str]:
        """One text for each file and Hub dataset."""
        return [place if isinstance(place, str) else Content(place).identity() for place in self.sources()]

    def sources(self) -> list[Path | str]:
        """The files and Hub names, folders taken apart."""
        return [source for place in self.places for source in ([place] if is_hub(place) else files_at(place))]


def is_hub(place: str) -> bool:
    """Whether it names a dataset of the Hub: it looks like one, and no file or folder is called so."""
    return HUB.fullmatch(place) is not None and not place.endswith(TABLES) and not Path(place).exists()


def files_at(place: str | Path) -> list[Path]:
    """The tables of a folder, sub-folders included, in order, or the file itself; ValueError where there is none."""
    path = Path(place)
    found = sorted(file for file in path.rglob("*") if file.name.endswith(TABLES)) if path.is_dir() else [path]
    if not found or not all(file.is_file() and file.name.endswith(TABLES) for file in found):
        raise ValueError(
            f"there are no problems at {place}: give a .parquet or .jsonl file (or .jsonl.gz, .jsonl.zst), a folder of such files, "
            f"or the name of a Hub dataset (owner/name:subset:split). {UNCHECKED}"
        )
    return found


def problems_of(source: Path | str) -> tuple[str, list[Problem]]:
    """(sha256, problems) of a file or a Hub dataset; ValueError names what cannot be read, and the row."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), list(problems_in(source))
    found = list(_problems(_hub_rows(source), source))
    return hashlib.sha256(json.dumps(found, ensure_ascii=False).encode()).hexdigest(), found


def problems_in(file: Path) -> Iterator[Problem]:
    """The problems of a file of problems."""
    try:
        yield from _problems(pl.read_parquet(file).iter_rows(named=True) if file.suffix == ".parquet" else _lines(file), str(file))
    except (OSError, EOFError, zlib.error, zstandard.ZstdError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"{file} cannot be read ({error}). {UNCHECKED}") from error


def _lines(file: Path) -> Iterator[Mapping[str, Any]]:
    if file.suffix == ".zst":
        unpacked = zstandard.ZstdDecompressor().decompressobj()
        unpacked.decompress(file.read_bytes())
        if not unpacked.eof:  # its reader takes what is there for everything
            raise EOFError("the file ends within a compressed block")
    yield from json_lines(file)


def _hub_rows(name: str) -> Iterable[Mapping[str, Any]]:
    import datasets

    dataset, *parts = name.split(":")
    split, subset = (parts[-1] if parts else "test"), (parts[0] if len(parts) == 2 else None)
    try:
        return datasets.load_dataset(dataset, subset, split=split)  # type: ignore[return-value]  # a split is rows
    except (OSError, ValueError) as error:  # not found, offline, unknown split or subset
        raise ValueError(f"the dataset {name!r} cannot be read: {error}. {UNCHECKED}") from error


def _problems(rows: Iterable[Mapping[str, Any]], source: str) -> Iterator[Problem]:
    number = -1
    for number, row in enumerate(rows):
        where = f"{source}, row {number + 1}"
        question, solution = _text(row, QUESTION, where), _text(row, SOLUTION, where)
        if question is None and solution is None:
            wanted = ", ".join(QUESTION + SOLUTION)
            raise ValueError(f"{where} has neither question nor solution: it has {', '.join(row)}; wanted is one of {wanted}. {UNCHECKED}")
        dataset, problem = (next((str(row[key]) for key in keys if row.get(key) not in (None, "")), None) for keys in (SET, PROBLEM))
        yield dataset or Path(source).name.split(".")[0], problem or str(number), question or "", solution
    if number < 0:
        raise ValueError(f"{source} has no rows. {UNCHECKED}")


def _text(row: Mapping[str, Any], keys: Sequence[str], where: str) -> str | None:
    """The first of the columns that holds something; several texts or messages are one."""
    for key in keys:
        found = row.get(key)
        if found in (None, "", []) or (key == "answer" and len(str(found).split()) < 10):
            continue
        parts = found if isinstance(found, list) else [found]
        said = [part.get("content") if isinstance(part, dict) else part for part in parts]
        texts = [part for part in said if isinstance(part, str)]
        if len(texts) < len(said):
            raise ValueError(f"{where}: the column {key!r} holds {str(found)[:60]!r}, not text. {UNCHECKED}")
        return "\n".join(texts)
    return None
