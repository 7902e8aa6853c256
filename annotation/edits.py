"""What a person changed in a text, word by word, so that the change can be shown, counted and undone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
LEVELS = tuple(
    re.compile(pattern, re.DOTALL) for pattern in (r"[^\n]*\n|[^\n]+", r".*?[.!?。！？;；]+\s*|.+", rf"[{CJK}]|[^\W{CJK}]+|\s+|.")
)
"""How a text is cut: lines, sentences of what changed in them, words of what changed in these. A CJK character is a word."""

EXPECTED = 64
"""Changes that are looked for first, in a narrow band: a text of 150 KB without lines or sentences takes 0.1 s instead of 1."""

Cut = tuple[int, int, int, int]
"""raw[a:b] became edited[c:d]."""


def edits_of(field: str, raw: str, edited: str) -> list[dict[str, Any]]:
    """What makes `edited` of `raw`: {field, start, stop, text, was} from the back to the front; whole words, positions in code points.

    `was` = raw[start:stop] became `text`. Applied in this order each of them still finds its place: see `applied`, and `undone`.

    >>> edits_of("summary", "We get 4 apples.", "We get 4 pears.")
    [{'field': 'summary', 'start': 9, 'stop': 15, 'text': 'pears', 'was': 'apples'}]
    """
    cuts = [] if raw == edited else list(_cuts(raw, edited, LEVELS))
    return [{"field": field, "start": a, "stop": b, "text": edited[c:d], "was": raw[a:b]} for a, b, c, d in reversed(cuts)]


def applied(raw: str, edits: Iterable[Mapping[str, Any]]) -> str:
    """The edited text of one field.

    >>> applied("We get 4 apples.", edits_of("summary", "We get 4 apples.", "I get 4 pears."))
    'I get 4 pears.'
    """
    pieces, end = [], len(raw)
    for edit in edits:
        pieces += [raw[edit["stop"] : end], edit["text"]]
        end = edit["start"]
    return "".join(reversed([*pieces, raw[:end]]))


def undone(edited: str, edits: Sequence[Mapping[str, Any]]) -> str:
    """The text of one field as it was before.

    >>> undone("I get 4 pears.", edits_of("summary", "We get 4 apples.", "I get 4 pears."))
    'We get 4 apples.'
    """
    pieces, end = [], 0
    longer = 0
    for edit in reversed(edits):
        start = edit["start"] + longer
        pieces += [edited[end:start], edit["was"]]
        end = start + len(edit["text"])
        longer += len(edit["text"]) - len(edit["was"])
    return "".join([*pieces, edited[end:]])


def _cuts(raw: str, edited: str, levels: Sequence[re.Pattern[str]]) -> Iterator[Cut]:
    """What differs, front to back: found at the first level, and cut finer at the next ones."""
    if not levels or not raw or not edited:
        yield 0, len(raw), 0, len(edited)
        return
    known: dict[str, int] = {}
    tokens = [[piece[0] for piece in levels[0].finditer(text)] for text in (raw, edited)]
    begins = [_begins(each) for each in tokens]
    numbers = [[known.setdefault(token, len(known)) for token in each] for each in tokens]
    for i, j, k, m in _changed(*numbers):
        a, b, c, d = begins[0][i], begins[0][j], begins[1][k], begins[1][m]
        for inner in _cuts(raw[a:b], edited[c:d], levels[1:]):
            yield a + inner[0], a + inner[1], c + inner[2], c + inner[3]


def _begins(tokens: Sequence[str]) -> list[int]:
    found = [0]
    for token in tokens:
        found.append(found[-1] + len(token))
    return found


def _changed(raw: list[int], edited: list[int]) -> Iterator[Cut]:
    """The stretches that differ, those behind one another as one."""
    begun: tuple[int, int] | None = None
    for step in Levenshtein.opcodes(raw, edited, score_hint=EXPECTED):
        if step.tag != "equal":
            begun = begun or (step.src_start, step.dest_start)
        elif begun:
            yield begun[0], step.src_start, begun[1], step.dest_start
            begun = None
    if begun:
        yield begun[0], len(raw), begun[1], len(edited)
