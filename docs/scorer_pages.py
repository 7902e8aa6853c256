"""Draw the catalogue of scorers in scorers.md from their signatures and docstrings; `--check` only compares."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from drawing import draw

ROOT = Path(__file__).resolve().parents[1]
DECORATORS = ("scorer", "batch_scorer")


def scorers(module: Path) -> Iterator[ast.FunctionDef]:
    """The functions of a module that are scorers, read without importing it."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names = (one.func if isinstance(one, ast.Call) else one for one in node.decorator_list)
            if any(isinstance(name, ast.Name) and name.id in DECORATORS for name in names):
                yield node


def columns(function: ast.FunctionDef) -> list[str]:
    """The columns a scorer reads, those that may be missing in brackets."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    wanted = len(names) - len(function.args.defaults)
    return [name if place < wanted else f"[{name}]" for place, name in enumerate(names)]


def settings(function: ast.FunctionDef) -> list[str]:
    """The settings of a scorer with their defaults, as they are written."""
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return [argument.arg if default is None else f"{argument.arg}={ast.unparse(default)}" for argument, default in pairs]


def entry(function: ast.FunctionDef) -> str:
    """The section of one scorer: what it reads and what can be set, then its docstring with the examples fenced."""
    docstring = ast.get_docstring(function)
    assert docstring, f"{function.name} has no docstring: it is the scorer's page"
    chosen = settings(function)
    lines = [f"### `{function.name}`", "", f"Columns: {', '.join(columns(function))}."]
    lines[-1] += f" Settings: {', '.join(f'`{one}`' for one in chosen)}." if chosen else " No settings."
    return "\n".join([*lines, "", _fenced(docstring)])


def _fenced(docstring: str) -> str:
    """The docstring as markdown: examples become code blocks."""
    blocks = re.split(r"\n\s*\n", docstring.strip())
    return "\n\n".join(f"```pycon\n{block}\n```" if block.startswith(">>> ") else block for block in blocks)


def catalogue() -> str:
    """A table of all scorers, then a section for each, module by module."""
    modules = [(module, list(scorers(module))) for module in sorted((ROOT / "filters").glob("*.py"))]
    modules = [(module, found) for module, found in modules if found]
    rows = ["| scorer | the question |", "|---|---|"]
    sections = []
    for module, found in modules:
        question = (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        names = ", ".join(f"[`{function.name}`](#{function.name})" for function in found)
        rows.append(f"| {names} | {question.replace('|', chr(92) + '|')} |")
        sections += [f"## `filters/{module.name}`", question, *(entry(function) for function in found)]
    return "\n".join(rows) + "\n\n" + "\n\n".join(sections) + "\n"


if __name__ == "__main__":
    draw(catalogue(), page=ROOT / "docs/scorers.md", marker="scorers")
