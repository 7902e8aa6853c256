"""What the file of a review says where the disk does not take it: one of our errors with the way out, never SQLite's own."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from annotation.sqlite.annotators import Annotators
from annotation.sqlite.database import Database
from dataengine.errors import DiskFull, Stopped


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What a quota does to a process: a file that grows beyond `size` bytes is refused."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def _noted(database: Database, name: str, *, size: int) -> None:
    with database.writing() as db:
        db.execute("INSERT INTO meta VALUES (?, ?)", [name, os.urandom(size // 2).hex()])


def test_a_quota_that_is_used_up_is_told_and_what_was_saved_stays(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "answers.sqlite")) as database:
        _noted(database, "before", size=100)
        with files_of_at_most(300_000), pytest.raises(Stopped, match=r"answers\.sqlite.*quota.*what was answered is kept"):
            _noted(database, "too large", size=1_000_000)
        _noted(database, "after", size=100)
        with database.reading() as db:
            assert [name for (name,) in db.execute("SELECT name FROM meta ORDER BY name")] == ["after", "before"]


def test_links_that_find_no_room_say_so(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "answers.sqlite")) as database:
        people = Annotators(database)
        people.tokens(["alice"])
        people.file.unlink()
        with files_of_at_most(300_000):
            names = [f"{number:064}" for number in range(3_000)]
            with pytest.raises(DiskFull, match=r"no room for .*tokens\.json"):
                people._write(dict.fromkeys(names, "x" * 43))


def test_a_folder_that_is_not_ours_to_write_says_so(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder belongs, as good as one without permission")
    with pytest.raises(ValueError, match=r"runs/reviews can not be written.*permissions.*copy the queue"):
        Database(tmp_path / "runs" / "reviews" / "answers.sqlite")
