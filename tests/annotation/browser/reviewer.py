"""A person at the review page in a real Chromium, and queues of texts that are laid before them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import uvicorn

from annotation.item import Item
from annotation.questions import Questions
from annotation.sqlite.annotators import Annotators
from annotation.sqlite.store import Store
from annotation.web.app import review_app
from dataengine import shards
from dataengine.columns import QUEUED, schema
from dataengine.step import identity

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync")
NETWORK = "Failed to load resource"
"""What Chromium itself says of a refused or unanswered call; everything else on the console is a fault of the page."""


def queue_of(root: Path, items: Sequence[Item]) -> Path:
    """A finished queue's folder with these items."""
    rows = [
        {
            **{name: getattr(item, name) for name in ("row_id", "item_id", "prompt", "reasoning", "summary", "answer", "why", "wanted")},
            **item.metadata,
            **{said.scorer: {"value": said.value, "reason": said.reason} for said in item.said},
            "rank": rank,
            "findings": [asdict(finding) for finding in item.findings],
        }
        for rank, item in enumerate(items)
    ]
    folder, types = root / "queue-of-texts", {name: dtype for name, dtype in schema(QUEUED).items() if name in rows[0]}
    file = shards.land(folder, "00000.parquet", pl.DataFrame(rows, schema_overrides=types, infer_schema_length=None))
    shards.write_manifest(folder, {"step": "queue", "settings": {"questions": identity(Questions())}, "files": [vars(file)]})
    return folder


class Reviewer:
    """One annotator in a browser of their own; `faults` is what the console said that it should not."""

    def __init__(self, context: BrowserContext, link: str) -> None:
        self.context, self.link, self.faults = context, link, list[str]()
        self.page = self.tab(link)

    def tab(self, address: str) -> Page:
        """Another tab, with an item or an empty page in it."""
        page = self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(error.stack or str(error)))
        page.goto(address)
        page.wait_for_selector(".item, main.nothing, .list, main.summary")
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if not message.text.startswith(NETWORK):
            self.faults.append(f"{message.type}: {message.text}")

    def press(self, *keys: str) -> None:
        """One key after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Types into whatever has the focus."""
        self.page.keyboard.type(text)

    def at(self, rank: int) -> None:
        """Waits until the item of this rank, from 0, is laid out."""
        self.page.wait_for_selector(f'.item[aria-label="item {rank + 1}"]')

    def submit(self) -> None:
        """Submits and waits for another item, or for the end."""
        here = self.page.url
        self.press("Control+Enter")
        self.page.wait_for_function("here => location.href !== here", arg=here)

    def saved(self) -> None:
        """Waits until all that was typed has arrived."""
        self.page.wait_for_selector('.saved[data-state="saved"]')

    @property
    def area(self) -> Locator:
        """The textarea of the editor."""
        return self.page.locator(".editor textarea")

    def words(self, selector: str) -> str:
        """The text of the first element that the selector finds."""
        return self.page.text_content(selector) or ""

    def text(self, name: str) -> str:
        """All that is shown of a text; what has no picture stands as its sign."""
        return self.page.locator(f'.item [data-text="{name}"] .body').evaluate_all("all => all.map(one => one.textContent).join('')")


@contextmanager
def a_chromium() -> Iterator[Browser]:
    """Chromium of this machine; the test is skipped where there is none, and fails in CI: what CI says was tested, was tested."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None or importlib.util.find_spec("playwright") is None:
        lacking = "no chromium on the PATH: install the system's package" if chromium is None else "no playwright: pip install playwright"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def reviewing(browser: Browser, folder: Path, *names: str, **options: Any) -> Iterator[Mapping[str, Reviewer]]:
    """A reviewer for each name, on a server of this process; nothing may be on any console at the end."""
    with _served(folder, names) as links, people_at(browser, links, **options) as people:
        yield people


@contextmanager
def people_at(browser: Browser, links: Mapping[str, str], **options: Any) -> Iterator[Mapping[str, Reviewer]]:
    """A reviewer for each link."""
    people = {}
    try:
        for name, link in links.items():
            people[name] = Reviewer(browser.new_context(viewport={"width": 1280, "height": 860}, **options), link)
        yield people
        faults = [fault for person in people.values() for fault in person.faults]
        assert not faults, faults
    finally:
        for person in people.values():
            person.context.close()


@contextmanager
def _served(folder: Path, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Links to a server in a thread, which is up sooner than a process."""
    with Store.open(folder) as store, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        app = review_app(store, queue=folder.name)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        tokens = Annotators(store.database).tokens(list(names))
        try:
            yield {name: f"http://127.0.0.1:{listener.getsockname()[1]}/#token={token}" for name, token in tokens.items()}
        finally:
            server.should_exit = True
            thread.join()


def answers_in(folder: Path) -> dict[tuple[str, str], Any]:
    """(row_id, annotator) -> the answer that the store has."""
    with Store.open(folder) as store:
        rows = {item.item_id: item.row_id for item in store.items()}
        return {(rows[answer.item_id], answer.annotator): answer for answer in store.answers()}
