"""A real Chromium for the tests of the review page; where there is none they are skipped with the reason, and fail in CI."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.annotation.browser.reviewer import FLAGS

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of this machine; let go after each file, since as long as Playwright runs no other test may run an event loop."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        lacking("no chromium on the PATH: install the system's package")
    if importlib.util.find_spec("playwright") is None:
        lacking("playwright is not installed: pip install playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


def lacking(what: str) -> NoReturn:
    """A person's machine may lack it; where CI says that the page was tested, it was."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
