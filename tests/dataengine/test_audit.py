"""A scorer beside true verdicts, through the command itself: counts, rates, reasons, rows to read, and what is wrong said clearly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.audit import audit, kind_of_reason, wilson
from dataengine.cli import main
from dataengine.score import Score, scorer


@scorer
def says(response: str, *, wanted: str = "yes") -> Score:
    """1 where the response is the wanted word, none where it is a question mark, the number itself where it is one."""
    if response == "?":
        return Score(None, "bad reference: a question mark")
    if response[0].isdigit():
        return Score(float(response), f"wrong: {response}, not {wanted} (boxed)")
    return Score(float(response == wanted), f"said (place {len(response)})" if response == wanted else f"wrong: {response} (last line)")


ROWS = [
    ("a1", "yes", True),
    ("a2", "yes", False),
    ("a3", "no", False),
    ("a4", "no", True),
    ("a5", "nope", True),
    ("a6", "?", True),
    ("a7", "yes", None),
    ("a8", "0.5", True),
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"id": id_, "output": text, "verdict": verdict}) + "\n" for id_, text, verdict in ROWS))
    return file


COMMAND = ["audit", "tests.dataengine.test_audit:says"]
NAMED = ["--truth", "verdict", "--columns.response", "output"]


def test_the_command_prints_counts_rates_reasons_and_rows_to_read(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, str(rows), *NAMED, "--read", "3"]) == 0
    said = capsys.readouterr().out
    assert "says against verdict: 7 rows with a truth, 1 without" in said
    table = [line.split()[2:] for line in said.splitlines() if line.startswith("truth: ")]
    assert table == [["1", "3", "1"], ["1", "1", "0"]]
    assert "agreement             33.33%  (9.68% to 70.00%)  2 of 6" in said
    assert "false positive rate   50.00%  (9.45% to 90.55%)  1 of 2" in said
    assert "false negative rate   75.00%  (30.06% to 95.44%)  3 of 4" in said
    assert "2  false negative  wrong (last line)" in said
    assert "1  unjudged        bad reference" in said
    assert said.count("(verdict: ") == 3
    assert "false positive  a2  (verdict: false)\n    score 1: said (place 3)\n    ends: yes" in said
    assert "a8" in said, "every kind of disagreement is shown once before one is shown twice"
    assert "a5" not in said


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_all_disagreements_are_written_with_score_and_reason(rows: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    assert main([*COMMAND, str(rows), *NAMED, "--read", "0", "--out", str(out)]) == 0
    found = pl.read_parquet(out) if out.suffix == ".parquet" else pl.read_ndjson(out)
    assert found.columns == ["id", "output", "verdict", "says", "disagreement"]
    assert dict(found.select("id", "disagreement").iter_rows()) == {
        "a2": "false positive",
        "a4": "false negative",
        "a5": "false negative",
        "a8": "false negative",
    }
    assert found["says"].struct.field("reason").to_list()[1] == "wrong: no (last line)"


def test_settings_and_the_bar_are_flags(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, str(rows), *NAMED, "--bar", "0.5", "--wanted", "no"]) == 0
    table = [line.split()[2:] for line in capsys.readouterr().out.splitlines() if line.startswith("truth: ")]
    assert table == [["2", "2", "1"], ["1", "1", "0"]]


def test_parquet_and_a_truth_of_ones_and_zeros_will_do(rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rows.parquet"
    pl.read_ndjson(rows).with_columns(pl.col("verdict").cast(pl.Int64)).write_parquet(file)
    assert main([*COMMAND, str(file), *NAMED]) == 0
    assert "7 rows with a truth, 1 without" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["audit"], "audit wants a scorer first"),
        (["audit", "zero_fromat", "FILE", *NAMED], "no scorer 'zero_fromat'. Did you mean 'zero_format'"),
        ([*COMMAND, "nowhere.jsonl", *NAMED], "there is no file nowhere.jsonl"),
        ([*COMMAND, "FILE"], "truth"),
        ([*COMMAND, "FILE", "--truth", "verdit", "--columns.response", "output"], "--truth says 'verdit', which the rows do not have"),
        ([*COMMAND, "FILE", "--truth", "verdit", "--columns.response", "output"], "Did you mean 'verdict'"),
        ([*COMMAND, "FILE", "--truth", "id", "--columns.response", "output"], "holds String ('a1'); a truth is true, false or null"),
        ([*COMMAND, "FILE", "--truth", "nothing", "--columns.response", "output"], "is null in all 8 rows"),
        ([*COMMAND, "FILE", "--truth", "count", "--columns.response", "output"], "holds Int64 ('2'); a truth is"),
        ([*COMMAND, "FILE", "--truth", "verdict"], "says wants the column 'response'; the rows have"),
        ([*COMMAND, "FILE", "--truth", "verdict", "--columns.response", "outptu"], "--columns.response says 'outptu'"),
        ([*COMMAND, "FILE", *NAMED, "--bar", "0"], "the bar is 0.0"),
        ([*COMMAND, "FILE", *NAMED, "--wnated", "no"], "there is no setting 'wnated'. Did you mean 'wanted'"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(rows: Path, wrong: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = pl.read_ndjson(rows).with_columns(nothing=pl.lit(None, dtype=pl.Boolean), count=pl.lit(2))
    table.write_ndjson(rows)
    assert main([str(rows) if word == "FILE" else word for word in wrong]) == 2
    assert said in capsys.readouterr().err


def test_an_empty_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    assert main([*COMMAND, str(tmp_path / "empty.jsonl"), *NAMED]) == 2
    assert "has no rows" in capsys.readouterr().err


def test_help_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--help"]) == 0
    assert "dataengine audit SCORER FILE --truth COLUMN" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main([*COMMAND, "--help"])
    assert left.value.code == 0
    assert "--truth" in capsys.readouterr().out


def test_a_list_of_answers_is_one_answer_parted_by_commas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "choices.jsonl"
    file.write_text(json.dumps({"output": r"\boxed{A, C}", "gold": ["A", "C"], "verdict": True}) + "\n")
    assert main(["audit", "answer_matches", str(file), "--columns.answer", "gold", *NAMED]) == 0
    assert "100.00%" in capsys.readouterr().out


def test_real_verdicts_are_audited_from_the_command_line(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "read.jsonl"
    file = shared_data / "out_deepscaler_aime24.jsonl"
    assert main(["audit", "answer_matches", str(file), *NAMED, "--columns.answer", "gold", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "answer_matches against verdict: 119 rows with a truth" in said
    written = len(out.read_text().splitlines())
    assert f"{written} disagreements are in {out}" in said
    assert written <= 10


def test_a_row_without_an_id_is_called_by_its_place_among_all_rows() -> None:
    rows = pl.DataFrame({"response": ["no"] * 10, "verdict": [None, *[False] * 6, True, False, True]})
    said = audit(says, rows, truth="verdict").text(read=2)
    assert [line for line in said.splitlines() if line.endswith("(verdict: true)")] == [
        "false negative  row 7  (verdict: true)",
        "false negative  row 9  (verdict: true)",
    ]


@given(st.lists(st.tuples(st.sampled_from(["yes", "no", "?", "0.7"]), st.sampled_from([True, False, None])), min_size=1, max_size=40))
def test_every_row_is_counted_once(pairs: list[tuple[str, Any]]) -> None:
    truths = [truth for _, truth in pairs]
    if not any(truth is not None for truth in truths):
        return
    found = audit(says, pl.DataFrame({"response": [text for text, _ in pairs], "verdict": truths}), truth="verdict", bar=0.7)
    assert found.judged + found.unjudged_right + found.unjudged_wrong + found.without_truth == len(pairs)
    assert len(found.disagreements) == found.false_positive + found.false_negative
    assert len(found.unjudged) == found.unjudged_right + found.unjudged_wrong
    assert found.true_positive + found.false_negative + found.unjudged_right == truths.count(True)
    assert found.text(read=3)


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_its_share_and_narrows_with_more_rows(part: int, total: int) -> None:
    part = min(part, total)
    low, high = wilson(part, total)
    assert 0.0 <= low <= part / total <= high <= 1.0
    wide = wilson(part * 4, total * 4)
    assert wide[1] - wide[0] < high - low
    assert wilson(total - part, total) == pytest.approx((1 - high, 1 - low))


def test_the_interval_is_wilsons() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(1, 10) == pytest.approx((0.01787621, 0.40415003), abs=1e-6)


def test_reasons_are_grouped_without_what_is_the_rows_own() -> None:
    assert kind_of_reason("wrong: 5, not 6 (boxed)") == kind_of_reason("wrong: (1,2), not 17 (boxed)") == "wrong (boxed)"
    assert kind_of_reason("timeout after 5 s") == "timeout after N s"
    assert kind_of_reason("no answer found: thoughts not closed") == "no answer found"
