from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.readability import readable
from filters.texts.hard_to_read import hard_stretches

LINES = st.lists(
    st.sampled_from(["", "  ", "```", "```python", "x = 1", "# Plan", "- add **it**", "字" * 20, "| a |", "a `b` c", "\r", "> so"])
)


@settings(deadline=None)  # the first example compiles
@given(LINES, st.booleans())
def test_the_stretches_are_exactly_the_bytes_that_the_score_counts(lines: list[str], markdown: bool) -> None:  # noqa: FBT001  # given
    text = "\n".join(lines)
    found = hard_stretches(text, longest_paragraph=30, markdown=markdown)
    hard = sum(len(line.encode()) for each in found for line in each["text"].split("\n") if line.strip(" \t\r"))
    whole = sum(len(line.encode()) for line in lines if line.strip(" \t\r"))
    value = readable(text, text, longest_paragraph=30, markdown=markdown).value
    assert value == pytest.approx(1 - hard / whole if whole else 1.0)
    assert all(text[each["start"] : each["end"]] == each["text"] for each in found)


def test_code_long_paragraphs_and_markdown_are_named() -> None:
    thought = "# Plan\n- add\n\n" + "word " * 500 + "\n\nSo:\n```python\nprint(4)\n```\nfour\n```\nnever closed"
    row = {"reasoning": thought, "response": "no matter"}
    found = readable.findings(row)
    assert [each["note"] for each in found] == ["paragraph of 2,500 bytes", "code block", "code block that is never closed"]
    assert found[1]["text"] == "```python\nprint(4)\n```"
    assert {each["field"] for each in found} == {"reasoning"}
    assert [each["note"] for each in readable.with_(markdown=True).findings(row)][:2] == ["heading", "bullet"]


def test_without_thoughts_told_apart_the_response_is_looked_at_up_to_its_end() -> None:
    found = readable.findings({"response": "I run\n```\n4\n```\n</think>\n```\nfine here\n```", "reasoning": None})
    assert [(each["field"], each["text"]) for each in found] == [("response", "```\n4\n```")]
    assert readable.findings({}) == []
