"""A real Chromium for the tests of the review page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.annotation.browser.reviewer import a_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Let go after each file, since as long as Playwright runs no other test may run an event loop."""
    with a_chromium() as browser:
        yield browser
