"""`dataengine run cold_start` in the tiny world, reviewed in a real Argilla: edits come home and arrive in SFT's batches."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from annotation.sqlite.store import Store
from dataengine.commands.argilla import command
from tests import cold_start_road as road
from tests.annotation.reviews_suite import ALICE, BOB
from tests.integration.argilla.conftest import Argilla
from tests.integration.argilla.people import Queue

BEGINS = "So I begin: <b>x<y</b> & \U0001f600 "


@pytest.mark.timeout(1_500)
def test_a_cold_start_goes_through_argilla_and_edits_arrive_in_the_batches_of_sft(argilla_server: Argilla, tmp_path: Path) -> None:
    folder, there = road.made(tmp_path), Queue(argilla_server)
    known = [str(folder), "--url", argilla_server.url, "--key-file", str(argilla_server.home / "keys.json"), "--dataset", there.name]
    command(["push", *known])
    with Store.open(folder) as store:
        items = list(store.items())
    edit = road.edited(items, among=10)
    for number, item in enumerate(items):
        values = {"verdict": "fix", "reasoning": BEGINS + item.reasoning} if number == edit else {"verdict": road.verdict(item)}
        for who in (ALICE, BOB)[: item.wanted]:
            there.answer(item, who, "discarded" if number == 3 else "submitted", None if number == 3 else values)
    command(["pull", *known])
    rows = road.finished(tmp_path)
    edited = rows.filter(pl.col("human").struct.field("reason").str.starts_with("fix"))
    assert edited["row_id"].to_list() == [items[edit].row_id]
    assert edited["reasoning"].to_list() == [BEGINS + items[edit].reasoning]
    assert items[3].row_id not in set(rows["row_id"])
    assert any(text.startswith("<think>\nSo I begin: ") for text in road.trained_texts(rows))
