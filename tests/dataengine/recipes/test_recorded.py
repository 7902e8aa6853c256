"""What recordings say, on its way into our rows; and what is no recording is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataengine import shards
from dataengine.explain import trace
from dataengine.machine import Machine
from dataengine.plan import limited
from dataengine.recipes import recorded
from dataengine.recipes.recorded import agreement, problems_of, recording_of, replayed
from dataengine.recipes.rejection import rejection
from dataengine.run import run
from dataengine.show import trace_text

SAID: dict[str, Any] = {
    "problem": "What is 1+2, in a sentence?",
    "gold": "3",
    "output": "It is \\boxed{3}.",
    "verdict": True,
    "verdict_by": "them",
    "model": "a",
}


def written(folder: Path, *lines: dict[str, Any]) -> Path:
    file = folder / "said.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def read_back(folder: Path, *lines: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    return shards.read(run(replayed([written(folder, *lines)], **settings), folder / "runs", machine=Machine(workers=1))).to_dicts()


@pytest.mark.parametrize(("more", "said"), [({}, "No verdict was published"), ({"verdict": True}, "| not said | 1 | 1 | 0 | 0 | 0 |")])
def test_recordings_that_do_not_say_who_judged_them_make_a_card(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    line = {"problem": "What is 2+3?", "gold": "5", "output": "<think>Two and three.</think>The answer is 5", **more}
    card = run(rejection(recordings=[str(written(tmp_path, line))]), tmp_path / "runs", machine=Machine(workers=1))
    assert said in (card / "README.md").read_text()


def test_all_that_a_recording_says_is_in_its_row(tmp_path: Path) -> None:
    line = {
        **SAID,
        "thinking": "One and two.",
        "finish_reason": "stop",
        "domain": "logic",
        "language": "en",
        "license": "mit",
        "dataset": "sums",
        "source": "elsewhere",
        "difficulty": "hard",
        "meta": {"level": 3},
        "prompt": "theirs",
    }
    [row] = read_back(tmp_path, line)
    assert row["response"] == "<think>\nOne and two.\n</think>\n\nIt is \\boxed{3}."
    assert (row["reasoning"], row["summary"]) == ("One and two.", "It is \\boxed{3}.")
    assert [row[name] for name in ("domain", "language", "license", "source")] == ["logic", "en", "mit", "sums"]
    assert [row[name] for name in ("difficulty", "meta", "published", "published_by", "model")] == ["hard", {"level": 3}, True, "them", "a"]
    assert (row["prompt"], row["their_prompt"]) == (SAID["problem"], "theirs")
    assert (row["their_source"], row["recorded_in"], row["source_row"]) == ("elsewhere", "said.jsonl", 0)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"dataset": "sums", "source": "a@1:f"}, {"source": "sums", "their_source": "a@1:f"}),
        ({"dataset": "sums", "source": "a", "their_source": "b"}, {"source": "sums", "their_their_source": "a", "their_source": "b"}),
        ({"thinking": "T", "reasoning": "R"}, {"reasoning": "T", "their_reasoning": "R"}),
        ({"thinking": "T", "reasoning_content": "C"}, {"reasoning": "T", "their_reasoning_content": "C"}),
        ({"reasoning": "R", "reasoning_content": "R"}, {"reasoning": "R"}),
        ({"thinking": "T", "output": "<think>O</think>3"}, {"reasoning": "O", "their_thinking": "T"}),
        ({"verdict": True, "published": False}, {"published": True, "their_published": False}),
        ({"verdict_by": "them", "published_by": "us"}, {"published_by": "them", "their_published_by": "us"}),
        ({"recorded_in": "a", "source_row": 7, "model_revision": "b"}, {"their_recorded_in": "a", "their_source_row": 7, "source_row": 0}),
        ({"source": 5, "their_source": "b", "dataset": None}, {"source": "said.jsonl", "their_their_source": 5, "their_source": "b"}),
    ],
)
def test_no_column_of_a_recording_is_written_over(tmp_path: Path, said: dict[str, Any], found: dict[str, Any]) -> None:
    [row] = read_back(tmp_path, {**SAID, **said})
    assert {name: row[name] for name in found} == found


def test_a_constant_and_a_mapped_column_write_over_nothing(tmp_path: Path) -> None:
    line = {**SAID, "dataset": "sums", "domain": "logic", "license": "mit", "terms": "none"}
    [row] = read_back(tmp_path, line, columns={"license": "terms"}, constants={"source": "here", "domain": "math"})
    assert [row[name] for name in ("source", "dataset", "domain", "their_domain")] == ["here", "sums", "math", "logic"]
    assert [row[name] for name in ("license", "their_license")] == ["none", "mit"]


def test_many_recordings_lie_in_bounded_shards_with_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [{**SAID, "problem": f"What is {n % 4} plus two?", "output": f"{n}", "meta": {"n": n}, **{f"only{n}": n}} for n in range(9)]
    (tmp_path / "once").mkdir()
    whole = read_back(tmp_path / "once", *lines)
    monkeypatch.setattr(recorded, "SHARD_ROWS", 2)
    assert read_back(tmp_path, *lines) == whole
    shard_rows = [len(shards.read(path.parent)) for path in tmp_path.glob("runs/recorded-*/00000.parquet")]
    assert (shard_rows, len(list(tmp_path.glob("runs/recorded-*/*.parquet")))) == ([9], 5)


def test_the_road_of_a_recorded_row_says_no_more_than_is_known(tmp_path: Path) -> None:
    lines = [SAID, {**SAID, "model": "b", "dataset": "sums", "output": "It is \\boxed{3}, I think of it so."}]
    card = run(rejection(recordings=[str(written(tmp_path, *lines))]), tmp_path / "runs", machine=Machine(workers=1))
    mixed = next((tmp_path / "runs").glob("mix-????????"))
    [row] = [row for row in shards.read(mixed).to_dicts() if row["model"] == "b"]
    told = "\n".join(trace_text(trace(mixed, row["row_id"])))
    before, _, _ = told.partition("--- as it was last seen")
    assert "source: sums, line 2 of said.jsonl, licence not said" in before
    assert "response: sample 1 of b\n" in before
    assert "response: sample 1, by replay, " in before
    assert [wrong for wrong in ("a, b", "0 tokens", "seed", "None") if wrong in before] == []
    assert (row["model_revision"], row["seed"]) == (None, None)
    assert "| b | not said | replay" in (card / "README.md").read_text(encoding="utf-8")


def test_an_id_of_a_recorded_row_stays_when_other_rows_join(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    [row] = read_back(tmp_path, SAID)
    assert read_back(tmp_path / "more", SAID, {**SAID, "problem": "What is 5+5?"})[0]["row_id"] == row["row_id"]


def test_programs_among_recordings_are_judged_by_their_checks(tmp_path: Path) -> None:
    code = {"problem": "Write twice(n).", "checks": ["assert twice(3) == 6"], "model": "a", "verdict_by": "them"}
    lines = [{**code, "output": f"```python\ndef twice(n):\n    return {n} * n\n```", "verdict": True} for n in (2, 3)]
    run(rejection(recordings=[str(written(tmp_path, SAID, *lines))]), tmp_path / "runs", machine=Machine(workers=1))
    judged = shards.read(next((tmp_path / "runs").glob("verdicts-????????")))
    assert judged["is_right"].struct.field("value").to_list() == [1.0, 1.0, 0.0]
    assert agreement(judged).rows() == [("them", 3, 2, 0, 1, 0)]


def test_a_limit_takes_the_first_recordings_of_each_file(tmp_path: Path) -> None:
    lines = [{**SAID, "problem": f"What is {n} plus two?"} for n in range(5)]
    step = limited(replayed([written(tmp_path, *lines)]), 2)
    assert len(shards.read(run(step, tmp_path / "runs", machine=Machine(workers=1)))) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"problem": "1+1?", "output": "2"}, "no 'gold' \\(the answer\\), and no 'checks' either; .* --columns.answer THEIR_NAME"),
        ({"messages": "1+1?", "gold": "2", "output": "2", "role": "user"}, "no 'problem' .*; .* --columns.question THEIR_NAME"),
        ({**SAID, "verdict": None, "published": "2024-01-01"}, "'published' is '2024-01-01'; a verdict is true, false or null"),
        ({**SAID, "reasoning": ["a"]}, "'reasoning' is .*, a list"),
    ],
)
def test_an_error_names_the_column_it_speaks_of_and_the_flag_that_maps_it(tmp_path: Path, line: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=rf"said\.jsonl, line 1.* {said}"):
        read_back(tmp_path, line)


def test_two_recordings_of_one_problem_keep_what_each_says(tmp_path: Path) -> None:
    said = read_back(tmp_path, {**SAID, "dataset": "one", "difficulty": "hard"}, {**SAID, "dataset": "two", "difficulty": None})
    assert [(row["sample"], row["source"], row["difficulty"]) for row in said] == [(0, "one", "hard"), (1, "two", None)]


def test_recordings_without_a_column_say_nothing_of_it_and_constants_do(tmp_path: Path) -> None:
    [row] = read_back(tmp_path, {name: SAID[name] for name in ("problem", "gold", "output")})
    assert [row[name] for name in ("domain", "language", "reasoning", "published")] == [None] * 4
    assert (row["model"], row["source"], row["finish_reason"]) == ("said.jsonl", "said.jsonl", "stop")
    [row] = read_back(tmp_path, SAID, constants={"domain": "math"})
    assert row["domain"] == "math"


def test_any_column_can_be_mapped_and_one_that_no_recording_has_is_named(tmp_path: Path) -> None:
    [row] = read_back(tmp_path, {**SAID, "subject": "stem", "ideas": "I add."}, columns={"domain": "subject", "reasoning": "ideas"})
    assert (row["domain"], row["reasoning"]) == ("stem", "I add.")
    with pytest.raises(ValueError, match="no recording has a column 'topic'"):
        read_back(tmp_path, SAID, columns={"domain": "topic"})


def test_what_else_bears_a_name_of_ours_stands_in_for_nothing_and_is_carried_beside(tmp_path: Path) -> None:
    line = {**SAID, "gold": None, "answer": "3", "output": None, "response": "It is 3.", "dataset": None, "source": None, "summary": "3"}
    [row] = read_back(tmp_path, line)
    assert (row["answer"], row["response"], row["summary"], row["source"]) == (None, "", None, "said.jsonl")
    assert [row[f"their_{name}"] for name in ("answer", "response", "summary")] == ["3", "It is 3.", "3"]


@pytest.mark.parametrize(("thinking", "output"), [("One and", None), (None, "It may be")])
def test_a_recording_that_was_cut_is_truncated_and_not_wrong(tmp_path: Path, thinking: str | None, output: str | None) -> None:
    cut = {**SAID, "problem": "What is 2+2, in a sentence?", "thinking": thinking, "output": output, "finish_reason": "max_tokens"}
    run(rejection(recordings=[str(written(tmp_path, SAID, cut))]), tmp_path / "runs", machine=Machine(workers=1))
    [verdicts] = (tmp_path / "runs").glob("verdicts-????????")
    judged = shards.read(verdicts)
    assert judged["finish_reason"].to_list() == ["stop", "length"]
    assert judged["is_right"].struct.field("reason")[1].startswith("truncated")


def test_quotas_of_domain_and_language_and_of_thoughts_are_met_by_recordings(tmp_path: Path) -> None:
    lines = [
        {**SAID, "problem": f"What is {n} plus two, said in words?", "gold": str(n + 2), "output": f"\\boxed{{{n + 2}}}", "domain": domain}
        | {"language": "en", "thinking": f"I think of {n} and of two."}
        for n, domain in enumerate(["logic", "math"])
    ]
    quotas = tmp_path / "quotas.yaml"
    quotas.write_text("quotas:\n  - {part: reasoning, rows: 1, where: {domain: logic, language: en, cot: true}}\n")
    road = rejection(recordings=[str(written(tmp_path, *lines))], quotas=str(quotas))
    run(road, tmp_path / "runs", machine=Machine(workers=1))
    mixed = shards.read(next((tmp_path / "runs").glob("mix-????????")))
    assert mixed.select("domain", "reasoning").rows() == [("logic", "I think of 0 and of two.")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"problem": 5}, "'problem' is '5', a int"),
        ({"problem": [{"role": "user", "content": "1+2?"}]}, "'problem' is .*, a list"),
        ({"output": ["a", "b"]}, "'output' is .*, a list"),
        ({"verdict": 1}, "'verdict' is 1; a verdict is true, false or null"),
        ({"verdict": "true"}, "'verdict' is 'true'; a verdict is"),
        ({"verdict_by": {"who": 1}}, "'verdict_by' is .*, a dict"),
        ({"model": 7}, "'model' is '7', a int"),
        ({"thinking": ["a"]}, "'thinking' is .*, a list"),
        ({"finish_reason": "weird"}, "the finish_reason 'weird' says nothing"),
        ({"finish_reason": 1}, "'finish_reason' is '1', a int"),
    ],
)
def test_what_is_no_recording_is_named_by_file_and_line_before_anything_is_judged(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    (tmp_path / "said.jsonl").write_text(f"{json.dumps(SAID)}\n\n{json.dumps({**SAID, **wrong})}\n")
    with pytest.raises(ValueError, match=rf"said\.jsonl, line 3:? {said}"):
        run(rejection(recordings=[str(tmp_path / "said.jsonl")]), tmp_path / "runs", machine=Machine(workers=1))
    assert not list((tmp_path / "runs").glob("rollouts-????????/*.parquet"))


def test_recordings_that_say_nothing_and_verdicts_that_nobody_gave_are_taken(tmp_path: Path) -> None:
    empty = {
        **SAID,
        "output": None,
        "verdict": None,
        "verdict_by": None,
        "finish_reason": None,
        "gold": float("nan"),
        "domain": float("nan"),
    }
    said = read_back(tmp_path, {**SAID, "model": None}, empty)
    assert [(row["response"], row["published"], row["answer"], row["domain"]) for row in said] == [
        (SAID["output"], True, "3", None),
        ("", None, "3", None),
    ]


def test_a_problem_with_two_answers_and_one_without_any_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, {**SAID, "gold": None}, SAID, {**SAID, "gold": "4"}, {**SAID, "problem": "Who?", "gold": float("nan")})
    made = shards.read(run(problems_of(recording_of([file])), tmp_path))
    assert made.select("answer", "recorded").rows() == [("3", 3), (None, 1)]
    warned = capsys.readouterr().err
    assert "1 recorded problems stand there with more than one answer, such as 'What is 1+2, in a sentence?' with '3' and '4'" in warned
    assert "1 of 2 problems of the recordings have neither answer nor checks" in warned


def test_one_answer_written_in_two_ways_is_no_other_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(problems_of(recording_of([written(tmp_path, SAID, {**SAID, "gold": "3.0"}, {**SAID, "gold": "$3$"})])), tmp_path)
    assert "more than one answer" not in capsys.readouterr().err


def test_recordings_of_an_empty_problem_are_set_aside_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [SAID, {**SAID, "problem": None}, {**SAID, "problem": " "}]
    folder = run(recording_of([written(tmp_path, *lines)]), tmp_path / "runs")
    assert shards.read(folder).height == 1
    aside = shards.read(folder, shards.REJECTED)
    assert aside["source_row"].to_list() == [1, 2]
    assert [json.loads(line) for line in aside["raw_line"]] == lines[1:]
    assert "2 recordings have an empty 'problem', such as line 2 of said.jsonl" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no rows with a 'problem'"):
        run(recording_of([written(tmp_path, *lines[1:])]), tmp_path / "runs")
