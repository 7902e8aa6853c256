"""The arithmetic of docs/scale.md, and that its tables say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataengine.commands.size import command
from dataengine.sizing import Sizing

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


def test_the_arithmetic_is_that_of_a_hand_calculation() -> None:
    size = Sizing(tokens_per_second=1_000, gpus=2, rows=900, tokens=100, samples_per_kept=3, longer=2, survive=0.9, busy=0.5)
    assert size.samples == pytest.approx(3_000)
    assert size.generated == pytest.approx(600_000)
    assert size.gpu_hours == pytest.approx(600_000 / 500 / 3600)
    assert size.days == pytest.approx(size.gpu_hours / 48)
    assert size.samples_per_second == pytest.approx(10)


@pytest.mark.parametrize("wrong", [{"tokens_per_second": 0}, {"gpus": 0}, {"survive": 1.1}, {"busy": 0}])
def test_a_size_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Sizing(**{"tokens_per_second": 1.0, **wrong})  # pyright: ignore[reportArgumentType]  # numbers all


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
    asked = re.search(r"^dataengine size (.*)\n```\n\n```text\n(.*?)```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert asked
    words = asked[1].split()
    settings = {words[at].removeprefix("--"): float(words[at + 1]) for at in range(0, len(words), 2)}
    assert asked[2].splitlines() == [line.rstrip() for line in Sizing(**settings).lines()]  # pyright: ignore[reportArgumentType]  # numbers all
