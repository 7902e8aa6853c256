"""The built-in store is a place where people answer, and keeps what every place promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from annotation.answer import Answer
from annotation.item import Item
from annotation.sqlite.store import Store
from tests.annotation.reviews_suite import LAWS, QUESTIONS, Desk, Law


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_store_is_a_place_where_people_answer(law: Law, tmp_path: Path) -> None:
    store = Store(tmp_path / "answers.sqlite")

    def answer(item: Item, annotator: str, status: str, values: Mapping[str, Any]) -> None:
        store.save(Answer(item_id=item.item_id, annotator=annotator, status=status, values=values, guideline=QUESTIONS.version))

    with store, Store(tmp_path / "answers.sqlite") as other:
        law(Desk(place=store, answer=answer, again=lambda: other))
