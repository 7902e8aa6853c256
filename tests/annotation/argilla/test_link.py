"""What is remembered of a push: whole whoever else writes, and never of answers that are not at home any more."""

from __future__ import annotations

import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path

from annotation.answer import Answer
from annotation.argilla.link import Link
from annotation.sqlite.store import Store
from tests.annotation.reviewing import a_queue

LINK = Link(url="http://127.0.0.1:6900", workspace="argilla", dataset="q")


def _write_often(folder: Path, failed: multiprocessing.Queue[str]) -> None:
    with Store(Store.place(folder)) as store:
        for number in range(50):
            try:
                replace(LINK, mark=str(number)).write(store)
            except OSError as error:
                failed.put(repr(error))


def test_two_pulls_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    folder = a_queue(tmp_path, 1)
    with Store.open(folder) as store:
        LINK.write(store)
    spawn = multiprocessing.get_context("spawn")
    failed = spawn.Queue()
    writers = [spawn.Process(target=_write_often, args=(folder, failed)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert failed.empty()
    assert Link.read(folder) == replace(LINK, mark="49")


def test_an_older_copy_of_the_answers_is_read_into_again(tmp_path: Path) -> None:
    folder = a_queue(tmp_path, 2)
    with Store.open(folder) as store:
        items = list(store.items())
    older = tmp_path / "older.sqlite"
    shutil.copy(Store.place(folder), older)
    with Store.open(folder) as store:
        store.save(Answer(item_id=items[0].item_id, annotator="ann", status="submitted", values={"verdict": "keep"}))
        link = LINK.after_reading(store, "mark")
        assert link.is_unchanged(store, "mark")
        assert not link.is_unchanged(store, "another")
    for beside in Store.place(folder).parent.glob("answers.sqlite-*"):
        beside.unlink()
    with Store.place(folder).open("wb") as out:  # as `cp` does: the same file, with other bytes in it
        out.write(older.read_bytes())
    with Store.open(folder) as store:
        assert not link.is_unchanged(store, "mark")
