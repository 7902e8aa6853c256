"""Where thoughts are hard to read: code blocks, paragraphs that are too long and, where asked for, lines with markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from filters.readability import _BULLET, _EMPHASIS, _FENCE, _HEADING, _TABLE, _kind_of

MARKS = {_HEADING: "heading", _BULLET: "bullet", _TABLE: "table line", _EMPHASIS: "line of bold words"}


@dataclass(frozen=True, kw_only=True)
class _Line:
    start: int
    stop: int
    size: int
    """Bytes; 0 for an empty line."""
    kind: int


def hard_stretches(text: str, *, longest_paragraph: int, markdown: bool) -> list[dict[str, Any]]:
    """What `readable` counts as hard, front to back: {start, end, text, note}; text[start:end] in characters.

    >>> [(each["text"], each["note"]) for each in hard_stretches("I run it:\\n```\\n4\\n```\\nSo 4.", longest_paragraph=99, markdown=False)]
    [('```\\n4\\n```', 'code block')]
    """
    found: list[tuple[int, int, str]] = []
    paragraph: list[_Line] = []
    block: list[_Line] | None = None
    for line in [*_lines(text), None]:
        if line is None or line.kind == _FENCE or (block is None and not line.size):
            found += _of_paragraph(paragraph, longest_paragraph=longest_paragraph, markdown=markdown)
            paragraph = []
        if line is None:
            break
        if block is not None:
            block.append(line)
        elif line.kind == _FENCE:
            block = [line]
            continue
        elif line.size:
            paragraph.append(line)
        if block is not None and line.kind == _FENCE:
            found.append((block[0].start, line.stop, "code block"))
            block = None
    if block is not None:
        found.append((block[0].start, block[-1].stop, "code block that is never closed"))
    return [{"start": start, "end": stop, "text": text[start:stop], "note": note} for start, stop, note in found]


def _of_paragraph(lines: list[_Line], *, longest_paragraph: int, markdown: bool) -> Iterator[tuple[int, int, str]]:
    size = sum(line.size for line in lines)
    if size > longest_paragraph:
        yield lines[0].start, lines[-1].stop, f"paragraph of {size:,} bytes"
    elif markdown:
        yield from ((line.start, line.stop, MARKS[line.kind]) for line in lines if line.kind in MARKS)


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line in text.split("\n"):
        data = np.frombuffer(line.encode(errors="surrogatepass"), dtype=np.uint8)
        kind = int(_kind_of(data, 0, len(data))) if len(data) else -1
        yield _Line(start=start, stop=start + len(line), size=len(data) if kind >= 0 else 0, kind=kind)
        start += len(line) + 1
