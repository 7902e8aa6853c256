"""JSON lines, plain or compressed, one object at a time; a line that cannot be read is named by file and number."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast


def json_lines(path: Path, *, bad: list[dict[str, Any]] | None = None) -> Iterator[dict[str, Any]]:
    """The objects of a .jsonl, .jsonl.gz or .jsonl.zst file; lone surrogates, which no column can hold, become U+FFFD.

    Unreadable lines raise ValueError with file and line number, or are put into `bad` where one is given.
    """
    return (row for _, row in numbered_json_lines(path, bad=bad))


def numbered_json_lines(path: Path, *, bad: list[dict[str, Any]] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) of every line that can be read; as `json_lines` otherwise."""
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            row, problem = _parse(line)
            if row is not None:
                yield number, row
            elif bad is None:
                raise ValueError(f"{path}, line {number} {problem}. Mend the line, or pass bad_lines='reject' to set such lines aside.")
            else:
                bad.append({"dropped_because": f"line {number} {problem}", "raw_line": line.decode(errors="backslashreplace").rstrip("\n")})


def json_list(path: Path) -> list[dict[str, Any]]:
    """The objects of a .json file that is one list of them, as LLaMA-Factory's datasets are."""
    try:
        rows = whole(json.loads(path.read_bytes().decode()))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not JSON ({error}). JSON lines are named .jsonl.") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path} is no list of objects. JSON lines are named .jsonl.")
    return rows


def _parse(line: bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError as error:
        return None, f"is not UTF-8 (byte 0x{line[error.start]:02x} at position {error.start + 1})"
    except json.JSONDecodeError as error:
        return None, f"is not JSON ({error.msg} at column {error.colno})"
    row = whole(row) if b"\\u" in line else row
    return (row, "") if isinstance(row, dict) else (None, f"is no JSON object but {type(row).__name__}")


def whole(value: Any) -> Any:
    """The value with U+FFFD for every lone surrogate in its texts; half a character has no UTF-8 and fits into no column.

    >>> whole({"text": ["a\\ud800b"]})
    {'text': ['a\ufffdb']}
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {whole(key): whole(inside) for key, inside in value.items()}
    return [whole(inside) for inside in value] if isinstance(value, list) else value


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path))
    if path.suffix == ".zst":
        import zstandard

        return io.BufferedReader(zstandard.open(path, "rb"))
    return path.open("rb")
