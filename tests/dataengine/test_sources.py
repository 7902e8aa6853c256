from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
import zstandard

from dataengine import shards
from dataengine.columns import PROBLEM, schema
from dataengine.run import run
from dataengine.sources import gym, head, hub, problems, prompt_id, rows
from filters.puzzles import gym_score

LINES = [{"problem": "1+1?", "gold": 2, "level": "easy"}, {"problem": "2+2?", "gold": "4", "level": 5}]
MAPPING = {"question": "problem", "answer": "gold"}


def write_lines(path: Path, lines: list[bytes]) -> Path:
    text = b"\n".join(lines) + b"\n"
    packed = {".gz": gzip.compress, ".zst": zstandard.compress}.get(path.suffix, lambda data: data)
    path.write_bytes(packed(text))
    return path


@pytest.mark.parametrize("name", ["p.jsonl", "p.jsonl.gz", "p.jsonl.zst"])
def test_json_lines_become_problems_and_other_columns_stay(tmp_path: Path, name: str) -> None:
    file = write_lines(tmp_path / name, [json.dumps(line).encode() for line in LINES])
    made = shards.read(run(problems(file, columns=MAPPING, constants={"domain": "math"}), tmp_path))
    assert made["answer"].to_list() == ["2", "4"]
    assert made["messages"].to_list()[0] == [{"role": "user", "content": "1+1?"}]
    assert made["domain"].to_list() == ["math", "math"]
    assert made["source"].to_list() == [name, name]
    assert made["level"].to_list() == ["easy", "5"]
    assert made["source_row"].to_list() == [0, 1]
    assert {column: made.schema[column] for column in schema(PROBLEM)} == schema(PROBLEM)


def test_parquet_becomes_problems(tmp_path: Path) -> None:
    pl.DataFrame({"question": ["1+1?", "2+2?"], "answer": ["2", "4"]}).write_parquet(tmp_path / "p.parquet")
    assert shards.read(run(problems(tmp_path / "p.parquet"), tmp_path))["answer"].to_list() == ["2", "4"]


def test_a_json_list_becomes_problems_and_anything_else_in_a_json_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(LINES))
    assert shards.read(run(problems(tmp_path / "p.json", columns=MAPPING), tmp_path))["source_row"].to_list() == [0, 1]
    for text, said in (("{", "is not JSON"), ('{"problem": "1+1?"}', "is no list of objects")):
        (tmp_path / "p.json").write_text(text)
        with pytest.raises(ValueError, match=said):
            run(problems(tmp_path / "p.json", columns=MAPPING), tmp_path)


def test_a_dataset_folder_is_read_through_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "set").mkdir()
    pl.DataFrame({"problem": ["1+1?"], "gold": ["2"]}).write_parquet(tmp_path / "set" / "train.parquet")
    made = shards.read(run(hub(str(tmp_path / "set"), columns=MAPPING), tmp_path))
    assert made["answer"].to_list() == ["2"]


def test_a_dataset_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        run(hub(str(tmp_path / "nothing-here")), tmp_path)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b'{"problem": "\xff"}', "line 2 is not UTF-8 .byte 0xff at position 14"),
        (b'{"problem": ', "line 2 is not JSON"),
        (b"[1]", "line 2 is no JSON object"),
    ],
)
def test_a_bad_line_is_named_by_file_and_number_or_set_aside_on_request(tmp_path: Path, bad: bytes, said: str) -> None:
    file = write_lines(tmp_path / "p.jsonl", [json.dumps(LINES[0]).encode(), bad, json.dumps(LINES[1]).encode()])
    with pytest.raises(ValueError, match=rf"p\.jsonl, {said}"):
        run(problems(file, columns=MAPPING), tmp_path)
    folder = run(problems(file, columns=MAPPING, bad_lines="reject"), tmp_path)
    assert shards.read(folder)["source_row"].to_list() == [0, 2], "lines keep their numbers"
    rejected = shards.read(folder, shards.REJECTED)
    assert "line 2" in rejected["dropped_because"][0]
    assert len(rejected["raw_line"][0]) >= len("[1]")


def test_a_repeated_question_is_rejected_with_the_row_it_repeats(tmp_path: Path) -> None:
    folder = run(rows([{"question": "1+1?", "answer": "2"}, {"question": "1+1?", "answer": "3"}]), tmp_path)
    assert shards.read(folder)["answer"].to_list() == ["2"]
    assert shards.read(folder, shards.REJECTED)["dropped_because"].to_list() == ["the same question as row 0"]


def test_an_empty_file_a_wrong_mapping_and_a_row_without_a_question_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no rows"):
        run(problems(write_lines(tmp_path / "empty.jsonl", [])), tmp_path)
    file = write_lines(tmp_path / "p.jsonl", [json.dumps(LINES[0]).encode()])
    with pytest.raises(ValueError, match=r"question='problm', but the rows have problem, gold, level. Did you mean 'problem'"):
        run(problems(file, columns={"question": "problm"}), tmp_path)
    with pytest.raises(ValueError, match="neither messages nor question"):
        run(problems(file), tmp_path)
    with pytest.raises(ValueError, match=r"there is no file .*Did you mean 'p\.jsonl'"):
        run(problems(tmp_path / "q.jsonl"), tmp_path)


def test_a_changed_file_makes_another_folder(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "p.jsonl", [json.dumps(LINES[0]).encode()])
    before = problems(file, columns=MAPPING).folder
    write_lines(file, [json.dumps(LINES[1]).encode()])
    assert problems(file, columns=MAPPING).folder != before


def test_the_prompt_id_depends_on_the_messages_alone() -> None:
    said = [{"role": "user", "content": "1+1?"}]
    assert prompt_id(said) == prompt_id([dict(said[0])])
    assert prompt_id(said) != prompt_id([{"role": "system", "content": ""}, *said])


def test_gym_tasks_are_judged_by_their_own_scorer(tmp_path: Path) -> None:
    pytest.importorskip("reasoning_gym")
    made = shards.read(run(gym("basic_arithmetic", size=5, seed=1), tmp_path))
    right = made.with_columns(response=pl.format("<think>so</think> <answer>{}</answer>", "answer"))
    assert [score["value"] for score in gym_score.score(right)] == [1.0] * 5
    assert gym_score("<think>so</think> <answer>x</answer>", made["checks"][0]).value == 0.0
    with pytest.raises(ValueError, match="Did you mean 'basic_arithmetic'"):
        run(gym("basic_arithmetik", size=5), tmp_path)


def test_head_takes_the_first_rows(tmp_path: Path) -> None:
    data = rows([{"question": f"{n}+1?"} for n in range(5)])
    assert shards.read(run(head(data, 2), tmp_path)).equals(shards.read(run(data, tmp_path)).head(2))
