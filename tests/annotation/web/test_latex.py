"""Formulas of models are shown as MathML of known parts, or not at all, and never for long."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.web.latex import COLOURS, ELEMENTS, LENGTHS, LONGEST, MATHML, MOST, WORDS, Formulas, converted

PIECES = st.sampled_from(
    r"""\frac \sqrt \sum \int \left( \right) \left. \right| \begin{pmatrix} \end{pmatrix} \begin{align} \end{align} & \\ { } [ ] ^ _ ' x 12
    \text{<b>} \href{javascript:alert(1)} \style{position:fixed} \color{red} \hspace{9e9em} \rule{99em}{99em} \class{a} 3.5 \tag{1}
    \newcommand{\a}{\a\a} \a \mathbb{R} \operatorname{f} \unknown $ % # ~ &lt; &#0; &#xD800; <script> " ' \over \boxed{2} \not \limits
    中 😀""".split()  # noqa: SIM905
)


@settings(max_examples=300, deadline=None)
@given(source=st.lists(PIECES | st.text(st.characters(), max_size=5), max_size=12).map(" ".join))
def test_whatever_comes_out_is_well_formed_and_known(source: str) -> None:
    said = converted((source, len(source) % 2 == 0))
    assert len(said) == 1
    if "error" in said:
        return
    for element in ElementTree.fromstring(said["mathml"]).iter():
        assert element.tag.removeprefix(f"{{{MATHML}}}") in ELEMENTS
        assert set(element.attrib) <= WORDS | LENGTHS | COLOURS
        assert not any("javascript" in value or "position" in value or "url" in value for value in element.attrib.values())


@pytest.mark.parametrize(
    ("source", "text"),
    [("x<y", "x<y"), (r"\text{a<b>&amp;c}", "a<b>&amp;c"), (r"\frac{1}{2}", "12"), (r"\boxed{42}", "42"), (r"中<文", "中<文")],
)
def test_text_is_text(source: str, text: str) -> None:
    shown = "".join(ElementTree.fromstring(converted((source, False))["mathml"]).itertext())
    assert shown.replace("\xa0", " ") in (text, text.replace("&amp;", "&"))


def test_a_formula_that_would_lie_over_the_page_does_not() -> None:
    assert "99em" not in converted((r"\hspace{99em} x", False))["mathml"]
    assert "1em" in converted((r"\hspace{1em} x", False))["mathml"]


def test_a_formula_that_never_ends_is_given_up_and_the_others_are_shown() -> None:
    bomb = "".join(rf"\newcommand{{\{chr(97 + n)}}}{{\{chr(98 + n)}\{chr(98 + n)}}}" for n in range(24)) + r"\a"
    formulas = Formulas()
    try:
        slow, long, deep, fine = formulas.convert([(bomb, False), ("x" * (LONGEST + 1), False), ("{" * LONGEST, False), ("x", False)])
    finally:
        formulas.close()
    assert "error" in slow
    assert f"{LONGEST:,} are shown at most" in long["error"]
    assert "error" in deep
    assert "<mi>x</mi>" in fine["mathml"]


def test_the_same_formula_is_converted_once() -> None:
    formulas = Formulas()
    try:
        assert len({said["mathml"] for said in formulas.convert([("x", True)] * MOST)}) == 1
    finally:
        formulas.close()
