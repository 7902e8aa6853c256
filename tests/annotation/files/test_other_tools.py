from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from annotation.answer import Answer
from annotation.files.review_files import ANSWERS, ReviewFiles
from annotation.item import Item
from annotation.items import items_of, questions_of
from annotation.queue import queue
from annotation.sqlite.store import Store
from dataengine.commands.review_export import command as export
from dataengine.commands.review_import import command as bring
from dataengine.run import run
from tests.annotation.reviews_suite import HOSTILE, words
from tests.annotation.rows import BARS, responses, rollout

TEXTS = [*HOSTILE, "windows\r\nline\rends\n", "plain thoughts"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [rollout(number, reasoning=text, summary=f"{number} {text}") for number, text in enumerate(TEXTS)]
    return run(queue(responses(rows), bars=BARS, share=1.0, audit=1.0, overlap=0.0), tmp_path_factory.mktemp("runs"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A queue of rollouts with hostile texts, that nobody has answered."""
    return shutil.copytree(made, tmp_path / "runs" / made.name)


@pytest.fixture
def items(folder: Path) -> list[Item]:
    return list(items_of(folder))


def said_in(folder: Path) -> dict[tuple[str, str], tuple[str, dict[str, Any]]]:
    with Store.open(folder) as store:
        return words(store)


def edit(item: Item) -> dict[str, Any]:
    """A fix of both texts that keeps to the rules."""
    clean = item.reasoning.replace("<think>", "").replace("</think>", "")
    return {
        "verdict": "fix",
        "reasoning": f"{clean}\n\nedited 😀",
        "summary": item.summary.replace("<think>", "").replace("</think>", "") + "!",
    }


def test_json_lines_go_out_and_come_back_with_answers_by_several_people(folder: Path, items: list[Item], tmp_path: Path) -> None:
    with Store.open(folder) as store:
        store.save(
            Answer(item_id=items[0].item_id, annotator="ann", status="submitted", values={"verdict": "discard", "comment": HOSTILE[1]})
        )
    out = tmp_path / "items.jsonl"
    export([str(folder), "--to", "jsonl", "--out", str(out)])
    lines = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [line["reasoning"] for line in lines] == [item.reasoning for item in items]
    assert lines[0]["answers"][0]["values"] == {"verdict": "discard", "comment": HOSTILE[1]}
    lines[1]["answers"].append({"annotator": "bob", **edit(items[1]), "readability": "4", "reasons": "other"})
    lines[2]["answers"].append({"annotator": "bob", "status": "draft", "values": {"comment": "hm"}})
    lines[2]["answers"].append({"annotator": "cleo", "status": "discarded"})
    out.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    for _ in range(2):
        bring([str(folder), str(out)])
        assert said_in(folder) == {
            (items[0].item_id, "ann"): ("submitted", {"verdict": "discard", "comment": HOSTILE[1]}),
            (items[1].item_id, "bob"): ("submitted", {**edit(items[1]), "readability": 4, "reasons": ["other"]}),
            (items[2].item_id, "bob"): ("draft", {"comment": "hm"}),
            (items[2].item_id, "cleo"): ("discarded", {}),
        }


def test_a_line_is_enough_for_an_answer_and_a_later_line_counts(folder: Path, items: list[Item], tmp_path: Path) -> None:
    safe = next(item for item in items if item.reasoning == "plain thoughts")
    out = tmp_path / "said.jsonl"
    first, second = {"item_id": safe.item_id, "verdict": "discard"}, {"item_id": safe.item_id, "verdict": "keep", "language": "en"}
    out.write_text(f"{json.dumps(first)}\r\n{json.dumps(second)}\r\n", encoding="utf-8")
    bring([str(folder), str(out), "--annotator", "dora"])
    assert said_in(folder) == {(safe.item_id, "dora"): ("submitted", {"verdict": "keep", "language": "en"})}


def test_what_can_not_be_taken_in_is_told_by_line_and_the_rest_is_taken_in(folder: Path, items: list[Item], tmp_path: Path) -> None:
    safe = next(item for item in items if item.reasoning == "plain thoughts")
    lines = [
        json.dumps({"item_id": safe.item_id, "annotator": "good", "verdict": "keep"}),
        json.dumps({"item_id": "0123456789abcdef", "annotator": "a", "verdict": "keep"}),
        json.dumps({"item_id": safe.item_id, "annotator": "b", "verdict": "kept"}),
        json.dumps({"item_id": safe.item_id, "annotator": "c", "verdict": "fix"}),
        json.dumps({"item_id": safe.item_id, "annotator": "d", "verdict": "fix", "reasoning": "I </think> end."}),
        json.dumps({"item_id": safe.item_id, "annotator": "e", "verdict": "keep", "language": "klingon"}),
        json.dumps({"item_id": safe.item_id, "annotator": "f", "verdict": "keep", "readability": 7}),
        json.dumps({"item_id": safe.item_id, "annotator": "g", "values": {"verdit": "keep"}, "status": "submitted"}),
        json.dumps({"item_id": safe.item_id, "annotator": "h", "verdict": "keep", "language": "klingon", "guideline": "00000000"}),
        json.dumps({"item_id": safe.item_id, "annotator": "i", "verdict": "discard", "language": "klingon", "guideline": "00000000"}),
        '{"item_id": "half',
    ]
    out = tmp_path / "said.jsonl"
    out.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match="all else was") as told:
        bring([str(folder), str(out)])
    assert set(said_in(folder)) == {(safe.item_id, "good"), (safe.item_id, "i")}, "a discard counts whatever else stands in it"
    message = str(told.value)
    for number, because in {
        2: "no item '0123456789abcdef'",
        3: "choose keep, fix or discard",
        4: "fix says that a text was edited",
        5: "'</think>' stands in the edited reasoning",
        6: "language is one of en, zh",
        7: "readability is 1 to 5",
        8: "Did you mean 'verdict'",
        9: "answers the questions 00000000",
        11: "half a line",
    }.items():
        assert any(f"line {number}" in line and because in line for line in message.splitlines()), (number, because, message)
    assert "line 1:" not in message


def test_a_folder_of_files_goes_out_and_answers_written_there_come_home(folder: Path, items: list[Item], tmp_path: Path) -> None:
    out = tmp_path / "for-bob"
    export([str(folder), "--to", "folder", "--out", str(out)])
    with (out / ANSWERS).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"item_id": items[3].item_id, "annotator": "bob", **edit(items[3])}) + "\n")
    assert ReviewFiles(out).progress().done == 1
    bring([str(folder), str(out)])
    assert said_in(folder) == {(items[3].item_id, "bob"): ("submitted", edit(items[3]))}
    export([str(folder), "--to", "folder", "--out", str(out)])
    assert len((out / "items.jsonl").read_bytes().splitlines()) == len(items), "exported again, nothing is there twice"


def result(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {
        "from_name": name,
        "to_name": "shown_reasoning",
        "type": kind,
        "value": {"text" if kind == "textarea" else kind: value},
        "id": "x",
    }


def fixed(item: Item) -> list[dict[str, Any]]:
    values = edit(item)
    texts = [result(name, "textarea", [values[name]]) for name in ("reasoning", "summary")]
    return [result("verdict", "choices", ["fix"]), result("readability", "rating", 4), result("reasons", "choices", ["other"]), *texts]


def test_label_studio_tasks_hold_the_texts_and_its_export_comes_home(folder: Path, items: list[Item], tmp_path: Path) -> None:
    out = tmp_path / "tasks.json"
    export([str(folder), "--to", "label-studio", "--out", str(out)])
    tasks = json.loads(out.read_text(encoding="ascii"))
    for task, item in zip(tasks, items, strict=True):
        assert (task["data"]["reasoning"], task["data"]["summary"], task["data"]["item_id"]) == (item.reasoning, item.summary, item.item_id)
        assert task["predictions"][0]["result"][0]["value"] == {"choices": ["en"]}
    layout = ElementTree.fromstring(out.with_suffix(".xml").read_text(encoding="utf-8"))
    names = {tag.get("name") for tag in layout if tag.get("name")}
    fields = {tag.get("name"): tag.get("value") for tag in layout.findall("TextArea")}
    assert fields == {"reasoning": "$reasoning", "summary": "$summary", "comment": None}
    assert {each["from_name"] for task in tasks for each in task["predictions"][0]["result"]} <= names
    assert [choice.get("value") for choice in layout.findall("Choices[@name='language']/Choice")] == list(questions_of(folder).languages)
    when = {"created_at": "2026-01-01T10:00:00Z", "updated_at": "2026-01-01T12:00:00.5+02:00", "lead_time": 12.5}
    unchanged = next(number for number, item in enumerate(items) if "\r" in item.reasoning)
    as_typed = items[unchanged].reasoning.replace("\r\n", "\n").replace("\r", "\n")
    for number, task in enumerate(tasks):
        task |= {"id": 100 + number, "annotations": [], "drafts": []}
    tasks[0]["annotations"] = [
        {**when, "completed_by": 7, "result": fixed(items[0])},
        {**when, "completed_by": {"id": 8, "email": "b@x.org"}, "result": [], "was_cancelled": True},
    ]
    tasks[1]["annotations"] = [{**when, "completed_by": 9, "result": [result("verdict", "choices", ["discard"])]}]
    tasks[1]["drafts"] = [
        {**when, "user": "b@x.org", "created_username": "b@x.org, 8", "result": [result("comment", "textarea", ["half"])]}
    ]
    tasks[unchanged]["annotations"] += [
        {**when, "completed_by": 7, "result": [result("verdict", "choices", ["keep"]), result("reasoning", "textarea", [as_typed])]}
    ]
    back = tmp_path / "export.json"
    back.write_text(json.dumps(tasks), encoding="utf-8")
    bring([str(folder), str(back), "--annotators", '{"7": "alice", "b@x.org": "bob"}'])
    bring([str(folder), str(back), "--annotators", '{"7": "alice", "b@x.org": "bob"}'])
    assert said_in(folder) == {
        (items[0].item_id, "alice"): ("submitted", {**edit(items[0]), "readability": 4, "reasons": ["other"]}),
        (items[0].item_id, "bob"): ("discarded", {}),
        (items[1].item_id, "user 9"): ("submitted", {"verdict": "discard"}),
        (items[1].item_id, "bob"): ("draft", {"comment": "half"}),
        (items[unchanged].item_id, "alice"): ("submitted", {"verdict": "keep", "reasoning": items[unchanged].reasoning}),
    }
    with Store.open(folder) as store:
        answer = next(each for each in store.answers() if each.annotator == "user 9")
        assert (answer.at, answer.seconds, answer.guideline) == ("2026-01-01T10:00:00.500000Z", 12.5, store.questions.version)


def test_one_person_is_one_whether_a_number_or_an_address_signs(folder: Path, items: list[Item], tmp_path: Path) -> None:
    tasks = [{"id": number, "data": {"item_id": item.item_id}} for number, item in enumerate(items[:3])]
    tasks[0]["annotations"] = [{"completed_by": 1, "result": [result("verdict", "choices", ["discard"])]}]
    tasks[1]["drafts"] = [{"user": "ann@x.org", "created_username": "ann@x.org, 1", "result": [result("comment", "textarea", ["half"])]}]
    tasks[2]["annotations"] = [{"completed_by": 2, "result": [result("verdict", "choices", ["discard"])]}]
    (tmp_path / "export.json").write_text(json.dumps(tasks), encoding="utf-8")
    bring([str(folder), str(tmp_path / "export.json"), "--annotators", '{"2": "bob"}'])
    assert {annotator for _, annotator in said_in(folder)} == {"ann@x.org", "bob"}


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("[{", "no whole JSON export"),
        ('[{"id": 1, "verdict": "keep"}]', "JSON-MIN"),
    ],
)
def test_other_exports_of_label_studio_are_refused_with_the_right_one(folder: Path, tmp_path: Path, text: str, because: str) -> None:
    (tmp_path / "export.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=because):
        bring([str(folder), str(tmp_path / "export.json")])


def test_an_annotation_that_is_not_ours_is_told_by_task(folder: Path, items: list[Item], tmp_path: Path) -> None:
    task = {
        "id": 5,
        "data": {"item_id": items[0].item_id},
        "annotations": [{"completed_by": 1, "result": [{"type": "labels"}]}, {"result": []}],
    }
    (tmp_path / "export.json").write_text(json.dumps([task]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"task 5 by user 1: .*\n.*task 5 by nobody: it says no annotator"):
        bring([str(folder), str(tmp_path / "export.json")])


def state(user: str, said: dict[str, list[tuple[str, str, Any]]]) -> dict[str, Any]:
    """What Potato 2.12 writes for one annotator."""
    labels = {item_id: [[{"schema": scheme, "name": name}, value] for scheme, name, value in each] for item_id, each in said.items()}
    spent = {item_id: {"session_start": 1767225600.25, "session_end": None, "total_time_ms": 2500} for item_id in said}
    return {"user_id": user, "instance_id_to_label_to_value": labels, "instance_id_to_behavioral_data": spent}


def test_potato_data_hold_the_texts_and_its_folder_comes_home(folder: Path, items: list[Item], tmp_path: Path) -> None:
    out = tmp_path / "potato" / "items.jsonl"
    export([str(folder), "--to", "potato", "--out", str(out)])
    rows = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [row["predictions"]["reasoning"] for row in rows] == [item.reasoning for item in items]
    settings = yaml.safe_load(out.with_suffix(".yaml").read_text(encoding="utf-8"))
    assert settings["data_files"] == ["items.jsonl"]
    assert {scheme["name"] for scheme in settings["annotation_schemes"]} == {
        "verdict",
        "readability",
        "language",
        "reasons",
        "reasoning",
        "summary",
        "comment",
    }
    values = edit(items[2])
    written = {
        "alice": {
            items[2].item_id: [
                ("verdict", "fix", "fix"), ("verdict", "keep", False), ("readability", "2", "2"),
                ("reasons", "other", "true"), ("reasons", "wrong", ""),
                ("reasoning", "text_box", values["reasoning"]), ("summary", "text_box", values["summary"]), ("comment", "text_box", ""),
            ],
            items[0].item_id: [("comment", "text_box", "later")],
        },
        "bob": {items[2].item_id: [("verdict", "discard", True)]},
    }  # fmt: skip
    for user, said in written.items():
        place = tmp_path / "potato" / "annotation_output" / user
        place.mkdir(parents=True)
        (place / "user_state.json").write_text(json.dumps(state(user, said)), encoding="utf-8")
    for _ in range(2):
        bring([str(folder), str(tmp_path / "potato" / "annotation_output")])
        assert said_in(folder) == {
            (items[2].item_id, "alice"): ("submitted", {**values, "readability": 2, "reasons": ["other"]}),
            (items[0].item_id, "alice"): ("draft", {"comment": "later"}),
            (items[2].item_id, "bob"): ("submitted", {"verdict": "discard"}),
        }
    with Store.open(folder) as store:
        assert {(answer.at, answer.seconds) for answer in store.answers()} == {("2026-01-01T00:00:00.250000Z", 2.5)}


def test_a_damaged_file_of_potato_is_named_and_the_others_are_read(folder: Path, items: list[Item], tmp_path: Path) -> None:
    for user, text in (
        ("ok", json.dumps(state("ok", {items[0].item_id: [("verdict", "discard", True)]}))),
        ("torn", '{"user_id": "to'),
        ("odd", "[]"),
    ):
        (tmp_path / "out" / user).mkdir(parents=True)
        (tmp_path / "out" / user / "user_state.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"(?s)2 problems.*odd.*torn"):
        bring([str(folder), str(tmp_path / "out")])
    assert set(said_in(folder)) == {(items[0].item_id, "ok")}


def test_files_that_are_there_are_not_written_over(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "items.jsonl"
    out.write_text("somebody's work", encoding="utf-8")
    for to in ("jsonl", "label-studio", "potato"):
        with pytest.raises(ValueError, match="there already"):
            export([str(folder), "--to", to, "--out", str(out)])
    with pytest.raises(ValueError, match="Did you mean 'potato'"):
        export([str(folder), "--to", "potatoes", "--out", str(tmp_path / "x")])
    with pytest.raises(ValueError, match=r"name it .*x\.jsonl"):
        export([str(folder), "--to", "potato", "--out", str(tmp_path / "x.json")])
    with pytest.raises(ValueError, match="no file or folder"):
        bring([str(folder), str(tmp_path / "itmes.jsonl")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds neither"):
        bring([str(folder), str(tmp_path / "empty")])


def test_an_answer_to_a_former_text_of_a_row_is_kept(folder: Path, items: list[Item], tmp_path: Path) -> None:
    out = tmp_path / "items.jsonl"
    export([str(folder), "--to", "jsonl", "--out", str(out)])
    with Store.open(folder) as store:
        store.push([replace(items[0], summary="another")], store.questions)
    line = json.loads(out.read_bytes().splitlines()[0])
    line["answers"] = [{"annotator": "ann", "verdict": "discard"}]
    out.write_text(json.dumps(line), encoding="utf-8")
    bring([str(folder), str(out)])
    assert said_in(folder) == {(items[0].item_id, "ann"): ("submitted", {"verdict": "discard"})}


@pytest.fixture
def peers() -> str:
    """An interpreter that has label-studio-sdk and potato-annotation; a test that wants it is skipped where none is named."""
    python = os.environ.get("DATAENGINE_REVIEW_TOOLS")
    if not python:
        pytest.skip("DATAENGINE_REVIEW_TOOLS names no interpreter with label-studio-sdk and potato-annotation")
    return python


def test_both_tools_accept_what_is_written_for_them(peers: str, folder: Path, tmp_path: Path) -> None:
    tasks, data = tmp_path / "ls" / "tasks.json", tmp_path / "potato" / "items.jsonl"
    export([str(folder), "--to", "label-studio", "--out", str(tasks)])
    export([str(folder), "--to", "potato", "--out", str(data)])
    program = f"""
import json
from pathlib import Path
from label_studio_sdk.label_interface import LabelInterface
interface = LabelInterface(Path({str(tasks.with_suffix(".xml"))!r}).read_text())
interface.validate()
for task in json.loads(Path({str(tasks)!r}).read_text()):
    assert interface.validate_task({{"data": task["data"]}}), task  # with predictions in it the method of 2.1.2 raises
    for prediction in task["predictions"]:
        assert not interface.validate_prediction(prediction, return_errors=True), prediction
"""
    subprocess.run([peers, "-c", program], check=True, timeout=120)
    checked = subprocess.run(
        [peers, "-m", "potato.validate_cli", str(data.with_suffix(".yaml")), "--strict"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
