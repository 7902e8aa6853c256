from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
import zstandard

from dataengine import shards
from dataengine.bring import bring
from dataengine.cli import main
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


def test_a_repeated_question_is_rejected_with_the_row_it_repeats_and_another_answer_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [{"question": "1+1?", "answer": answer} for answer in ("2", "3", "2")]
    folder = run(rows(given), tmp_path)
    assert shards.read(folder)["answer"].to_list() == ["2"]
    assert shards.read(folder, shards.REJECTED)["dropped_because"].to_list() == ["the same question as row 0"] * 2
    assert "1 questions of" in capsys.readouterr().err
    run(rows(given[::2], name="agreeing"), tmp_path)
    assert "another answer" not in capsys.readouterr().err


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


def made_of(tmp_path: Path, *lines: dict[str, object], **settings: object) -> pl.DataFrame:
    """The problems of a file of these JSON lines."""
    file = write_lines(tmp_path / "p.jsonl", [json.dumps(line).encode() for line in lines])
    return shards.read(run(problems(file, **settings), tmp_path))  # type: ignore[arg-type]


def test_other_columns_keep_what_they_say(tmp_path: Path) -> None:
    made = made_of(tmp_path, {"question": "a", "rate": 1, "scores": [1], "m": {}}, {"question": "b", "rate": 0.5, "scores": [0.5], "m": {}})
    assert made.select("rate", "scores", "m").to_dict(as_series=False) == {
        "rate": [1.0, 0.5],
        "scores": [[1.0], [0.5]],
        "m": ["{}", "{}"],
    }


def test_a_column_has_one_type_in_all_shards_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataengine.sources.SHARD_ROWS", 2)
    monkeypatch.setattr("dataengine.bring.SHARD_ROWS", 2)
    given = [{"question": f"q{n}", "tags": ["x"] if n < 5 else "x", "meta": {"a": n, **({"b": 1} if n > 3 else {})}} for n in range(6)]
    made = made_of(tmp_path, *given)
    assert made["tags"].to_list() == ['["x"]'] * 5 + ["x"]
    assert made["meta"].to_list() == [{"a": n, "b": 1 if n > 3 else None} for n in range(6)]
    talk = [{"prompt": [{"role": "user", "content": f"q{n}"}], "solution": "1", "tags": ["x"] if n < 5 else "x"} for n in range(6)]
    file = write_lines(tmp_path / "b.jsonl", [json.dumps(line).encode() for line in talk])
    assert shards.read(run(bring(file), tmp_path))["tags"].to_list() == ['["x"]'] * 5 + ["x"]


def test_a_name_of_ours_with_another_meaning_and_another_prompt_id_are_kept_as_theirs(tmp_path: Path) -> None:
    made = made_of(tmp_path, {"question": "q", "license": ["mit"], "source": {"a": 1}, "source_row": "x7", "prompt_id": "abc"})
    theirs = made.select("their_license", "their_source", "their_source_row", "their_prompt_id").row(0)
    assert theirs == (["mit"], {"a": 1}, "x7", "abc")
    assert made.select("license", "source", "source_row").row(0) == (None, "p.jsonl", 0)
    again = made_of(tmp_path, {"question": "q", "prompt_id": made["prompt_id"][0]})
    assert "their_prompt_id" not in again.columns


@pytest.mark.parametrize(
    "messages", ["[{}]", [{"role": "user"}], [{"role": "user", "content": None}], [{"role": "user", "content": ["a"]}], []]
)
def test_messages_that_are_none_are_named_by_file_and_row(tmp_path: Path, messages: object) -> None:
    with pytest.raises(ValueError, match=r"p\.jsonl, row 1 .from 0.: .*role"):
        made_of(tmp_path, {"question": "a"}, {"messages": messages})


def test_a_message_that_calls_a_tool_is_refused_and_what_else_is_left_behind_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"role": "user", "content": "1+1?", "name": "bob", "weight": None}
    made_of(tmp_path, {"messages": [asked], "edges": [{"from": 1, "to": 2}]})
    assert capsys.readouterr().err.count("left behind of them: name (1)") == 1
    with pytest.raises(ValueError, match=r"row 0 .from 0.: a message with tool_calls"):
        made_of(tmp_path, {"messages": [{"role": "assistant", "content": "", "tool_calls": [{"f": 1}]}, asked]})


def test_a_mapped_column_that_some_rows_leave_out_is_null_there(tmp_path: Path) -> None:
    mapping = {"answer": "A"}
    assert made_of(tmp_path, {"question": "a"}, {"question": "b", "A": 3}, columns=mapping)["answer"].to_list() == [None, "3"]
    with pytest.raises(ValueError, match=r"answer='A', but the rows have question, B\. "):
        made_of(tmp_path, {"question": "a", "B": 3}, {"question": "b"}, columns=mapping)


def test_a_file_that_is_not_what_its_name_says_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "p.parquet").write_bytes(b"hello")
    (tmp_path / "p.csv").write_text("question,answer\n1,2\n")
    for name, said in (("p.parquet", "cannot be read as Parquet"), ("p.csv", "Rows are read from .parquet, .json")):
        with pytest.raises(ValueError, match=said):
            run(problems(tmp_path / name), tmp_path)


def test_a_packed_json_list_is_read(tmp_path: Path) -> None:
    (tmp_path / "p.json.gz").write_bytes(gzip.compress(b'[{"question": "1+1?"}]'))
    assert len(shards.read(run(problems(tmp_path / "p.json.gz"), tmp_path))) == 1


def test_nan_of_pandas_is_null_on_every_road_and_problems_without_a_reference_are_counted_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nan = float("nan")
    lines = [
        {"question": "1+1?", "answer": nan, "checks": nan, "domain": nan, "source_row": nan, "level": 0.5},
        {"question": "2+2?", "answer": "4", "checks": None, "domain": "math", "source_row": 7, "level": nan},
        {"question": "3+3?", "answer": " "},
    ]
    file = write_lines(tmp_path / "p.jsonl", [json.dumps(line).encode() for line in lines])
    pl.DataFrame({"question": ["4+4?"], "answer": [nan]}).write_parquet(tmp_path / "p.parquet")
    made = shards.read(run(problems(file), tmp_path))
    assert made.select("answer", "checks", "domain", "source_row").rows() == [
        (None, None, None, 0),
        ("4", None, "math", 7),
        (" ", None, None, 2),
    ]
    assert not [name for name in made.columns if name.startswith("their_")]
    assert "2 of 3 problems of p.jsonl have neither answer nor checks" in capsys.readouterr().err
    assert shards.read(run(problems(tmp_path / "p.parquet"), tmp_path))["answer"].to_list() == [None]
    verl = {"prompt": [{"role": "user", "content": "1+1?"}], "reward_model": {"ground_truth": nan}, "ability": "math"}
    brought = shards.read(run(bring(write_lines(tmp_path / "v.jsonl", [json.dumps(verl).encode()])), tmp_path))
    assert brought.select("answer", "checks").rows() == [(None, None)]


def test_a_row_without_a_question_says_how_the_command_line_maps_one(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "p.jsonl", [json.dumps(line).encode() for line in LINES])
    with pytest.raises(ValueError, match=r"Map one: --columns\.question THEIR_NAME"):
        run(problems(file), tmp_path)
    out = ["run", "rejection", "--problems", str(file), "--model", "served", "--columns.question", "problem", "--columns.answer", "gold"]
    assert main([*out, "--dry-run", "--engine", "openai", "--openai.urls", '["http://127.0.0.1:1/v1"]', "--root", str(tmp_path)]) == 0
