"""A real Argilla keeps what every place where people answer promises."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from annotation.argilla.client import Client
from annotation.argilla.place import ArgillaReviews
from annotation.argilla.responses import response_of
from annotation.item import Item
from tests.annotation.reviews_suite import LAWS, Desk, Law, an_answer
from tests.integration.argilla.conftest import Argilla


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_argilla_is_a_place_where_people_answer(law: Law, argilla_server: Argilla) -> None:
    name = f"law-{uuid.uuid4().hex}"

    def place() -> ArgillaReviews:
        return ArgillaReviews(Client(argilla_server.url, argilla_server.key()), workspace="argilla", dataset=name)

    first = place()

    def answer(item: Item, annotator: str, status: str, values: Mapping[str, Any]) -> None:
        record = next(
            record["id"]
            for dataset in first.server.datasets()
            for record in first.server.records(dataset, responses=False)
            if record["external_id"] == item.item_id
        )
        said = response_of(an_answer(item, annotator, status=status, **values), user_id="", reasoning=item.reasoning)
        body = {"record_id": record, "status": status, "values": said["values"]}
        (reply,) = argilla_server.call("POST", "/me/responses/bulk", {"items": [body]}, who=annotator)["items"]
        assert reply["error"] is None, reply

    law(Desk(place=first, answer=answer, again=place))
