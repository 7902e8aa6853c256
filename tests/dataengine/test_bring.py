from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import shards
from dataengine.bring import bring, bring_from_hub
from dataengine.card import card
from dataengine.columns import PROBLEM, RESPONSE, schema
from dataengine.run import run
from dataengine.sources import prompt_id

TALK = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "<think>\none and one\n</think>\n\n2"}]
THEIRS: dict[str, list[dict[str, Any]]] = {
    "trl": [{"messages": TALK, "answer": "2"}],
    "trl-prompt-completion": [{"prompt": TALK[:1], "completion": TALK[1:], "answer": 2}],
    "trl-prompt": [{"prompt": TALK[:1], "solution": "2"}],
    "verl": [{"data_source": "sums", "prompt": TALK[:1], "ability": "math", "reward_model": {"style": "rule", "ground_truth": "2"}}],
    "verifiers": [{"question": "1+1?", "answer": "2", "task": "sums"}],
    "sharegpt": [{"conversations": [{"from": "human", "value": "1+1?"}, {"from": "gpt", "value": TALK[1]["content"]}], "answer": "2"}],
    "openr1": [{"problem": "1+1?", "generations": [TALK[1]["content"], "3"], "messages": TALK, "answer": "2", "uuid": "u1"}],
    "openmathreasoning": [{"problem": "1+1?", "generated_solution": TALK[1]["content"], "expected_answer": "2", "generation_model": "R1"}],
    "nemotron": [{"input": TALK[:1], "output": TALK[1]["content"], "reasoning": "on", "category": "math", "license": "cc-by-4.0"}],
    "hub": [{"messages": TALK[:1], "response": TALK[1]["content"], "answer": "2"}],
}
"""A row of every format as its makers publish it."""


def written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    else:
        path.write_text(json.dumps(rows) if path.suffix == ".json" else "".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet"])
@pytest.mark.parametrize("form", THEIRS)
def test_every_format_is_known_by_its_columns_and_read(tmp_path: Path, form: str, suffix: str) -> None:
    folder = run(bring(written(tmp_path / f"rows.{suffix}", THEIRS[form]), constants={"language": "en"}), tmp_path / "runs")
    assert shards.read_manifest(folder)["notes"]["form"] == form
    rows = shards.read(folder)
    first = rows.row(0, named=True)
    assert first["messages"] == TALK[:1]
    assert first["prompt_id"] == prompt_id(TALK[:1])
    assert first["answer"] == (None if form == "nemotron" else "2")
    assert (first["language"], first["source_row"]) == ("en", 0)
    wanted = schema((*PROBLEM, *RESPONSE)) if "response" in rows.columns else schema(PROBLEM)
    assert {name: rows.schema[name] for name in wanted} == wanted
    if "response" in rows.columns:
        assert (first["response"], first["reasoning"], first["summary"]) == (TALK[1]["content"], "one and one", "2")
        assert rows["sample"].to_list() == list(range(len(rows)))
        assert rows["row_id"].n_unique() == len(rows)
    assert len(rows) == (2 if form == "openr1" else 1)


def test_columns_that_fit_two_formats_or_none_are_asked_about(tmp_path: Path) -> None:
    both = written(tmp_path / "both.jsonl", [{**THEIRS["trl"][0], **THEIRS["sharegpt"][0]}])
    with pytest.raises(ValueError, match=r"could be trl and sharegpt by its columns .*say which with --form"):
        run(bring(both), tmp_path / "runs")
    assert len(shards.read(run(bring(both, form="sharegpt"), tmp_path / "runs"))) == 1
    with pytest.raises(ValueError, match=r"has the columns a, which no format has .*read by `problems"):
        run(bring(written(tmp_path / "none.jsonl", [{"a": 1}])), tmp_path / "runs")
    with pytest.raises(ValueError, match="Did you mean 'openr1'"):
        bring(both, form="openr2")


def test_nothing_is_dropped_without_being_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = [{"messages": TALK[:1]}, {"messages": [{"role": "user", "content": None}, TALK[1]]}, {"text": "no messages"}]
    folder = run(bring(written(tmp_path / "rows.jsonl", [*THEIRS["trl"], *bad])), tmp_path / "runs")
    rejected = shards.read(folder, shards.REJECTED)
    assert len(shards.read(folder)) == 1
    assert rejected["source_row"].to_list() == [1, 2, 3]
    assert [json.loads(line) for line in rejected["raw_line"]] == bad
    assert rejected["dropped_because"].to_list() == [
        "not trl: the last message is the user's: there is no response",
        "not trl: a message without role or text: tool calls and pictures are not carried",
        "not trl: no column 'messages'",
    ]
    assert "1 rows of rows.jsonl are not carried over" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"nothing of bad\.jsonl can be carried over: 1 rows: not trl"):
        run(bring(written(tmp_path / "bad.jsonl", bad[:1])), tmp_path / "runs")


def test_unreadable_lines_stop_or_are_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(THEIRS["trl"][0]) + "\n{\n")
    with pytest.raises(ValueError, match="line 2 is not JSON"):
        run(bring(file), tmp_path / "runs")
    folder = run(bring(file, bad_lines="reject"), tmp_path / "runs")
    assert "line 2" in shards.read(folder, shards.REJECTED)["dropped_because"][0]


def test_other_columns_stay_and_those_that_only_share_a_name_are_renamed(tmp_path: Path) -> None:
    row = {**THEIRS["trl"][0], "difficulty": 3, "model": {"name": "r1"}, "seed": "seven", "reasoning": "on", "row_id": "f" * 16}
    made = shards.read(run(bring(written(tmp_path / "rows.jsonl", [row])), tmp_path / "runs")).row(0, named=True)
    assert (made["difficulty"], made["their_seed"], made["was_row_id"]) == (3, "seven", "f" * 16)
    assert made["their_model"] == {"name": "r1"}
    assert (made["model"], made["seed"]) == (None, None)


def test_the_same_prompt_twice_is_two_samples_of_it_or_a_repeated_problem(tmp_path: Path) -> None:
    talks = shards.read(run(bring(written(tmp_path / "t.jsonl", THEIRS["trl"] * 3)), tmp_path / "runs"))
    assert talks["sample"].to_list() == [0, 1, 2]
    folder = run(bring(written(tmp_path / "p.jsonl", THEIRS["verl"] * 3)), tmp_path / "runs")
    assert len(shards.read(folder)) == 1
    assert shards.read(folder, shards.REJECTED)["dropped_because"].to_list() == ["the same prompt again"] * 2


def ids_of(tmp_path: Path, said: Sequence[tuple[str, str]], **more: Any) -> list[tuple[tuple[str, str], str]]:
    talks = [{"messages": [{"role": "user", "content": asked}], "response": answered, **more} for asked, answered in said]
    rows = shards.read(run(bring(written(tmp_path / "rows.jsonl", talks)), tmp_path / "runs"))
    assert rows["row_id"].n_unique() == len(said)
    return list(zip(said, rows["row_id"], strict=True))


SAID = st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from("abc")), min_size=1, max_size=6)


@settings(deadline=None, max_examples=25)
@given(some=SAID, more=SAID, at=st.integers(0, 6))
def test_rows_added_anywhere_change_the_id_of_no_other_row(some: list[tuple[str, str]], more: list[tuple[str, str]], at: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        before, after = ids_of(Path(folder), some), ids_of(Path(folder), [*some[:at], *more, *some[at:]])
    assert set(before) <= set(after)


def test_what_the_file_says_of_the_sample_is_part_of_the_id(tmp_path: Path) -> None:
    first, second = (ids_of(tmp_path, [("p", "a")], sample=sample)[0][1] for sample in (0, 1))
    assert first != second
    assert ids_of(tmp_path, [("p", "a")])[0][1] == first


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
@pytest.mark.parametrize("form", ["trl", "trl-prompt-completion", "sharegpt"])
def test_thoughts_beside_the_last_message_are_joined_to_it(tmp_path: Path, form: str, key: str) -> None:
    rows: dict[str, Any] = {
        "trl": {"messages": [TALK[0], {"role": "assistant", "content": "2", key: "one and one"}]},
        "trl-prompt-completion": {"prompt": TALK[:1], "completion": [{"role": "assistant", "content": "\n\n2", key: "\none and one\n"}]},
        "sharegpt": {"conversations": [{"from": "human", "value": "1+1?"}, {"from": "gpt", "value": "2", key: "one and one"}]},
    }
    folder = run(bring(written(tmp_path / "rows.jsonl", [rows[form]])), tmp_path / "runs")
    row = shards.read(folder).row(0, named=True)
    assert (row["response"], row["reasoning"], row["summary"]) == (TALK[1]["content"], "one and one", "2")
    assert "left_behind" not in shards.read_manifest(folder)["notes"]


def test_thoughts_that_the_text_holds_already_are_not_doubled(tmp_path: Path) -> None:
    talk = [TALK[0], {**TALK[1], "reasoning": "one and one"}]
    folder = run(bring(written(tmp_path / "rows.jsonl", [{"messages": talk}])), tmp_path / "runs")
    assert shards.read(folder)["response"].to_list() == [TALK[1]["content"]]


def test_tool_calls_are_refused_and_other_keys_of_messages_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = [TALK[0], {"role": "assistant", "content": "", "tool_calls": [{"f": 1}]}, {"role": "tool", "content": "2"}, TALK[1]]
    earlier = [{**TALK[0], "name": "bob"}, {**TALK[1], "reasoning": "hm", "weight": 0, "tool_calls": []}, *TALK]
    folder = run(bring(written(tmp_path / "rows.jsonl", [{"messages": talk} for talk in (calls, earlier)])), tmp_path / "runs")
    assert "a message with tool_calls: tool calls are not carried" in shards.read(folder, shards.REJECTED)["dropped_because"][0]
    assert shards.read_manifest(folder)["notes"]["left_behind"] == {"name": 1, "reasoning": 1, "weight": 1}
    assert capsys.readouterr().err.count("left behind of them: name (1), reasoning (1), weight (1)") == 1


def test_their_prompt_id_is_kept_where_it_is_another(tmp_path: Path) -> None:
    rows = [{**THEIRS["trl"][0], "prompt_id": "theirs"}, {**THEIRS["trl"][0], "prompt_id": prompt_id(TALK[:1])}]
    made = shards.read(run(bring(written(tmp_path / "rows.jsonl", rows)), tmp_path / "runs"))
    assert made["their_prompt_id"].to_list() == ["theirs", None]
    assert made["prompt_id"].to_list() == [prompt_id(TALK[:1])] * 2


OUT_OF_SHAPE: dict[str, Any] = {
    "seed": 2**63 + 5, "prompt_tokens": 2**40, "tokens": [1, 2], "pass_rate": "3/8", "part": 3, "judged": True, "accepted": "yes",
    "model": {},
}  # fmt: skip


@pytest.mark.parametrize("name", OUT_OF_SHAPE)
def test_what_does_not_fit_a_column_that_later_steps_read_is_renamed(tmp_path: Path, name: str) -> None:
    data = bring(written(tmp_path / "rows.jsonl", [{**THEIRS["trl"][0], name: OUT_OF_SHAPE[name]}]))
    rows = shards.read(run(data, tmp_path / "runs"))
    assert f"their_{name}" in rows.columns
    assert name not in rows.columns or rows[name].to_list() == [None]
    assert run(card(data, title="it has a card"), tmp_path / "runs")


def test_a_constant_that_does_not_fit_its_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="constant pass_rate='half' does not fit"):
        bring(written(tmp_path / "rows.jsonl", THEIRS["trl"]), constants={"pass_rate": "half"})


def test_a_dataset_folder_is_brought_through_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "set").mkdir()
    written(tmp_path / "set" / "train.parquet", THEIRS["openr1"])
    folder = run(bring_from_hub(str(tmp_path / "set"), constants={"license": "apache-2.0"}), tmp_path / "runs")
    assert shards.read(folder)["license"].to_list() == ["apache-2.0"] * 2


def test_many_rows_are_landed_in_bounded_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataengine import bring as bringing

    monkeypatch.setattr(bringing, "SHARD_ROWS", 3)
    rows = [{"messages": [{"role": "user", "content": f"{n}?"}, TALK[1]] if n % 4 else TALK[:1]} for n in range(11)]
    folder = run(bring(written(tmp_path / "rows.jsonl", rows)), tmp_path / "runs")
    assert len(shards.shard_paths(folder)) == 3
    assert shards.read(folder)["source_row"].to_list() == [n for n in range(11) if n % 4]
    assert shards.read(folder, shards.REJECTED)["source_row"].to_list() == [0, 4, 8]


def test_words_of_other_services_for_how_a_response_ended_become_ours(tmp_path: Path) -> None:
    words = ["end_turn", "eos_token", "STOP", "MAX_TOKENS", "length", None, "odd"]
    rows = [{"messages": [{"role": "user", "content": f"{n}?"}, TALK[1]], "finish_reason": word} for n, word in enumerate(words)]
    made = shards.read(run(bring(written(tmp_path / "rows.jsonl", rows)), tmp_path / "runs"))
    assert made["finish_reason"].to_list() == ["stop", "stop", "stop", "length", "length", None, "odd"]
