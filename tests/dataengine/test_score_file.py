"""Scoring the rows of a file: what is read is what the file says, what is written is what its name says."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from dataengine.lines import json_lines
from dataengine.score import Score, scorer
from dataengine.score_file import read_rows, renamed, score_file


@scorer
def same(response: str, answer: str) -> Score:
    """1 where the response is the answer."""
    return Score(float(response == answer), f"the answer is {answer}")


def lines(path: Path, *rows: dict[str, object]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_answers_that_are_texts_numbers_and_lists_in_one_column_are_all_texts(tmp_path: Path) -> None:
    given = ["x", 3, ["p", "q"], 2.5, '["', "[1, 2]", None]
    file = lines(tmp_path / "rows.jsonl", *({"answer": each, "scores": [n if n else 0.5]} for n, each in enumerate(given)))
    rows = read_rows(file)
    assert renamed(rows, {}, file=file)["answer"].to_list() == ["x", "3", "p, q", "2.5", '["', "[1, 2]", None]
    assert rows["scores"].to_list() == [[0.5], [1.0], [2.0], [3.0], [4.0], [5.0], [6.0]]


@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.gz", "o.jsonl.zst", "o.parquet"])
def test_the_file_is_written_as_its_name_says(tmp_path: Path, name: str) -> None:
    file = lines(tmp_path / "rows.jsonl", {"response": "a", "answer": "a"}, {"response": "b", "answer": "a"})
    assert "2 judged" in score_file(same, file, out=tmp_path / name, columns={})
    out = tmp_path / name
    made = pl.read_parquet(out).to_dicts() if out.suffix == ".parquet" else list(json_lines(out))
    assert [row["same"]["value"] for row in made] == [1.0, 0.0]
    assert (out.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


@pytest.mark.parametrize("name", ["o.csv", "o.json", "o.gz", "o"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_scored(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"end it in \.parquet, \.jsonl"):
        score_file(same, tmp_path / "not-even-read.jsonl", out=tmp_path / name, columns={})


def test_a_file_that_is_no_parquet_is_a_clear_error_without_advice_that_scoring_has_not(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"hello")
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        read_rows(tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").write_text("{\n")
    with pytest.raises(ValueError, match=r"line 1 is not JSON .*Mend the line\.$"):
        read_rows(tmp_path / "rows.jsonl")
