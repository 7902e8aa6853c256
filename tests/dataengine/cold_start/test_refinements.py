"""The prompts show what they should in the language of the question, and replies are read as they were asked for."""

from __future__ import annotations

from typing import Any

import pytest

from dataengine.cold_start.refinement import Refinement, language_of, seen
from dataengine.cold_start.refinement_examples import FIRST_PERSON as PAIRS
from dataengine.cold_start.refinements import FIRST_PERSON, ONE_LANGUAGE, SHORT_THOUGHTS, SUMMARY, first_person
from dataengine.templates import Form

ALL = (FIRST_PERSON, ONE_LANGUAGE, SUMMARY, SHORT_THOUGHTS)


def row(question: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}], "reasoning": "We get {{ 7 }}, 3+4=7.", "summary": "7", **more}


@pytest.mark.parametrize("refinement", ALL, ids=lambda one: one.name)
def test_a_prompt_shows_the_question_and_the_thoughts_in_the_questions_language(refinement: Refinement) -> None:
    english, chinese = (refinement.prompt(seen(row(question))) for question in ("What is 3+4?", "三加四等于多少？"))
    assert "What is 3+4?" in english
    assert "三加四等于多少？" in chinese
    assert not any("\u4e00" <= character <= "\u9fff" for character in english)
    assert ("{{ 7 }}" in english) == ("reasoning" in refinement.needs)
    for part in refinement.rewrites:
        assert f"<{part}>" in english
        assert f"</{part}>" in chinese


def test_the_language_that_the_row_names_is_believed() -> None:
    assert "Translate" in ONE_LANGUAGE.prompt(seen(row("三加四？", language="en")))
    assert "翻译" in ONE_LANGUAGE.prompt(seen(row("3+4?", language="zh-Hans")))


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("What is 3+4?", "en"),
        ("三加四？", "zh"),
        ("求 $\\sin x + \\cos x$ 的最大值", "zh"),
        ("What does 你好 mean in English?", "en"),
        ("3+4は?", "en"),
    ],
)
def test_a_question_has_the_language_of_most_of_its_signs(question: str, language: str) -> None:
    assert language_of(question) == language


def test_there_are_three_pairs_of_each_language_and_they_keep_what_they_rewrite() -> None:
    from filters.faithful import keeps_the_steps
    from filters.readability import first_person

    for pairs in PAIRS.values():
        assert len(pairs) >= 3
        for pair in pairs:
            assert first_person(pair["reasoning"]).value == 1.0, pair["question"]
            assert keeps_the_steps(pair["reasoning"], pair["thoughts"]).value == 1.0, keeps_the_steps(pair["reasoning"], pair["thoughts"])


def test_pairs_of_ones_own_people_take_the_place_of_ours_and_are_no_jinja() -> None:
    odd = {"question": "{{ 1 }}?", "thoughts": "{% raw %}{{{", "reasoning": "I see {# 1 #} {% endraw %} \\frac{1}{2}."}
    prompt = first_person({"en": [odd]}).prompt(seen(row("2?")))
    assert all(text in prompt for text in odd.values())
    assert "Ann" not in prompt
    assert "Example" not in first_person({}).prompt(seen(row("2?")))


def test_examples_of_the_summary_are_faithful() -> None:
    from dataengine.cold_start.refinement_examples import SUMMARY as SHOWN
    from filters.faithful import nothing_said_of_thoughts, numbers_from_thoughts

    for each in (example for examples in SHOWN.values() for example in examples):
        assert numbers_from_thoughts(each["summary"], each["thoughts"], each["question"]).value == 1.0
        assert nothing_said_of_thoughts(each["summary"]).value == 1.0


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("<reasoning>\nI see.\n</reasoning>", {"reasoning": "I see."}),
        ("Sure! <reasoning>I see.</reasoning> Done.", {"reasoning": "I see."}),
        ("<think>They want <reasoning>x</reasoning></think>\n<reasoning>I see.</reasoning>", {"reasoning": "I see."}),
        ("<reasoning>I see: x<y.", {"reasoning": "I see: x<y."}),
        ("I see.", "no <reasoning>...</reasoning> in the reply"),
        ("<think>only <reasoning>thoughts</reasoning>", {"reasoning": "thoughts"}),
        ("<think><reasoning>thoughts</reasoning></think>", "no <reasoning>...</reasoning> in the reply"),
        ("<reasoning> </reasoning>", "the reasoning of the reply is empty"),
        ("<reasoning>\u200b\u200b</reasoning>", "the reasoning of the reply is empty"),
        ("I will write <reasoning> tags.\n<reasoning>I see.</reasoning>", {"reasoning": "I see."}),
        ("I will write <reasoning> tags.\n<reasoning>I see.", {"reasoning": "I see."}),
        ("<reasoning>Not so.</reasoning> No: <reasoning>I see.</reasoning>", {"reasoning": "I see."}),
        ("<reasoning>I see.</reasoning> That was </reasoning>.", "<reasoning> more than once in the reply: nobody can tell which is meant"),
        ("<reasoning>I see.</reasoning><|im_end|>", {"reasoning": "I see."}),
        ("<reasoning>I see: x<y.\n<|im_end|>", {"reasoning": "I see: x<y."}),
        ("<reasoning>I <|im_end|> see.</reasoning>", "the special token '<|im_end|>' stands inside the reasoning of the reply"),
        ("<reasoning>So <answer>4</answer>.</reasoning>", "the special token '<answer>' stands inside the reasoning of the reply"),
        ("<reasoning>I\0 see.</reasoning>", "a NUL character stands inside the reasoning of the reply"),
    ],
)
def test_a_reply_is_what_stands_between_the_tags_behind_the_models_own_thoughts(reply: str, read: Any) -> None:
    assert FIRST_PERSON.read(reply, Form()) == read


def test_both_parts_are_read_with_tags_and_without() -> None:
    tagged = "<reasoning>I add.</reasoning>\n<summary>It is 2.</summary>"
    assert SHORT_THOUGHTS.read(tagged, Form()) == {"reasoning": "I add.", "summary": "It is 2."}
    assert SHORT_THOUGHTS.read("<reasoning>I add.<summary>2</summary>", Form()) == "no <reasoning>...</reasoning> in the reply"
    said = "I write <reasoning> and then <summary>: <reasoning>I add.</reasoning> <summary>It is 2.</summary>"
    assert SHORT_THOUGHTS.read(said, Form()) == {"reasoning": "I add.", "summary": "It is 2."}
    inside = "<reasoning>I add. <summary>It is 2.</summary></reasoning>"
    assert SHORT_THOUGHTS.read(inside, Form()) == "<summary> more than once in the reply: nobody can tell which is meant"
    plain = Refinement(name="plain", text="{{ question }}", rewrites=("reasoning", "summary"), tagged=False)
    assert plain.read("<think>\nI add.\n</think>\n\nIt is 2.", Form()) == {"reasoning": "I add.", "summary": "It is 2."}
    assert plain.read("It is 2.", Form()) == "no reasoning in the reply"
    same = Form(opening="|t|", closing="|t|", apart=False)
    assert plain.read("|t|I add.|t|It is 2.", same) == {"reasoning": "I add.", "summary": "It is 2."}


def test_a_column_without_a_value_is_an_empty_text() -> None:
    asked = Refinement(name="asked", text="[{{ answer }}] {{ reasoning }}")
    assert asked.prompt(seen(row("1?", answer=None))) == "[] We get {{ 7 }}, 3+4=7."
    assert asked.lacks(seen(row("1?", reasoning=""))) == "reasoning"


def test_what_can_not_be_rewritten_is_refused() -> None:
    with pytest.raises(ValueError, match="reasoning, summary or both"):
        Refinement(name="odd", text="", rewrites=("answer",))
