"""Fine-tuning from rows to a model folder.

Traps of trainers.md section 2 that live here: 17 (over-length rows are dropped and listed), 26 (a resumed run is the same run).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataengine import shards
from dataengine.inference.engine import Sampling
from dataengine.inference.local import LocalEngine
from dataengine.run import run
from dataengine.step import Model
from tests.trainers.conftest import figures_of, rows_step, stop_at, sums
from trainers.sft import SFT, batches, sft

SMALL = {"lr": 1e-2, "batch_rows": 16, "max_tokens": 96, "pack_tokens": 512}


def test_ten_updates_are_five_a_crash_and_five_more_bit_for_bit(
    tmp_path: Path, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 26."""
    step = sft(Model.at(model_folder()), rows_step(sums(80)), SFT(**SMALL, epochs=2, save_every=5))
    whole = run(step, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 8)
        with pytest.raises(KeyboardInterrupt):
            run(step, tmp_path / "cut")
    assert len(figures_of(step.place(tmp_path / "cut"))) == 7
    resumed = run(step, tmp_path / "cut")
    assert (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert figures_of(resumed) == figures_of(whole)
    assert [line["step"] for line in figures_of(resumed)] == list(range(1, 11))
    assert not (resumed / "state").exists()


def test_a_tuned_model_says_what_it_was_taught_and_stops(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    rows = sums(16)
    folder = run(sft(Model.at(model_folder()), rows_step(rows), SFT(**SMALL, epochs=60)), tmp_path)
    losses = [line["loss"] for line in figures_of(folder)]
    assert losses[-1] < 0.2 < 2 < losses[0]
    prompts = [row["messages"][0]["content"] + "\n" for row in rows]
    answers = dict(LocalEngine.of(folder, slots=16).generate(prompts, Sampling(temperature=0, max_tokens=90)))
    assert sum(answers[i].text == row["response"] for i, row in enumerate(rows)) >= 14
    assert {answer.finish_reason for answer in answers.values()} == {"stop"}


def test_rows_over_the_length_are_dropped_whole_with_their_reason(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    """Trap 17."""
    rows = sums(10)
    rows[4]["response"] = "<think>" + "so " * 60
    folder = run(sft(Model.at(model_folder()), rows_step(rows), SFT(**SMALL, epochs=1)), tmp_path)
    rejected = shards.read(folder, "rejected")
    assert rejected["prompt_id"].to_list() == ["4"]
    assert "max_tokens is 96" in rejected["dropped_because"][0]
    assert shards.read_manifest(folder)["rejected"] == 1
    assert shards.read_manifest(folder)["notes"]["rows_trained"] == 9


def test_a_missing_column_is_named_beside_those_that_are_there(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    rows = [{"prompt_id": "0", "messages": [{"role": "user", "content": "1"}], "responce": "1"}]
    with pytest.raises(ValueError, match=r"wants the column 'response'.*Did you mean 'responce'"):
        run(sft(Model.at(model_folder()), rows_step(rows), SFT(**SMALL)), tmp_path)


def test_nothing_to_train_on_says_why(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    step = sft(Model.at(model_folder()), rows_step(sums(2)), SFT(max_tokens=3, pack_tokens=512))
    with pytest.raises(ValueError, match=r"2 rows, all refused.*max_tokens is 3"):
        run(step, tmp_path)


def test_a_bfloat16_run_on_the_cpu_learns_and_can_be_loaded(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    folder = run(sft(Model.at(model_folder()), rows_step(sums(32)), SFT(**SMALL, epochs=5, dtype="bfloat16")), tmp_path)
    losses = [line["loss"] for line in figures_of(folder)]
    assert losses[-1] < losses[0] - 1
    assert LocalEngine.of(folder).capacity


def test_every_epoch_is_a_new_order_of_all_rows() -> None:
    plan = batches(10, batch_rows=4, epochs=3, seed=1)
    assert [len(batch) for batch in plan] == [4, 4, 2] * 3
    epochs = [np.concatenate(plan[i : i + 3]).tolist() for i in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_pack_smaller_than_the_longest_row_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="raise pack_tokens"):
        SFT(pack_tokens=1024)
