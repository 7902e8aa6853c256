"""Rows with words of evaluation problems go, and no others; what was looked for is published, what cannot be read is refused."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from dataengine import shards, work
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.sources import rows
from filters.decontaminate import decontaminate
from filters.evaluation_sets import EvaluationSets
from tests.dataengine.given_rows import given_rows, response

ONE = Machine(workers=1)
QUESTION = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did she sell?"
SOLUTION = "She sold 48/2 = 24 clips in May. Natalia sold 48+24 = 72 clips altogether in April and May."
OTHER = "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take?"
TOY = [
    {"dataset": "gsm8k", "id": "n7", "question": QUESTION, "solution": SOLUTION},
    {"dataset": "gsm8k", "id": "n8", "question": OTHER, "solution": "3"},
    {"dataset": "sums", "id": "s1", "question": "What is 2+3?", "solution": None},
]


def problems(folder: Path, rows: list[dict[str, Any]] = TOY, name: str = "toy.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    file.write_bytes({".gz": gzip.compress, ".zst": zstandard.compress}.get(file.suffix, bytes)(lines))
    return file


def filler(seed: int, count: int = 60) -> str:
    luck = random.Random(seed)
    return " ".join(f"word{luck.randrange(10**6)}" for _ in range(count))


def checked(
    rows: list[dict[str, Any]], against: Any, root: Path, **wanted: Any
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, dict[str, Any]]:
    folder = run(decontaminate(given_rows(rows, shard=4), against, **wanted), root, machine=ONE)
    kept, gone, hits = shards.read(folder), shards.read(folder, shards.REJECTED), shards.read(folder, "hits")
    return kept, gone, hits, shards.read_manifest(folder)["notes"]


def numbers(rows: pl.DataFrame) -> list[int]:
    return [int(row_id, 16) for row_id in rows["row_id"]]


def test_rows_that_hold_a_question_or_a_solution_go_and_the_place_is_named(tmp_path: Path) -> None:
    texts = [filler(1), f"{filler(2)} {QUESTION} {filler(3)}", f"So: {SOLUTION}", filler(4), OTHER.upper()]
    rows = [response(f"{filler(10 + number)}?", text, number=number) for number, text in enumerate(texts)]
    kept, gone, hits, notes = checked(rows, problems(tmp_path / "sets"), tmp_path)
    assert (numbers(kept), numbers(gone)) == ([0, 3], [1, 2, 4])
    assert gone["dropped_because"].to_list() == [
        f"leaked: 26 words of gsm8k/n7 (question) in response at {len(filler(2)) + 1}:{len(filler(2)) + len(QUESTION)}",
        "leaked: 19 words of gsm8k/n7 (solution) in response at 4:94",
        "leaked: 22 words of gsm8k/n8 (question) in response at 0:103",
    ]
    assert hits.select("row", "column", "kind", "set", "problem", "part").rows() == [
        (1, "response", "exact", "gsm8k", "n7", "question"),
        (2, "response", "exact", "gsm8k", "n7", "solution"),
        (0, "response", "exact", "gsm8k", "n8", "question"),
    ]
    for row, start, stop, text in hits.select("row_id", "start", "stop", "text").iter_rows():
        assert texts[int(row, 16)][start:stop] == text
    assert notes["hits"] == [{"set": "gsm8k", "rows": 3, "prompts": 3, "problems": 2, "columns": {"response": 3}}]


def test_a_prompt_goes_with_all_its_responses_and_a_short_question_is_found_where_it_is_all(tmp_path: Path) -> None:
    rows = [response(QUESTION, filler(number), number=number) for number in range(3)]
    rows += [response("what is 2 + 3", filler(5), number=5), response("What is 2+3+4?", filler(6), number=6)]
    kept, gone, hits, notes = checked(rows, problems(tmp_path / "sets"), tmp_path)
    assert (numbers(kept), numbers(gone)) == ([6], [0, 1, 2, 5])
    assert set(hits["column"]) == {"messages"}
    assert [(each["set"], each["rows"], each["prompts"]) for each in notes["hits"]] == [("gsm8k", 3, 1), ("sums", 1, 1)]


def test_what_resembles_a_question_is_reported_and_goes_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        QUESTION.replace("48", "7")
        .replace("Natalia", "Omar")
        .replace("of her", "of his")
        .replace("half", "thrice")
        .replace("did she", "did he")
    )
    rows = [response(text, filler(1), number=1), response("How many clips did Omar sell in all?", filler(2), number=2)]
    against = problems(tmp_path / "sets")
    kept, gone, hits, notes = checked(rows, against, tmp_path)
    assert (numbers(kept), len(gone)) == ([1, 2], 0)
    assert hits.select("kind", "problem", "start", "words").rows() == [("fuzzy", "n7", None, None)]
    assert notes["hits"] == []
    assert [(each["set"], each["rows"]) for each in notes["fuzzy"]] == [("gsm8k", 1)]
    assert "1 rows resemble evaluation questions" in capsys.readouterr().err
    kept, gone, _, _ = checked(rows, against, tmp_path, drop_fuzzy=True)
    assert (numbers(kept), numbers(gone)) == ([2], [1])
    assert gone["dropped_because"][0].startswith("resembles gsm8k/n7 (question): 0.")


def test_an_exact_hit_is_not_reported_as_fuzzy_as_well(tmp_path: Path) -> None:
    _, _, hits, notes = checked([response(QUESTION, "x", number=1)], problems(tmp_path / "sets"), tmp_path)
    assert hits["kind"].to_list() == ["exact"]
    assert notes["fuzzy"] == []


def test_words_that_several_sets_share_count_for_each(tmp_path: Path) -> None:
    problems(tmp_path / "sets")
    problems(tmp_path / "sets", [{"dataset": "copied", "id": "c1", "question": QUESTION}], "copy.jsonl")
    _, _, hits, notes = checked([response("q", QUESTION, number=1)], tmp_path / "sets", tmp_path)
    assert sorted(hits.select("set", "problem").rows()) == [("copied", "c1"), ("gsm8k", "n7")]
    assert [each["set"] for each in notes["hits"]] == ["copied", "gsm8k"]


def test_what_was_looked_for_is_published_with_hashes(tmp_path: Path) -> None:
    file = problems(tmp_path / "sets", name="toy.jsonl.zst")
    notes = checked([response("q", "x", number=1)], [file], tmp_path)[3]
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert notes["references"] == [
        {"set": "gsm8k", "file": "toy.jsonl.zst", "sha256": sha256, "problems": 2, "grams": 17 + 10 + 13, "too_short": 0},
        {"set": "sums", "file": "toy.jsonl.zst", "sha256": sha256, "problems": 1, "grams": 0, "too_short": 1},
    ]
    assert "NFKD" in notes["normalisation"]
    assert QUESTION not in json.dumps(notes)


def test_every_kind_of_file_reads_the_same(tmp_path: Path) -> None:
    files = [problems(tmp_path / "sets", name=f"toy{ending}") for ending in (".jsonl", ".jsonl.gz", ".jsonl.zst")]
    pl.DataFrame(TOY).write_parquet(tmp_path / "sets" / "toy.parquet")
    for file in (*files, tmp_path / "sets" / "toy.parquet"):
        notes = checked([response("q", QUESTION, number=1)], file, tmp_path)[3]
        assert [(each["set"], each["problems"]) for each in notes["references"]] == [("gsm8k", 2), ("sums", 1)]
        assert notes["hits"][0]["rows"] == 1


def test_another_content_of_the_file_is_another_step(tmp_path: Path) -> None:
    data = given_rows([response("q", "x", number=1)])
    before = decontaminate(data, problems(tmp_path / "sets")).fingerprint
    assert decontaminate(data, problems(tmp_path / "sets")).fingerprint == before
    assert decontaminate(data, problems(tmp_path / "sets", TOY[:1])).fingerprint != before


def test_gsm8k_s_answers_are_solutions_and_short_answers_are_not(tmp_path: Path) -> None:
    file = problems(tmp_path / "sets", [{"question": OTHER, "answer": SOLUTION}, {"question": QUESTION, "answer": "72"}])
    kept, gone, hits, notes = checked([response("q", SOLUTION, number=1)], file, tmp_path)
    assert (len(kept), len(gone), hits["part"].to_list()) == (0, 1, ["solution"])
    assert notes["references"][0]["too_short"] == 0


WRITTEN_OTHERWISE: list[dict[str, Any]] = [
    {"task_id": "B/0", "complete_prompt": "import os", "instruct_prompt": QUESTION, "canonical_solution": "return 1"},
    {"Question": QUESTION, "answer": SOLUTION},
    {"problem_text": QUESTION, "answer_number": "72"},
    {"question": "How many?", "solution": "180", "answer": QUESTION},
    {"question": "How many?", "solution": "180", "rationale": QUESTION},
    {"question": "Which is right?", "choices": ["72", QUESTION]},
    {"question": "Which is right?", "choices": {"label": ["A", "B"], "text": ["72", QUESTION]}},
    {"question": "Which is right?", "options": {"A": "72", "B": QUESTION}},
    {"messages": [{"role": "system", "content": filler(1)}, {"role": "user", "content": QUESTION}]},
    {"task_id": 2, "text": QUESTION, "code": "def f(): pass", "test_list": ["assert f() is None"]},
    {"name": "bitcount", "docstring": QUESTION, "solution": "def f(): pass"},
    {"question": QUESTION, "solution": [True, False]},
    {"question": QUESTION, "solution": 72},
]


@pytest.mark.parametrize("row", WRITTEN_OTHERWISE, ids=lambda row: "-".join(row))
def test_questions_are_found_however_their_columns_are_called(tmp_path: Path, row: dict[str, Any]) -> None:
    kept, gone, _, _ = checked([response(QUESTION, "x", number=1)], problems(tmp_path / "sets", [row]), tmp_path)
    assert (len(kept), len(gone)) == (0, 1)


def test_what_a_system_message_and_short_choices_say_is_no_part_of_a_problem(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": filler(1)}, {"role": "user", "content": QUESTION}]
    row = {"messages": messages, "choices": [str(number) for number in range(12)]}
    rows = [response("Count!", " ".join(str(number) for number in range(12)), number=1), response(filler(1), "x", number=2)]
    assert len(checked(rows, problems(tmp_path / "sets", [row]), tmp_path)[0]) == 2


def test_other_columns_are_looked_at_where_they_are_named(tmp_path: Path) -> None:
    file = problems(tmp_path / "sets", [{"Text": OTHER, "hint": QUESTION, "code": SOLUTION}])
    wanted = {"columns": {"question": ["text", "hint"], "solution": "code"}}
    rows = [response(text, "x", number=number) for number, text in enumerate((OTHER, QUESTION, SOLUTION))]
    assert checked(rows, file, tmp_path, **wanted)[2]["part"].to_list() == ["question", "question", "solution"]
    with pytest.raises(ValueError, match="named for question and solution, not for qestion"):
        decontaminate(given_rows([]), file, columns={"qestion": "text"})


PARTS: list[dict[str, Any]] = [
    {"Body": QUESTION.rsplit(". ", 1)[0], "Question": "How many?"},
    {"passage": QUESTION, "question": "Which is right?"},
    {"context": {"title": ["clips"], "sentences": [[QUESTION]]}, "question": "Which is right?"},
    {"instruction": "Solve.", "input": QUESTION},
]


@pytest.mark.parametrize("row", PARTS, ids=lambda row: "-".join(row))
def test_a_question_that_is_published_in_two_columns_is_both(tmp_path: Path, row: dict[str, Any]) -> None:
    kept, gone, _, _ = checked([response(QUESTION, "x", number=1)], problems(tmp_path / "sets", [row]), tmp_path)
    assert (len(kept), len(gone)) == (0, 1)


def test_what_lies_within_a_column_is_named_with_a_dot(tmp_path: Path) -> None:
    file = problems(tmp_path / "sets", [{"question": {"stem": QUESTION, "choices": ["a"]}}])
    rows = [response(QUESTION, "x", number=1)]
    with pytest.raises(ValueError, match=r"columns={'question': 'question.NAME'}"):
        checked(rows, file, tmp_path)
    assert len(checked(rows, file, tmp_path, columns={"question": "question.stem"})[1]) == 1


CODE = "for each in values:\n    total = total + each\nfor other in more:\n    print(total, other)"
PACKED: list[dict[str, Any]] = [
    {"question": "zz", "solutions": json.dumps([CODE])},
    {"prompt": json.dumps([{"role": "system", "content": filler(3)}, {"role": "user", "content": CODE}])},
    {"conversations": [{"from": "system", "value": filler(3)}, {"from": "human", "value": CODE}]},
]


@pytest.mark.parametrize("row", PACKED, ids=lambda row: "-".join(row))
def test_texts_that_are_packed_into_json_or_turns_are_read_as_they_were_written(tmp_path: Path, row: dict[str, Any]) -> None:
    rows = [response("q", f"So: {CODE}", number=1), response("q", filler(3), number=2)]
    kept, _, hits, _ = checked(rows, problems(tmp_path / "sets", [row]), tmp_path)
    assert (numbers(kept), hits["text"].to_list()) == ([2], [CODE[:-1]])


def test_a_solution_is_found_without_its_calculator_s_notes(tmp_path: Path) -> None:
    noted = "In May 48/2 = <<48/2=24>>24 clips. In all 48+24 = <<48+24=72>>72 clips. #### 72"
    quoted = "In May 48/2 = 24 clips. In all 48+24 = 72 clips. #### 72"
    file = problems(tmp_path / "sets", [{"question": "zz", "answer": noted}])
    assert len(checked([response("q", text, number=number) for number, text in enumerate((noted, quoted))], file, tmp_path)[1]) == 2


def test_a_list_in_a_json_file_is_a_set_and_a_description_beside_it_is_none(tmp_path: Path) -> None:
    problems(tmp_path / "sets")
    (tmp_path / "sets" / "more.json").write_text(json.dumps([{"question": filler(7)}], indent=1))
    (tmp_path / "sets" / "dataset_info.json").write_text(json.dumps({"rows": 1}))
    kept, gone, _, notes = checked([response(filler(7), "x", number=1)], tmp_path / "sets", tmp_path)
    assert (len(kept), len(gone), sorted(each["set"] for each in notes["references"])) == (0, 1, ["gsm8k", "more", "sums"])


def test_a_source_of_nearly_every_row_its_own_is_no_set(tmp_path: Path) -> None:
    rows = [{"source": f"https://example.org/{number // 2 * 2}", "question": filler(number)} for number in range(30)]
    assert [
        each["problems"] for each in checked([response("q", "x", number=1)], problems(tmp_path / "a", rows), tmp_path)[3]["references"]
    ] == [2] * 15
    rows = [{"source": f"https://example.org/{number}", "question": filler(number)} for number in range(30)]
    references = checked([response("q", "x", number=1)], problems(tmp_path / "b", rows), tmp_path)[3]["references"]
    assert [(each["set"], each["problems"]) for each in references] == [("toy", 30)]


def test_sets_whose_files_bear_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    for name, text in (("aime24", QUESTION), ("gsm8k", OTHER)):
        problems(tmp_path / "sets" / name, [{"question": text}], "test.jsonl")
    wanted = [("aime24/test", 1), ("gsm8k/test", 0)]
    for against in (tmp_path / "sets", [tmp_path / "sets" / name / "test.jsonl" for name, _ in (("aime24", 1), ("gsm8k", 0))]):
        notes = checked([response(QUESTION, "x", number=1)], against, tmp_path)[3]
        hits = {each["set"]: each["rows"] for each in notes["hits"]}
        assert [(each["set"], hits.get(each["set"], 0)) for each in notes["references"]] == wanted


def test_a_file_that_is_named_twice_is_one(tmp_path: Path) -> None:
    file = problems(tmp_path / "sets")
    assert len(checked([response("q", "x", number=1)], [tmp_path / "sets", file], tmp_path)[3]["references"]) == 2


def test_a_folder_of_our_problems_is_a_set_without_what_was_dropped_from_it(tmp_path: Path) -> None:
    ours = run(rows([{"question": QUESTION}, {"question": QUESTION}], name="aime24"), tmp_path)
    assert shards.read_manifest(ours)["rejected"] == 1
    kept, gone, _, notes = checked([response(QUESTION, "x", number=1)], ours, tmp_path)
    assert (len(kept), len(gone)) == (0, 1)
    assert [(each["set"], each["problems"]) for each in notes["references"]] == [("aime24", 1)]


def test_any_number_of_workers_makes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "ROWS_WORTH_A_PROCESS", 1)
    rows = [response(filler(number), QUESTION if number % 5 == 0 else filler(number), number=number) for number in range(24)]
    file = problems(tmp_path / "sets")
    step = decontaminate(given_rows(rows, shard=6), file)
    folders = [run(step, tmp_path / str(count), machine=Machine(workers=count)) for count in (1, 2)]
    contents = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*") if path.suffix in (".parquet", ".json")}
        for folder in folders
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 13


REFUSED = [
    (b"", "has no rows"),
    (b"\n\n", "has no rows"),
    (b'{"question": "What is it?"\n', "line 1 is not JSON"),
    (b'{"qustion": "What is it?"}\n', "row 1 has no question: it has qustion,"),
    (b'{"question": "fine"}\n{"question": null}\n', "row 2 has no question"),
    (b'{"question": "fine"}\n{"question": "  ", "solution": "not blank"}\n', "row 2 has no question"),
    (b'{"body": "What is it?", "solution": "It is a long solution, of ten words and more."}\n', "columns={'question': NAME}"),
    (b'{"question": [["a"], ["b"]]}\n', "not text"),
    (b'{"question": {"a": 1}}\n', "not text"),
    (b'{"question": 17}\n', "not text"),
    (b'{"question": "?!"}\n', "none of the 1 problems"),
    (b"\xff\xfe\n", "not UTF-8"),
]


@pytest.mark.parametrize(("content", "said"), REFUSED)
def test_a_set_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "broken.jsonl"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=said) as refused:
        checked([response("q", "x", number=1)], file, tmp_path)
    assert "broken.jsonl" in str(refused.value)


@pytest.mark.parametrize("name", ["cut.jsonl.gz", "cut.jsonl.zst", "cut.parquet"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.9])
def test_half_a_file_is_refused(tmp_path: Path, name: str, share: float) -> None:
    rows = [{"dataset": "cut", "id": str(number), "question": filler(number)} for number in range(200)]
    pl.DataFrame(rows).write_parquet(tmp_path / "whole.parquet")
    content = (tmp_path / "whole.parquet") if name.endswith("parquet") else problems(tmp_path / "sets", rows, name)
    file = tmp_path / name
    file.write_bytes(content.read_bytes()[: int(share * content.stat().st_size)])
    with pytest.raises(ValueError, match="unchecked corpus is not decontaminated"):
        checked([response("q", "x", number=1)], file, tmp_path)


@pytest.mark.parametrize("place", ["nowhere.jsonl", "no/where.parquet", "empty", "a.txt"])
def test_a_place_without_problems_is_refused(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("What is it?")
    with pytest.raises(ValueError, match="unchecked corpus is not decontaminated"):
        checked([response("q", "x", number=1)], place, tmp_path)


def test_a_hub_dataset_is_read_by_its_name_and_refused_when_it_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[Any] = []

    def load(name: str, subset: str | None, *, split: str) -> Any:
        asked.append((name, subset, split))
        if name == "open/gsm8k":
            return datasets.Dataset.from_list([{"question": QUESTION, "answer": SOLUTION}])
        raise FileNotFoundError(name)

    monkeypatch.setattr(datasets, "load_dataset", load)
    kept, _, _, notes = checked([response("q", QUESTION, number=1)], "open/gsm8k:main:test", tmp_path)
    assert (len(kept), asked) == (0, [("open/gsm8k", "main", "test")])
    assert (notes["references"][0]["file"], notes["references"][0]["problems"]) == ("open/gsm8k:main:test", 1)
    assert notes["hits"][0]["set"] == "open/gsm8k:main:test"
    assert EvaluationSets(("open/gsm8k:main:test",)).identity() == ["open/gsm8k:main:test"]
    with pytest.raises(ValueError, match=r"'open/other' cannot be read.*unchecked"):
        checked([response("q", QUESTION, number=1)], "open/other", tmp_path)


def test_a_wrong_column_names_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no column 'respons'.*response"):
        checked([response("q", "x", number=1)], problems(tmp_path / "sets"), tmp_path, on=("respons",))


def test_no_set_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="names no evaluation set"):
        decontaminate(given_rows([]), [])
