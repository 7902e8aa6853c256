"""Argilla's own page in a real Chromium: it shows every text as it is, and what is edited there comes home to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from annotation.argilla.escape import sendable
from tests.annotation.browser.reviewer import a_chromium
from tests.annotation.reviews_suite import ALICE, QUESTIONS, an_item
from tests.integration.argilla.conftest import Argilla
from tests.integration.argilla.people import Queue

if TYPE_CHECKING:
    from playwright.sync_api import Page

TEXT = (
    "😀 I start.\r\n<think>\nif x<y and a>b then\n\tindent  two\n</think>\n\n"
    "&amp; &lt;b&gt; \0 \\(x\\) nbsp\u00a0zero\u200bwidth 等 e\u0301 \ud83d end  \r\nlast"
)


@pytest.fixture
def page(argilla_server: Argilla) -> Iterator[Page]:
    """Alice, logged in."""
    with a_chromium() as browser:
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(90_000)
        page.goto(f"{argilla_server.url}/sign-in")
        page.locator("input[type=password]").fill(argilla_server.known["people"][ALICE]["password"])
        page.locator("input[name=username], input[type=text]").first.fill(ALICE)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "sign-in" not in url)
        yield page


def test_text_is_shown_as_it_is_and_comes_home_untouched_or_as_it_was_edited(argilla_server: Argilla, page: Page) -> None:
    queue = Queue(argilla_server)
    place = queue.place()
    place.push([an_item(number, reasoning=TEXT) for number in range(2)], QUESTIONS)
    (dataset,) = place.server.datasets()
    pending = f"{argilla_server.url}/dataset/{dataset.id}/annotation-mode?_page=1&_status=pending"
    page.goto(pending)
    page.get_by_text("1 of 2").first.wait_for()
    assert page.locator("[name=reasoning] p").first.text_content() == sendable(TEXT).replace("\r\n", "\n")

    def submit(verdict: str) -> None:
        page.get_by_text(verdict, exact=True).first.click()
        with page.expect_response(lambda reply: "/responses" in reply.url and reply.request.method == "POST") as reply:
            page.get_by_text("Submit", exact=True).first.click()
        assert reply.value.ok

    submit("keep")
    (answer,) = place.answers()
    assert (answer.verdict, answer.values["reasoning"]) == ("keep", TEXT)
    page.goto(pending)  # the one that is left; the address may be that of a second page by now
    page.get_by_text("1 of 1").first.wait_for()
    page.locator("[contenteditable]").first.click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" edited <b>!")
    submit("fix")
    said = {each.verdict: each.values["reasoning"] for each in place.answers()}
    assert said == {"keep": TEXT, "fix": f"{TEXT} edited <b>!"}
