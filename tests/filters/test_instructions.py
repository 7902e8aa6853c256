"""IFEval's 25 kinds: every kind followed and not followed, loose verdicts, bad references, and all prompts of the real set."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.lines import json_lines
from filters.instruction_kinds import KINDS, loose_variants
from filters.instructions import findings, follows_instructions, share_of_instructions

PROSE = "the weather in the valley was calm and the people of the village were walking along the river to the old market"
ABOUT_HINDI = "यह एक अच्छा दिन है और हम सब बाजार जा रहे हैं क्योंकि हमें फल और सब्जियाँ खरीदनी हैं"


def _counted(piece: str, count: int, relation: str) -> tuple[str, str]:
    """(text that follows, text that does not) for `relation` `count` of a piece."""
    enough, too_few = piece * max(count, 1), piece * max(count - 1, 0) + "."
    return (enough, too_few) if relation == "at least" else (too_few, enough)


def _first_word(k: dict[str, Any]) -> tuple[str, str]:
    pieces = [f"{k['first_word']} is here" if n + 1 == k["nth_paragraph"] else "Some text" for n in range(k["num_paragraphs"])]
    return "\n\n".join(pieces), "\n\n".join(["Another text"] * k["num_paragraphs"])


PAIRS: dict[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
    "keywords:existence": lambda k: (" ".join(k["keywords"]).upper(), " ".join(k["keywords"][1:]) + " 0"),
    "keywords:frequency": lambda k: _counted(f"{k['keyword']} ", k["frequency"], k["relation"]),
    "keywords:forbidden_words": lambda k: ("0" + "0".join(k["forbidden_words"]) + "0", f"Well: {k['forbidden_words'][-1].upper()}!"),
    "keywords:letter_frequency": lambda k: _counted(k["letter"].upper(), k["let_frequency"], k["let_relation"]),
    "length_constraints:number_sentences": lambda k: _counted("A cat sat. ", k["num_sentences"], k["relation"]),
    "length_constraints:number_paragraphs": lambda k: (
        "***\n" + "\n***\n".join(["some text"] * k["num_paragraphs"]),
        "\n***\n".join(["some text"] * (k["num_paragraphs"] + 1)),
    ),
    "length_constraints:number_words": lambda k: _counted("word ", k["num_words"], k["relation"]),
    "length_constraints:nth_paragraph_first_word": _first_word,
    "detectable_content:number_placeholders": lambda k: _counted("[name] ", k["num_placeholders"], "at least"),
    "detectable_content:postscript": lambda k: (f"Dear all,\n{k['postscript_marker']} Bye", "Dear all, PS Bye"),
    "detectable_format:number_bullet_lists": lambda k: (
        "Here:\n" + "* point\n" * k["num_bullets"],
        "* point\n- point\n" * k["num_bullets"],
    ),
    "detectable_format:constrained_response": lambda k: ("Well. My answer is no.", "My answer is nope."),
    "detectable_format:number_highlighted_sections": lambda k: _counted("*part* and ", k["num_highlights"], "at least"),
    "detectable_format:multiple_sections": lambda k: (
        "".join(f"{k['section_spliter']} {n}\ntext\n" for n in range(1, k["num_sections"] + 1)),
        "".join(f"{k['section_spliter']} {n}\ntext\n" for n in range(1, k["num_sections"])) + ".",
    ),
    "detectable_format:json_format": lambda k: ('```json\n{"a": [1, 2.5, null]}\n```', 'Sure: {"a": 1}'),
    "detectable_format:title": lambda k: ("<<poem of joy>>\nla la", "<poem of joy> << >>"),
    "combination:two_responses": lambda k: ("one\n******\ntwo", "one\n******\none"),
    "combination:repeat_prompt": lambda k: (k["prompt_to_repeat"].upper() + "\n\nYes", "Sure: " + k["prompt_to_repeat"]),
    "startend:end_checker": lambda k: (f'"So it is. {k["end_phrase"]}"', f"{k['end_phrase']} So it is"),
    "change_case:capital_word_frequency": lambda k: _counted("LOUD Word ", k["capital_frequency"], k["capital_relation"]),
    "change_case:english_capital": lambda k: (PROSE.upper(), PROSE),
    "change_case:english_lowercase": lambda k: (PROSE, PROSE.title()),
    "punctuation:no_comma": lambda k: ("One two; three", "One, two"),
    "startend:quotation": lambda k: (' "All of it." ', '"Only" the beginning'),
    "language:response_language": lambda k: (ABOUT_HINDI, PROSE) if k["language"] == "hi" else (PROSE, ABOUT_HINDI),
}
"""For every kind, a response that follows and one that does not."""

EXAMPLES: dict[str, dict[str, Any]] = {
    "keywords:existence": {"keywords": ["apple", "C++"]},
    "keywords:frequency": {"keyword": "apple", "frequency": 3, "relation": "at least"},
    "keywords:forbidden_words": {"forbidden_words": ["apple", "C++"]},
    "keywords:letter_frequency": {"letter": "!", "let_frequency": 2, "let_relation": "less than"},
    "language:response_language": {"language": "hi"},
    "length_constraints:number_sentences": {"num_sentences": 4, "relation": "less than"},
    "length_constraints:number_paragraphs": {"num_paragraphs": 3},
    "length_constraints:number_words": {"num_words": 30, "relation": "at least"},
    "length_constraints:nth_paragraph_first_word": {"num_paragraphs": 3, "nth_paragraph": 2, "first_word": "So"},
    "detectable_content:number_placeholders": {"num_placeholders": 2},
    "detectable_content:postscript": {"postscript_marker": "P.P.S"},
    "detectable_format:number_bullet_lists": {"num_bullets": 2},
    "detectable_format:number_highlighted_sections": {"num_highlights": 2},
    "detectable_format:multiple_sections": {"section_spliter": "PARAGRAPH", "num_sections": 2},
    "combination:repeat_prompt": {"prompt_to_repeat": "Say it."},
    "startend:end_checker": {"end_phrase": "Any other questions?"},
    "change_case:capital_word_frequency": {"capital_frequency": 3, "capital_relation": "at least"},
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_tells_following_from_not_following(kind: str) -> None:
    kwargs = EXAMPLES.get(kind, {})
    followed, broken = PAIRS[kind](kwargs)
    assert follows_instructions(followed, [kind], [kwargs]).value == 1.0
    verdict = follows_instructions(broken, [kind], [kwargs])
    assert verdict.value == 0.0
    assert kind in verdict.reason


def test_there_are_the_25_kinds_of_ifeval() -> None:
    assert len(KINDS) == len(PAIRS) == 25


def test_every_prompt_of_the_real_set_is_read_and_judged_right(shared_data: Path) -> None:
    rows = list(json_lines(shared_data / "prompts_ifeval.jsonl"))
    asked = [(kind, kwargs) for row in rows for kind, kwargs in zip(row["instruction_id_list"], row["kwargs"], strict=True)]
    assert {kind for kind, _ in asked} <= set(KINDS)
    for row in rows:
        assert len(findings("Some text.", row["instruction_id_list"], row["kwargs"])) == len(row["kwargs"])
    for kind, kwargs in asked:
        if kind == "language:response_language":
            continue  # judged by its examples above: this test writes two languages
        followed, broken = PAIRS[kind](kwargs)
        assert findings(followed, [kind], [kwargs])[0].followed, (kind, kwargs)
        assert not findings(broken, [kind], [kwargs])[0].followed, (kind, kwargs)


def test_the_real_set_is_scored_as_columns(shared_data: Path) -> None:
    rows = pl.DataFrame(list(json_lines(shared_data / "prompts_ifeval.jsonl"))[:40], infer_schema_length=None)
    scores = follows_instructions.score(rows.with_columns(response=pl.lit("Some text, with a comma.")))
    assert scores.struct.field("value").null_count() == 0


def test_all_and_share_are_two_numbers() -> None:
    row = ("Well, yes", ["punctuation:no_comma", "keywords:existence"], [{}, {"keywords": ["yes"]}])
    assert follows_instructions(*row).value == 0.0
    assert share_of_instructions(*row).value == 0.5
    assert share_of_instructions(*row).reason == "1 of 2 followed; not punctuation:no_comma (1 commas)"


@pytest.mark.parametrize(
    ("response", "kind", "kwargs"),
    [
        ('Sure! Here it is:\n"All of it."', "startend:quotation", {}),
        ('{"a": 1}\nI hope this helps!', "detectable_format:json_format", {}),
        (
            "Sure:\n***So** it is",
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "so"},
        ),
        ("Sure, here:\nno commas at all", "punctuation:no_comma", {}),
    ],
)
def test_loose_verdicts_forgive_a_line_at_either_end_and_asterisks(response: str, kind: str, kwargs: dict[str, Any]) -> None:
    assert follows_instructions(response, [kind], [kwargs]).value == 0.0
    assert follows_instructions(response, [kind], [kwargs], loose=True).value == 1.0


def test_the_eight_loose_variants_are_those_of_ifeval() -> None:
    assert list(loose_variants("a\n*b*\nc")) == ["a\n*b*\nc", "*b*\nc", "a\n*b*", "*b*", "a\nb\nc", "b\nc", "a\nb", "b"]


@given(st.text(), st.sampled_from(sorted(KINDS)))
def test_strict_implies_loose_and_nothing_raises(text: str, kind: str) -> None:
    row = (text, [kind], [EXAMPLES.get(kind, {})])
    strict, loose = follows_instructions(*row), follows_instructions(*row, loose=True)
    assert strict.value in (0.0, 1.0)
    assert (loose.value or 0) >= (strict.value or 0)
    assert follows_instructions(*row) == strict


@pytest.mark.parametrize(
    ("kinds", "kwargs", "said"),
    [
        (["keywords:must_include"], [{}], "there is no instruction 'keywords:must_include'. Did you mean"),
        (["keywords:frequency"], [{"keyword": "a", "frequency": 1}], "wants a text as relation, got None"),
        (["keywords:frequency"], [{"keyword": "a", "frequency": 1, "relation": "at most"}], "the relation is 'at most'"),
        (["keywords:frequency"], [{"keyword": "a", "frequency": "1", "relation": "at least"}], "wants a whole number as frequency"),
        (["keywords:letter_frequency"], [{"letter": "ab", "let_frequency": 1, "let_relation": "at least"}], "has to be one character"),
        (["keywords:existence"], [{"keywords": []}], "wants a list of texts as keywords"),
        (["keywords:existence"], [{"keywords": "apple"}], "wants a list of texts as keywords"),
        (["punctuation:no_comma"], [{"commas": 3}], "has no setting commas"),
        (["punctuation:no_comma"], ["none"], "wants its settings by name, got str"),
        (["punctuation:no_comma"], [], "1 instructions with 0 kwargs"),
        ([], [], "there are no instructions"),
        ([["punctuation:no_comma"]], [{}], "there is no instruction ['punctuation:no_comma']"),
        ("punctuation:no_comma", [{}], "instruction_id_list is no list but str"),
        ({"a": 1}, [{}], "instruction_id_list is no list but dict"),
    ],
)
def test_instructions_that_cannot_be_read_are_unjudged_with_the_way_out(kinds: Any, kwargs: Any, said: str) -> None:
    for response in ("Yes", "", "<think>cut off"):
        for scorer in (follows_instructions, share_of_instructions):
            verdict = scorer(response, kinds, kwargs)
            assert verdict.value is None
            assert verdict.reason.startswith("bad reference: ")
            assert said in verdict.reason


def test_settings_come_as_json_text_and_as_structs_with_nulls_too() -> None:
    kinds, kwargs = ["length_constraints:number_words", "punctuation:no_comma"], [{"num_words": 2.0, "relation": "at least"}, {}]
    assert follows_instructions("two words", json.dumps(kinds), json.dumps(kwargs)).value == 1.0
    rows = pl.DataFrame({"response": ["two words", None], "instruction_id_list": [kinds, kinds], "kwargs": [kwargs, kwargs]})
    assert "num_words" in rows["kwargs"][0].struct.fields
    assert follows_instructions.score(rows).to_list() == [
        {"value": 1.0, "reason": "all 2 followed"},
        {"value": None, "reason": "no response"},
    ]


@pytest.mark.parametrize(
    "response",
    ['<think>\nwell, well\n</think>\n\n"Yes"', '<think>a, b</think> <answer>"Yes"</answer>', '"Yes"<|im_end|>', '"Yes"'],
)
def test_thoughts_tags_and_end_tokens_are_no_part_of_the_reply(response: str) -> None:
    assert follows_instructions(response, ["startend:quotation", "punctuation:no_comma"], [{}, {}]).value == 1.0


@pytest.mark.parametrize(
    ("response", "reason"), [("<think>never closed", "no answer found: thoughts not closed"), (" \n", "empty response")]
)
def test_no_reply_follows_nothing(response: str, reason: str) -> None:
    verdict = follows_instructions(response, ["punctuation:no_comma"], [{}])
    assert (verdict.value, verdict.reason) == (0.0, reason)


def test_keywords_are_words_and_no_patterns() -> None:
    assert follows_instructions("I like C+ and aXb", ["keywords:existence"], [{"keywords": ["a.b"]}]).value == 0.0
    assert follows_instructions("a (b", ["keywords:existence"], [{"keywords": ["(b"]}]).value == 1.0
    assert follows_instructions("I like C++.", ["keywords:forbidden_words"], [{"forbidden_words": ["C++"]}]).value == 0.0


def test_a_text_without_letters_is_in_no_language() -> None:
    assert follows_instructions("12345", ["language:response_language"], [{"language": "hi"}]).value == 0.0


def test_scorers_travel_by_name() -> None:
    chosen = pickle.loads(pickle.dumps(follows_instructions.with_(loose=True)))
    assert chosen == follows_instructions.with_(loose=True)
    assert chosen("x", ["punctuation:no_comma"], [{}]).value == 1.0


HOSTILE = ["[" * 300_000, "<" * 300_000, "\n" * 300_000, "*" * 300_001, " " * 300_000 + ".", "{" * 100_000, "1" * 100_000, "-\n" * 100_000]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_long_runs_of_one_sign_take_linear_time(kind: str) -> None:
    for text in HOSTILE:
        assert findings(text, [kind], [EXAMPLES.get(kind, {})], loose=True)[0].found
