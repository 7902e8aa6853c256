"""A queue moves between the built-in page and a real Argilla, both ways, by the commands a person types; answers stay to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annotation.answer import Answer
from annotation.queue import queue
from annotation.reviewed import reviewed
from annotation.sqlite.store import Store
from dataengine import shards
from dataengine.commands.argilla import command
from dataengine.errors import WaitsForPeople
from dataengine.run import run
from tests.annotation.reviews_suite import ALICE, BOB, HOSTILE, UNSENDABLE, words
from tests.annotation.rows import BARS, responses, rollouts
from tests.integration.argilla.conftest import Argilla
from tests.integration.argilla.people import Queue

Said = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A queue's folder with twenty items."""
    return run(queue(responses(rollouts(30)), bars=list(BARS), overlap=0.3), tmp_path / "root")


@pytest.fixture
def there(argilla_server: Argilla) -> Queue:
    """The queue's datasets on the server."""
    return Queue(argilla_server)


@pytest.fixture
def say(there: Queue, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """Types `dataengine argilla VERB FOLDER ...` and returns what it prints."""
    monkeypatch.delenv("ARGILLA_API_KEY", raising=False)

    def typed(verb: str, *more: str) -> str:
        keys = str(there.server.home / "keys.json")
        command([verb, str(folder), "--url", there.server.url, "--key-file", keys, "--dataset", there.name, *more])
        told = capsys.readouterr()
        return told.out + told.err

    return typed


def _answered(store: Store) -> dict[tuple[str, str], tuple[str, dict[str, Any]]]:
    """Answers of every kind, with every text that is hard to carry."""
    texts = [*HOSTILE, *UNSENDABLE]
    for number, item in enumerate(store.items()):
        text = texts[number % len(texts)]
        values: dict[str, Any] = {"verdict": "fix", "reasoning": f"{text}{item.reasoning}", "comment": text, "readability": 1 + number % 5}
        status = ("submitted", "submitted", "discarded", "draft")[number % 4]
        store.save(Answer(item_id=item.item_id, annotator=(ALICE, BOB)[number % 2], status=status, values=values, seconds=float(number)))
    return words(store)


def test_from_the_page_to_argilla_and_home_again(folder: Path, say: Said) -> None:
    with Store.open(folder) as store:
        before = _answered(store)
        seconds = {(each.item_id, each.annotator): each.seconds for each in store.answers()}
    assert "20 new, 0 were there, 0 changed, 20 answers moved along" in say("push")
    assert "0 new, 20 were there, 0 changed, 0 answers moved along" in say("push")
    assert "20 answers in Argilla, 0 of them new" in say("pull")
    with Store.open(folder) as store:
        assert words(store) == before
        assert {(each.item_id, each.annotator): each.seconds for each in store.answers()} == seconds, "what the page measured stays"


def test_from_argilla_to_the_page_and_back_to_argilla(folder: Path, say: Said, there: Queue) -> None:
    say("push")
    with Store.open(folder) as store:
        items = list(store.items())
    for number, item in enumerate(items[:8]):
        values = {"verdict": "fix", "summary": HOSTILE[number % 4], "comment": HOSTILE[number % 4]}
        there.answer(item, (ALICE, BOB)[number % 2], ("submitted", "discarded")[number % 2], values)
    assert "8 answers in Argilla, 8 of them new" in say("pull")
    with Store.open(folder) as store:
        assert words(store) == words(there.place())
        store.save(
            Answer(item_id=items[0].item_id, annotator=ALICE, status="submitted", values={"verdict": "discard", "reasons": ["wrong"]})
        )
        store.save(Answer(item_id=items[9].item_id, annotator=BOB, status="submitted", values={"verdict": "keep"}))
        at_home = words(store)
    assert "2 answers moved along" in say("push")
    assert words(there.place()) == at_home
    assert ", 0 of them new" in say("pull")
    assert "nothing has changed in Argilla" in say("pull")
    assert "9 answers in Argilla, 0 of them new" in say("pull", "--whole")


def test_what_people_said_in_argilla_comes_home_as_rows(tmp_path: Path, folder: Path, say: Said, there: Queue) -> None:
    asked = queue(responses(rollouts(30)), bars=list(BARS), overlap=0.3)
    say("push")
    with pytest.raises(WaitsForPeople):
        run(reviewed(asked), tmp_path / "root")
    with Store.open(folder) as store:
        items = list(store.items())
    for number, item in enumerate(items):
        for annotator in (ALICE, BOB)[: item.wanted]:
            values = ({"verdict": "keep"}, {"verdict": "fix", "reasoning": HOSTILE[1], "summary": "\\boxed{1}"}, {"verdict": "discard"})[
                number % 3
            ]
            there.answer(item, annotator, "submitted", values)
    assert "20 of 20 items have as many usable answers" in say("pull")
    home = run(reviewed(asked), tmp_path / "root")
    rows = {row["row_id"]: row for row in shards.scan(home).collect().iter_rows(named=True)}
    discarded = {item.row_id for number, item in enumerate(items) if number % 3 == 2}
    edited = {item.row_id for number, item in enumerate(items) if number % 3 == 1}
    assert not discarded & rows.keys()
    assert edited <= rows.keys()
    assert {rows[row_id]["reasoning"] for row_id in edited} == {HOSTILE[1]}
    assert all(rows[row_id]["reviewed_by"] in ([ALICE], [ALICE, BOB]) for row_id in edited)


def test_status_tells_of_both_sides_and_of_what_waits(folder: Path, say: Said, there: Queue) -> None:
    assert "is not in the workspace" in say("status")
    say("push")
    say("pull")
    assert "may be answers that are not at home" not in say("status")
    with Store.open(folder) as store:
        item = next(store.items())
    there.answer(item, ALICE, "submitted", {"verdict": "fix"})
    told = say("status")
    assert "alice: 1 submitted, 0 draft, 0 discarded" in told
    assert "there may be answers that are not at home" in told
    told = say("pull")
    assert "1 answers of alice can not be used" in told
    assert "fix says that a text was edited, and both are as they were" in told


def test_who_is_made_gets_a_password_that_only_the_owner_of_the_file_reads(folder: Path, say: Said, there: Queue) -> None:
    name = f"erin-{there.name[-8:]}"
    told = say("push", "--annotators", f"{name},{ALICE}")
    file = Store.place(folder).with_name("argilla-passwords.json")
    assert str(file) in told
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(json.loads(file.read_text())) == [name]
    assert json.loads(file.read_text())[name] not in told


def test_a_key_that_is_wrong_or_absent_is_answered_with_the_way_out(
    folder: Path, argilla_server: Argilla, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ARGILLA_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"there is no API key.*--key-file FILE.*ARGILLA_API_KEY.*keys\.json"):
        command(["push", str(folder), "--url", argilla_server.url])
    monkeypatch.setenv("ARGILLA_API_KEY", "owner.apikey")
    with pytest.raises(ValueError, match="does not know this API key"):
        command(["push", str(folder), "--url", argilla_server.url])
    with pytest.raises(ValueError, match="can not be read"):
        command(["pull", str(folder), "--url", argilla_server.url, "--key-file", "nowhere"])


def test_answers_to_a_row_that_has_another_text_now_stay_and_do_not_count(folder: Path, say: Said, there: Queue) -> None:
    say("push")
    with Store.open(folder) as store:
        item = next(store.items())
        there.answer(item, ALICE, "submitted", {"verdict": "keep"})
        store.push([replace(item, summary="Another.")], store.questions)
        told = say("push")
        assert f"row {item.row_id} is asked again" in told
        say("pull")
        assert words(store)[item.item_id, ALICE] == ("submitted", {"verdict": "keep"})
        assert store.progress().done == 0
