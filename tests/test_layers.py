"""The arrows between the packages, read from the imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"dataengine", "filters", "annotation", "trainers"}
ALLOWED = {
    "dataengine": {"dataengine"},
    "filters": {"filters", "dataengine"},
    "annotation": {"annotation", "dataengine"},
    "trainers": {"trainers", "dataengine"},
    "recipes": PACKAGES,
}
"""Who may import whom. Trainers never import filters: rewards are handed in."""


def layer(path: Path) -> str:
    """The layer a source file belongs to; recipes and the command line, which starts everything, may know everybody."""
    parts = path.relative_to(ROOT).parts
    return (
        "recipes"
        if parts[:2] in {("dataengine", "recipes"), ("dataengine", "cli.py"), ("dataengine", "flags.py"), ("dataengine", "commands")}
        else parts[0]
    )


def imported_packages(source: str) -> Iterator[tuple[int, str]]:
    """(line, package of ours) of every import of one, wherever in the file it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        yield from ((node.lineno, name.split(".")[0]) for name in names if name.split(".")[0] in PACKAGES)


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_imports_follow_the_arrows(package: str) -> None:
    sources = sorted((ROOT / package).rglob("*.py"))
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources
        for line, name in imported_packages(path.read_text(encoding="utf-8"))
        if name not in ALLOWED[layer(path)]
    ]
    assert sources, f"no sources under {package}/"
    assert not wrong, "\n".join(wrong)


def test_an_import_inside_a_function_is_seen() -> None:
    source = "def f():\n    from filters.answers import correct\n    import trainers.sft as s, json\n"
    assert list(imported_packages(source)) == [(2, "filters"), (3, "trainers")]


def test_package_openings_import_nothing() -> None:
    for package in sorted(PACKAGES):
        for path in (ROOT / package).rglob("__init__.py"):
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert [type(node) for node in body] == [ast.Expr], f"{path.relative_to(ROOT)} is a docstring only"
