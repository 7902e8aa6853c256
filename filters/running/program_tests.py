"""Reads the tests of a programming problem in the shapes in which data sets write them (docs/programs.md has the table)."""

from __future__ import annotations

import ast
import builtins
import functools
import json
import re
import symtable
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from filters.running import leetcode

INNER = ("tests", "test_cases", "checks", "input_output", "verification_info", "ground_truth", "private_test_cases", "public_test_cases")
"""Keys under which a row keeps its tests."""
GROUPS = ("public_tests", "private_tests", "generated_tests")
"""CodeContests' three lists; all count."""
WHOLE_NUMBER = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True, slots=True)
class Tests:
    """The tests of one problem."""

    kind: Literal["stdin", "call", "code", "appended"]
    """Programs that read and print; one function called with arguments; tests that are Python; source to append in another language."""
    cases: tuple[tuple[Any, Any], ...] = ()
    """(input, output) as text, or (arguments, result) as plain values; for "code" the source of each case, its asserts counted, and its
    first line."""
    function: str | None = None
    """What "call" calls, and what `check` is given."""
    prompt: str = ""
    """The beginning of the program that the response continues (HumanEval)."""
    setup: str = ""
    """Code of the tests that runs before the cases."""
    before: str = ""
    """The imports and classes of the tests, which the program's process has too."""
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = field(default=())
    """What the tests use and do not define: the program has to."""
    checker: str | None = None
    """Python source that defines `check(input, output, expected)`, where the problem has many right answers."""


def read_tests(tests: Any, *, language: str = "python") -> Tests:
    """The tests in a JSON text, a Python text, a list or a mapping; ValueError with what was found where they are none.

    In a language other than Python, tests that are code are appended to the program (HumanEvalPack).
    """
    if language != "python" and (source := _source(tests)):
        return Tests("appended", ((source, ""),), prompt=_prompt(tests))
    if isinstance(tests, str):
        return _from_text(tests)
    found = _from_mapping(tests) if isinstance(tests, Mapping) else _from_list(tests) if isinstance(tests, Sequence) else None
    if found is None:
        raise ValueError(f"tests of type {type(tests).__name__}; wanted are JSON, asserts, or a list or mapping of cases")
    if not found.cases:
        raise ValueError("there is no test case")
    return found


def _source(tests: Any) -> str | None:
    """Tests that are code in another language: the text under "test", or a text that is no JSON."""
    if isinstance(tests, str):
        try:
            tests = json.loads(tests)
        except (ValueError, RecursionError):
            return tests
    return tests["test"] if isinstance(tests, Mapping) and isinstance(tests.get("test"), str) else None


def _prompt(tests: Any) -> str:
    row = tests if isinstance(tests, Mapping) else json.loads(tests) if tests.lstrip().startswith("{") else {}
    return str(row.get("prompt") or "")


@functools.lru_cache(maxsize=64)
def _from_text(text: str) -> Tests:
    if not text.strip():
        raise ValueError("the tests are empty")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _from_code([text])
    if isinstance(value, (int, float, bool)) or value is None:
        raise ValueError(f"tests that are {text.strip()[:40]}")
    return read_tests(value)


def _from_mapping(row: Mapping[str, Any]) -> Tests:
    checker = row.get("checker") if isinstance(row.get("checker"), str) else None
    if isinstance(row.get("functional"), str):  # rllm's LeetCode
        return _from_code([row["functional"]], prompt=str(row.get("prompt") or ""))
    if isinstance(row.get("test"), str):  # HumanEval, LeetCode contests
        entry = row.get("entry_point")
        return _from_code([row["test"]], entry=str(entry) if entry else None, prompt=str(row.get("prompt") or ""))
    if isinstance(row.get("test_list"), Sequence):  # MBPP
        return _from_code([*row["test_list"], *(row.get("challenge_test_list") or ())], setup=str(row.get("test_setup_code") or ""))
    if any(isinstance(row.get(group), Mapping) for group in GROUPS):  # CodeContests
        parts = [_columns(row[group]) for group in GROUPS if isinstance(row.get(group), Mapping)]
        return Tests("stdin", tuple((_text(a), _text(b)) for part in parts for a, b in part), checker=checker)
    if "inputs" in row or ("input" in row and isinstance(row["input"], list)):  # APPS, TACO
        name = row.get("fn_name")
        pairs = _columns(row)
        return _calls(str(name), pairs) if name else Tests("stdin", tuple((_text(a), _text(b)) for a, b in pairs), checker=checker)
    if "input" in row and "output" in row:
        return _from_list([row])
    for key in INNER:
        if row.get(key):
            inner = read_tests(row[key])
            name = (
                row.get("fn_name") or (row.get("metadata") or {}).get("func_name")
                if isinstance(row.get("metadata") or {}, Mapping)
                else None
            )
            return _as_calls(inner, str(name)) if name and inner.kind == "stdin" else inner
    raise ValueError(f"tests with none of the known keys, but {', '.join(map(str, row))[:120]}")


def _columns(row: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    inputs = row.get("inputs", row.get("input"))
    outputs = row.get("outputs", row.get("output"))
    if not isinstance(inputs, Sequence) or not isinstance(outputs, Sequence) or len(inputs) != len(outputs):
        raise ValueError("lists of inputs and outputs that do not pair up")
    return list(zip(inputs, outputs, strict=True))


def _from_list(rows: Sequence[Any]) -> Tests:
    if all(isinstance(row, str) for row in rows):
        return _from_code([str(row) for row in rows])
    if not all(isinstance(row, Mapping) and "input" in row and "output" in row for row in rows):
        raise ValueError("a list of cases of which some lack input or output")
    name = next((row["fn_name"] for row in rows if row.get("fn_name")), None)
    kinds = {str(row.get("type") or row.get("testtype") or "stdin") for row in rows}
    pairs = [(row["input"], row["output"]) for row in rows]
    if name:
        return _calls(str(name), pairs)
    tests = Tests("stdin", tuple((_text(a), _text(b)) for a, b in pairs))
    if any(kind.startswith("func") for kind in kinds):  # LiveCodeBench, which names the function in the row's metadata
        name = next((row["metadata"]["func_name"] for row in rows if isinstance(row.get("metadata"), Mapping)), None)
        return _as_calls(tests, str(name)) if name else tests
    return tests


def _as_calls(tests: Tests, name: str) -> Tests:
    return _calls(name, list(tests.cases))


def _calls(name: str, pairs: list[tuple[Any, Any]]) -> Tests:
    """Cases of one function; texts hold one JSON value a line (LiveCodeBench), lists are the arguments (APPS)."""
    try:
        cases = tuple((_arguments(given), _int_keys(json.loads(result) if isinstance(given, str) else result)) for given, result in pairs)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"arguments or results of {name} that are no JSON") from error
    return Tests("call", cases, function=name.rpartition(".")[2])


def _arguments(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [_int_keys(json.loads(line)) for line in given.splitlines() if line.strip()]
    return [_int_keys(part) for part in given] if isinstance(given, list) else [_int_keys(given)]


def _int_keys(value: Any) -> Any:
    """JSON has no whole-number keys: a mapping whose keys all look like numbers had them (as in APPS' own grader)."""
    if isinstance(value, dict):
        keys = {key: int(key) for key in value if isinstance(key, str) and WHOLE_NUMBER.fullmatch(key)}
        return {(keys[key] if len(keys) == len(value) else key): _int_keys(part) for key, part in value.items()}
    return [_int_keys(part) for part in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    """Input or output as text; APPS writes some as a list of lines."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    return json.dumps(value)


def _from_code(cases: Sequence[str], *, setup: str = "", entry: str | None = None, prompt: str = "") -> Tests:
    texts = [case.replace("\r\n", "\n") for case in (setup, *cases)]
    try:
        trees = [ast.parse(text) for text in texts]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"tests that are neither JSON nor Python: {error}") from error
    if entry and not any(_calls_check(tree) for tree in trees) and any(_defines_check(tree) for tree in trees):
        texts[-1] += f"\n\ncheck({entry})\n"
        trees[-1] = ast.parse(texts[-1])
    if not any(isinstance(node, (ast.Assert, ast.Raise)) for tree in trees for node in ast.walk(tree)):
        raise ValueError("tests that assert nothing")
    if not any(map(_does_something, (node for tree in trees for node in tree.body))):
        raise ValueError("tests that define functions and call none of them: call them, or give an entry_point for `check`")
    shared = [node for tree in trees for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) or _is_data_class(node)]
    before = ast.unparse(ast.Module(body=list(shared), type_ignores=[]))
    names = names_wanted("\n".join(texts))
    if "Solution" in names:
        before = f"{leetcode.CLASSES}\n{before}"
        texts[0] = f"{leetcode.HELPERS}\n{texts[0]}"
        names = names_wanted("\n".join((leetcode.CLASSES, *texts)))
        trees[0] = ast.parse(texts[0])
        shared += ast.parse(leetcode.CLASSES).body
    classes = tuple(node.name for node in shared if isinstance(node, ast.ClassDef))
    return Tests(
        "code",
        tuple((_counted(tree, classes), _first_line(tree)) for tree in trees[1:]),
        function=entry,
        prompt=prompt,
        setup=_counted(trees[0], classes),
        before=before,
        classes=classes,
        names=tuple(names),
    )


def _does_something(node: ast.stmt) -> bool:
    """Whether a statement at the top of the tests may come to an assert: a definition alone does not, a decorator may call it."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return bool(node.decorator_list)
    return not isinstance(node, ast.ClassDef) and any(isinstance(part, ast.Assert | ast.Raise | ast.Call) for part in ast.walk(node))


class _Counted(ast.NodeTransformer):
    """Puts `with __count__(line):` around each assert that no `try` surrounds (a test may catch its own)."""

    def visit_Assert(self, node: ast.Assert) -> ast.With:
        call = ast.Call(func=ast.Name(id="__count__", ctx=ast.Load()), args=[ast.Constant(ast.unparse(node)[:300])], keywords=[])
        return ast.With(items=[ast.withitem(context_expr=call)], body=[node])

    def visit_Try(self, node: ast.Try) -> ast.Try:
        return node


def _counted(tree: ast.Module, classes: tuple[str, ...]) -> str:
    """The tests with their asserts counted, and without the classes that both processes have: a second definition is another class."""
    body = [node for node in tree.body if not (isinstance(node, ast.ClassDef) and node.name in classes)]
    return ast.unparse(ast.fix_missing_locations(_Counted().visit(ast.Module(body=body, type_ignores=[]))))


def _first_line(tree: ast.Module) -> str:
    return ast.unparse(tree).partition("\n")[0][:200]


def _is_data_class(node: ast.stmt) -> bool:
    """A class of the tests that holds no test itself (a list node, a tree)."""
    return isinstance(node, ast.ClassDef) and not any(
        isinstance(part, (ast.Assert, ast.Raise)) or "assert" in _name(part) for part in ast.walk(node)
    )


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ""


def _calls_check(tree: ast.Module) -> bool:
    calls = [node.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    return any(isinstance(call.func, ast.Name) and call.func.id == "check" for call in calls)


def _defines_check(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body)


def names_wanted(code: str) -> list[str]:
    """The names that tests use and do not make: those the program has to give.

    A built-in name is only wanted where no other is (a program may have to define `sum`, but must not replace the `abs` of tests).

    >>> names_wanted("assert abs(f(2) - 4) < eps"), names_wanted("assert sum(1, 2) == 3")
    (['eps', 'f'], ['sum'])
    """
    module = symtable.symtable(code, "tests", "exec")
    made = {symbol.get_name() for symbol in module.get_symbols() if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()}
    used = {name for name in _read_globally(module) if not name.startswith("__")} - made
    free = {name for name in used if not hasattr(builtins, name)}
    called = {node.func.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return sorted(free or used & called)


def _read_globally(table: symtable.SymbolTable) -> set[str]:
    at_top = table.get_type() == "module"
    here = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced() and (at_top or symbol.is_global())}
    return here.union(*(_read_globally(child) for child in table.get_children()))
