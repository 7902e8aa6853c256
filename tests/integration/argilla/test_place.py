"""A real Argilla keeps what every place where people answer promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from annotation.item import Item
from tests.annotation.reviews_suite import LAWS, Desk, Law
from tests.integration.argilla.conftest import Argilla
from tests.integration.argilla.people import Queue


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_argilla_is_a_place_where_people_answer(law: Law, argilla_server: Argilla) -> None:
    queue = Queue(argilla_server)

    def answer(item: Item, annotator: str, status: str, values: Mapping[str, Any]) -> None:
        queue.answer(item, annotator, status, values)

    law(Desk(place=queue.place(), answer=answer, again=queue.place))
