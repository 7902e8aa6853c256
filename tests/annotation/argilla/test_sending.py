"""Batches: each lands whole, a refused record holds back no other, and what has landed is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from annotation.argilla.client import Client
from annotation.argilla.sending import BATCH, send
from dataengine.errors import Stopped
from tests.annotation.argilla.answering_machine import Machine, Reply, answering

LANDED = Reply(body={"items": []})


def records(count: int, *, characters: int = 1) -> list[dict[str, Any]]:
    return [{"external_id": str(number), "fields": {"text": "x" * characters}} for number in range(count)]


def sent(machine: Machine) -> list[list[str]]:
    """The ids of each request."""
    return [[item["external_id"] for item in json.loads(body)["items"]] for _, _, body in machine.asked]


def test_records_go_by_the_hundred_in_their_order() -> None:
    with answering([LANDED]) as machine:
        send(Client(machine.url, "key"), "d", iter(records(250)), total=250, what="push")
    assert [len(batch) for batch in sent(machine)] == [BATCH, BATCH, 50]
    assert [number for batch in sent(machine) for number in batch] == [str(number) for number in range(250)]


def test_long_records_go_in_smaller_batches() -> None:
    with answering([LANDED]) as machine:
        send(Client(machine.url, "key"), "d", records(5, characters=3_500_000), total=5, what="push")
    assert [len(batch) for batch in sent(machine)] == [2, 2, 1]


def test_a_record_that_is_refused_is_named_and_all_others_land() -> None:
    landed: list[str] = []

    def judge(method: str, path: str, body: bytes) -> Reply:
        ids = [item["external_id"] for item in json.loads(body)["items"]]
        if "7" in ids:
            return Reply(status=422, body={"detail": "Record at position 7 is not valid"})
        landed.extend(ids)
        return LANDED

    with answering(judge) as machine:
        refused = send(Client(machine.url, "key"), "d", records(30), total=30, what="push")
    assert refused == ["7: Argilla refused it (422): Record at position 7 is not valid"]
    assert sorted(landed, key=int) == [str(number) for number in range(30) if number != 7]


def test_a_proxy_that_takes_no_long_requests_gets_shorter_ones() -> None:
    landed: list[str] = []

    def judge(method: str, path: str, body: bytes) -> Reply:
        if len(body) > 1_500:
            return Reply(status=413, body=b"too large", kind="text/html")
        landed.extend(item["external_id"] for item in json.loads(body)["items"])
        return LANDED

    with answering(judge) as machine:
        send(Client(machine.url, "key"), "d", records(100), total=100, what="push")
    assert landed == [str(number) for number in range(100)]


def test_a_server_that_dies_leaves_word_of_what_has_landed() -> None:
    replies = [LANDED, LANDED, Reply(hang_up=True)]
    with answering(replies) as machine, pytest.raises(Stopped, match=r"200 of 300 records have landed\. .*same command goes on"):
        send(Client(machine.url, "key", patience=(0.001,)), "d", records(300), total=300, what="push")
