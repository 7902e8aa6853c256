"""Draw the map of the house in architecture.md from the first line of every module; `--check` only compares."""

from __future__ import annotations

import ast
import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/architecture.md"
PACKAGES = ("dataengine", "filters", "annotation", "trainers")
OPENING, CLOSING = "<!-- rooms -->\n", "<!-- /rooms -->\n"


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
        lines.append(f"    {folder.relative_to(ROOT)}/")
        lines += [f"      {path.name:{width}}{opening_sentence(path)}" for path in inside if path.name != "__init__.py"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page anew, or say that it is out of date."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(OPENING)
    after = rest.partition(CLOSING)[2]
    drawn = f"{before}{OPENING}\n{rooms()}\n{CLOSING}{after}"
    if "--check" in sys.argv[1:] and drawn != page:
        sys.exit("docs/architecture.md does not show the modules as they are: make docs")
    PAGE.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
