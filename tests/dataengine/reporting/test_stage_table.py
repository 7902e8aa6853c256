"""The stage table: figures with their errors, dashes where there is none, plain text without a terminal."""

from __future__ import annotations

from dataengine.reporting.stage_table import cell, figures, stage_table_markdown, stage_table_text

ROWS = [
    {"model": "tiny-base", "accuracy": 0.2704, "accuracy_se": 0.0161, "cons@16": None, "reflection": 0.5, "length": 61.4, "pairs": 1200},
    {
        "model": "R1-Zero [bold]",
        "accuracy": 0.6,
        "accuracy_se": 0.02,
        "cons@16": 0.74,
        "reflection": 1.0,
        "length": 1074,
        "pairs": 3,
        "kl": 0.012,
    },
]


def test_shares_are_percent_with_their_error() -> None:
    assert cell(ROWS[0], "accuracy", "share") == ("27.0", "± 1.6")
    assert cell(ROWS[1], "length", "count") == ("1,074", "")
    assert cell(ROWS[0], "cons@16", "share") == ("–", "")


def test_unknown_figures_are_written_by_their_values() -> None:
    found = figures([*ROWS, {"model": "R1", "kl": 0.012}])
    assert list(found) == ["accuracy", "cons@16", "reflection", "length", "pairs", "kl"]
    assert found["cons@16"].form == "share"
    assert found["pairs"].form == "count"
    assert found["kl"].form == "number"


def test_the_text_is_plain_without_a_terminal_and_names_are_not_markup() -> None:
    text = stage_table_text(ROWS)
    assert "\x1b" not in text
    lines = text.splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert "R1-Zero [bold]" in lines[3]
    assert "60.0 ± 2.0" in lines[3]


def test_wide_tables_are_not_cut() -> None:
    wide = [{"model": "m" * 80, **{f"figure_{n}": 0.5 for n in range(20)}}]
    assert stage_table_text(wide).splitlines()[-1].count("0.50") == 20


def test_markdown_has_one_line_for_each_model() -> None:
    lines = stage_table_markdown([{"model": "a|b", "accuracy": 0.5}]).splitlines()
    assert lines == ["| model | accuracy % |", "| --- | ---: |", "| a\\|b | 50.0 |"]
