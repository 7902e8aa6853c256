"""The arithmetic of docs/scale.md, and that its tables say what the program does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dataengine import shards
from dataengine.commands.size import command
from dataengine.sizing import Sizing, index_bytes, of_trial
from dataengine.storage.key_table import KeyTable

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
SAMPLING = (ROOT / "docs" / "sampling.md").read_text(encoding="utf-8")


def finished(root: Path, name: str, *before: str, tokens: list[int], **manifest: Any) -> Path:
    """A folder as a run leaves it, made from the folders named `before`."""
    folder = root / name
    landed = shards.land(folder, "00000.parquet", pl.DataFrame({"response_tokens": tokens}, schema={"response_tokens": pl.Int32}))
    file = {"file": landed.file, "bytes": landed.bytes, "blake2b": landed.blake2b, "rows": landed.rows}
    said = {"settings": {}, "inputs": {each: each for each in before}, "notes": {}, "rows": len(tokens), "rejected": 0} | manifest
    shards.write_manifest(folder, {"name": name, "fingerprint": name, "made_by": "a test", "files": [file]} | said)
    return folder


def trial(root: Path, *, kept: int = 4) -> Path:
    """A trial of two problems, ten samples of 300 tokens in all, of which four of 200 tokens are kept and three are left by a filter."""
    figures = {"prompts": 2, "asked": 10, "kept": kept, "accepted": kept, "tokens": 3_000}
    finished(root, "problems", tokens=[0, 0])
    finished(root, "sampled", "problems", tokens=[100, 300, 200, 200][:kept], settings={"accept": [1, 2, 3]}, notes={"sampling": figures})
    finished(root, "unleaked", "sampled", tokens=[100, 300, 200][:kept])
    finished(root, "brought", tokens=[1] * 50)
    finished(root, "mix", "unleaked", "brought", tokens=[1] * 51, notes={"quotas": []})
    return finished(root, "card", "mix", tokens=[])


def test_the_arithmetic_is_that_of_a_hand_calculation() -> None:
    size = Sizing(tokens_per_second=1_000, gpus=2, rows=900, tokens=100, samples_per_kept=3, longer=2, survive=0.9, busy=0.5)
    assert size.samples == pytest.approx(3_000)
    assert Sizing(tokens_per_second=1, rows=900, survive=0.5, kept_per_prompt=3).problems == pytest.approx(600)
    assert size.generated == pytest.approx(600_000)
    assert size.gpu_hours == pytest.approx(600_000 / 500 / 3600)
    assert size.days == pytest.approx(size.gpu_hours / 48)
    assert size.samples_per_second == pytest.approx(10)


@pytest.mark.parametrize("wrong", [{"tokens_per_second": 0}, {"gpus": 0}, {"survive": 1.1}, {"busy": 0}, {"kept_per_prompt": 0}])
def test_a_size_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Sizing(**{"tokens_per_second": 1.0, **wrong})  # pyright: ignore[reportArgumentType]  # numbers all


def test_a_sample_is_not_kept_without_being_generated() -> None:
    with pytest.raises(ValueError, match="samples_per_kept is 1 or more"):
        Sizing(tokens_per_second=1, samples_per_kept=0.5)


@pytest.mark.parametrize("keys", [1, 682, 683, 100_000])
def test_the_memory_of_an_index_is_what_the_index_takes(keys: int) -> None:
    table, dice = KeyTable(), np.random.default_rng(keys)
    heads, tails = (dice.integers(1, 1 << 63, keys, dtype=np.uint64) for _ in range(2))
    table.put_many(heads, tails, np.zeros(keys, dtype=np.uint64))
    assert index_bytes(keys) == table.bytes


def test_every_bar_has_a_log_of_verdicts_and_the_responses_have_one() -> None:
    one, four = (Sizing(tokens_per_second=1, bars=bars).memory_gb for bars in (1, 4))
    assert four == pytest.approx(one / 2 * 5)


def test_a_trial_tells_what_it_measured_whatever_folder_of_it_is_named(tmp_path: Path) -> None:
    card = trial(tmp_path)
    sampled = {"tokens": 200, "samples_per_kept": 2.5, "kept_per_prompt": 2, "longer": 1.5, "bars": 3}
    assert of_trial(tmp_path / "sampled") == sampled, "what filters will leave is not known there"
    for folder in (card, tmp_path / "mix", tmp_path / "unleaked"):
        assert of_trial(folder) == {**sampled, "survive": 0.75}, "rows that were brought, and quotas, are no survivors"


def test_a_folder_that_tells_nothing_of_sampling_is_refused_with_the_reason(tmp_path: Path) -> None:
    trial(tmp_path, kept=0)
    with pytest.raises(ValueError, match="kept none of 10 samples"):
        of_trial(tmp_path / "card")
    with pytest.raises(ValueError, match="there is none"):
        of_trial(tmp_path / "problems")
    with pytest.raises(ValueError, match="no manifest"):
        of_trial(tmp_path)


def test_the_figures_of_a_trial_are_defaults_that_flags_win_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(["--trial", str(trial(tmp_path)), "--tokens_per_second", "10", "--tokens", "1000"])
    told, *lines = capsys.readouterr().out.splitlines()
    assert "--samples_per_kept 2.5 --kept_per_prompt 2.0 --longer 1.5 --bars 3 --survive 0.75" in told
    size = Sizing(tokens_per_second=10, tokens=1_000, samples_per_kept=2.5, kept_per_prompt=2, longer=1.5, bars=3, survive=0.75)
    assert lines == list(size.lines())


def test_both_pages_and_the_defaults_have_one_set_of_figures() -> None:
    lines = re.findall(r"^\| out_\w+(?:, p\^\d+)? \| (0\.\d+) \| [\d.]+ \| ([\d.]+) ± [\d.]+ \| ([\d.]+) ±", SAMPLING, flags=re.MULTILINE)
    heads = re.search(r"^\| tokens/s of a GPU \|((?: [\d.]+ samples \|)+)$", PAGE, flags=re.MULTILINE)
    assert heads
    assert [f"{float(samples):.1f}" for _, samples, _ in lines] == re.findall(r"([\d.]+) samples", heads[1])
    default, (_, samples, kept) = Sizing(tokens_per_second=1), lines[1]
    assert (f"{default.samples_per_kept:.1f}", f"{default.kept_per_prompt:.2f}") == (f"{float(samples):.1f}", kept)
    for _, samples, kept in lines[1:3]:
        size = Sizing(tokens_per_second=1, samples_per_kept=round(float(samples), 1), kept_per_prompt=float(kept))
        assert f"{size.problems:,.0f}" in SAMPLING
        assert f"{size.generated / 1e9:.1f}" in SAMPLING


def test_the_command_prints_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    command(["--tokens_per_second", "2500", "--samples_per_kept", "4"])
    assert capsys.readouterr().out.splitlines() == list(Sizing(tokens_per_second=2_500, samples_per_kept=4).lines())


def test_the_table_of_gpu_hours_is_what_the_program_says() -> None:
    rows = re.findall(r"^\| ([\d,]+) \|((?: [\d,.]+ h, [\d.]+ d \|)+)$", PAGE, flags=re.MULTILINE)
    heads = re.search(r"^\| tokens/s of a GPU \|((?: [\d.]+ samples \|)+)$", PAGE, flags=re.MULTILINE)
    assert rows and heads  # noqa: PT018
    samples = [float(number) for number in re.findall(r"([\d.]+) samples", heads[1])]
    for speed, cells in rows:
        for count, cell in zip(samples, cells.strip("| ").split(" | "), strict=True):
            size = Sizing(tokens_per_second=float(speed.replace(",", "")), samples_per_kept=count)
            assert cell == f"{size.gpu_hours:,.0f} h, {size.days:.1f} d"


def test_the_example_on_the_page_is_what_the_program_prints() -> None:
    asked = re.search(r"^dataengine size ([^\n]*)\n```\n\n```text\n(.*?)```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert asked
    words = asked[1].split()
    settings = {words[at].removeprefix("--"): float(words[at + 1]) for at in range(0, len(words), 2)}
    assert asked[2].splitlines() == [line.rstrip() for line in Sizing(**settings).lines()]  # pyright: ignore[reportArgumentType]  # numbers all
