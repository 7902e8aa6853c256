from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from annotation.files.exact_lines import line_of
from annotation.files.review_files import ANSWERS, ITEMS, ReviewFiles
from annotation.item import Item
from tests.annotation.reviews_suite import ALICE, HOSTILE, LAWS, QUESTIONS, UNSENDABLE, Desk, Law, an_answer, an_item, words


def say_in_file(folder: Path, item: Item, annotator: str, status: str, values: Mapping[str, Any]) -> None:
    """As another program does it: one more line."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with (folder / ANSWERS).open("ab") as file:
        file.write(line_of({"item_id": item.item_id, "annotator": annotator, "status": status, "values": dict(values), "at": now}))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_folder_of_files_is_a_place_where_people_answer(law: Law, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    law(
        Desk(
            place=ReviewFiles(folder),
            answer=lambda item, annotator, status, values: say_in_file(folder, item, annotator, status, values),
            again=lambda: ReviewFiles(folder),
        )
    )


def test_every_character_of_an_item_comes_back(tmp_path: Path) -> None:
    items = [an_item(number, reasoning=text) for number, text in enumerate((*HOSTILE, *UNSENDABLE))]
    place = ReviewFiles(tmp_path / "files")
    place.push(items, QUESTIONS)
    assert list(place.items()) == items
    text = (tmp_path / "files" / ITEMS).read_text(encoding="utf-8", errors="surrogatepass")
    assert len(text.splitlines()) == len(items), "no character of a text ends a line in any tool"


@pytest.mark.parametrize("cut", [1, 17, 90])
def test_half_a_line_at_the_end_costs_that_line_only(tmp_path: Path, cut: int, capsys: pytest.CaptureFixture[str]) -> None:
    place = ReviewFiles(tmp_path / "files")
    items = [an_item(number) for number in range(4)]
    place.push(items, QUESTIONS, answers=[an_answer(item, verdict="keep") for item in items[:3]])
    for file in (ITEMS, ANSWERS):
        whole = (tmp_path / "files" / file).read_bytes()
        (tmp_path / "files" / file).write_bytes(whole[:-cut])
    assert len(words(place)) == (3 if cut == 1 else 2), "without its line break a line is whole"
    assert ("half a line" in capsys.readouterr().err) == (cut > 1)
    again = place.push(items, QUESTIONS, answers=[an_answer(item, verdict="keep") for item in items[:3]])
    assert (again.new, again.answers) == ((0, 0) if cut == 1 else (1, 1))
    assert len(words(place)) == 3
    assert place.progress().items == 4


def test_lines_that_make_no_sense_are_told_by_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, item = ReviewFiles(tmp_path / "files"), an_item(0)
    place.push([item], QUESTIONS)
    lines = [
        "nonsense",
        "[1]",
        json.dumps({"item_id": item.item_id, "annotator": ALICE, "verdit": "keep"}),
        json.dumps({"annotator": ALICE, "verdict": "keep"}),
        json.dumps({"item_id": item.item_id, "verdict": "keep"}),
        json.dumps({"item_id": item.item_id, "annotator": ALICE, "status": "done"}),
        json.dumps({"item_id": item.item_id, "annotator": ALICE, "verdict": "keep", "at": "yesterday"}),
        json.dumps({"item_id": item.item_id, "annotator": ALICE, "verdict": "keep", "seconds": -1}),
        json.dumps({"item_id": item.item_id, "annotator": ALICE, "verdict": "keep", "readability": "4"}),
    ]
    (tmp_path / "files" / ANSWERS).write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    assert words(place) == {(item.item_id, ALICE): ("submitted", {"verdict": "keep", "readability": 4})}
    told = capsys.readouterr().err
    for number, said in enumerate(("not JSON", "no JSON object", "verdict", "item_id", "annotator", "draft", "time", "seconds"), start=1):
        assert any(f"line {number}" in line and said in line for line in told.splitlines()), (number, said, told)


WRITER = """
import sys
from pathlib import Path
from annotation.files.review_files import ReviewFiles
from tests.annotation.reviews_suite import QUESTIONS, an_answer, an_item
place, start = ReviewFiles(Path(sys.argv[1])), int(sys.argv[2])
print("go", flush=True)
for number in range(start, start + 10_000):
    item = an_item(number, reasoning=f"{number} " * 2_000)
    place.push([item], QUESTIONS)
    place.take_in([an_answer(item, verdict="keep", comment=f"{number}" * 500)])
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_anywhere_loses_nothing_it_was_told_of(tmp_path: Path) -> None:
    rng, folder, told = random.Random(5), tmp_path / "files", list[int]()
    for start in (0, 20_000, 40_000, 60_000):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(start)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(rng.uniform(0.1, 0.5))
            writer.kill()
            told += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    place = ReviewFiles(folder)
    kept = {int(answer.values["comment"][: len(answer.values["comment"]) // 500]) for answer in place.answers()}
    assert told
    assert kept >= set(told)
    assert len(kept) <= len(told) + 4, "at most the one under way when the writer died"
    assert {item.rank for item in place.items()} >= kept
