"""What the documents say is there: files, links, names, make targets and commands."""

from __future__ import annotations

import functools
import importlib
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dataengine", "filters", "annotation", "trainers")
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES_SOMETHING = {"run", "score", "audit", "argilla"}
"""Commands whose options depend on the recipe, scorer or verb that follows."""
NAMED = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in DOCUMENTS]


def inline_code(text: str) -> list[str]:
    """The contents of `...` outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def shell_lines(text: str) -> Iterator[str]:
    """The commands of fenced sh blocks and of inline code, without comments and continued lines joined."""
    for block in re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        yield from (line.removeprefix("$ ").split(" #")[0].strip() for line in block.replace("\\\n", " ").splitlines())
    yield from inline_code(text)


def documented(program: str) -> dict[str, list[str]]:
    """Every documented command line of a program with the documents that show it."""
    found: dict[str, list[str]] = {}
    for path in DOCUMENTS:
        for line in shell_lines(path.read_text(encoding="utf-8")):
            if line.startswith(f"{program} ") and "..." not in line:
                found.setdefault(line, []).append(path.name)
    return found


@pytest.mark.parametrize("document", NAMED)
def test_links_lead_to_files(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (document.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("document", NAMED)
def test_source_files_named_in_documents_exist(document: Path) -> None:
    names = [code for code in inline_code(document.read_text(encoding="utf-8")) if re.fullmatch(r"[\w./-]+\.py", code) and "/" in code]
    missing = [name for name in names if not (ROOT / name).exists()]
    assert not missing


@pytest.mark.parametrize("document", NAMED)
def test_dotted_names_in_documents_can_be_imported(document: Path) -> None:
    pattern = rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+"
    for name in (code for code in inline_code(document.read_text(encoding="utf-8")) if re.fullmatch(pattern, code)):
        module, _, attribute = name.rpartition(".")
        place = ROOT / name.replace(".", "/")
        if not (place.with_suffix(".py").exists() or (place / "__init__.py").exists()):
            assert hasattr(importlib.import_module(module), attribute), f"{document.name} names {name}"


def test_documented_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    asked = {line.split()[1] for line in documented("make")}
    assert {"demo", "test"} <= asked, "the README shows both commands"
    assert asked <= targets


@functools.cache
def help_of(*command: str) -> str:
    """What `dataengine COMMAND --help` prints; its failure fails the test."""
    run = [sys.executable, "-m", "dataengine.cli", *command, "--help"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
    return done.stdout


def test_documented_commands_and_their_options_exist() -> None:
    commands = documented("dataengine")
    assert commands
    for line, places in commands.items():
        words = shlex.split(line)[1:]
        placeholders = [word for word in words if word.isupper()]
        if words[0].startswith("-") or placeholders:
            continue
        named = words[:2] if words[0] in NAMES_SOMETHING else words[:1]
        for option in (word.split("=")[0] for word in words[1:] if word.startswith("--")):
            assert option in help_of(*named), f"{line} in {places}: there is no {option}"
        assert help_of(*named)


def test_the_map_of_the_house_names_every_module_and_no_other() -> None:
    done = subprocess.run([sys.executable, "docs/rooms.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_changelog_opens_with_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings[0] == version
