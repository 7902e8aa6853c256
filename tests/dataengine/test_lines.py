"""JSON lines: what a column cannot hold is mended, what cannot be read is named by file and line."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dataengine.lines import json_lines, numbered_json_lines, whole
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


def packed(suffix: str, text: bytes) -> bytes:
    """One compressed frame."""
    return gzip.compress(text) if suffix == ".gz" else zstandard.compress(text)


def lines(count: int) -> bytes:
    """So many JSON lines."""
    return b"".join(b'{"a": %d}\n' % number for number in range(count))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_frames_one_after_the_other_are_one_file(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"rows.jsonl{suffix}"
    file.write_bytes(packed(suffix, lines(50_000)) + packed(suffix, b'{"a": -1}\n'))
    assert [row["a"] for row in json_lines(file)] == [*range(50_000), -1]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_file_that_is_cut_or_damaged_is_an_error_that_setting_lines_aside_does_not_cover(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"rows.jsonl{suffix}"
    whole_file = packed(suffix, lines(50_000))
    for content, said in ((whole_file[: len(whole_file) // 2], "ends within a compressed block"), (b"hello", "is damaged, or no")):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=rf"rows\.jsonl\{suffix} {said}"):
            list(json_lines(file, bad=[]))


def test_a_compressed_file_that_is_cut_at_the_end_of_a_line_is_an_error(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    file = tmp_path / "rows.jsonl.zst"
    file.write_bytes(packer.compress(lines(500)) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    with pytest.raises(ValueError, match="ends within a compressed block"):
        list(json_lines(file))


@pytest.mark.parametrize(("value", "said"), [("1" * 5_000, "more than 4,300 digits"), ("[" * 100_000, "nested too deeply")])
def test_a_number_or_a_nesting_that_cannot_be_read_is_named_by_its_line_or_set_aside(tmp_path: Path, value: str, said: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n{"a": ' + value + '}\n{"a": 2}\n')
    with pytest.raises(ValueError, match=rf"rows\.jsonl, line 2 holds .*{said}"):
        list(json_lines(file))
    bad: list[dict[str, Any]] = []
    assert [row["a"] for row in json_lines(file, bad=bad)] == [1, 2]
    assert said in bad[0]["dropped_because"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'\xef\xbb\xbf{"a": 1}\n')
    assert list(json_lines(tmp_path / "rows.jsonl")) == [{"a": 1}]


def test_the_way_out_is_the_one_that_the_caller_has(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{\n")
    with pytest.raises(ValueError, match=r"Mend the line\.$"):
        list(json_lines(tmp_path / "rows.jsonl"))
    with pytest.raises(ValueError, match=r"Mend the line\. Or so\.$"):
        list(numbered_json_lines(tmp_path / "rows.jsonl", hint="Or so."))
