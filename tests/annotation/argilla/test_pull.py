"""What a pull says of answers that do not say all."""

from __future__ import annotations

from pathlib import Path

from annotation.argilla.pull import half_said
from annotation.sqlite.store import Store
from tests.annotation.argilla.argilla_in_memory import ArgillaInMemory
from tests.annotation.argilla.test_place import bring, push, says
from tests.annotation.reviewing import a_queue


def test_a_text_that_may_have_been_cleared_in_argilla_is_told_of(tmp_path: Path) -> None:
    argilla = ArgillaInMemory("ann")
    with Store.open(a_queue(tmp_path, 3, characters=40)) as store:
        items = list(store.items())
        says(store, items[2], "fix", minutes=1)
        push(store, argilla)
        argilla.respond(items[0], "ann", verdict="fix", reasoning="Shorter.")
        argilla.respond(items[1], "ann", verdict="fix", reasoning="Shorter.", summary="Shorter.")
        bring(store, argilla)
        assert half_said(store) == [f"ann: the summary of {items[0].item_id} (row {items[0].row_id})"]
