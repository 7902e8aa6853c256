from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotation.item import Item
from annotation.items import items_of
from annotation.sqlite.store import Store
from dataengine.commands.review_import import command as bring
from tests.annotation.reviewing import a_queue


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_queue(tmp_path, 3, characters=200)


@pytest.fixture
def items(folder: Path) -> list[Item]:
    return list(items_of(folder))


def given(verdict: str, **more: Any) -> dict[str, Any]:
    result = {"from_name": "verdict", "type": "choices", "value": {"choices": [verdict]}}
    return {"completed_by": {"id": 1, "email": "ann@x.org"}, "result": [result], "updated_at": "2026-01-01T12:00:00Z", **more}


def brought(folder: Path, *tasks: Any) -> dict[tuple[str, str], str]:
    """The statuses of all answers once the export is at home."""
    export = folder.parent / "export.json"
    export.write_text(json.dumps(tasks), encoding="utf-8")
    bring([str(folder), str(export)])
    with Store.open(folder) as store:
        return {(answer.item_id, answer.annotator): answer.status for answer in store.answers()}


def test_a_task_that_is_not_ours_is_told_and_the_others_are_taken_in(
    folder: Path, items: list[Item], capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = {"id": 77, "data": {"text": "somebody else's"}, "annotations": [given("keep")]}
    tasks = [{"id": number, "data": {"item_id": item.item_id}, "annotations": [given("keep")]} for number, item in enumerate(items)]
    assert set(brought(folder, tasks[0], foreign, "?", tasks[1])) == {(item.item_id, "ann@x.org") for item in items[:2]}
    assert "task 77 has no data.item_id" in capsys.readouterr().err


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_draft_that_was_begun_since_does_not_take_the_answer_back(folder: Path, items: list[Item], *, cancelled: bool) -> None:
    draft = given("keep", user="ann@x.org", created_username="ann@x.org, 1", updated_at="2026-01-01T13:00:00Z")
    del draft["completed_by"]
    other = {**draft, "user": "bob@x.org", "created_username": "bob@x.org, 2"}
    task = {"data": {"item_id": items[0].item_id}, "annotations": [given("keep", was_cancelled=cancelled)], "drafts": [draft, other]}
    assert brought(folder, task) == {
        (items[0].item_id, "ann@x.org"): "discarded" if cancelled else "submitted",
        (items[0].item_id, "bob@x.org"): "draft",
    }
