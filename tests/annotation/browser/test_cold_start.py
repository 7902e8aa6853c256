"""`dataengine run cold_start` in the tiny world, reviewed in a real browser: the edit that a person types arrives in SFT's batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from annotation.items import items_of
from annotation.sqlite.store import Store
from dataengine.explain import trace
from tests import cold_start_road as road
from tests.annotation.browser.reviewer import reviewing

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.timeout(1_500)
def test_a_cold_start_waits_for_people_and_their_edits_arrive_in_the_batches_of_sft(browser: Browser, tmp_path: Path) -> None:
    folder = road.made(tmp_path)
    items = list(items_of(folder))
    edit = road.edited(items, among=10)
    with reviewing(browser, folder, *road.NAMES) as people:
        alice = people["alice"]
        for number in range(10):
            if number == 3 or road.verdict(items[number]) == "discard":
                alice.press("3", "1", "Control+Enter")  # discard: wrong
            elif number == edit:
                alice.press("e")
                alice.type("So I begin: ")
                alice.press("Escape", "Control+Enter")
            else:
                alice.press("1", "Control+Enter")
            alice.page.wait_for_function(
                "done => document.querySelector('.counts').parentElement.textContent.includes(`${done} by you`)", arg=number + 1
            )
    with Store.open(folder) as store:
        discarded = next(item.row_id for item in store.items() if item.rank == 3)
        for name in road.NAMES:
            store.take_in(road.left_for(name, folder))
    rows = road.finished(tmp_path)
    edited = rows.filter(pl.col("human").struct.field("reason") == "fix")
    assert edited["reasoning"].str.starts_with("So I begin: ").to_list() == [True]
    assert edited["reviewed_by"].to_list()[0][0] == "alice"
    assert discarded not in set(rows["row_id"])
    assert any(text.startswith("<think>\nSo I begin: ") for text in road.trained_texts(rows))
    places = trace(next(tmp_path.glob("cold-start-????????")), discarded)
    assert "people" in str(places[-1])
