"""What the responses to a problem are judged by, as it is stored: the text of a reference answer, and the text of its checks."""

from __future__ import annotations

import ast
import json
import math
import warnings
from collections.abc import Mapping
from typing import Any

from dataengine.column_types import as_text

AS_JSON = (bool, int, float, list, tuple, Mapping)
"""Kinds of references that are written as JSON; dates and decimals of Parquet files are written as they are read."""
NOTHING = ("", "null", '""', "[]", "{}")
"""Texts of checks that check nothing."""
CHECKS = (
    {"inputs", "outputs"}, {"input", "output"}, {"public_tests", "private_tests"}, {"test_list"}, {"test_cases"}, {"input_output"},
    {"functional"}, {"test", "entry_point"}, {"task", "entry"}, {"instruction_id_list", "kwargs"},
)  # fmt: skip
"""Keys of tests, puzzles and instructions, as the verifiers of filters/ read them: all of any of these."""


def answer_text(value: Any) -> str | None:
    """A reference answer as text: of a list its parts as one answer, of numbers and objects their JSON, and a text as it is.

    A list of lists is a matrix, one of truth values a value of a program: these stay JSON.

    >>> answer_text(["B"]), answer_text([2, 1]), answer_text([[1, 2], [3, 4]]), answer_text('["B"]')
    ('B', '2, 1', '[[1, 2], [3, 4]]', '["B"]')
    """
    if is_nan(value):
        return None
    if isinstance(value, list | tuple) and not any(isinstance(part, bool | list | tuple | Mapping) for part in value):
        return ", ".join(part for part in map(answer_text, value) if part is not None)
    return value if value is None or isinstance(value, str) else as_text(value) if isinstance(value, AS_JSON) else str(value)


def checks_text(value: Any) -> str | None:
    """Checks as JSON text, None where they check nothing.

    >>> checks_text({"inputs": ["1"], "outputs": ["2"]}), checks_text([]), checks_text("")
    ('{"inputs": ["1"], "outputs": ["2"]}', None, None)
    """
    text = None if is_nan(value) else as_text(value)
    return None if text is None or (len(text) < 20 and "".join(text.split()) in NOTHING) else text


def is_nan(value: Any) -> bool:
    """Whether a value is what pandas writes where there is none."""
    return isinstance(value, float) and math.isnan(value)


def answer_or_checks(value: Any) -> dict[str, str | None]:
    """What stands in the one place that a format has for a reference: an answer, or by its shape checks.

    >>> answer_or_checks("assert twice(3) == 6"), answer_or_checks(["2"])
    ({'answer': None, 'checks': 'assert twice(3) == 6'}, {'answer': '2', 'checks': None})
    """
    if is_checks(value):
        return {"answer": None, "checks": checks_text(value)}
    return {"answer": answer_text(value), "checks": None}


def is_checks(value: Any) -> bool:
    """Whether a reference is no answer but checks, by its shape: Python with asserts, or the keys of tests, puzzles or instructions."""
    if isinstance(value, str):
        try:
            read = json.loads(value)
        except (ValueError, RecursionError):
            return _asserts(value)
        return not isinstance(read, str) and is_checks(read)
    if isinstance(value, Mapping):
        return any(keys <= value.keys() for keys in CHECKS)
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(part, Mapping | str) and is_checks(part) for part in value)


def _asserts(text: str) -> bool:
    """Whether a text is Python that tests something: a solution that asserts what it is given is none."""
    if "assert" not in text:
        return False
    try:
        with warnings.catch_warnings(action="ignore"):
            return _tests(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _tests(node: ast.AST) -> bool:
    """Whether an assert stands at the top of the tests, or in a function that is called `check` or `test...`."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "check" and not node.name.startswith("test"):
        return False
    return isinstance(node, ast.Assert) or any(map(_tests, ast.iter_child_nodes(node)))
