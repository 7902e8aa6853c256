"""States land whole or not at all, and the figures beside them are cut back to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from dataengine import shards
from trainers.state import Figures, drop_state, load_state, save_state


def test_a_state_comes_back_as_it_was_with_the_random_generator(tmp_path: Path) -> None:
    torch.manual_seed(3)
    weights = torch.randn(4)
    save_state(tmp_path, update=7, state={"weights": weights, "pending": [[{"prompt": [1, 2], "advantages": [0.5]}]]})
    expected = torch.randn(3)
    torch.manual_seed(99)
    found = load_state(tmp_path, device="cpu")
    assert found is not None
    assert torch.equal(found["weights"], weights)
    assert (found["update"], found["pending"]) == (7, [[{"prompt": [1, 2], "advantages": [0.5]}]])
    assert torch.equal(torch.randn(3), expected)


def test_a_state_that_could_not_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, update=1, state={})

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(shards.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        save_state(tmp_path, update=2, state={})
    found = load_state(tmp_path, device="cpu")
    assert found is not None
    assert found["update"] == 1


def test_only_the_newest_state_is_kept_and_none_after_the_end(tmp_path: Path) -> None:
    for update in (1, 2, 3):
        save_state(tmp_path, update=update, state={})
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["00000003.pt"]
    drop_state(tmp_path)
    assert load_state(tmp_path, device="cpu") is None


def test_figures_after_the_resumed_update_and_a_torn_last_line_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    figures = Figures(path, update=0)
    for step in (1, 2, 3):
        figures.add({"step": step, "text": "两\u2028行"})
    with path.open("a") as file:
        file.write('{"step": 4, "lo')
    Figures(path, update=2).add({"step": 3})
    assert [json.loads(line)["step"] for line in path.read_text(encoding="utf-8").split("\n")[:-1]] == [1, 2, 3]
