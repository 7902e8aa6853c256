"""Which server, whose key, which dataset: from what a person says, from the last push, or from what lies here."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

from annotation.argilla.client import Client, is_loopback
from annotation.argilla.link import Link
from annotation.argilla.place import ArgillaReviews
from annotation.argilla.record import SUGGESTED
from dataengine.progress import say

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
        people=known.people if known else {},
    )
    if known is not None and (known.url, known.workspace, known.dataset) == (link.url, link.workspace, link.dataset):
        link = known
    place = ArgillaReviews(
        Client(link.url, _key(key_file, link.url)),
        workspace=link.workspace,
        dataset=link.dataset,
        min_submitted=min_submitted,
        annotators=annotators,
        suggest=suggest,
        people=link.people,
    )
    if urlsplit(link.url).scheme == "http" and not is_loopback(urlsplit(link.url).hostname or ""):
        say(f"  note: {link.url} is plain HTTP: whoever is on the way reads the key and all texts; give the server a proxy with TLS")
    return place, link


def _key(file: Path | None, url: str) -> str:
    """The API key: of the file, else of the environment, else of the server that was started here, where it is the one at `url`."""
    if file is None and (key := os.environ.get("ARGILLA_API_KEY")):
        return key.strip()
    if file is not None:
        return _key_in(file)[0]
    theirs = ""
    if UP_KEYS.exists():
        key, its_url = _key_in(UP_KEYS)
        if _where(its_url) == _where(url):
            return key
        theirs = f"; {UP_KEYS} is of another server ({its_url})"
    raise ValueError(
        f"there is no API key for {url}{theirs}: put the one of Argilla's page (My settings) into a file and name it with --key-file FILE, "
        "or into ARGILLA_API_KEY; of a server that `dataengine argilla up DIR` started: --key-file DIR/keys.json"
    )


def _key_in(file: Path) -> tuple[str, str]:
    """(key, address of its server): a file holds nothing but a key, or is what `argilla up` has written."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--key-file {file} can not be read: {error}") from None
    if not text.startswith("{"):
        return text, ""
    try:
        known = json.loads(text)
        return known["people"]["owner"]["api_key"], known.get("url", URL)
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"--key-file {file} is neither an API key nor the keys.json of `dataengine argilla up`") from None


def _where(url: str) -> tuple[str, str, int | None]:
    """What two addresses of one server have in common; loopback has several names."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme, "loopback" if is_loopback(host) else host, parts.port
