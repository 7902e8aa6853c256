from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from annotation import items
from annotation.item import Finding, Said
from annotation.items import item_of, items_of, parts_of, questions_of
from annotation.pointing import findings_of
from annotation.questions import Questions
from annotation.queue import queue
from annotation.sqlite.store import Store
from dataengine import shards
from dataengine.keep import score
from dataengine.run import run
from dataengine.score import Score, scorer
from dataengine.step import Step
from dataengine.templates import Form
from dataengine.work import Work
from tests.annotation.rows import BARS, responses, right, rollout, rollouts, short

FORM = Form()
OTHER = Form(opening="|special_token|", closing="|special_token|", apart=False)


def test_items_come_in_the_order_of_asking_however_little_fits_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run(queue(responses(rollouts(60)), bars=BARS, audit=0.5), tmp_path)
    whole = list(items_of(folder))
    monkeypatch.setattr(items, "WINDOW_BYTES", 1_000)
    assert list(items_of(folder)) == whole
    assert [item.rank for item in whole] == list(range(len(whole)))
    stored = dict(shards.read(folder).filter(pl.col("rank") >= 0).select("row_id", "item_id").iter_rows())
    assert {item.row_id: item.item_id for item in whole} == stored


def test_an_item_says_what_scorers_said_and_where_they_point(tmp_path: Path) -> None:
    folder = run(queue(responses([rollout(2, long=True, pass_rate=0.25, license=None)]), bars=BARS, audit=1.0), tmp_path)
    (item,) = items_of(folder)
    assert item.said == (Said(scorer="right", value=1.0, reason="2 against 2"), Said(scorer="short", value=0.0, reason="65 characters"))
    assert item.findings == (Finding(field="reasoning", start=40, stop=65, scorer="short", note="too long"),)
    assert item.metadata == {
        "domain": "math",
        "language": "en",
        "length": 65 + 1,
        "pass_rate": 0.25,
        "standing": "rejected",
        "right": 1.0,
        "short": 0.0,
    }
    assert (item.prompt, item.answer, item.why, item.wanted) == ("How much is 2?", "2", "rejected", 1)


def test_the_length_that_people_filter_by_is_that_of_the_text_they_see_not_of_the_rollout_before_its_refinement(tmp_path: Path) -> None:
    refined = rollout(2, raw_response="We count. " * 500, response_tokens=1_500)
    (item,) = items_of(run(queue(responses([refined]), bars=BARS), tmp_path))
    assert item.metadata["length"] == len("I count to 2.") + len("2")
    assert "response_tokens" not in item.metadata


def test_any_finished_folder_of_responses_can_be_reviewed(tmp_path: Path) -> None:
    folder = run(score(responses(rollouts(9)), [right, short]), tmp_path)
    found = list(items_of(folder))
    assert [item.summary for item in found] == [str(n) for n in range(9)]
    assert {item.why for item in found} == {"all"}
    assert len(found[0].said) == 2
    assert questions_of(folder) == Questions()


def test_rows_without_an_id_are_known_by_their_content(tmp_path: Path) -> None:
    bare = [{"question": "1+1?", "response": "2"}, {"question": "1+2?", "response": "3"}, {"question": "1+1?", "response": "2"}]
    found = list(items_of(run(responses(bare), tmp_path)))
    assert [(item.prompt, item.reasoning, item.summary, item.rank) for item in found] == [("1+1?", "2", "", 0), ("1+2?", "3", "", 1)]
    assert found[0].row_id != found[1].row_id
    assert list(items_of(run(responses(bare, name="again"), tmp_path))) == found


def test_rows_whose_questions_stand_in_different_columns_are_what_people_were_asked(tmp_path: Path) -> None:
    rows = [rollout(n, problem=None) for n in range(3)] + [rollout(n, messages=None, problem=f"Count to {n}!") for n in range(3, 6)]
    folder = run(queue(responses(rows), bars=BARS, overlap=0.0), tmp_path)
    found = sorted(items_of(folder), key=lambda item: int(item.summary))
    assert [item.prompt for item in found] == [f"How much is {n}?" for n in range(3)] + [f"Count to {n}!" for n in range(3, 6)]
    assert {item.item_id for item in found} == set(shards.read(folder)["item_id"])


def test_shards_of_different_types_are_what_people_were_asked(tmp_path: Path) -> None:
    answers: list[Any] = [2, 3.5, "4", 10**17]
    parts = [responses([rollout(n, answer=answer)], name=f"part{n}") for n, answer in enumerate(answers)]

    def make(work: Work) -> None:
        for name, folder in work.inputs.items():
            work.land(f"{name}.parquet", shards.read(folder))

    step = Step(name="sources", make=make, inputs={f"part{n}": part for n, part in enumerate(parts)})
    folder = run(queue(step, bars=(), overlap=0.0), tmp_path)
    assert {item.answer for item in items_of(folder)} == {"2", "3.5", "4", "100000000000000000"}


def test_a_queue_whose_text_was_changed_behind_its_back_is_refused(tmp_path: Path) -> None:
    folder = run(queue(responses([rollout(3)]), bars=BARS), tmp_path)
    (path,) = shards.shard_paths(folder)
    shards.read(folder).with_columns(summary=pl.lit("4")).write_parquet(path)
    with pytest.raises(ValueError, match=f"row {rollout(3)['row_id']} of the queue is not what people are asked .* delete it, and run"):
        list(items_of(folder))


def test_rows_that_share_a_row_id_are_asked_apart(tmp_path: Path) -> None:
    same = [{"row_id": "r", "prompt": "1+1?", "reasoning": text, "summary": "2", "answer": gold} for text in "abba" for gold in (2, 3)]
    folder = run(responses(same), tmp_path)
    found = list(items_of(folder))
    assert [(item.reasoning, item.answer) for item in found] == [("a", "2"), ("a", "3"), ("b", "2"), ("b", "3")]
    assert found[0].row_id == "r"
    assert len({item.row_id for item in found}) == len({item.item_id for item in found}) == 4
    with closing(Store.open(folder)) as store:
        assert [item.item_id for item in store.items()] == [item.item_id for item in found]


def test_what_a_reader_of_files_took_for_numbers_is_text_where_it_can_be_and_else_refused(tmp_path: Path) -> None:
    (item,) = items_of(run(responses([{"prompt": 12, "response": "2", "answer": 2}]), tmp_path))
    assert (item.prompt, item.answer) == ("12", "2")
    assert item_of({"row_id": 7, "response": "2"}, FORM, rank=0).row_id == "7"
    with pytest.raises(ValueError, match=r"the column summary of numbers-\w+ holds Int64, and people review text: make it a column of str"):
        list(items_of(run(responses([{"prompt": "1+1?", "reasoning": "a", "summary": 2}], name="numbers"), tmp_path)))


def test_a_folder_that_can_not_be_reviewed_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no manifest\.json; it is no folder of ours"):
        list(items_of(tmp_path))
    with pytest.raises(ValueError, match="no text to review: rows want response, or reasoning and summary; they have question"):
        list(items_of(run(responses([{"question": "1+1?"}]), tmp_path)))


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1?"}], "1+1?"),
        (
            [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}, {"role": "user", "content": "Sure?"}],
            "user:\n1+1?\n\nassistant:\n2\n\nuser:\nSure?",
        ),
        ([], ""),
        ([{"role": "user", "content": None}], ""),
    ],
)
def test_the_prompt_is_the_question_or_the_whole_conversation(messages: list[dict[str, Any]], prompt: str) -> None:
    assert item_of({"messages": messages, "response": "2"}, FORM, rank=0).prompt == prompt


def test_texts_are_as_they_are_nul_and_lone_surrogates_included() -> None:
    row = json.loads('{"question": "a\\u0000b \\ud800", "reasoning": "<think> x<y \\udfff", "summary": "", "response": null}')
    item = item_of(row, FORM, rank=0)
    assert (item.prompt, item.reasoning) == ("a\0b \ud800", "<think> x<y \udfff")
    assert len(item.item_id) == 16


def test_thoughts_that_are_not_told_apart_are_the_whole_response() -> None:
    assert item_of({"response": "<think> never closed"}, FORM, rank=0).reasoning == "<think> never closed"
    direct = item_of({"response": "4", "reasoning": None, "summary": "4"}, FORM, rank=0)
    assert (direct.reasoning, direct.summary) == ("", "4")


@pytest.mark.parametrize(
    ("response", "form", "parts"),
    [
        ("<think>\nI add.\n</think>\n\n2", FORM, ("I add.", "2")),
        ("<think>I add.</think>2\n", FORM, ("I add.", "2")),
        ("I add.\n</think>\n\n2", FORM, ("I add.", "2")),
        ("|special_token|I add.|special_token|2", OTHER, ("I add.", "2")),
        ("<think>\nI add.\n</think>\n\n2", OTHER, ("I add.", "2")),
        ("|special_token|I add.|special_token|2", FORM, ("|special_token|I add.|special_token|2", "")),
        ("<think>I <think> add.</think>2", FORM, ("<think>I <think> add.</think>2", "")),
        ("<think>I add.</think>2</think>", FORM, ("<think>I add.</think>2</think>", "")),
        ("Well. <think>I add.</think>2", FORM, ("Well. <think>I add.</think>2", "")),
        ("<think>\n\n</think>\n\n2", FORM, ("", "2")),
    ],
)
def test_a_response_is_told_apart_in_the_queues_form_or_in_r1s_where_nothing_is_lost(
    response: str, form: Form, parts: tuple[str, str]
) -> None:
    assert parts_of({"response": response}, form) == parts
    assert parts_of({"response": response, "reasoning": None, "summary": "4"}, form) == ("", "4")


@scorer
def pointing(response: str) -> Score:
    """Points into the whole response."""
    return Score(0.0, response)


@pointing.finds
def _everywhere(row: dict[str, Any]) -> list[dict[str, Any]]:
    if row["response"] == "broken":
        raise KeyError("oh")
    text = row["response"]
    return [{"field": "response", "start": text.index("two"), "end": text.index("four") + 4, "text": "", "copies": 2}]


def test_what_a_scorer_finds_in_the_response_is_found_again_in_its_parts() -> None:
    row = {"response": "<think>\n一 two\n</think>\n\nthree four", "reasoning": "一 two", "summary": "three four"}
    found = findings_of(pointing, row, FORM)
    assert [(each["field"], row[each["field"]][each["start"] : each["stop"]]) for each in found] == [
        ("reasoning", "two"),
        ("summary", "three four"),
    ]
    assert found[0]["note"] == "copies 2"


def test_a_finder_that_fails_says_so_and_costs_nothing_else() -> None:
    (found,) = findings_of(pointing, {"response": "broken", "reasoning": None, "summary": None}, FORM)
    assert found["note"] == "could not point: 'oh'"
    assert findings_of(right, rollout(3), FORM) == []
