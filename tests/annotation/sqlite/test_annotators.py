"""Tokens: kept for the same links, hashed in the store, ended at once."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotation.sqlite.annotators import Annotators
from annotation.sqlite.database import Database


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Annotators]:
    database = Database(tmp_path / "answers.sqlite")
    yield Annotators(database)
    database.close()


def test_a_token_names_its_annotator_and_stays(people: Annotators) -> None:
    first = people.tokens(["alice", "bób 中"])
    assert [people.who(token) for token in first.values()] == ["alice", "bób 中"]
    assert people.tokens(["bób 中", "carol"])["bób 中"] == first["bób 中"]
    assert people.names() == ["alice", "bób 中", "carol"]
    assert (people.who(""), people.who("x"), people.who("\ud800")) == (None, None, None)


def test_no_token_stands_in_the_store_and_the_file_is_its_owners(people: Annotators) -> None:
    token = people.tokens(["alice"])["alice"]
    for file in people.file.parent.glob("answers.sqlite*"):
        assert token.encode() not in file.read_bytes()
    assert stat.S_IMODE(people.file.stat().st_mode) == 0o600


def test_a_lost_file_of_tokens_gives_new_links_and_ends_the_old(people: Annotators) -> None:
    old = people.tokens(["alice"])["alice"]
    people.file.unlink()
    new = people.tokens(["alice"])["alice"]
    assert (people.who(old), people.who(new)) == (None, "alice")
    people.file.write_text("{")
    with pytest.raises(ValueError, match="delete it"):
        people.tokens(["alice"])


def test_a_revoked_name_can_come_back_with_another_token(people: Annotators) -> None:
    old = people.tokens(["alice", "bob"])["alice"]
    people.revoke("alice")
    assert (people.who(old), people.names()) == (None, ["bob"])
    with pytest.raises(ValueError, match=r"no annotator 'alice' to revoke.*bob"):
        people.revoke("alice")
    assert people.tokens(["alice"])["alice"] != old


@pytest.mark.parametrize("name", ["", " ", " a", "a\n", "a" * 65, "\u202e"])
def test_a_name_that_is_none_is_refused(people: Annotators, name: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        people.tokens([name])


def test_a_name_is_one_however_its_accents_are_typed(people: Annotators) -> None:
    token = people.tokens(["Jos\u00e9"])["Jos\u00e9"]
    assert people.tokens(["Jose\u0301", "Jos\u00e9"]) == {"Jos\u00e9": token}
    people.revoke("Jose\u0301")
    assert people.names() == []
