"""Draw the map of the house in architecture.md from the first line of every module; `--check` only compares."""

from __future__ import annotations

import ast
from itertools import groupby
from pathlib import Path

from drawing import draw

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dataengine", "filters", "annotation", "trainers")


def opening_sentence(module: Path) -> str:
    """The first line of the module's docstring without its full stop."""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert docstring, f"{module.relative_to(ROOT)} has no docstring: its first line is its line on the map"
    return docstring.splitlines()[0].rstrip(".")


def rooms() -> str:
    """The map: a heading for each folder, a line for each module."""
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    modules.sort(key=lambda path: (PACKAGES.index(path.relative_to(ROOT).parts[0]), path.parent, path.name))
    width = max(len(path.name) for path in modules) + 2
    lines = []
    for folder, inside in groupby(modules, key=lambda path: path.parent):
        lines.append(f"    {folder.relative_to(ROOT)}/    {opening_sentence(folder / '__init__.py')}")
        lines += [f"      {path.name:{width}}{opening_sentence(path)}" for path in inside if path.name != "__init__.py"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    draw(rooms(), page=ROOT / "docs/architecture.md", marker="rooms")
