from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from annotation.answer import Answer
from annotation.item import Item
from annotation.items import items_of
from annotation.sqlite.store import Store
from dataengine.commands.review_export import command as export
from dataengine.commands.review_import import command as bring
from tests.annotation.reviewing import a_queue
from tests.annotation.reviews_suite import words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_queue(tmp_path, 3, characters=200)


@pytest.fixture
def items(folder: Path) -> list[Item]:
    return list(items_of(folder))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def line(item: Item, verdict: str, by: str = "bob", **more: Any) -> dict[str, Any]:
    return {"item_id": item.item_id, "annotator": by, "verdict": verdict, **more}


def write(file: Path, *lines: Mapping[str, Any] | str, at: float | None = None) -> None:
    """The file as it is from now on, changed at a time of our choice."""
    file.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in lines), encoding="utf-8")
    if at is not None:
        os.utime(file, (at, at))


def verdicts(folder: Path) -> dict[tuple[str, str], str]:
    with Store.open(folder) as store:
        return {(answer.item_id, answer.annotator): answer.verdict or "" for answer in store.answers()}


def test_a_file_that_grew_or_was_copied_does_not_take_back_what_was_corrected_on_the_page(
    folder: Path, items: list[Item], file: Path
) -> None:
    write(file, line(items[0], "keep"), at=1_700_000_000)
    bring([str(folder), str(file)])
    with Store.open(folder) as store:
        store.save(Answer(item_id=items[0].item_id, annotator="bob", status="submitted", values={"verdict": "discard"}))
    write(file, line(items[0], "keep"), line(items[1], "keep"), at=4_000_000_000)
    for _ in range(2):
        bring([str(folder), str(file)])
        assert verdicts(folder) == {(items[0].item_id, "bob"): "discard", (items[1].item_id, "bob"): "keep"}
    with Store.open(folder) as store:
        assert [answer.verdict for answer in store.history(items[0].item_id, "bob")] == ["keep", "discard"]


def test_a_word_that_was_on_the_page_before_it_was_in_the_file_stays_the_pages(folder: Path, items: list[Item], file: Path) -> None:
    with Store.open(folder) as store:
        store.save(Answer(item_id=items[0].item_id, annotator="bob", status="submitted", values={"verdict": "keep"}))
    write(file, line(items[0], "keep"))
    bring([str(folder), str(file)])
    with Store.open(folder) as store:
        store.save(Answer(item_id=items[0].item_id, annotator="bob", status="submitted", values={"verdict": "discard"}))
    write(file, line(items[0], "keep"), at=4_000_000_000)
    bring([str(folder), str(file)])
    assert verdicts(folder) == {(items[0].item_id, "bob"): "discard"}


def test_a_line_that_was_added_counts_though_its_word_was_said_before_another(folder: Path, items: list[Item], file: Path) -> None:
    lines = [line(items[0], verdict) for verdict in ("keep", "discard", "discard", "keep")]
    for count, when in ((1, 1_700_000_000), (3, 1_700_000_100), (4, 1_700_000_050), (4, 1_700_000_200)):
        write(file, *lines[:count], at=when)
        bring([str(folder), str(file)])
        assert verdicts(folder) == {(items[0].item_id, "bob"): lines[count - 1]["verdict"]}
    with Store.open(folder) as store:
        assert [answer.verdict for answer in store.history(items[0].item_id, "bob")] == ["keep", "discard", "keep"]


ODD = {
    "year 10000 in UTC": {"at": "9999-12-31T23:59:59-05:00"},
    "no later moment": {"at": "9999-12-31T23:59:59.999999Z"},
    "before year 1": {"at": "0001-01-01T00:00:00+05:00"},
    "milliseconds": {"at": 1763740000000},
    "true": {"at": True},
    "still to come": {"at": "2999-01-01T00:00:00Z"},
    "time without end": {"seconds": 1e999},
    "more seconds than a float holds": {"seconds": 10**400},
    "marks that are none": {"marks": [{"label": "code"}]},
    "nobody": {"annotator": " \t"},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_line_is_a_problem_of_its_own_and_the_rest_is_taken_in(
    folder: Path, items: list[Item], file: Path, odd: dict[str, Any]
) -> None:
    write(file, {**line(items[0], "keep", by="odd"), **odd}, line(items[0], "keep", by="ann"))
    with pytest.raises(ValueError, match=r"1 problems.*\n.*line 1: "):
        bring([str(folder), str(file)])
    assert verdicts(folder) == {(items[0].item_id, "ann"): "keep"}


def test_a_number_that_python_does_not_read_is_a_problem_of_its_line(folder: Path, items: list[Item], file: Path) -> None:
    write(file, f'{{"item_id": "x", "comment": {"1" * 5000}}}', line(items[0], "keep", by="ann"))
    with pytest.raises(ValueError, match=r"1 problems.*\n.*line 1 is not JSON"):
        bring([str(folder), str(file)])
    assert verdicts(folder) == {(items[0].item_id, "ann"): "keep"}


def test_one_person_is_one_however_a_file_writes_the_name(folder: Path, items: list[Item], file: Path) -> None:
    write(file, *(line(items[0], "keep", by=name) for name in ("bob", "bob ", "\tbob", "Jose\u0301", "Jos\u00e9", "7 ")))
    bring([str(folder), str(file), "--annotators", '{"7": " Jose\u0301"}'])
    assert set(verdicts(folder)) == {(items[0].item_id, "bob"), (items[0].item_id, "Jos\u00e9")}


def test_whatever_counts_in_a_store_counts_in_another_one_after_export_and_import(folder: Path, items: list[Item], tmp_path: Path) -> None:
    marks = [{"label": "code", "start": 0, "stop": 4}]
    said = [
        ("ann", "submitted", {"verdict": "keep", "reasoning": items[0].reasoning, "marks": marks}),
        ("bob", "submitted", {"verdict": "fix", "summary": "Three.", "readability": 4, "language": "en", "comment": None}),
        ("cleo", "discarded", {"reasons": ["a reason of hers"], "marks": "?"}),
        ("dora", "draft", {"marks": marks, "comment": "hm"}),
    ]
    with Store.open(folder) as store:
        store.take_in(
            Answer(
                item_id=items[0].item_id, annotator=by, status=status, values=values, guideline="0123abcd", at="2026-01-01", via="argilla"
            )
            for by, status, values in said
        )
        here, done = words(store), store.progress().done
    other = shutil.copytree(folder, tmp_path / "elsewhere" / folder.name)
    for to, out in (("jsonl", tmp_path / "out.jsonl"), ("folder", tmp_path / "out")):
        export([str(folder), "--to", to, "--out", str(out)])
        bring([str(other), str(out)])
        with Store.open(other) as store:
            assert words(store) == here
            assert store.progress().done == done == 1
            assert {answer.guideline for answer in store.answers()} == {"0123abcd"}


def test_answers_by_other_guidelines_count_and_that_is_said(
    folder: Path, items: list[Item], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(file, line(items[0], "keep", guideline="0123abcd"))
    bring([str(folder), str(file)])
    assert "1 of them were given by other guidelines" in capsys.readouterr().out
    assert verdicts(folder) == {(items[0].item_id, "bob"): "keep"}


def test_rows_that_left_the_queue_are_told_and_are_no_error(
    folder: Path, items: list[Item], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = {**line(items[0], "keep"), "item_id": "0123456789abcdef"}
    write(file, gone, line(items[0], "keep"))
    bring([str(folder), str(file)])
    assert "1 are about rows that this queue does not have" in (told := capsys.readouterr().err)
    assert "line 1: there is no item '0123456789abcdef'" in told
    assert verdicts(folder) == {(items[0].item_id, "bob"): "keep"}


def test_a_file_of_another_queue_is_an_error(folder: Path, items: list[Item], file: Path) -> None:
    write(file, {**line(items[0], "keep"), "item_id": "0123456789abcdef"})
    with pytest.raises(ValueError, match="is it the file of another one"):
        bring([str(folder), str(file)])
