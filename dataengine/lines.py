"""JSON lines, plain or compressed, one object at a time; a line that cannot be read is named by file and number."""

from __future__ import annotations

import codecs
import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

PIECE = 64 << 10
"""Compressed bytes that are unpacked at once."""


def json_lines(path: Path, *, bad: list[dict[str, Any]] | None = None) -> Iterator[dict[str, Any]]:
    """The objects of a .jsonl, .jsonl.gz or .jsonl.zst file; lone surrogates, which no column can hold, become U+FFFD.

    Unreadable lines raise ValueError with file and line number, or are put into `bad` where one is given. A compressed file that is
    damaged or ends too early is always a ValueError: nobody knows how many lines are gone.
    """
    return (row for _, row in numbered_json_lines(path, bad=bad))


def numbered_json_lines(path: Path, *, bad: list[dict[str, Any]] | None = None, hint: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) of every line that can be read; as `json_lines` otherwise.

    `hint` is what the error says beside "Mend the line": the caller knows whether such lines can be set aside.
    """
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            said = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if not said.strip():
                continue
            row, problem = _parse(said)
            if row is not None:
                yield number, row
            elif bad is None:
                raise ValueError(f"{path}, line {number} {problem}. Mend the line. {hint}".rstrip())
            else:
                bad.append({"dropped_because": f"line {number} {problem}", "raw_line": said.decode(errors="backslashreplace").rstrip("\n")})


def json_list(path: Path) -> list[dict[str, Any]]:
    """The objects of a .json file (.gz, .zst) that is one list of them, as LLaMA-Factory's datasets are."""
    with opened(path) as file:
        rows, problem = _value(file.read().removeprefix(codecs.BOM_UTF8))
    if problem:
        raise ValueError(f"{path} {problem}. JSON lines are named .jsonl.")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path} is no list of objects. JSON lines are named .jsonl.")
    return rows


def _parse(line: bytes) -> tuple[dict[str, Any] | None, str]:
    row, problem = _value(line)
    return (row, "") if isinstance(row, dict) else (None, problem or f"is no JSON object but {type(row).__name__}")


def _value(text: bytes) -> tuple[Any, str]:
    """What a JSON text says, or what is wrong with it."""
    try:
        said = json.loads(text.decode())
        return (whole(said) if b"\\u" in text else said), ""
    except UnicodeDecodeError as error:
        return None, f"is not UTF-8 (byte 0x{text[error.start]:02x} at position {error.start + 1})"
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}, column {error.colno}"
        return None, f"is not JSON ({error.msg} at {place})"
    except ValueError:  # Python refuses to read such numbers: the time goes with the square of the digits
        return None, "holds an integer of more than 4,300 digits"
    except RecursionError:
        return None, "holds lists or objects that are nested too deeply"


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


def opened(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked where its name ends in .gz or .zst; ValueError, while it is read, where it is damaged or cut."""
    if path.suffix == ".gz":
        return io.BufferedReader(_Unpacked(path, lambda: zlib.decompressobj(wbits=31), zlib.error))  # 31: with a gzip header
    if path.suffix == ".zst":
        import zstandard

        return io.BufferedReader(_Unpacked(path, lambda: zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError))
    return path.open("rb")


class _Unpacked(io.RawIOBase):
    """The content of a compressed file, one frame after the other, that must end where a frame does."""

    def __init__(self, path: Path, unpacker: Callable[[], Any], damaged: type[Exception]) -> None:
        self._path, self._unpacker, self._damaged = path, unpacker, damaged
        self._file = path.open("rb")
        self._frame: Any = None
        self._packed, self._waiting = b"", memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._waiting and self._unpack():
            pass
        size = min(len(buffer), len(self._waiting))
        buffer[:size], self._waiting = self._waiting[:size], self._waiting[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()

    def _unpack(self) -> bool:
        """Unpack one piece; False at the end of the file."""
        self._packed = self._packed or self._file.read(PIECE)
        if not self._packed and self._frame is not None:
            raise ValueError(f"{self._path} ends within a compressed block: it was cut off on its way, fetch or write it again")
        if not self._packed:
            return False
        if self._frame is None and not self._packed.strip(b"\0"):  # gzip files may be filled up with zeros
            self._packed = b""
            return True
        self._frame = self._frame or self._unpacker()
        try:
            self._waiting = memoryview(self._frame.decompress(self._packed))
        except self._damaged as error:
            raise ValueError(f"{self._path} is damaged, or no {self._path.suffix} file ({error}): fetch or write it again") from None
        self._packed, self._frame = self._frame.unused_data, None if self._frame.eof else self._frame
        return True
