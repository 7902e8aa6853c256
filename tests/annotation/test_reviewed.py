from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.answer import Answer
from annotation.edits import applied, edits_of, undone
from annotation.item import Item
from annotation.items import items_of, parts_of
from annotation.questions import Questions
from annotation.queue import queue
from annotation.reviewed import reviewed
from dataengine import shards
from dataengine.columns import REVIEWED, schema
from dataengine.errors import WaitsForPeople
from dataengine.run import run
from dataengine.step import Step
from dataengine.templates import Form
from tests.annotation.answers import answer, answer_all, store_answers
from tests.annotation.rows import BARS, everywhere, responses, rollout, rollouts


def asked(rows: list[dict[str, Any]], **settings: Any) -> Step:
    return queue(responses(rows), **{"bars": BARS, "audit": 1.0, "overlap": 0.0, **settings})


def came_home(root: Path, step: Step, say: Callable[[Item, int], Answer | None], **settings: Any) -> Path:
    answer_all(run(step, root), say)
    return run(reviewed(step, **settings), root)


def one_row(root: Path, *said: Answer, row: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """The row as it came home after these answers; `answer` wants an item, so they name none."""
    step = asked([row or rollout(3)], overlap=1.0, people=max(len(said), 1), **settings)
    (item,) = items_of(run(step, root))
    store_answers(run(step, root), [Answer(**{**vars(each), "item_id": item.item_id}) for each in said])
    folder = run(reviewed(step), root)
    kept, dropped = shards.read(folder).to_dicts(), shards.read(folder, shards.REJECTED).to_dicts()
    return (kept or dropped)[0]


NOBODY = Item(row_id="", prompt="", reasoning="", summary="")


def test_a_kept_row_comes_home_in_the_form_with_who_said_so(tmp_path: Path) -> None:
    row = one_row(tmp_path, answer(NOBODY, readability=4), row=rollout(3, response="<think>I count to 3.</think> <answer>3</answer>"))
    assert row["human"] == {"value": 1.0, "reason": "keep"}
    assert row["reviewed_by"] == ["ann"]
    assert row["response"] == "<think>\nI count to 3.\n</think>\n\n3"
    assert row["raw_response"] == "<think>I count to 3.</think> <answer>3</answer>"
    assert row["readability"] == 4
    assert row["seconds"] == 30
    assert row["edits"] is None
    assert json.loads(row["answers"])[0]["values"] == {"verdict": "keep", "readability": 4}


def test_a_fixed_row_carries_the_edit_and_the_way_from_the_raw_text_to_it(tmp_path: Path) -> None:
    edited = "I count: one, two, three.\n\nLet me check: 三 is <b>3</b> & x<y. 👩‍👧"
    row = one_row(tmp_path, answer(NOBODY, "fix", reasoning=edited))
    assert row["reasoning"] == edited
    assert row["response"] == Form().write(edited, "3")
    assert Form().read(row["response"]) == (edited, "3")
    assert applied("I count to 3.", json.loads(row["edits"])) == edited
    assert undone(edited, json.loads(row["edits"])) == "I count to 3."
    assert row["raw_response"] == "<think>\nI count to 3.\n</think>\n\n3"
    assert row["human"] == {"value": 1.0, "reason": "fix"}


def test_of_a_refined_row_come_home_what_people_saw_and_what_the_model_wrote(tmp_path: Path) -> None:
    raw = "<think>we count 到 3, so three it be. x<y 👩‍👧</think> <answer>3</answer>"
    before = rollout(3, raw_response=raw)
    row = one_row(tmp_path, answer(NOBODY, "fix", reasoning="I count: 1, 2, 3.", summary="It is 3."), row=before)
    edits = json.loads(row["edits"])
    for field in ("reasoning", "summary"):
        here = [edit for edit in edits if edit["field"] == field]
        assert undone(row[field], here) == before[field]
        assert applied(before[field], here) == row[field]
    assert row["raw_response"] == raw
    whole_way = edits_of("response", row["raw_response"], row["response"])
    assert applied(raw, whole_way) == row["response"] == Form().write("I count: 1, 2, 3.", "It is 3.")
    assert undone(row["response"], whole_way) == raw


def test_thoughts_of_one_and_a_summary_of_another_come_home_together(tmp_path: Path) -> None:
    said = [answer(NOBODY, "fix", by="ann", minute=1, reasoning="I count."), answer(NOBODY, "fix", by="bo", minute=2, summary="three")]
    row = one_row(tmp_path, *said)
    assert row["response"] == Form().write("I count.", "three")
    assert row["human"]["reason"] == "fix"
    assert row["reviewed_by"] == ["ann", "bo"]
    (folder,) = [path for path in tmp_path.glob("reviewed-*") if path.is_dir()]
    assert shards.read_manifest(folder)["notes"]["reviewed"]["different_edits"] == 0


def test_one_discard_of_several_discards(tmp_path: Path) -> None:
    said = [answer(NOBODY, by="ann"), answer(NOBODY, "discard", by="bo", reasons=["wrong"], comment="3 is not 4"), answer(NOBODY, by="cy")]
    row = one_row(tmp_path, *said)
    assert row["dropped_by"] == "people"
    assert row["dropped_because"] == "discard by 1 of 3: wrong (3 is not 4)"
    assert row["human"] == {"value": 0.0, "reason": row["dropped_because"]}
    assert row["reviewed_by"] == ["ann", "bo", "cy"]


def test_the_later_of_two_edits_is_taken_and_both_are_told(tmp_path: Path) -> None:
    said = [answer(NOBODY, "fix", by="bo", minute=9, summary="three"), answer(NOBODY, "fix", by="ann", minute=5, summary="III")]
    row = one_row(tmp_path, *said)
    assert row["summary"] == "three"
    assert row["human"]["reason"] == "fix, not as ann edited the summary"
    assert [each["values"]["summary"] for each in json.loads(row["answers"])] == ["III", "three"]
    (folder,) = [path for path in tmp_path.glob("reviewed-*") if path.is_dir()]
    assert shards.read_manifest(folder)["notes"]["reviewed"]["different_edits"] == 1


def test_people_beat_scorers_both_ways(tmp_path: Path) -> None:
    step = asked(rollouts(24))
    folder = came_home(tmp_path, step, lambda item, _: answer(item, "discard" if item.why == "kept" else "keep"))
    assert set(shards.read(folder)["standing"]) == {"rejected", "unjudged"}
    assert set(shards.read(folder, shards.REJECTED)["standing"]) == {"kept"}
    assert shards.read_manifest(folder)["notes"]["reviewed"]["rescued"] == {"rejected": 8, "unjudged": 4}


def test_rows_nobody_was_asked_about_pass_without_a_word(tmp_path: Path) -> None:
    step = asked(rollouts(24), share=0.0, audit=0.0)
    folder = came_home(tmp_path, step, lambda item, _: answer(item))
    unasked = shards.read(folder).filter(pl.col("rank").is_null())
    assert len(unasked) == 12
    assert unasked.select("human", "reviewed_by", "raw_response", "answers").null_count().row(0) == (12, 12, 12, 12)
    assert {name: unasked.schema[name] for name in schema(REVIEWED)} == schema(REVIEWED)


def test_a_second_review_leaves_the_first_where_it_asks_nobody(tmp_path: Path) -> None:
    first = asked(rollouts(24))
    say: dict[str, Any] = {"by": "ann", "summary": "mended"}
    folder = came_home(tmp_path, first, lambda item, _: answer(item, "fix", **say))
    again = queue(reviewed(first), bars=(), share=0.5, overlap=0.0, name="second")
    second = came_home(tmp_path, again, lambda item, _: answer(item, by="bo"), name="twice")
    rows = shards.read(second)
    by = {None: [], **dict(rows.group_by("rank").agg("reviewed_by").iter_rows())}
    assert all(each == [["bo"]] for rank, each in by.items() if rank is not None)
    assert {tuple(each) for each in by[None]} == {("ann",)}
    raw = dict(shards.read(folder).select("row_id", "raw_response").iter_rows())
    assert dict(rows.select("row_id", "raw_response").iter_rows()) == raw


def test_a_run_waits_until_enough_have_answered_and_then_goes_on(tmp_path: Path) -> None:
    step = asked(rollouts(24))
    folder = run(step, tmp_path)
    with pytest.raises(WaitsForPeople, match=r"24 of 24 rows wait for people \(4 unjudged, ") as waits:
        run(reviewed(step), tmp_path)
    assert f"dataengine review {folder} " in str(waits.value)
    assert f"dataengine argilla push {folder}" in str(waits.value)
    items = list(items_of(folder))
    store_answers(folder, [answer(item) for item in items[:20]])
    store_answers(folder, [answer(items[20], status="draft"), answer(items[21], "fix"), answer(items[22], "fix", summary=" ")])
    with pytest.raises(WaitsForPeople) as waits:
        run(reviewed(step), tmp_path)
    said = str(waits.value)
    assert "4 of 24 rows wait for people" in said
    assert "20 are done; the run goes on when 24 are (enough=1)" in said
    assert "not submitted: 1 by ann" in said
    assert "2 submitted answers can not be used" in said
    assert "both are as they were" in said
    assert "the edited summary is empty" in said
    home = run(reviewed(step, enough=0.8), tmp_path)
    assert len(shards.read(home)) == 20
    because = dict(shards.read(home, shards.REJECTED).select("row_id", "dropped_because").iter_rows())
    assert [because[item.row_id] for item in items[20:]] == [
        "not answered yet",
        "not answered yet; ann's answer can not be used: fix says that a text was edited, and both are as they were: "
        "edit one, or choose keep",
        "not answered yet; ann's answer can not be used: the edited summary is empty: write it, or discard the rollout",
        "not answered yet",
    ]
    store_answers(folder, [answer(item, minute=30) for item in items[20:]])
    assert len(shards.read(run(reviewed(step, enough=0.8), tmp_path))) == 20
    assert len(shards.read(run(reviewed(step, enough=0.8, round=2), tmp_path))) == 24


def test_the_latest_word_counts_and_a_draft_is_none(tmp_path: Path) -> None:
    step = asked(rollouts(12))
    items = list(items_of(run(step, tmp_path)))
    store_answers(run(step, tmp_path), [answer(item, "discard", minute=1) for item in items])
    store_answers(run(step, tmp_path), [answer(item, "keep", minute=2) for item in items])
    assert len(shards.read(run(reviewed(step), tmp_path))) == 12


def test_two_people_must_have_answered_where_two_are_wanted(tmp_path: Path) -> None:
    step = asked(rollouts(12), overlap=1.0)
    folder = run(step, tmp_path)
    store_answers(folder, [answer(item) for item in items_of(folder)])
    with pytest.raises(WaitsForPeople, match="12 of 12 rows") as waits:
        run(reviewed(step), tmp_path)
    assert "12 of them are answered, and want another annotator's answer as well" in str(waits.value)
    store_answers(folder, [answer(item, "fix", by="bo", minute=1, summary="better") for item in items_of(folder)])
    assert set(shards.read(run(reviewed(step), tmp_path))["summary"]) == {"better"}


def test_a_discard_counts_before_all_have_answered_and_whatever_else_stands_in_it(tmp_path: Path) -> None:
    step = asked(rollouts(12), overlap=1.0)
    folder = run(step, tmp_path)
    items = list(items_of(folder))
    spoilt = [answer(items[0], "discard", reasons=["no such reason"]), answer(items[1], None, status="discarded", readability=9)]
    store_answers(folder, [*spoilt, *(answer(item, by="bo") for item in items)])
    home = run(reviewed(step, enough=0.1), tmp_path)
    why = dict(shards.read(home, shards.REJECTED).select("row_id", "dropped_because").iter_rows())
    assert why[items[0].row_id] == "discard by 1 of 2: no such reason"
    assert why[items[1].row_id] == "discard by 1 of 2: no reason given"


def test_a_token_inside_of_the_models_own_text_must_be_taken_out(tmp_path: Path) -> None:
    step = asked([rollout(3, reasoning="I say </think> aloud.")])
    folder = run(step, tmp_path)
    (item,) = items_of(folder)
    store_answers(folder, [answer(item)])
    with pytest.raises(WaitsForPeople, match="'</think>' stands in the reasoning as the model wrote it: choose fix"):
        run(reviewed(step), tmp_path)
    store_answers(folder, [answer(item, "fix", minute=2, reasoning="I say it aloud.")])
    assert shards.read(run(reviewed(step), tmp_path))["reasoning"].to_list() == ["I say it aloud."]


@pytest.mark.parametrize(
    ("parts", "edit", "response"),
    [
        ((None, None), {}, "Hello there."),
        ((None, None), {"reasoning": "Hello, you."}, "Hello, you."),
        ((None, None), {"reasoning": "They greet me.", "summary": "Hello."}, "<think>\nThey greet me.\n</think>\n\nHello."),
        ((None, "Hello there."), {}, "Hello there."),
        ((None, "Hello there."), {"summary": "Hello."}, "Hello."),
        (("I think", None), {}, "Hello there."),
        (("I think", None), {"summary": "Hello."}, "<think>\nI think\n</think>\n\nHello."),
        (("I think", ""), {"reasoning": "I know"}, "<think>\nI know\n</think>\n\n"),
    ],
)
def test_what_has_not_both_parts_is_not_pressed_into_the_form(
    tmp_path: Path, parts: tuple[str | None, str | None], edit: dict[str, Any], response: str
) -> None:
    before = rollout(3, response="Hello there.", reasoning=parts[0], summary=parts[1])
    row = one_row(tmp_path, answer(NOBODY, "fix" if edit else "keep", **edit), row=before, bars=())
    assert row["response"] == response
    assert row["raw_response"] == "Hello there."


def test_whatever_shape_a_row_has_what_people_left_is_what_is_read_next(tmp_path: Path) -> None:
    responses_said, edited = ("Hello.", "<think>I add.</think>2", "<think> </think>2", "<think>I"), ("", "reasoning", "summary", "both")
    shapes = itertools.product((None, "", "I think"), (None, "", "two"), responses_said, edited)
    made = (rollout(n, reasoning=r, summary=s, response=said, edited=what) for n, (r, s, said, what) in enumerate(shapes))
    by = {row["row_id"]: row for row in made if any(parts_of(row, Form()))}
    left: dict[str, tuple[str, str]] = {}

    def say(item: Item, _: int) -> Answer:
        both = {"reasoning": f"{item.reasoning.replace('<think>', '')} Or so.", "summary": f"{item.summary} or so"}
        edits: dict[str, Any] = {name: text for name, text in both.items() if by[item.row_id]["edited"] in (name, "both")}
        left[item.row_id] = (edits.get("reasoning", item.reasoning), edits.get("summary", item.summary))
        return answer(item, "fix" if edits else "keep", **edits)

    home = shards.read(came_home(tmp_path, asked([*by.values()], bars=()), say, enough=0.8))
    found = {row["row_id"]: parts_of(row, Form()) for row in home.iter_rows(named=True)}
    stray = {row_id for row_id, texts in left.items() if any("<think>" in text for text in texts)}
    assert len(stray) == 2
    assert found == {row_id: texts for row_id, texts in left.items() if row_id not in stray}
    assert all(text in row["response"] for row in home.iter_rows(named=True) for text in left[row["row_id"]] if row["edited"])


def test_a_row_nobody_was_asked_about_that_can_not_be_written_in_the_form_stays_as_it_was(tmp_path: Path) -> None:
    row = rollout(3, reasoning="I say </think> aloud.", response="as it was")
    home = came_home(tmp_path, asked([row], bars=(), share=0.0), lambda item, _: answer(item))
    assert shards.read(home).select("response", "reasoning", "raw_response").rows() == [("as it was", row["reasoning"], None)]


BOTH = Questions(both=True)
HALVES = [rollout(1, reasoning=""), rollout(2, summary=" "), rollout(3)]


def test_where_a_set_wants_both_parts_nobody_can_keep_one(tmp_path: Path) -> None:
    step = asked(HALVES, bars=(), questions=BOTH)
    folder = run(step, tmp_path)
    items = sorted(items_of(folder), key=lambda item: item.row_id)
    store_answers(folder, [answer(item) for item in items])
    with pytest.raises(WaitsForPeople, match="the reasoning is empty, and the set wants both parts: choose fix and write it, or discard"):
        run(reviewed(step), tmp_path)
    home = run(reviewed(step, enough=0.3), tmp_path)
    assert shards.read(home)["row_id"].to_list() == [rollout(3)["row_id"]]
    because = dict(shards.read(home, shards.REJECTED).select("row_id", "dropped_because").iter_rows())
    assert "the summary is empty, and the set wants both parts" in because[rollout(2)["row_id"]]
    store_answers(folder, [answer(item, "fix", minute=2, summary="2", reasoning="I count.") for item in items])
    assert len(shards.read(run(reviewed(step), tmp_path))) == 3


def test_where_a_set_wants_both_parts_nothing_without_passes_unasked(tmp_path: Path) -> None:
    home = came_home(tmp_path, asked(HALVES, bars=(), share=0.0, questions=BOTH), lambda item, _: answer(item))
    assert shards.read(home)["row_id"].to_list() == [rollout(3)["row_id"]]
    dropped = shards.read(home, shards.REJECTED).sort("dropped_because")
    assert dropped.select("dropped_by", "dropped_because").rows() == [
        ("reviewed", "the reasoning is empty, and the set wants both parts"),
        ("reviewed", "the summary is empty, and the set wants both parts"),
    ]


def test_a_response_that_nobody_told_apart_is_read_and_comes_home_in_the_form(tmp_path: Path) -> None:
    before = rollout(3, response="<think>I count to 3.</think>3", reasoning=None, summary=None)
    kept = one_row(tmp_path / "kept", answer(NOBODY), row=before, bars=())
    assert (kept["reasoning"], kept["summary"], kept["response"]) == ("I count to 3.", "3", "<think>\nI count to 3.\n</think>\n\n3")
    assert kept["raw_response"] == before["response"]
    fixed = one_row(tmp_path / "fixed", answer(NOBODY, "fix", summary="three"), row={**before, "response": "<think> </think>3"}, bars=())
    assert fixed["response"] == "three"


def test_tokens_of_ones_own_make_the_form(tmp_path: Path) -> None:
    form = Form(opening="|special_token|", closing="|special_token|", apart=False)
    row = one_row(tmp_path, answer(NOBODY), questions=Questions(form=form))
    assert row["response"] == "|special_token|I count to 3.|special_token|3"


def test_answers_by_another_guideline_count_and_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = asked([rollout(3)])
    (item,) = items_of(run(step, tmp_path))
    store_answers(run(step, tmp_path), [Answer(**{**vars(answer(item)), "guideline": "00000000"})])
    rows = shards.read(run(reviewed(step), tmp_path))
    assert rows["guideline"].to_list() == ["00000000"]
    assert "1 answers were given by other guidelines" in capsys.readouterr().err


def test_a_run_that_was_killed_goes_on_with_the_answers_it_began_with(tmp_path: Path) -> None:
    step, home = asked(rollouts(24)), reviewed(asked(rollouts(24)))
    folder = came_home(tmp_path, step, lambda item, _: answer(item))
    first = {path.name: path.read_bytes() for path in shards.shard_paths(folder)}
    manifest = shards.read_manifest(folder)
    (folder / shards.MANIFEST).unlink()
    shards.shard_paths(folder)[-1].unlink()
    for path in shards.shard_paths(folder):
        shards.journal(folder, shards.describe(folder, path, rows=len(pl.read_parquet(path))))
    run(home, tmp_path)
    assert {path.name: path.read_bytes() for path in shards.shard_paths(folder)} == first
    assert shards.read_manifest(folder)["notes"]["reviewed"] == manifest["notes"]["reviewed"]


def test_the_manifest_tells_what_people_did(tmp_path: Path) -> None:
    step = asked(rollouts(48), overlap=0.5)
    folder = came_home(
        tmp_path,
        step,
        lambda item, number: answer(item, "discard" if item.rank % 4 == number else "keep", by=f"person {number}", readability=3),
    )
    notes = shards.read_manifest(folder)["notes"]
    assert notes["reviewed"]["asked"] == notes["reviewed"]["done"] == 48
    assert notes["reviewed"]["outcome"]["discard"] == len(shards.read(folder, shards.REJECTED))
    assert notes["reviewed"]["by"]["person 0"]["answers"] == 48
    assert notes["reviewed"]["seconds"] == 30 * notes["reviewed"]["answers"]
    assert {(each["question"], each["between"]) for each in notes["agreement"]} >= {("verdict", "people"), ("good", "right")}
    assert {(each["of"], each["error"]) for each in notes["filter_errors"]} >= {("all bars", "false keep"), ("short", "false drop")}
    assert not (folder / ".answers").exists()


def test_what_is_no_queue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no queue"):
        run(reviewed(responses(rollouts(3))), tmp_path)
    for enough in (1.2, -0.1):
        with pytest.raises(ValueError, match="enough is the share"):
            reviewed(responses(rollouts(3)), enough=enough)
    with pytest.raises(ValueError, match="round counts"):
        reviewed(responses(rollouts(3)), round=0)


SAID = st.sampled_from(["keep", "fix", "discard", "draft", "nothing", "bad", "discarded"])


@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(SAID, min_size=2, max_size=2), min_size=12, max_size=12))
def test_nothing_discarded_ever_passes_and_every_row_lands_once(said: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as root:
        step = queue(responses(rollouts(12), shard_rows=12), bars=BARS, audit=1.0, overlap=0.5)
        folder = run(step, root)
        given, discarded, passes = [], set(), set()
        for item, each in zip(items_of(folder), said, strict=True):
            usable = 0
            for number, what in enumerate(each[: item.wanted]):
                status = {"draft": "draft", "discarded": "discarded"}.get(what, "submitted")
                edit: dict[str, Any] = {"summary": "mended"} if what == "fix" else {}
                verdict = {"draft": "discard", "discarded": None, "bad": "fix"}.get(what, what)
                if what != "nothing":
                    given.append(answer(item, verdict, by=f"p{number}", status=status, **edit))
                usable += what in ("keep", "fix")
                if what in ("discard", "discarded"):
                    discarded.add(item.row_id)
            if usable == item.wanted:
                passes.add(item.row_id)
        store_answers(folder, given)
        home = run(reviewed(step, enough=0.0), root)
        assert everywhere(home) == sorted(shards.read(folder)["row_id"])
        assert set(shards.read(home)["row_id"]) == passes
        assert not discarded & set(shards.read(home)["row_id"])
