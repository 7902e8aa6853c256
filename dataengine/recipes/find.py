"""A recipe by name: the function of the module's own name in this package, or `path/to/file.py:function` of anybody's."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

from dataengine.names import nearest
from dataengine.step import Step

Recipe = Callable[..., Step]


def shipped() -> dict[str, str]:
    """Every shipped recipe with the first line of its docstring; nothing is imported for that."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == path.stem and node.name != "find":
                found[node.name] = (ast.get_docstring(node) or "").partition("\n")[0]
    return found


def find(name: str) -> Recipe:
    """The recipe's function; ValueError with the nearest names where there is none."""
    if ":" in name:
        return _from_file(name)
    if name not in shipped():
        raise ValueError(f"there is no recipe {name!r}. {nearest(name, shipped())} Your own: path/to/file.py:function")
    return getattr(importlib.import_module(f"dataengine.recipes.{name}"), name)


def _from_file(name: str) -> Recipe:
    file, _, function = name.rpartition(":")
    path = Path(file).resolve()
    if not path.is_file():
        raise ValueError(f"there is no recipe file {path}")
    sys.path.insert(0, str(path.parent))  # so that worker processes find the module by its name again
    module = importlib.import_module(path.stem)
    if not hasattr(module, function):
        raise ValueError(
            f"{path} has no function {function!r}. {nearest(function, [each for each in vars(module) if not each.startswith('_')])}"
        )
    return getattr(module, function)
