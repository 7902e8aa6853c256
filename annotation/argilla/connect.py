"""Which server, whose key, which dataset: from what a person says, from the last push, or from what lies here."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path

from annotation.argilla.client import Client
from annotation.argilla.home import Link
from annotation.argilla.place import ArgillaReviews
from annotation.argilla.record import SUGGESTED

URL = "http://127.0.0.1:6900"
WORKSPACE = "argilla"
UP_KEYS = Path("argilla/keys.json")
"""Where `dataengine argilla up` puts its keys."""


def connect(
    folder: Path,
    *,
    url: str | None = None,
    key_file: Path | None = None,
    workspace: str | None = None,
    dataset: str | None = None,
    min_submitted: int | None = None,
    annotators: Collection[str] = (),
    suggest: Collection[str] = SUGGESTED,
) -> tuple[ArgillaReviews, Link]:
    """The place a queue's folder is or will be in; what is not said is as it was at the last push, or as `argilla up` makes it."""
    known = Link.read(folder)
    link = Link(
        url=(url or (known and known.url) or os.environ.get("ARGILLA_API_URL") or URL).rstrip("/"),
        workspace=workspace or (known and known.workspace) or WORKSPACE,
        dataset=dataset or (known and known.dataset) or folder.resolve().name,
    )
    if known is not None and (known.url, known.workspace, known.dataset) == (link.url, link.workspace, link.dataset):
        link = known
    place = ArgillaReviews(
        Client(link.url, _key(key_file)),
        workspace=link.workspace,
        dataset=link.dataset,
        min_submitted=min_submitted,
        annotators=annotators,
        suggest=suggest,
    )
    return place, link


def _key(file: Path | None) -> str:
    """The API key: of the file, else of the environment, else of the server that was started here."""
    if file is None and (key := os.environ.get("ARGILLA_API_KEY")):
        return key.strip()
    if file is None and not UP_KEYS.exists():
        raise ValueError(
            "there is no API key: put the one of Argilla's page (My settings) into a file and name it with --key-file FILE, or into "
            "ARGILLA_API_KEY; of a server that `dataengine argilla up DIR` started: --key-file DIR/keys.json"
        )
    file = file or UP_KEYS
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--key-file {file} can not be read: {error}") from None
    if not text.startswith("{"):
        return text
    try:
        return json.loads(text)["people"]["owner"]["api_key"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"--key-file {file} is neither an API key nor the keys.json of `dataengine argilla up`") from None
