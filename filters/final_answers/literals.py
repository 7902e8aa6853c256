"""Do two answers write the same Python or JSON value: a quoted string, or a list, tuple or dictionary with strings in it?

References of code benchmarks (`'ba'`, `['a', 1]`, `{"x": true}`) are values, not formulas: their quotes, spaces and letters count.
Nothing is evaluated: `ast.literal_eval` reads literals only, and only after every token was recognised.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Any

LONGEST = 2_000
DEEPEST = 40

_TOKENS = re.compile(
    r"""\s*(?:'(?:[^'\\\n]|\\['"\\nt])*'|"(?:[^"\\\n]|\\['"\\nt])*"|-?\d{1,300}(?:\.\d{1,300})?(?![\w.])|True|False|None|true|false|null|[][(){},:]|$)"""
)
_JSON = {"true": "True", "false": "False", "null": "None"}
_QUOTED = re.compile(r"""(?s)\s*(['"]).*\1\s*|\s*[\[({].*['"].*[\])}]\s*|\s*\{[^{}]*:.*\}\s*|\s*(?:\[\]|\{\})\s*""")


def literals_equal(*, gold: str, prediction: str) -> bool | None:
    """The verdict where the gold is a quoted string, a container of some, a dictionary or an empty list; None for any other gold.

    A string may come without its quotes, as it does from a sentence or a JSON field.
    """
    if not _QUOTED.fullmatch(gold) or (ours := _value(gold)) is None:
        return None
    theirs = _value(prediction)
    if theirs is not None and _keyed(ours[0]) == _keyed(theirs[0]):
        return True
    if not isinstance(ours[0], str):
        return None if not ours[0] and theirs is None else False  # {} may be a set of mathematics
    said = prediction.strip().strip("`").strip()
    return said in (ours[0].strip(), f"'{ours[0]}'", f'"{ours[0]}"')


def _keyed(value: Any) -> Any:
    """The value with the keys of its dictionaries as strings: JSON knows no others."""
    if isinstance(value, dict):
        return {str(key): _keyed(inside) for key, inside in value.items()}
    return type(value)(map(_keyed, value)) if isinstance(value, list | tuple) else value


@lru_cache(maxsize=20_000)
def _value(text: str) -> tuple[Any] | None:
    """The value in a tuple of one, so that None can be told from no value."""
    text = text.strip().strip("`")
    tokens, at, depth = [], 0, 0
    while at < len(text) <= LONGEST:
        match = _TOKENS.match(text, at)
        if not match:
            return None
        token = match.group().strip()
        tokens.append(_JSON.get(token, token))
        depth += (token in ("[", "(", "{")) - (token in ("]", ")", "}"))
        if depth > DEEPEST:
            return None
        at = match.end()
    try:
        return (ast.literal_eval(" ".join(tokens)),) if tokens else None
    except (SyntaxError, ValueError, TypeError):  # brackets that do not match, or a list as a key
        return None
