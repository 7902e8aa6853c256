"""The catalogue of scorers: every shipped scorer with its columns and settings, and as the sources are now."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

from filters.find import find, shipped

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/scorers.md").read_text(encoding="utf-8")


def test_the_catalogue_is_drawn_from_the_docstrings_of_today() -> None:
    done = subprocess.run([sys.executable, "docs/scorer_pages.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_scorer_has_a_section_with_its_columns_and_settings() -> None:
    assert set(re.findall(r"^### `(\w+)`$", PAGE, flags=re.MULTILINE)) == set(shipped())
    for name in shipped():
        section = PAGE.partition(f"### `{name}`\n")[2].partition("\n##")[0]
        scorer = find(name)
        for column in scorer.columns:
            assert (f"[{column}]" if column in scorer.optional else column) in section
        for setting, default in scorer.defaults.items():
            assert f"`{setting}" in section
            assert default is inspect.Parameter.empty or f"`{setting}=" in section
