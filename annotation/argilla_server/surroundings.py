"""What the server and its worker are told through the environment; it must be told before `argilla_server` is imported."""

from __future__ import annotations

import json
import os
from pathlib import Path

KEYS = "keys.json"
"""File of the home with the passwords and API keys, readable by its owner only."""
DATA = "data"
"""Folder of the home with the database."""


def settle(home: Path, *, redis: str, origin: str) -> None:
    """Settings of a server that lives in `home`, is opened at `origin`, and finds Redis at the URL `redis`."""
    os.environ.update(
        ARGILLA_HOME_PATH=str(home / DATA),
        ARGILLA_SEARCH_ENGINE="sqlite",
        ARGILLA_REDIS_URL=redis,
        # Without a lasting secret every start would end everybody's session.
        ARGILLA_AUTH_SECRET_KEY=json.loads((home / KEYS).read_text(encoding="utf-8"))["secret"],
        ARGILLA_DATABASE_SQLITE_TIMEOUT="30",
        # Its own default lets every page of the world send requests to it.
        ARGILLA_CORS_ORIGINS=json.dumps([origin]),
        HF_HUB_DISABLE_TELEMETRY="1",
    )
