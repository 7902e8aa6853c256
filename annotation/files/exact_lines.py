"""JSON lines that keep every character: lone surrogates, NUL and line separators are escaped; what can not be read is named by number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ESCAPED = re.compile("([\ud800-\udbff][\udc00-\udfff])|[\ud800-\udfff\u2028\u2029\x85\x7f]")
"""What other tools take for the end of a line, or can not write as UTF-8; two halves in a row stay raw: escaped they would be joined."""
_MARK = b"\xef\xbb\xbf"


def line_of(value: Any) -> bytes:
    """One line, its end included, as UTF-8 that JSON parsers read back to the same value."""
    text = json.dumps(value, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: found[1] or f"\\u{ord(found[0]):04x}", text).encode("utf-8", "surrogatepass") + b"\n"


def values_in(path: Path, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) of every line that can be read; others are told in `problems`. Nothing, where there is no file."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            line = line.removeprefix(_MARK) if number == 1 else line
            if not line.strip():
                continue
            try:
                value = json.loads(line.decode("utf-8", "surrogatepass"))
            except UnicodeDecodeError as error:
                problems.append(f"{path.name}, line {number} is not UTF-8 (byte {error.start + 1}): save the file as UTF-8")
            except (ValueError, RecursionError) as error:  # ValueError: also a number of more digits than Python reads
                cut = isinstance(error, json.JSONDecodeError) and not line.endswith(b"\n")
                half = "half a line: its end is missing" if cut else f"not JSON ({error})"
                problems.append(f"{path.name}, line {number} is {half}; mend or delete it")
            else:
                if isinstance(value, dict):
                    yield number, value
                else:
                    problems.append(f"{path.name}, line {number} is no JSON object but {type(value).__name__}")
