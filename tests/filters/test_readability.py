"""What is hard to read in a thought, and who speaks in it."""

from __future__ import annotations

import pickle
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.readability import LONG_PARAGRAPH, first_person, readable


@pytest.mark.parametrize(
    ("thought", "reason"),
    [
        ("", "longest paragraph 0 bytes"),
        ("one\ntwo\n\nthree", "longest paragraph 6 bytes"),
        ("首先相加", "longest paragraph 12 bytes"),
        ("a\n```\nb\n```\nc\n```py\nd", "2 code blocks; longest paragraph 1 bytes"),
        ("I write ```x``` here", "longest paragraph 20 bytes"),
        (
            "## Plan\n- add\n* take\n> said\n| a | b |\nso **this** is",
            "1 heading, 3 bullets, 1 table line, 1 line of bold words; longest paragraph 47 bytes",
        ),
        ("- 3 + 4\n2**3 and 4**5\n#1 is it\n|x| < 3\n1. add", "longest paragraph 41 bytes"),
        ("so\n---\nthen", "1 line of bold words; longest paragraph 9 bytes"),
    ],
)
def test_what_is_there_is_told(thought: str, reason: str) -> None:
    assert readable(thought).reason == reason


def test_code_and_long_paragraphs_count_by_their_share_and_markdown_where_asked() -> None:
    assert readable("abcd\n```\nabcdefgh").value == pytest.approx(4 / 15)
    long = "word " * (LONG_PARAGRAPH // 5 + 1)
    assert readable(long).value == 0.0
    assert readable(long + "\n\nshort" * 100).value == pytest.approx(500 / (len(long) + 500))
    assert readable("# A\nbcd").value == 1.0
    assert readable("# A\nbcd", markdown=True).value == pytest.approx(0.5)
    assert readable("一" * 600).value == 1.0
    assert readable("一" * 700).value == 0.0


def test_only_the_thoughts_are_read() -> None:
    code = "```python\nprint(4)\n```"
    rows = pl.DataFrame({"response": [f"<think>\nI add.\n</think>\n\n{code}"] * 2, "reasoning": ["I add.", None]})
    assert readable.score(rows).struct.field("value").to_list() == [1.0, 1.0]
    assert readable.score(rows.drop("reasoning")).struct.field("value").to_list() == [1.0, 1.0]
    assert readable(f"<think>\n{code}\n</think>\n\n4").value == pytest.approx(7 / 27)


@pytest.mark.parametrize(
    ("thought", "reason"),
    [
        ("I think so. My own.", "2 I, 0 we"),
        ("We add; let's see, our sum", "0 I, 3 we"),
        ("我想，我们算，咱们看", "1 I, 2 we"),
        ("x = 3", "nobody speaks"),
    ],
)
def test_who_speaks(thought: str, reason: str) -> None:
    assert first_person(thought).reason == reason


lines = st.lists(st.sampled_from(["# a", "```", "- b", "| c |", "**d**", "", "plain words", "一二三", "\r", "\x00"]), max_size=20)


@settings(deadline=None)  # the first call compiles
@given(texts=st.lists(st.one_of(st.text(), lines.map("\n".join)), max_size=5), markdown=st.booleans())
def test_any_texts_read_together_are_read_as_each_alone(texts: list[str], *, markdown: bool) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    rows = pl.DataFrame({"response": texts}, schema={"response": pl.String})
    together = readable.with_(markdown=markdown).score(rows).to_list()
    for text, found in zip(texts, together, strict=True):
        assert found["value"] == pytest.approx(readable(text, markdown=markdown).value)
        assert found["reason"] == readable(text, markdown=markdown).reason
    assert len(first_person.score(rows)) == len(texts)


@settings(deadline=None)  # the first call compiles
@given(parts=st.lists(st.sampled_from(["plain words", "一二三", "# a"]), min_size=1, max_size=10))
def test_empty_lines_more_or_less_do_not_matter(parts: list[str]) -> None:
    assert readable("\n\n".join(parts), markdown=True) == readable("\n\n \n\n".join(parts) + "\n\n", markdown=True)


@pytest.mark.parametrize("text", ["**a " * 250_000, "```" * 333_000, "\n" * 1_000_000, "#" * 1_000_000, "| " * 500_000])
def test_a_megabyte_of_anything_takes_a_second_at_most(text: str) -> None:
    began = time.process_time()
    assert readable(text).value is not None
    assert time.process_time() - began < 1


def test_scorers_travel_by_name() -> None:
    assert pickle.loads(pickle.dumps(readable.with_(markdown=True))) == readable.with_(markdown=True)
    assert pickle.loads(pickle.dumps(first_person)) == first_person
