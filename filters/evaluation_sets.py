"""Evaluation sets as they are looked for: the questions and solutions of files, folders and Hub datasets, each known by its hash.

What cannot be read is refused: a corpus that was not checked against a set is not decontaminated, whatever the report says.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataengine.shards import REJECTED, is_finished
from dataengine.sources import Content, numbered_rows

QUESTION = (
    *("question", "problem", "prompt", "messages", "problem_text", "problem_statement", "question_content", "question_text"),
    *("instruct_prompt", "complete_prompt", "instruction", "query", "conversations", "docstring", "text"),
)
"""Columns of a file of problems that hold its questions, whatever their case: the first that holds something."""
BEFORE = ("body", "passage", "context", "background", "article", "story", "paragraph")
AFTER = {"instruction": ("input",)}
"""Columns that hold the rest of a question: what it asks about (SVAMP, ASDiv, DROP), or what an instruction is given (Alpaca)."""
SOLUTION = ("solution", "solutions", "rationale", "canonical_solution", "reference_solution", "official_solution", "explanation", "code")
LONG_SOLUTION = ("answer", "choices", "options")
"""All of these are solutions; an answer or a choice where it has ten words and more, as in GSM8K: a shorter one stands anywhere."""
SET, PROBLEM = ("dataset", "data_source", "source"), ("id", "prompt_id", "unique_id", "task_id")
"""Set and id of a problem, the first that is there; without a set the file's name is it, without an id the number of the row."""
SETS = 20
"""More sets in a file than this, of fewer than two rows each, are none: their column says where each row was found."""
NAMEABLE = ("question", "solution")
"""What a person can name columns for."""
Columns = tuple[tuple[str, tuple[str, ...]], ...]
"""(question or solution, names of columns), as a person gave them: all that are there are looked for."""

TABLES = (".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".json")
CALCULATOR = re.compile(r"<<[^<>]*>>")
"""What GSM8K's solutions say to a calculator (`<<48/2=24>>`): who quotes them leaves it out."""
HUB = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+){0,2}")
"""owner/name, owner/name:split or owner/name:subset:split; without a split it is test."""
UNCHECKED = "An unchecked corpus is not decontaminated: mend it, or leave it out of --evaluation (in Python: `against`)."

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
    found = [file for file in found if file == path or not _describes(file)]
    if not found or not all(file.is_file() and file.name.endswith(TABLES) for file in found):
        raise ValueError(
            f"there are no problems at {place}: give a .parquet, .jsonl (.jsonl.gz, .jsonl.zst) or .json file, a folder of such files, "
            f"or the name of a Hub dataset (owner/name:subset:split). {UNCHECKED}"
        )
    return found


def _dropped(file: Path) -> bool:
    return file.parent.name == REJECTED and is_finished(file.parent.parent)


def _describes(file: Path) -> bool:
    """Whether a .json file is one object and no list: a manifest or a description that lies beside the rows."""
    if file.suffix != ".json":
        return False
    with file.open("rb") as opened:
        return opened.read(1000).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{"


def problems_of(source: Source, columns: Columns = ()) -> tuple[str, list[Problem]]:
    """(sha256, problems) of a file or a Hub dataset; ValueError names what cannot be read, and the row."""
    if not is_hub(source.place):
        with Path(source.place).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), problems_in(Path(source.place), name=source.name, columns=columns)
    found = _problems(_hub_rows(source.place), where=source.place, name=source.name, columns=columns)
    return hashlib.sha256(json.dumps(found, ensure_ascii=False).encode()).hexdigest(), found


def problems_in(file: Path, *, name: str | None = None, columns: Columns = ()) -> list[Problem]:
    """The problems of a file of problems; `name` is their set where the rows do not say."""
    try:
        rows = (row for _, row in numbered_rows(file))
        return _problems(rows, where=str(file), name=name or file.name.split(".")[0], columns=columns)
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error}). {UNCHECKED}") from error
    except ValueError as error:
        raise (error if UNCHECKED in str(error) else ValueError(f"{str(error).rstrip('.')}. {UNCHECKED}")) from None


def _hub_rows(name: str) -> Iterable[Mapping[str, Any]]:
    import datasets

    dataset, *parts = name.split(":")
    split, subset = (parts[-1] if parts else "test"), (parts[0] if len(parts) == 2 else None)
    try:
        return datasets.load_dataset(dataset, subset, split=split)  # type: ignore[return-value]  # a split is rows
    except (OSError, ValueError) as error:  # not found, offline, unknown split or subset
        raise ValueError(f"the dataset {name!r} cannot be read: {error}. {UNCHECKED}") from error


def _problems(rows: Iterable[Mapping[str, Any]], *, where: str, name: str, columns: Columns) -> list[Problem]:
    named = {part: tuple(column.lower() for column in theirs) for part, theirs in columns}
    found: list[Problem] = []
    for number, given in enumerate(rows):
        row, here = _lower(given), f"{where}, row {number + 1}"
        question = _joined(row, named.get("question", ()), here) or _asked(row, here)
        if not question.strip():
            raise ValueError(
                f"{here} has no question: it has {', '.join(given)}, and a question is looked for in {', '.join(QUESTION)}. "
                f"Say which column it is: --evaluation_columns.question NAME (in Python: columns={{'question': NAME}}). {UNCHECKED}"
            )
        solution = _joined(row, (*named.get("solution", ()), *SOLUTION, *LONG_SOLUTION), here)
        quoted = CALCULATOR.sub("", solution)
        dataset, problem = (next((str(row[key]) for key in keys if row.get(key) not in (None, "")), None) for keys in (SET, PROBLEM))
        solution = solution if quoted == solution else f"{solution}\n{quoted}"
        found.append((dataset or name, problem or str(number), question, solution or None))
    if not found:
        raise ValueError(f"{where} has no rows. {UNCHECKED}")
    sets = len({dataset for dataset, *_ in found})
    return [(name, *problem[1:]) for problem in found] if sets > SETS and 2 * sets > len(found) else found


def _lower(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row by the names of its columns in lower case, and what lies within them as `question.stem`."""
    inside = {f"{key}.{name}": value for key, found in row.items() if isinstance(found, Mapping) for name, value in _lower(found).items()}
    return {key.lower(): value for key, value in (*inside.items(), *row.items())}


def _asked(row: Mapping[str, Any], where: str) -> str:
    """The question, with what is said of it in columns of its own."""
    column, question = next(((key, text) for key in QUESTION if (text := _text(row, key, where)).strip()), ("", ""))
    if not question:
        return ""
    before, after = (["\n".join(_texts_in(row.get(key))) for key in keys] for keys in (BEFORE, AFTER.get(column, ())))
    before, after = ([text for text in texts if text not in question] for texts in (before, after))
    return "\n".join((*before, question, *after))


def _texts_in(value: Any) -> list[str]:
    """All texts of a value, however deep they lie."""
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, str) else [text for each in inside for text in _texts_in(each)]


def _joined(row: Mapping[str, Any], keys: Sequence[str], where: str) -> str:
    """What all of these columns hold, each once."""
    texts = (_text(row, key, where, least=10 if key in LONG_SOLUTION else 0) for key in keys)
    return "\n".join(dict.fromkeys(text for text in texts if text))


def _text(row: Mapping[str, Any], key: str, where: str, *, least: int = 0) -> str:
    """What a column holds, parts of fewer words than `least` left out; texts, choices or messages (but the system's) are one."""
    found = _unpacked(row.get(key))
    if isinstance(found, Mapping):  # choices by their letters, or beside them
        found = found["text"] if isinstance(found.get("text"), list) else list(found.values()) if least else [found]
    parts = found if isinstance(found, list) else [] if found is None else [found]
    said = [part.get("content", part.get("value")) if isinstance(part, dict) else part for part in parts if not _of_system(part)]
    said = [str(part) if isinstance(part, int | float) and key not in QUESTION else part for part in said]
    said = [part for part in said if len(str(part).split()) >= least]
    texts = [part for part in said if isinstance(part, str)]
    if len(texts) < len(said):
        way = (
            f"Name what lies in it: --evaluation_columns.question {key}.NAME (in Python: columns={{'question': '{key}.NAME'}}). "
            if isinstance(row[key], Mapping)
            else ""
        )
        raise ValueError(f"{where}: the column {key!r} holds {str(row[key])[:60]!r}, not text. {way}{UNCHECKED}")
    return "\n".join(texts)


def _unpacked(found: Any) -> Any:
    """What a column holds; of the JSON text of a list of texts or messages (APPS, TACO) that list, whose line breaks are no letters."""
    if not isinstance(found, str) or not found.lstrip().startswith("["):
        return found
    try:
        parts = json.loads(found)
    except (ValueError, RecursionError):
        return found
    return parts if parts and all(isinstance(part, str) or (isinstance(part, dict) and "content" in part) for part in parts) else found


def _of_system(part: Any) -> bool:
    return isinstance(part, dict) and "system" in (part.get("role"), part.get("from"))
