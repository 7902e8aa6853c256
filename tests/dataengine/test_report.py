"""The report: everything is on the page, nothing is loaded from elsewhere, text of models stays text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.report import (
    FOLD_CHARACTERS,
    FOLD_LINES,
    Audit,
    Curves,
    Funnel,
    Report,
    Road,
    Sample,
    Samples,
    Section,
    Stages,
    read_metrics,
    sample,
)
from dataengine.reporting.stage_graph import Node

RUN = [{"step": step, "reward": step / 10, "scores": {"accuracy": step / 20, "language": None}} for step in range(1, 13)]
ROWS = [
    {"model": "tiny-base", "accuracy": 0.27, "accuracy_se": 0.016, "cons@16": None},
    {"model": "R1-Zero", "accuracy": 0.62, "accuracy_se": 0.017, "cons@16": 0.74},
]
FUNNEL = [{"step": "zero-right", "made": 1000, "kept": 550, "rejected": {f"reason {n}": 100 - n for n in range(8)}}]
ATTACK = "<think>\n1 < 2 && x<y</think> <script>alert('x')</script> <answer>7</answer>"


class Reader(HTMLParser):
    """The elements of a page with their attributes, and the text in the elements of one class."""

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self.wanted, self.texts, self.elements = wanted, [""][:0], [("", {"": ""})][:0]
        self.inside = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if self.inside or found.get("class") == self.wanted:
            self.inside += 1
            self.texts += [""] if self.inside == 1 else []

    def handle_endtag(self, tag: str) -> None:
        self.inside -= self.inside > 0

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1] += data


def read(html: str, wanted: str = "text") -> Reader:
    reader = Reader(wanted)
    reader.feed(html)
    reader.close()
    return reader


def full_page() -> str:
    verdicts = {"correct": (1.0, "equal"), "judge": (None, "no answer")}
    sections: list[Section] = [
        Stages(rows=ROWS),
        Road(nodes=[Node(name="base"), Node(name="set", kind="data", note="9 rows"), Node(name="Dev1", inputs=("base", "set"))]),
        Curves(runs={"R1-Zero": RUN, "R1 & <more>": RUN[:5]}),
        Funnel(rows=FUNNEL),
        Samples(
            title="Kept",
            samples=[Sample(prompt="1+1?", response=ATTACK, verdicts=verdicts)],
        ),
        Samples(title="Rejected", samples=[Sample(prompt="2+2?", response=None, dropped="generate: prompt_too_long")]),
        Audit(rows=[{"step": "zero", "folder": "runs/zero-1a2b3c4d", "settings": {"seed": 7, "note": "<b>"}}]),
    ]
    return Report(title="R1 <in> miniature", intro="One.\n\nTwo.", facts={"seed": "7"}, sections=sections).html()


def test_every_section_is_on_the_page() -> None:
    html = full_page()
    for expected in ("27.0 <small>± 1.6</small>", "74.0", "Dev1", "9 rows", "550 kept of 1,000, 55.0 %", "2 more reasons, 187 rows"):
        assert expected in html
    for expected in (
        "generate: prompt_too_long",
        "No response was made.",
        "unjudged",
        "runs/zero-1a2b3c4d",
        "&#34;seed&#34;: 7",
        '<p class="intro">Two.</p>',
    ):
        assert expected in html
    plots = re.findall(r'<svg role="img" aria-label="(\w+) against', html)
    assert plots == ["reward", "accuracy"], "metrics that no run has are not drawn"


def test_the_page_loads_nothing() -> None:
    html = full_page()
    for tag, attributes in read(html).elements:
        assert tag not in {"script", "link", "img", "iframe", "object", "base"}
        assert all(attributes[name].startswith("#") for name in ("src", "href", "xlink:href") if name in attributes), (tag, attributes)
    assert "://" not in html
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))


def test_text_of_a_model_never_becomes_html() -> None:
    html = full_page()
    assert "<script" not in html
    assert read(html).texts == [ATTACK]
    assert "R1 &lt;in&gt; miniature" in html
    assert "R1 &amp; &lt;more&gt;" in html


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=200))
def test_a_response_is_shown_exactly_as_it_is(text: str) -> None:
    html = Report(title="t", sections=[Samples(title="s", samples=[Sample(prompt="p", response=text + "!")])]).html()
    assert read(html).texts == [text + "!"]


@pytest.mark.parametrize("text", ["x" * (FOLD_CHARACTERS + 1), "x\n" * FOLD_LINES, "<think>" * FOLD_CHARACTERS])
def test_a_long_response_is_folded_and_still_whole(text: str) -> None:
    html = Report(title="t", sections=[Samples(title="s", samples=[Sample(prompt="p", response=text)])]).html()
    assert '<details class="folded">' in html
    assert read(html).texts == [text]
    beginning = read(html, "text beginning").texts[0]
    assert text.startswith(beginning)
    assert 0 < len(beginning) < len(text)


def test_sections_without_data_say_so() -> None:
    empty: list[Section] = [
        Stages(rows=[]),
        Road(nodes=[]),
        Curves(runs={}),
        Curves(runs={"a": []}),
        Funnel(rows=[]),
        Samples(title="Kept", samples=[]),
        Audit(rows=[]),
    ]
    html = Report(title="t", sections=empty).html()
    assert len(re.findall(r'<p class="empty">[A-Z][^<]{15,}\.</p>', html)) == len(empty)


def test_a_step_that_made_nothing_divides_by_nothing() -> None:
    html = Report(title="t", sections=[Funnel(rows=[{"step": "mix", "made": 0, "kept": 0, "rejected": {}}])]).html()
    assert "0 kept of 0" in html


def test_a_row_of_a_folder_becomes_a_sample() -> None:
    row = {
        "prompt_id": "9f2c",
        "sample": 3,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1?"}],
        "answer": "2",
        "response": "<answer>3</answer>",
        "correct": {"value": 0.0, "reason": "wrong"},
        "model": None,
        "dropped_by": "correct",
        "dropped_because": "wrong",
    }
    assert sample(row) == Sample(
        prompt="1+1?",
        response="<answer>3</answer>",
        about={"reference": "2", "row": "9f2c/3"},
        verdicts={"correct": (0.0, "wrong")},
        dropped="correct: wrong",
    )


def test_figures_are_read_from_a_model_folder(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in RUN))
    assert read_metrics(tmp_path) == RUN


def test_the_same_data_make_the_same_page(tmp_path: Path) -> None:
    path = Report(title="t", sections=[Curves(runs={"a": RUN})]).write(tmp_path / "report.html")
    again = Report(title="t", sections=[Curves(runs={"a": RUN})]).write(tmp_path / "again.html")
    assert path.read_bytes() == again.read_bytes()
