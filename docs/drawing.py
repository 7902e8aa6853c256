"""Put what was drawn from the sources between two markers of a page; with `--check` only compare."""

from __future__ import annotations

import sys
from pathlib import Path


def draw(text: str, *, page: Path, marker: str) -> None:
    """Write the page with `text` between `<!-- marker -->` and `<!-- /marker -->`, or say that it is out of date."""
    opening, closing = f"<!-- {marker} -->\n", f"<!-- /{marker} -->\n"
    now = page.read_text(encoding="utf-8")
    before, _, rest = now.partition(opening)
    drawn = f"{before}{opening}\n{text}\n{closing}{rest.partition(closing)[2]}"
    if "--check" in sys.argv[1:] and drawn != now:
        sys.exit(f"docs/{page.name} does not show the sources as they are: make docs")
    page.write_text(drawn, encoding="utf-8")
