"""Starts a real Argilla 2.8 server on this machine, without Docker, Elasticsearch or root, in an environment of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Up:
    """How the server is started."""

    host: str = "127.0.0.1"
    """Address it listens on; anything but loopback lets others on the network log in, over plain HTTP."""
    port: int = 6900
    """Port it listens on."""
    users: str = ""
    """Annotators to create, separated by commas; their passwords and API keys are kept in the home."""
    worker: bool = False
    """Start the background worker too: webhooks, and changing min_submitted of a dataset, need it; reviewing does not."""


def up(home: Path, settings: Up) -> None:
    """A real Argilla server on this machine until Ctrl-C: dataengine argilla up [DIR]"""
    raise ValueError(f"the launcher is being written ({home}, {settings})")
