"""What this program calls itself in everything it writes."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """`r1-dataengine 0.1.0`."""
    try:
        return f"r1-dataengine {version('r1-dataengine')}"
    except PackageNotFoundError:
        return "r1-dataengine (not installed)"
