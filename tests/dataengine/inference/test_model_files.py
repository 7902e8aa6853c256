from __future__ import annotations

import functools
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

from dataengine.errors import Stopped
from dataengine.inference import model_files
from dataengine.inference.model_files import files_of, model_here, read_piece
from dataengine.inference.weights import weights_revision
from tests.dataengine.roads import saved_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_model(tmp_path_factory.mktemp("driver") / "little")


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of the node."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(model_files, "PIECE", 10_000)
    return tmp_path


def test_a_folder_that_is_there_is_used_where_it_lies(model: Path) -> None:
    assert model_here(model, weights_revision(model), {}, lambda *piece: b"") == model


def test_a_folder_that_is_not_there_is_brought_once(model: Path, node: Path) -> None:
    asked: list[str] = []

    def read(name: str, start: int, length: int) -> bytes:
        asked.append(name)
        return read_piece(model, name, start, length)

    bring = functools.partial(model_here, Path("/nowhere/little"), weights_revision(model), files_of(model), read)
    threads = [threading.Thread(target=bring) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    place = bring()
    assert place.is_relative_to(node)
    assert place.name == "little"
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {name: (model / name).read_bytes() for name in files_of(model)}
    assert len(asked) == sum(-(-size // 10_000) for size in files_of(model).values())


def test_another_model_at_the_same_path_is_not_taken_for_it(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(model, other)
    config = other / "config.json"
    config.write_text(config.read_text().replace('"vocab_size"', '"vocab_size" '))
    place = model_here(other, weights_revision(model), files_of(model), functools.partial(read_piece, model))
    assert place != other
    assert weights_revision(place) == weights_revision(model)


def test_what_was_left_half_brought_or_damaged_is_brought_again(model: Path) -> None:
    bring = functools.partial(
        model_here, Path("/nowhere/little"), weights_revision(model), files_of(model), functools.partial(read_piece, model)
    )
    place = bring()
    (place / "config.json").unlink()
    assert weights_revision(bring()) == weights_revision(model)
    weights = next(place.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    assert weights_revision(bring()) == weights_revision(model)


def test_a_model_that_changes_meanwhile_is_refused(model: Path) -> None:
    with pytest.raises(Stopped, match="changed while it was brought"):
        model_here(Path("/nowhere/little"), weights_revision(model), files_of(model), lambda name, start, length: b"\0" * length)
