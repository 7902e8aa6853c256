from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine import shards
from dataengine.cold_start.one_form import SOURCES, in_form, parts_of
from dataengine.cold_start.stray_text import says_nothing
from dataengine.run import run
from dataengine.templates import Form
from tests.dataengine.given_rows import given_rows, response

THINK, SAME = Form(), Form(opening="|special_token|", closing="|special_token|", apart=False)


def fault(text: str | None, *, source_kind: str = "direct", form: Form = THINK, said: Form = THINK, **more: Any) -> str:
    return parts_of(text, source_kind=source_kind, form=form, said=said, **more).fault


@pytest.mark.parametrize(
    ("text", "source_kind", "parts"),
    [
        ("<think>\nI add.\n</think>\n\nIt is 4.", "direct", ("I add.", "It is 4.")),
        ("  <think>I add.</think>It is 4.\n<|im_end|>\n", "direct", ("I add.", "It is 4.")),
        ("<think> I add. </think> <answer> 4 </answer>", "zero", ("I add.", "4")),
        ("<think>I add.</think>\n<answer>4</answer>\nUser: and 3+3? Assistant: <think>6</think>", "zero", ("I add.", "4")),
        ("<think>I add.</think>\n<answer>4</answer>", "direct", ("I add.", "4")),
        ("<think>\nI add.\n</think>\n\n4\n\n=== Problem 4 ===\n\nWhat is 3+3?\n<think>", "few_shot", ("I add.", "4")),
        ("<think>\n我算。\n</think>\n\n4\n=== 题目 4", "few_shot", ("我算。", "4")),
        ("<think>a < b && x<y, \\frac{1}{2}\t</think>`x`", "direct", ("a < b && x<y, \\frac{1}{2}", "`x`")),
    ],
)
def test_both_parts_are_found_and_what_follows_is_cut(text: str, source_kind: str, parts: tuple[str, str]) -> None:
    found = parts_of(text, source_kind=source_kind, form=THINK, said=THINK)
    assert (found.reasoning, found.summary, found.fault) == (*parts, "")


@pytest.mark.parametrize(
    ("text", "source_kind", "because"),
    [
        (None, "direct", "no response"),
        (" \n", "direct", "empty response"),
        ("It is 4.", "direct", "no <think>"),
        (
            "I add.</think>\n\n4",
            "direct",
            "no <think>, though </think> is there: half a pair (set prefilled, where the prompt held the other half)",
        ),
        ("Sure! <think>I add.</think>4", "direct", "text before <think>: 'Sure! <think>I add.</think>4'"),
        ("<think>I add.", "direct", "no </think>: the thoughts are not closed"),
        (
            "<think>I add.\n=== Problem 2 ===\nx</think>4",
            "few_shot",
            "no </think>: the thoughts are not closed before another problem begins",
        ),
        ("<think> </think>4", "direct", "the thoughts are empty"),
        ("<think>I add.</think>\n\n", "direct", "the summary is empty"),
        ("<think>I <think>add.</think>4", "direct", "a stray <think> in the thoughts"),
        ("<think>I add.</think>4</think>", "direct", "a stray </think> in the summary"),
        ("<think>I add.</think>4 <think>Or 5</think> 5", "direct", "a stray <think> in the summary"),
        ("<think>So <answer>4</answer></think><answer>4</answer>", "zero", "a stray <answer> in the thoughts"),
        ("<think>I add.</think>4", "zero", "no <answer>"),
        ("<think>I add.</think>So <answer>4</answer>", "zero", "text between the thoughts and <answer>: 'So'"),
        ("<think>I add.</think><answer>4", "zero", "no </answer>: the answer is not closed"),
        ("<think>I add.</think>4</answer>", "direct", "text between the thoughts and <answer>: '4</answer>'"),
        ("<think>I add.</think><answer>4</answer> no, <answer>5</answer>", "zero", "text after </answer>: 'no, <answer>5</answer>'"),
        ("<think>I add.</think><answer>4<answer>5</answer>", "zero", "<answer> inside the answer"),
        ("<think>I add.<|im_start|>user</think>4", "direct", "a stray <|im_start|> in the thoughts"),
        ("<think>I add.</think>4<｜User｜>more", "direct", "a stray <｜User｜> in the summary"),
        ("<think>I\0 add.</think>4", "direct", "a NUL character in the thoughts"),
        ("<think>I\ud800 add.</think>4", "direct", "half a character (a lone surrogate) in the thoughts"),
        ("<think>I add.[INST] and go on</think>4", "direct", "a stray [INST] in the thoughts"),
        ("<think>\u200b</think>4", "direct", "the thoughts are empty"),
    ],
)
def test_what_can_not_be_brought_into_the_form_says_why(text: str | None, source_kind: str, because: str) -> None:
    assert fault(text, source_kind=source_kind) == because


def test_a_summary_that_was_cut_off_is_no_summary_unless_its_end_was_seen() -> None:
    cut: dict[str, Any] = {"finish_reason": "length"}
    assert fault("<think>I add.</think>It is", **cut) == "truncated: the tokens ran out in the summary"
    assert not fault("<think>I add.</think>It is 4.\n\n=== Problem 5 ===\nTom", source_kind="few_shot", **cut)
    assert not fault("<think>I add.</think><answer>4</answer> User: Tom", source_kind="zero", **cut)


def test_a_token_that_the_prompt_held_is_put_back_where_one_says_so() -> None:
    for text in ("I add.\n</think>\n\n4", "<think>\nI add.\n</think>\n\n4"):
        found = parts_of(text, source_kind="direct", form=THINK, said=THINK, prefilled=True)
        assert (found.reasoning, found.summary) == ("I add.", "4")
    assert fault("I add.", prefilled=True) == "no </think>: the thoughts are not closed"
    assert fault("", prefilled=True) == "empty response"
    assert fault("I add.|special_token|4", said=SAME, prefilled=True) == ""


def test_other_peoples_prompts_run_on_in_their_own_way() -> None:
    text = "<think>I add.</think>4\n\nQuestion: What is 3+3?"
    assert parts_of(text, source_kind="few_shot", form=THINK, said=THINK, next_problem=["Question:"]).summary == "4"
    assert parts_of(text, source_kind="few_shot", form=THINK, said=THINK, next_problem=[]).summary.endswith("3+3?")


def test_one_token_may_stand_on_both_sides() -> None:
    assert parts_of("|special_token|I add.|special_token|4", source_kind="few_shot", form=SAME, said=SAME).summary == "4"
    assert fault("|special_token|I add.", form=SAME, said=SAME).startswith("no |special_token|")
    assert fault("|special_token|I|special_token|add.|special_token|4", form=SAME, said=SAME) == "a stray |special_token| in the summary"
    assert fault("I add.|special_token|4", form=SAME, said=SAME) == "text before |special_token|: 'I add.|special_token|4'"


def test_tokens_of_the_form_to_come_may_not_stand_inside_either() -> None:
    assert fault("<think>I write |special_token| here.</think>4", form=SAME) == "a stray |special_token| in the thoughts"
    assert fault("|special_token|I write </think> here.|special_token|4", form=THINK, said=SAME) == "a stray </think> in the thoughts"


def test_thoughts_that_would_run_into_the_closing_token_are_dropped_and_stop_nothing() -> None:
    joined = Form(opening="|t|", closing="|t|", apart=False)
    assert fault("<think>I see |t</think>4", form=joined).startswith("the reasoning ends with ' |t'")
    assert fault("<think>I see |t</think>4", form=Form(opening="|t|", closing="|t|")) == ""


texts = st.text(alphabet=st.characters(blacklist_characters="<>|=\0", blacklist_categories=["Cs"]), min_size=1).filter(
    lambda text: not says_nothing(text)
)


@given(texts, texts, st.sampled_from([THINK, SAME]), st.sampled_from([THINK, SAME]))
def test_what_is_written_in_one_form_is_read_and_written_in_any(reasoning: str, summary: str, said: Form, form: Form) -> None:
    found = parts_of(said.write(reasoning, summary), source_kind="direct", form=form, said=said)
    assert (found.reasoning, found.summary) == (reasoning.strip(), summary.strip())
    assert form.read(form.write(found.reasoning, found.summary)) == (found.reasoning, found.summary)


@given(st.text(alphabet="<>/think answer=Problm\n|special_tok4", max_size=80) | st.text(max_size=80), st.sampled_from(SOURCES))
def test_any_text_either_has_two_whole_parts_or_says_what_it_lacks(text: str, source_kind: str) -> None:
    found = parts_of(text, source_kind=source_kind, form=THINK, said=THINK)
    assert bool(found.fault) != bool(found.reasoning and found.summary)
    if not found.fault:
        assert THINK.read(THINK.write(found.reasoning, found.summary)) == (found.reasoning, found.summary)


def test_rows_of_every_source_come_out_alike(tmp_path: Path) -> None:
    question = [{"role": "user", "content": "2+2?"}]
    said = {
        "few_shot": "<think>\nI add.\n</think>\n\nIt is 4.\n\n=== Problem 3 ===\n",
        "direct": "<think>I add.</think>It is 4.",
        "zero": "<think> I add. </think> <answer> It is 4. </answer>",
    }
    for form in (THINK, SAME):
        for kind, text in said.items():
            rows = [
                {**response("a long prompt", text, number=0), "bare_messages": question, "finish_reason": "stop"},
                {**response("a long prompt", "<think>I add", number=1), "bare_messages": question, "finish_reason": "length"},
                {**response("a long prompt", None, number=2), "bare_messages": question, "finish_reason": "prompt_too_long"},
            ]
            folder = run(in_form(given_rows(rows), source_kind=kind, form=form), tmp_path)
            kept, dropped = shards.read(folder).to_dicts(), shards.read(folder, shards.REJECTED).to_dicts()
            assert len(kept) == 1
            assert kept[0]["response"] == form.write("I add.", "It is 4.")
            assert (kept[0]["reasoning"], kept[0]["summary"], kept[0]["source_kind"]) == ("I add.", "It is 4.", kind)
            assert kept[0]["raw_response"] == text
            assert kept[0]["messages"] == question
            assert "bare_messages" not in kept[0]
            assert [row["dropped_because"] for row in dropped] == ["no </think>: the thoughts are not closed", "no response"]
            assert {row["dropped_by"] for row in dropped} == {"in_form"}
            assert [row["raw_response"] for row in dropped] == ["<think>I add", None]


def test_rows_may_all_be_good_or_all_be_bad_and_what_was_raw_stays_raw(tmp_path: Path) -> None:
    good = [{**response("2+2?", "<think>I add.</think>4"), "raw_response": "what it was at first"}]
    assert shards.read(run(in_form(given_rows(good), source_kind="direct"), tmp_path))["raw_response"].to_list() == ["what it was at first"]
    bad = [response("2+2?", "4")]
    folder = run(in_form(given_rows(bad), source_kind="direct"), tmp_path)
    assert len(shards.read(folder)) == 0
    assert len(shards.read(folder, shards.REJECTED)) == 1


def test_unknown_sources_are_refused() -> None:
    with pytest.raises(ValueError, match="few_shot, direct, zero"):
        in_form(given_rows([]), source_kind="fewshot")
    with pytest.raises(ValueError, match="list of beginnings"):
        in_form(given_rows([]), source_kind="zero", next_problem="User:")
