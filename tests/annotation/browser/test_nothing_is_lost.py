"""Tabs that collide, servers that are killed, pages that are closed: what was typed is there afterwards."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from annotation.answer import Answer
from annotation.item import Item
from annotation.sqlite.store import Store
from tests.annotation.browser.reviewer import answers_in, people_at, queue_of, reviewing
from tests.annotation.reviewing import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ITEMS = [Item(row_id=f"row{n}", prompt="?", reasoning=f"I think of {n}.\n\nIt is {n}.", summary=f"{n}") for n in range(3)]


@contextmanager
def a_server(folder: Path, *, port: int = 0) -> Iterator[Server]:
    """A server in a process of its own, which can be killed."""
    server = Server(folder, ["anna"], port=port)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)


def test_two_tabs_that_collide_are_laid_side_by_side(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS)
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        other = anna.tab(anna.page.url)
        anna.press("e")
        anna.type("First tab. ")
        anna.saved()
        other.keyboard.press("e")
        other.keyboard.type("Second tab. ")
        other.wait_for_selector("dialog.conflict")
        assert other.locator("dialog.conflict ins").all_text_contents() == ["Second", "First"]
        other.keyboard.press("1")  # what is here
        other.wait_for_selector('.saved[data-state="saved"]')
        assert other.locator(".editor textarea").input_value().startswith("Second tab. I think")
        anna.type("More. ")
        anna.page.wait_for_selector("dialog.conflict")
        anna.press("2")  # what was saved elsewhere
        anna.page.wait_for_function("document.querySelector('.editor textarea').value.startsWith('Second tab. I think')")
        anna.press("Escape", "5", "1", "s")
        anna.at(1)
    assert answers_in(folder)["row0", "anna"].values["reasoning"] == "Second tab. I think of 0.\n\nIt is 0."


def test_a_killed_server_loses_nothing_that_was_typed(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS)
    with a_server(folder) as server, people_at(browser, server.links) as people:
        anna = people["anna"]
        anna.press("e")
        anna.type("Before. ")
        anna.saved()
        server.end(signal.SIGKILL)
        anna.type("While it is down. ")
        anna.page.wait_for_selector(".banner:has-text('does not answer')")
        anna.press("Escape", "5", "1", "Control+Enter")
        anna.page.wait_for_selector(".row.verdict .trouble:has-text('Not submitted')")
        with a_server(folder, port=server.address[1]) as again:
            assert again.links == server.links
            anna.page.wait_for_selector(".banner", state="hidden")
            anna.saved()
            anna.press("s")
            anna.at(1)
    values = answers_in(folder)["row0", "anna"].values
    assert values["reasoning"] == "Before. While it is down. I think of 0.\n\nIt is 0."
    assert (values["verdict"], values["readability"]) == ("fix", 5)


def test_a_tab_closed_while_the_server_is_down_finds_its_text_again(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS)
    with a_server(folder) as server, people_at(browser, server.links) as people:
        anna = people["anna"]
        anna.press("n")
        anna.at(1)
        anna.press("e")
        server.end(signal.SIGKILL)
        anna.type("Only here. ")
        anna.page.close()  # at once: nothing was sent, nothing could be
        with a_server(folder, port=server.address[1]) as again:
            anna.page = anna.tab(again.links["anna"])
            anna.at(0)
            anna.page.click(".notices a")  # it says that this browser keeps something
            anna.at(1)
            anna.saved()
            anna.press("e")
            assert anna.area.input_value() == "Only here. I think of 1.\n\nIt is 1."
    assert answers_in(folder)["row1", "anna"].values["reasoning"] == "Only here. I think of 1.\n\nIt is 1."


def test_a_tab_closed_at_once_after_a_key_has_saved(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS)
    with a_server(folder) as server, people_at(browser, server.links) as people:
        anna = people["anna"]
        anna.press("1", "4", "e")
        anna.type("Now. ")
        anna.page.reload()
        anna.at(0)
        anna.press("e")
        assert anna.area.input_value().startswith("Now. I think of 0.")
        assert anna.page.is_checked("#readability-4")
        anna.saved()
        server.end(signal.SIGTERM)
    assert answers_in(folder)["row0", "anna"].status == "draft"


def test_a_text_taken_back_after_it_was_emptied_and_saved_is_saved_too(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS)
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        anna.press("2", "e")
        anna.area.fill("")
        anna.page.wait_for_selector('.saved[data-state="unsaved"]')
        anna.saved()
        with anna.page.expect_response("**/draft") as sent:
            anna.press("Alt+Shift+R")
        assert (sent.value.request.post_data_json or {})["values"] == {"verdict": "fix"}
        anna.saved()
        anna.page.reload()
        anna.at(0)
        anna.press("e")
        assert anna.area.input_value() == ITEMS[0].reasoning


def test_an_answer_from_elsewhere_that_is_looked_at_is_not_touched_and_what_the_page_does_not_ask_goes_back(
    browser: Browser, tmp_path: Path
) -> None:
    folder, item = queue_of(tmp_path, ITEMS), ITEMS[0]
    marks = [{"label": "code", "start": 0, "stop": 3}]
    there = {"verdict": "keep", "readability": 4, "language": "en", "reasoning": item.reasoning, "marks": marks}
    with Store.open(folder) as store:
        store.take_in([Answer(item_id=item.item_id, annotator="anna", status="submitted", values=there, at="2026-01-01", via="argilla")])
    with reviewing(browser, folder, "anna") as people:
        anna, puts = people["anna"], list[str]()
        anna.page.on("request", lambda request: puts.append(request.url) if request.method == "PUT" else None)
        anna.page.goto(f"{anna.link.partition('#')[0]}#/item/{item.item_id}")
        anna.at(0)
        anna.press("n")
        anna.at(1)
        assert puts == []
        anna.page.go_back()
        anna.page.goto(f"{anna.link.partition('#')[0]}#/item/{item.item_id}")
        anna.at(0)
        anna.press("r", "5", "s")
        anna.at(1)
    assert answers_in(folder)["row0", "anna"].values == {"verdict": "keep", "readability": 5, "language": "en", "marks": marks}


def test_a_server_that_can_not_write_is_told_in_its_words_and_tried_again(browser: Browser, tmp_path: Path) -> None:
    folder, why = queue_of(tmp_path, ITEMS), "the disk of answers.sqlite is full; make room and go on"
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        full = {"status": 507, "content_type": "application/json", "body": json.dumps({"error": why})}
        anna.page.route("**/draft", lambda route: route.fulfill(**full), times=1)
        anna.press("e")
        anna.type("Kept. ")
        anna.page.wait_for_selector(f".banner:has-text('{why}')")
        anna.page.wait_for_selector(".banner", state="hidden")
        anna.saved()
        anna.page.route("**/answer", lambda route: route.fulfill(**full), times=1)
        anna.press("Escape", "Control+Enter")
        anna.page.wait_for_selector(f".row.verdict .trouble:has-text('{why}')")
        anna.press("s")
        anna.at(1)
    assert answers_in(folder)["row0", "anna"].values["reasoning"].startswith("Kept. ")


def test_time_counts_while_a_person_is_there(browser: Browser, tmp_path: Path) -> None:
    with reviewing(browser, queue_of(tmp_path, ITEMS), "anna") as people:
        seconds = people["anna"].page.evaluate(
            """async () => {
              const { Clock } = await import("/page/clock.js");
              let now = 0;
              const clock = new Clock(() => now), seen = [], at = (time, what) => { now = time * 1000; what(); seen.push(clock.seconds); };
              at(10, () => clock.seen());
              at(50, () => clock.seen());
              at(500, () => clock.seen());   // away from 110 on
              at(510, () => clock.show(false));
              at(600, () => clock.seen());
              at(700, () => clock.show(true));
              at(720, () => {});
              at(730, () => clock.restart(5));
              at(731, () => {});
              return seen;
            }"""
        )
        assert seconds == [10, 50, 110, 120, 120, 120, 140, 5, 6]
