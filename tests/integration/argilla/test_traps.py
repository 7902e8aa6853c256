"""Every way in which Argilla is known to lose or bend a review: each is walked, and leads home."""

from __future__ import annotations

import html
from dataclasses import replace

from annotation.item import Finding, Said
from annotation.questions import Questions
from tests.annotation.reviews_suite import ALICE, BOB, CAROL, HOSTILE, QUESTIONS, an_answer, an_item, words
from tests.integration.argilla.conftest import Argilla
from tests.integration.argilla.people import Queue


def test_display_fields_are_escaped_for_the_page_renders_html(argilla_server: Argilla) -> None:
    queue, item = Queue(argilla_server), an_item(0, reasoning=HOSTILE[0])
    queue.place().push([item], QUESTIONS)
    fields = queue.record(item)["fields"]
    assert fields["reasoning"] == html.escape(HOSTILE[0], quote=False)
    assert "<" not in "".join(fields.values())
    (dataset,) = queue.place().server.datasets()
    shown = argilla_server.call("GET", f"/datasets/{dataset.id}/fields")["items"]
    assert not any(field["settings"]["use_markdown"] for field in shown)


def test_editors_hold_the_raw_text_and_show_no_preview_that_hides_tags(argilla_server: Argilla) -> None:
    queue, item = Queue(argilla_server), an_item(0, reasoning=HOSTILE[0])
    queue.place().push([item], QUESTIONS)
    (dataset,) = queue.place().server.datasets()
    names = {question_id: name for name, question_id in dataset.ids.items()}
    suggested = {names[each["question_id"]]: each for each in queue.record(item, "suggestions")["suggestions"]}
    assert suggested["reasoning"]["value"] == HOSTILE[0]
    assert suggested["reasoning"]["agent"] == "a/model-7b"
    asked = argilla_server.call("GET", f"/datasets/{dataset.id}/questions")["items"]
    assert not any(question["settings"].get("use_markdown") for question in asked)
    assert [question["name"] for question in asked if question["required"]] == ["verdict"]


def test_marks_count_in_utf16_and_come_home_in_characters(argilla_server: Argilla) -> None:
    text = "😀😀😀😀 wrong 词 at the end"
    found = Finding(field="reasoning", start=5, stop=10, scorer="language_share", note="zh in an en text")
    queue, item = Queue(argilla_server), replace(an_item(0, reasoning=text), findings=(found,))
    place = queue.place()
    place.push([item], QUESTIONS)
    (marks,) = [
        each["value"]
        for each in queue.record(item, "suggestions")["suggestions"]
        if each["agent"] == "language_share" and each["value"] != "mixed" and isinstance(each["value"][0], dict)
    ]
    assert marks == [{"start": 9, "end": 14, "label": "language"}]
    assert text.encode("utf-16-le")[2 * 9 : 2 * 14].decode("utf-16-le") == "wrong"
    body = {"verdict": {"value": "keep"}, "marks": {"value": marks}}
    argilla_server.call("POST", f"/records/{queue.record(item)['id']}/responses", {"status": "submitted", "values": body}, who=ALICE)
    (answer,) = place.answers()
    assert answer.values["marks"] == [{"label": "language", "start": 5, "stop": 10}]


def test_a_mark_at_the_end_of_emoji_does_not_hold_up_the_batch(argilla_server: Argilla) -> None:
    text = "😀" * 20
    found = Finding(field="reasoning", start=15, stop=20, scorer="not_repetitive", note="said 20 times")
    queue, items = Queue(argilla_server), [replace(an_item(0, reasoning=text), findings=(found,)), an_item(1)]
    assert queue.place().push(items, QUESTIONS).new == 2
    assert "said 20 times" in queue.record(items[0])["fields"]["notes"]


def test_verdict_and_readability_are_not_filled_in_unless_asked_for(argilla_server: Argilla) -> None:
    item = replace(
        an_item(0), said=(Said(scorer="readable", value=0.25, reason="long"), Said(scorer="is_right", value=1.0, reason="equal"))
    )
    plain, asked = Queue(argilla_server), Queue(argilla_server)
    plain.place().push([item], QUESTIONS)
    asked.place(suggest=("verdict", "readability")).push([item], QUESTIONS)
    for queue, names in ((plain, {"reasoning", "summary", "reasons", "marks"}), (asked, {"verdict", "readability"})):
        (dataset,) = queue.place().server.datasets()
        known = {question_id: name for name, question_id in dataset.ids.items()}
        suggested = {known[each["question_id"]]: each for each in queue.record(item, "suggestions")["suggestions"]}
        assert set(suggested) == names
    assert (suggested["readability"]["value"], suggested["readability"]["agent"], suggested["readability"]["score"]) == (
        2,
        "readable",
        0.25,
    )
    assert (suggested["verdict"]["value"], suggested["verdict"]["agent"], suggested["verdict"]["score"]) == ("discard", "readable", 0.75)


def test_a_discard_that_carries_what_was_filled_in_is_a_discard(argilla_server: Argilla) -> None:
    queue, item = Queue(argilla_server), an_item(0)
    place = queue.place()
    place.push([item], QUESTIONS)
    queue.answer(item, ALICE, "discarded", {"verdict": "keep", "reasoning": item.reasoning, "summary": item.summary})
    (answer,) = place.answers()
    assert (answer.status, answer.verdict) == ("discarded", "discard")


def test_a_discard_with_null_values_comes_home_and_harms_no_other(argilla_server: Argilla) -> None:
    queue, items = Queue(argilla_server), [an_item(0), an_item(1)]
    place = queue.place()
    place.push(items, QUESTIONS)
    queue.answer(items[0], ALICE, "discarded", None)
    queue.answer(items[0], BOB, "discarded", {})
    queue.answer(items[1], BOB, "draft", None)
    queue.answer(items[1], ALICE, "submitted", {"verdict": "keep"})
    assert words(place) == {
        (items[0].item_id, ALICE): ("discarded", {}),
        (items[0].item_id, BOB): ("discarded", {}),
        (items[1].item_id, BOB): ("draft", {}),
        (items[1].item_id, ALICE): ("submitted", {"verdict": "keep"}),
    }


def test_an_answer_has_the_time_of_its_last_change(argilla_server: Argilla) -> None:
    queue, item = Queue(argilla_server), an_item(0)
    place = queue.place()
    place.push([item], QUESTIONS)
    queue.answer(item, ALICE, "draft", {"comment": "1"})
    (before,) = place.answers()
    changed = queue.answer(item, ALICE, "draft", {"comment": "2"})
    (after,) = place.answers()
    assert before.at < after.at
    assert after.at.startswith(changed["updated_at"].rstrip("Z"))


def test_items_that_want_two_are_not_hidden_after_the_first(argilla_server: Argilla) -> None:
    queue, items = Queue(argilla_server), [an_item(0), an_item(1, wanted=2)]
    queue.place().push(items, QUESTIONS)
    for item in items:
        queue.answer(item, ALICE, "submitted", {"verdict": "keep"})
    assert {record["external_id"]: record["status"] for record in queue.records()} == {
        items[0].item_id: "completed",
        items[1].item_id: "pending",
    }
    queue.answer(items[1], BOB, "submitted", {"verdict": "keep"})
    assert {record["status"] for record in queue.records()} == {"completed"}


def test_one_number_for_all_is_one_dataset(argilla_server: Argilla) -> None:
    queue, items = Queue(argilla_server), [an_item(0), an_item(1, wanted=2)]
    place = queue.place(min_submitted=3)
    place.push(items, QUESTIONS)
    (dataset,) = place.server.datasets()
    assert (dataset.name, dataset.min_submitted) == (queue.name, 3)
    other = queue.place(min_submitted=2)
    other.push(items, QUESTIONS)
    assert any("asks 3 annotators, not 2" in notice for notice in other.notices)


def test_a_record_that_was_changed_on_the_server_is_asked_again(argilla_server: Argilla) -> None:
    queue, items = Queue(argilla_server), [an_item(0), an_item(1)]
    place = queue.place()
    place.push(items, QUESTIONS)
    record = queue.record(items[0])
    argilla_server.call("PATCH", f"/records/{record['id']}", {"fields": {**record["fields"], "reasoning": "Something else."}})
    queue.answer(items[0], ALICE, "submitted", {"verdict": "keep"})
    queue.answer(items[1], ALICE, "submitted", {"verdict": "keep"})
    assert set(words(place)) == {(items[1].item_id, ALICE)}, "nobody knows which text alice meant"
    assert any("were changed on the server" in notice and items[0].item_id in notice for notice in place.notices)
    assert place.push(items, QUESTIONS).changed == ("row0",)
    queue.answer(items[0], BOB, "submitted", {"verdict": "discard"})
    assert set(words(place)) == {(items[1].item_id, ALICE), (items[0].item_id, BOB)}
    again = place.push(items, QUESTIONS)
    assert (again.new, again.same, again.changed) == (0, 2, ())
    assert place.progress().items == 2


def test_names_that_argilla_refuses_are_written_as_it_takes_them(argilla_server: Argilla) -> None:
    said = (Said(scorer="语言(share)" + "x" * 300, value=0.1, reason="?"), Said(scorer="lesbar: readable!", value=2.5, reason="over one"))
    metadata = {"model": "组织/模型 7b", "pass_rate": float("nan"), "odd": float("inf"), "response_tokens": 7, "source": "\ud800\0"}
    queue, item = Queue(argilla_server), replace(an_item(0), said=said, metadata=metadata)
    assert queue.place(suggest=("reasoning", "verdict", "readability", "reasons")).push([item], QUESTIONS).new == 1
    assert "pass_rate" not in queue.record(item)["metadata"]


def test_metadata_that_disagrees_with_itself_is_text_or_left_out(argilla_server: Argilla) -> None:
    queue = Queue(argilla_server)
    items = [replace(an_item(number), metadata={"difficulty": value, "steps": number}) for number, value in enumerate((1, 2.5, "hard"))]
    place = queue.place()
    place.push(items, QUESTIONS)
    assert [queue.record(item)["metadata"]["difficulty"] for item in items] == ["1", "2.5", "hard"]
    later = replace(an_item(3), metadata={"steps": "many", "new": 1})
    assert place.push([*items, later], QUESTIONS).new == 1
    assert "steps" not in queue.record(later)["metadata"]
    assert queue.record(later)["metadata"]["new"] == 1


def test_guidelines_edited_in_the_page_are_another_version_and_answers_still_come(argilla_server: Argilla) -> None:
    queue, item = Queue(argilla_server), an_item(0)
    place = queue.place()
    place.push([item], QUESTIONS)
    (dataset,) = place.server.datasets()
    argilla_server.call("PATCH", f"/datasets/{dataset.id}", {"guidelines": "Judge harder."})
    queue.answer(item, ALICE, "submitted", {"verdict": "keep"})
    (answer,) = place.answers()
    assert answer.guideline == Questions(guidelines="Judge harder.").version


def test_records_of_somebody_else_are_left_alone(argilla_server: Argilla) -> None:
    queue, item = Queue(argilla_server), an_item(0)
    place = queue.place()
    place.push([item], QUESTIONS)
    (dataset,) = place.server.datasets()
    strange = {"items": [{"fields": {"prompt": "p", "reasoning": "r"}}]}
    argilla_server.call("POST", f"/datasets/{dataset.id}/records/bulk", strange)
    assert words(place) == {}
    assert any("put there by somebody else" in notice for notice in place.notices)
    assert place.progress().items == 1


def test_people_who_are_not_there_keep_their_answers_at_home_or_are_let_in(argilla_server: Argilla) -> None:
    queue, item = Queue(argilla_server), an_item(0)
    place = queue.place()
    name = f"dora-{queue.name[-8:]}"
    given = [an_answer(item, name, verdict="keep"), an_answer(item, CAROL, verdict="maybe"), an_answer(item, BOB, verdict="keep")]
    assert place.push([item], QUESTIONS, answers=given).answers == 1
    assert any(name in notice and "--annotators" in notice for notice in place.notices)
    assert any("carol: it is submitted without a verdict" in notice for notice in place.notices)
    open_place = queue.place(annotators=(name, ALICE))
    assert open_place.push([item], QUESTIONS, answers=given).answers == 1
    assert open_place.made == [name]
    assert set(words(place)) == {(item.item_id, BOB), (item.item_id, name)}
