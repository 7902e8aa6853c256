"""A scorer by name, without importing the filters that were not asked for."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

from dataengine.names import nearest
from dataengine.score import Scorer

DECORATORS = ("scorer", "batch_scorer")


def shipped() -> dict[str, str]:
    """Every shipped scorer and the module it is in."""
    return {name: f"filters.{path.stem}" for path in sorted(Path(__file__).parent.glob("*.py")) for name in _scorers(path)}


def find(name: str) -> Scorer:
    """The scorer of that name, or of `module:name`; ValueError with the nearest names where there is none."""
    module, _, function = name.rpartition(":")
    if not module:
        known = shipped()
        if name not in known:
            raise ValueError(f"there is no scorer {name!r}. {nearest(name, known)} Your own: package.module:function")
        module = known[name]
    found = getattr(importlib.import_module(module), function, None)
    if not isinstance(found, Scorer):
        raise ValueError(f"{module} has no scorer {function!r}: decorate a function with @scorer")
    return found


def _scorers(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if isinstance(called, ast.Name) and called.id in DECORATORS:
                    yield node.name
