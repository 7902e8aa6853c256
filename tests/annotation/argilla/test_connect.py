"""Which server, whose key and which dataset, where a person does not say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotation.argilla.connect import connect
from annotation.argilla.link import Link
from annotation.sqlite.store import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A queue's folder in a directory where nothing of Argilla lies."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARGILLA_API_KEY", raising=False)
    monkeypatch.delenv("ARGILLA_API_URL", raising=False)
    (tmp_path / "runs" / "queue-1").mkdir(parents=True)
    return tmp_path / "runs" / "queue-1"


def keys(file: Path, **more: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"people": {"owner": {"api_key": "of.owner"}}, **more}))
    return file


def remember(folder: Path, link: Link) -> None:
    """As a push did."""
    with Store(Store.place(folder)) as store:
        link.write(store)


def test_where_nothing_is_said_it_is_the_server_that_was_started_here(folder: Path, tmp_path: Path) -> None:
    keys(tmp_path / "argilla" / "keys.json")
    place, link = connect(folder)
    assert (link.url, link.workspace, link.dataset) == ("http://127.0.0.1:6900", "argilla", "queue-1")
    assert place.server.client._key == "of.owner"


@pytest.mark.parametrize(
    "url", ["http://argilla.example.org:6900", "http://127.0.0.1:6900", "https://127.0.0.1:7000", "http://10.0.0.5:7000"]
)
def test_the_key_of_the_server_here_goes_to_no_other(folder: Path, tmp_path: Path, url: str) -> None:
    keys(tmp_path / "argilla" / "keys.json", url="http://127.0.0.1:7000")
    with pytest.raises(ValueError, match=r"no API key for .*argilla/keys\.json is of another server.*--key-file"):
        connect(folder, url=url)
    remember(folder, Link(url=url, workspace="w", dataset="d"))
    with pytest.raises(ValueError, match="is of another server"):
        connect(folder)
    place, _ = connect(folder, url="http://localhost:7000")
    assert place.server.client._key == "of.owner", "by another name of this machine"


def test_plain_http_through_the_network_is_warned_of(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "key"
    file.write_text("of.file\n")
    for url, warned in (("http://10.0.0.5:6900", True), ("https://10.0.0.5:6900", False), ("http://localhost:6900", False)):
        connect(folder, key_file=file, url=url)
        assert ("is plain HTTP" in capsys.readouterr().err) is warned


def test_the_environment_names_server_and_key(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys(tmp_path / "argilla" / "keys.json")
    monkeypatch.setenv("ARGILLA_API_URL", "https://argilla.example.org/")
    monkeypatch.setenv("ARGILLA_API_KEY", " of.team\n")
    place, link = connect(folder)
    assert (link.url, place.server.client._key) == ("https://argilla.example.org", "of.team")


def test_what_was_pushed_to_is_remembered_and_what_is_said_goes_before_it(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("of.file\n")
    remember(folder, Link(url="http://127.0.0.1:7", workspace="w", dataset="d", people={"1": "ann"}, mark="m", read_at=5.0, store=3))
    _, link = connect(folder, key_file=file)
    assert (link.url, link.workspace, link.dataset, link.mark) == ("http://127.0.0.1:7", "w", "d", "m")
    _, link = connect(folder, key_file=file, dataset="other")
    assert link.people == {"1": "ann"}
    assert (link.url, link.dataset, link.mark) == ("http://127.0.0.1:7", "other", ""), "the mark is of another dataset"


@pytest.mark.parametrize("text", ["{}", '{"people": {}}', "{", '{"people": {"owner": {}}}'])
def test_a_file_that_holds_no_key_is_named(folder: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"keys\.json is neither an API key nor"):
        connect(folder, key_file=file)


def test_a_memory_that_can_not_be_read_is_named_with_the_way_out(folder: Path) -> None:
    remember(folder, Link(url="http://127.0.0.1:7", workspace="w", dataset="d"))
    Link.file(folder).write_text("{half")
    with pytest.raises(ValueError, match=r"argilla\.json can not be read: delete it"):
        connect(folder)


@pytest.mark.parametrize(("settings", "message"), [({"suggest": ("verdikt",)}, "verdict"), ({"min_submitted": 0}, "1 or more")])
def test_settings_that_make_no_sense_are_refused(folder: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        connect(folder, key_file=keys(folder / "keys.json"), **settings)  # type: ignore[arg-type]
