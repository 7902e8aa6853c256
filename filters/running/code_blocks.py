"""Finds the program in a response: the last code block that fits what was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NAMES: dict[str, tuple[str, ...]] = {
    "python": ("python", "py", "python3", "py3", "python2", "ipython"),
    "cpp": ("cpp", "c++", "cc", "cxx", "c", "c++17", "c++20"),
    "javascript": ("javascript", "js", "node", "nodejs", "mjs"),
}
"""What the line that opens a block may call each language."""
_FENCE = re.compile(r"^[ \t>]*(`{3,}|~{3,})[ \t]*([^\s`{]*)[^\n`]*$", re.MULTILINE)
_THOUGHT_ENDS = ("</think>", "<|end_of_thought|>", "</thinking>", "</reasoning>")
_THOUGHT_OPENS = ("<think>", "<|begin_of_thought|>", "<thinking>", "<reasoning>")
_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL)
_CODE_LINE = {
    "python": re.compile(
        r"^[ \t]*(?:def |class |import |from \w[\w.]* import |print\(|for .+:|while .+:|if .+:|return\b|\w[\w, ]* = )", re.MULTILINE
    ),
    "cpp": re.compile(r"#include|\bint main\b|;[ \t]*$", re.MULTILINE),
    "javascript": re.compile(r"\b(?:const|let|var|function|require|console)\b|=>", re.MULTILINE),
}


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of code in a response."""

    code: str
    place: str
    """Where it was: "block", "open block" (the fence never closes) or "whole response"."""


def last_block(response: str, *, language: str = "python", defines: Iterable[str] = ()) -> Block | None:
    """The program of a response, or None where it has none.

    What follows the thoughts counts (thoughts that never end give nothing), within the last `<answer>` where there is one. Of its
    fenced blocks the last one wins that is tagged as `language` or not tagged, looks like code, and defines one of the names in
    `defines` where any block does; so a usage example or sample output after the solution is passed over. Without a fence the whole
    text is the program if it looks like code.

    >>> last_block("First ```python\\nx = 1\\n``` no:\\n```python\\nprint(2)\\n```\\nIt prints\\n```\\n2\\n```").code
    'print(2)\\n'
    """
    text = _spoken(response)
    blocks = [(tag, block) for tag, block in fenced(text) if block.code.strip()]
    known = {name: spoken for spoken, names in NAMES.items() for name in names}
    tagged = [block for tag, block in blocks if known.get(tag) == language or (tag == "c" and language == "cpp")]
    looks = _CODE_LINE[language]
    untagged = [block for tag, block in blocks if not tag and looks.search(block.code)]
    wanted = [_definition(name) for name in defines]
    for group in (tagged, untagged):
        fitting = [block for block in group if any(pattern.search(block.code) for pattern in wanted)]
        if fitting or (group and not (group is tagged and _any(untagged, wanted))):
            return (fitting or group)[-1]
    if not blocks and not _FENCE.search(text) and looks.search(text):
        return Block(text, "whole response")
    return None


def _definition(name: str) -> re.Pattern[str]:
    """What defines a name, roughly and in any of the languages."""
    word = re.escape(name)
    return re.compile(rf"\b(?:def|class|function|const|let|var|auto|\w+[\s*&>])\s*{word}\b|^{word}\s*=", re.MULTILINE)


def _any(blocks: list[Block], wanted: list[re.Pattern[str]]) -> bool:
    return any(pattern.search(block.code) for block in blocks for pattern in wanted)


def _spoken(response: str) -> str:
    """What follows the thoughts; nothing where they never end."""
    end = max(((response.rfind(mark), mark) for mark in _THOUGHT_ENDS), default=(-1, ""))
    if end[0] >= 0:
        response = response[end[0] + len(end[1]) :]
    elif response.lstrip().startswith(_THOUGHT_OPENS):
        return ""
    answers = [answer for answer in _ANSWER.findall(response) if answer.strip()]
    return answers[-1] if answers else response


def fenced(text: str) -> list[tuple[str, Block]]:
    """Every fenced block with its tag in lower case; a fence closes with as many marks as opened it, or never."""
    found: list[tuple[str, Block]] = []
    opened: tuple[str, str, int, int] | None = None
    for fence in _FENCE.finditer(text):
        marks, tag = fence[1], fence[2].lower()
        indent = len(fence[0]) - len(fence[0].lstrip())
        if opened is None:
            opened = marks, tag, fence.end() + 1, indent
        elif marks[0] == opened[0][0] and len(marks) >= len(opened[0]) and not tag:
            found.append((opened[1], Block(_dedented(text[opened[2] : fence.start()], opened[3]), "block")))
            opened = None
        elif marks[0] == opened[0][0] and len(marks) == len(opened[0]):
            found.append((opened[1], Block(_dedented(text[opened[2] : fence.start()], opened[3]), "open block")))
            opened = marks, tag, fence.end() + 1, indent
    if opened is not None:
        found.append((opened[1], Block(_dedented(text[opened[2] :], opened[3]), "open block")))
    return found


def _dedented(code: str, indent: int) -> str:
    """The block without the indentation of its fence (a block in a list item)."""
    return re.sub(rf"^[ \t]{{1,{indent}}}", "", code, flags=re.MULTILINE) if indent else code
