"""The law of every format that we read and write: what it can carry comes back as it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataengine.formats.known import FORMATS
from dataengine.formats.openr1 import OPENR1
from dataengine.formats.shape import CannotCarry, Format
from dataengine.formats.sharegpt import SHAREGPT
from dataengine.formats.trl import TRL, TRL_PROMPT, TRL_PROMPT_COMPLETION
from dataengine.formats.verifiers import VERIFIERS
from dataengine.formats.verl import VERL

BOTH_WAYS = [form for form in FORMATS if (form.write is not None and form.schema is not None) or form is SHAREGPT]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
MAYBE = st.none() | TEXT
RATE = st.none() | st.sampled_from([0.0, 0.25, 1.0])


@st.composite
def prompts(draw: st.DrawFn) -> list[dict[str, str]]:
    """A system message or none, then turns of user and assistant that end with the user."""
    system = [{"role": "system", "content": draw(TEXT)}] if draw(st.booleans()) else []
    turns = draw(st.integers(0, 2))
    talk = [{"role": role, "content": draw(TEXT)} for _ in range(turns) for role in ("user", "assistant")]
    return [*system, *talk, {"role": "user", "content": draw(TEXT)}]


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some responses to one prompt, in our columns."""
    problem = {
        "prompt_id": "0" * 16,
        "messages": draw(prompts()),
        **{name: draw(MAYBE) for name in ("answer", "domain", "language", "license", "checks")},
        "source": draw(TEXT.filter(bool)),
        "source_row": draw(st.none() | st.integers(0, 10)),
        "pass_rate": draw(RATE),
        "number": 0,
    }
    return [
        {
            **problem,
            "row_id": f"{number:016x}",
            "response": draw(TEXT),
            "reasoning": draw(MAYBE),
            "finish_reason": draw(st.sampled_from(["stop", "length"])),
            "model": draw(MAYBE),
            "answer_matches": {"value": draw(st.sampled_from([None, 0.0, 1.0])), "reason": "so"},
        }
        for number in range(draw(st.integers(1, 3)))
    ]


def on_disk(form: Format, made: dict[str, Any]) -> dict[str, Any]:
    """A row as it comes back from the file it is written to."""
    if form.schema is None:
        return json.loads(json.dumps(made, ensure_ascii=False))
    return pa.Table.from_pylist([made], schema=pl.DataFrame(schema=form.schema).to_arrow().schema).to_pylist()[0]


def there_and_back(form: Format, unit: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    assert form.write is not None
    try:
        made = form.write(unit)
    except CannotCarry:
        assume(False)  # noqa: FBT003  # hypothesis has no other name for it
    theirs = on_disk(form, made)
    assert form.schema is None or set(theirs) == set(form.schema)
    return form.read(theirs)


@pytest.mark.parametrize("form", [form for form in BOTH_WAYS if form.unit == "response"], ids=lambda form: form.name)
@settings(deadline=None)
@given(unit=rows())
def test_a_response_comes_back_as_it_was(form: Format, unit: list[dict[str, Any]]) -> None:
    (back,) = there_and_back(form, unit[:1])
    for name in ("messages", "response", "answer", "domain", "language", "license", "source", "checks", "finish_reason", "row_id"):
        assert back[name] == unit[0][name], name


@pytest.mark.parametrize("form", [form for form in BOTH_WAYS if form.unit == "prompt"], ids=lambda form: form.name)
@settings(deadline=None)
@given(unit=rows())
def test_a_problem_comes_back_as_it_was(form: Format, unit: list[dict[str, Any]]) -> None:
    ours = unit[0]
    if form is VERL:
        assume(ours["answer"] is None or ours["answer"] != ours["checks"])
    (back,) = there_and_back(form, unit[:1])
    for name in ("messages", "answer", "domain", "language", "license", "checks", "source_row"):
        assert back.get(name) == ours[name], name


@settings(deadline=None)
@given(unit=rows())
def test_all_generations_of_a_problem_come_back_with_their_verdicts(unit: list[dict[str, Any]]) -> None:
    back = there_and_back(OPENR1, unit)
    assert len(back) == len(unit)
    for ours, theirs in zip(unit, back, strict=True):
        for name in ("messages", "response", "answer", "domain", "license", "finish_reason", "row_id"):
            assert theirs[name] == ours[name], name
        verdict = theirs.get("correctness_math_verify")
        assert (None if verdict is None else verdict["value"]) == ours["answer_matches"]["value"]


@settings(deadline=None)
@given(unit=rows())
def test_the_columns_that_are_written_say_which_format_it_is(unit: list[dict[str, Any]]) -> None:
    for form in BOTH_WAYS:
        columns = list(form.schema) if form.schema is not None else ["system", "conversations", "row_id"]
        assert [each.name for each in FORMATS if each.fits(columns)] == [form.name]


CALLED_A_TOOL = [{"role": "user", "content": "1+1?"}, {"role": "tool", "content": "2"}]
PICTURE = [{"role": "user", "content": [{"type": "image"}]}]


@pytest.mark.parametrize(
    ("form", "theirs", "why"),
    [
        (TRL, {"messages": CALLED_A_TOOL}, "the last message is the tool's"),
        (TRL, {"messages": [{"role": "assistant", "content": "2"}]}, "no message before the assistant's"),
        (TRL, {"messages": PICTURE}, "tool calls and pictures are not carried"),
        (TRL_PROMPT_COMPLETION, {"prompt": PICTURE, "completion": "2"}, "tool calls and pictures"),
        (TRL_PROMPT, {"prompt": [{"role": "assistant", "content": "2"}], "solution": "2"}, "ends with the assistant's words"),
        (VERL, {"prompt": "1+1?", "reward_model": {"style": "model"}}, "no ground_truth"),
        (VERIFIERS, {"question": "1+1?", "answer": "2", "info": "{"}, "info is no JSON"),
        (SHAREGPT, {"conversations": [{"from": "function_call", "value": "f()"}]}, "a turn of 'function_call'"),
        (SHAREGPT, {"conversations": [{"from": ["human"], "value": "1+1?"}]}, r"a turn of \['human'\]"),
        (VERL, {"prompt": "1+1?", "reward_model": {"ground_truth": "2"}, "extra_info": "none"}, "extra_info is no object"),
        (OPENR1, {"problem": "1+1?", "generations": []}, "no generations"),
    ],
)
def test_what_does_not_fit_says_why(form: Format, theirs: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotCarry, match=why):
        form.read(theirs)


def test_simple_shapes_of_other_peoples_files_are_read() -> None:
    assert TRL_PROMPT_COMPLETION.read({"prompt": "1+1?", "completion": "2"})[0]["messages"] == [{"role": "user", "content": "1+1?"}]
    proved = TRL_PROMPT.read({"prompt": "1+1?", "solution": "One and one are two.", "answer": "2"})[0]
    assert (proved["answer"], proved["solution"]) == ("2", "One and one are two.")
    plain = VERIFIERS.read({"question": "1+1?", "answer": "2", "task": "sums", "info": {"hard": True}})[0]
    assert (plain["answer"], plain["domain"], plain["info"]) == ("2", "sums", '{"hard": true}')
    said = SHAREGPT.read({"system": "be brief", "conversations": [{"from": "human", "value": "1+1?"}, {"from": "gpt", "value": "2"}]})[0]
    assert [message["role"] for message in said["messages"]] == ["system", "user"]
    published = OPENR1.read({"problem": "1+1?", "generations": ["2", "3"], "correctness_math_verify": [True, False], "answer": "2"})
    assert [row["correctness_math_verify"]["value"] for row in published] == [1.0, 0.0]
