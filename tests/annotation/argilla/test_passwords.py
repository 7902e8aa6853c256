"""Passwords are whole or as they were, and for nobody else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotation.argilla.passwords import file_beside, keep_password, passwords_in


def test_one_comes_to_the_others_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    file = file_beside(tmp_path / "answers.sqlite")
    assert passwords_in(file) == {}
    keep_password(file, "ann", "one")
    keep_password(file, "bo", "two")
    assert passwords_in(file) == {"ann": "one", "bo": "two"}
    assert file.stat().st_mode & 0o777 == 0o600
    assert {each.name for each in tmp_path.iterdir()} == {file.name, ".gitignore"}
    assert (tmp_path / ".gitignore").read_text() == f"{file.name}\n"


def test_what_is_there_survives_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_beside(tmp_path / "answers.sqlite")
    keep_password(file, "ann", "one")

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OSError, match="no space"):
        keep_password(file, "bo", "two")
    assert passwords_in(file) == {"ann": "one"}


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_a_file_that_can_not_be_read_is_named_and_not_written_over(tmp_path: Path, text: str) -> None:
    file = file_beside(tmp_path / "answers.sqlite")
    file.write_text(text)
    with pytest.raises(ValueError, match="move it away"):
        keep_password(file, "ann", "one")
    assert file.read_text() == text
