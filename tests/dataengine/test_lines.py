"""JSON lines: what a column cannot hold is mended, what cannot be read is named by file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.lines import json_lines, whole
from dataengine.score import Score, batch_scorer


def test_a_lone_surrogate_becomes_the_replacement_character(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": "x\\ud800y", "b": [{"c\\udc00": "\\ud83d\\ude00"}]}\n')
    rows = list(json_lines(file))
    assert rows == [{"a": "x\ufffdy", "b": [{"c\ufffd": "😀"}]}]
    assert pl.DataFrame(rows).height == 1


def test_a_scorer_takes_and_gives_back_any_text() -> None:
    @batch_scorer
    def echo(response: pl.Series) -> list[Score]:
        """1, with the response as the reason."""
        return [Score(1.0, text + "\udc00") for text in response.to_list()]

    assert echo("a\ud800b").reason == "a\ufffdb\udc00"
    assert echo.score(pl.DataFrame({"response": ["a"]})).to_list() == [{"value": 1.0, "reason": "a\ufffd"}]


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_what_is_whole_stays_as_it_is(value: Any) -> None:
    assert whole(value) == value


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n{"a":\n')
    with pytest.raises(ValueError, match=r"rows.jsonl, line 2 is not JSON"):
        list(json_lines(file))
